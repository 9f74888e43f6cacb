//! Whether a history of claims and releases, as its sessions saw it, could have happened one after
//! the other (Wing and Gong's search, with a memory of where it has been as in Lowe's). A lease may
//! end at any moment after its deadline.

use std::collections::{BTreeMap, BTreeSet, HashSet};

/// Steps of a search before it is given up as undecided.
const STEPS_MAX: usize = 400_000;

/// What was asked, and what was said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// A new grant: the lock, its fence, and the least time in which it can end by itself.
    Granted(String, i64, u64),
    /// The session's own grant was extended by that.
    Renewed(String, u64),
    /// Refused because of these locks.
    Refused(Vec<String>),
    /// This lock was ended, by its holder or because its time was over.
    Released(String),
    /// This lock was over already.
    WasOver(String),
    /// This lock is somebody else's.
    NotYours(String),
    /// All the session's locks were ended: these.
    ReleasedAll(Vec<String>),
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Op {
    /// Whose.
    pub session: String,
    /// On what; of a release nothing.
    pub resource: String,
    /// When it was asked.
    pub asked: u64,
    /// When its answer was there.
    pub answered: u64,
    /// What it was.
    pub did: Did,
}

/// A live grant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Grant {
    session: String,
    resource: String,
    ends: u64,
}

/// Where a search stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct State {
    done: Vec<bool>,
    live: BTreeMap<String, Grant>,
    /// Over by their time, which the server has perhaps not noted.
    lapsed: BTreeSet<String>,
    fence: i64,
    now: u64,
}

/// The locks without which this would not be said.
fn needs(did: &Did) -> &[String] {
    match did {
        Did::Renewed(id, _) | Did::Released(id) | Did::NotYours(id) => std::slice::from_ref(id),
        Did::Refused(ids) | Did::ReleasedAll(ids) => ids,
        Did::Granted(..) | Did::WasOver(_) => &[],
    }
}

impl State {
    /// Whether something that is still to come needs a lock that is over now.
    fn is_hopeless(&self, before: &Self, ops: &[Op]) -> bool {
        let was = |id: &String| before.live.contains_key(id) || before.lapsed.contains(id);
        let lost = |did: &Did| needs(did).iter().any(|id| was(id) && !self.has(did, id));
        let same = self.live.len() == before.live.len() && self.lapsed.len() == before.lapsed.len();
        !same && (0..ops.len()).any(|n| !self.done[n] && lost(&ops[n].did))
    }

    /// Whether a lock is there for what is said of it: one that is over by its time can be given
    /// back, as long as nobody else has looked at it.
    fn has(&self, did: &Did, id: &str) -> bool {
        let late = matches!(did, Did::Released(_) | Did::ReleasedAll(_));
        self.live.contains_key(id) || late && self.lapsed.contains(id)
    }

    /// Nothing but that one operation is done.
    fn only_looked(&self, before: &Self) -> bool {
        self.now == before.now && self.live == before.live && self.fence == before.fence
    }

    /// Ends these by their time; `None` when that cannot be before `latest`.
    fn expire(&mut self, ids: &[String], latest: u64) -> Option<()> {
        for id in ids {
            self.now = self.now.max(self.live.remove(id)?.ends);
            self.lapsed.insert(id.clone());
        }
        (self.now <= latest).then_some(())
    }

    /// Live grants of others that touch what the operation is on.
    fn in_the_way(&self, op: &Op, touch: fn(&str, &str) -> bool) -> Vec<String> {
        let theirs = |g: &Grant| g.session != op.session && touch(&g.resource, &op.resource);
        self.live.iter().filter(|(_, g)| theirs(g)).map(|(id, _)| id.clone()).collect()
    }

    /// After the operation at this point; `None`: it cannot be here.
    fn after(&self, n: usize, op: &Op, touch: fn(&str, &str) -> bool) -> Option<Self> {
        let mut next = self.clone();
        next.done[n] = true;
        next.now = next.now.max(op.asked);
        if next.now > op.answered || needs(&op.did).iter().any(|id| !self.has(&op.did, id)) {
            return None;
        }
        match &op.did {
            Did::Granted(id, fence, ttl) => {
                let mut over = self.in_the_way(op, touch);
                let own = |g: &Grant| g.session == op.session && g.resource == op.resource;
                over.extend(self.live.iter().filter(|(_, g)| own(g)).map(|(id, _)| id.clone()));
                next.expire(&over, op.answered)?;
                // These the server has noted.
                next.lapsed.retain(|id| !over.contains(id));
                if *fence <= self.fence || self.live.contains_key(id) {
                    return None;
                }
                next.fence = *fence;
                let grant = Grant {
                    session: op.session.clone(),
                    resource: op.resource.clone(),
                    ends: op.asked + ttl,
                };
                next.live.insert(id.clone(), grant);
            }
            Did::Renewed(id, ttl) => {
                let grant = next.live.get_mut(id).filter(|g| g.session == op.session)?;
                grant.ends = op.asked + ttl;
                let over = self.in_the_way(op, touch);
                next.expire(&over, op.answered)?;
            }
            Did::Refused(by) => {
                let mut others = self.in_the_way(op, touch);
                if by.is_empty() || by.iter().any(|id| !others.contains(id)) {
                    return None;
                }
                others.retain(|id| !by.contains(id));
                next.expire(&others, op.answered)?;
            }
            Did::Released(id) => {
                // Not its own: only when its time was over.
                if let Some(g) = next.live.remove(id).filter(|g| g.session != op.session) {
                    next.now = next.now.max(g.ends);
                }
                next.lapsed.remove(id);
                (next.now <= op.answered).then_some(())?;
            }
            Did::WasOver(id) => {
                if next.live.contains_key(id) {
                    next.expire(std::slice::from_ref(id), op.answered)?;
                }
            }
            Did::NotYours(id) => {
                next.live.get(id).filter(|g| g.session != op.session)?;
            }
            Did::ReleasedAll(ids) => {
                let own = self.live.iter().filter(|(_, g)| g.session == op.session);
                let own: Vec<String> = own.map(|(id, _)| id.clone()).collect();
                let (listed, unlisted): (Vec<String>, Vec<String>) =
                    own.into_iter().partition(|id| ids.contains(id));
                next.live.retain(|id, _| !listed.contains(id));
                next.lapsed.retain(|id| !ids.contains(id));
                next.expire(&unlisted, op.answered)?;
            }
        }
        Some(next)
    }
}

/// Where a search can go from here. What only looks, and can be now, is now.
fn successors(
    state: &State,
    ops: &[Op],
    soonest: u64,
    touch: fn(&str, &str) -> bool,
) -> Vec<State> {
    let left = || (0..ops.len()).filter(|n| !state.done[*n]);
    let fence = |n: usize| match &ops[n].did {
        Did::Granted(_, fence, _) => Some(*fence),
        _ => None,
    };
    // Fences rise: of all grants that are left only one can be the next.
    let lowest = left().filter_map(fence).min();
    // Who was answered before another one asked comes before it. Looked at last is tried first.
    let mut able: Vec<usize> = left()
        .filter(|n| ops[*n].asked <= soonest && (fence(*n).is_none() || fence(*n) == lowest))
        .collect();
    able.sort_by_key(|n| std::cmp::Reverse(ops[*n].answered));
    let mut all = Vec::new();
    for next in able.into_iter().filter_map(|n| state.after(n, &ops[n], touch)) {
        if next.only_looked(state) {
            return vec![next];
        }
        if !next.is_hopeless(state, ops) {
            all.push(next);
        }
    }
    all
}

/// An error: it could not have happened, or that could not be decided.
pub fn check(ops: &[Op], touch: fn(&str, &str) -> bool) -> Result<(), String> {
    let begin = State { done: vec![false; ops.len()], ..State::default() };
    let mut seen = HashSet::new();
    let mut open = vec![begin];
    let mut farthest = 0;
    let mut stuck = String::new();
    while let Some(state) = open.pop() {
        if seen.len() > STEPS_MAX {
            return Err(format!("undecided after {STEPS_MAX} steps, {} operations", ops.len()));
        }
        let left = (0..ops.len()).filter(|n| !state.done[*n]);
        let Some(soonest) = left.clone().map(|n| ops[n].answered).min() else { return Ok(()) };
        let done = state.done.iter().filter(|d| **d).count();
        if done >= farthest {
            farthest = done;
            let waiting: Vec<&Op> = left.clone().map(|n| &ops[n]).take(4).collect();
            stuck = format!("after {done} of {}: {:?}, next {waiting:?}", ops.len(), state.live);
        }
        let next = successors(&state, ops, soonest, touch);
        for next in next {
            if seen.insert(next.clone()) {
                open.push(next);
            }
        }
    }
    Err(format!("no order explains what the sessions saw; {stuck}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(a: &str, b: &str) -> bool {
        let wider = |x: &str, y: &str| x == "src/**" && y.starts_with("src/");
        a == b || wider(a, b) || wider(b, a)
    }

    fn op(session: &str, resource: &str, from: u64, to: u64, did: Did) -> Op {
        Op {
            session: session.to_owned(),
            resource: resource.to_owned(),
            asked: from,
            answered: to,
            did,
        }
    }

    fn granted(id: &str, fence: i64) -> Did {
        Did::Granted(id.to_owned(), fence, 100)
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn legal() -> Vec<Op> {
        vec![
            op("A", "src/**", 0, 10, granted("a", 1)),
            op("B", "src/a.rs", 11, 12, Did::Refused(ids(&["a"]))),
            // Its answer was long on its way: it may have come before or after the release.
            op("C", "src/b.rs", 5, 300, granted("c", 2)),
            op("A", "src/**", 20, 25, Did::Renewed("a".to_owned(), 100)),
            op("A", "", 30, 40, Did::Released("a".to_owned())),
            op("B", "src/a.rs", 41, 50, granted("b", 3)),
            // B's time is over from 141 on.
            op("A", "src/a.rs", 130, 145, granted("d", 4)),
            op("B", "", 150, 151, Did::WasOver("b".to_owned())),
            op("A", "", 152, 153, Did::ReleasedAll(ids(&["d"]))),
        ]
    }

    #[test]
    fn what_can_have_happened_is_legal() {
        assert_eq!(check(&legal(), touch), Ok(()));
        assert_eq!(check(&[], touch), Ok(()));
    }

    #[test]
    fn what_cannot_have_happened_is_not() {
        let with = |n: usize, change: fn(&mut Op)| {
            let mut ops = legal();
            change(&mut ops[n]);
            check(&ops, touch)
        };
        let illegal = [
            // Granted beside a live one.
            with(1, |o| o.did = granted("x", 9)),
            // Refused because of what was given back before.
            with(5, |o| o.did = Did::Refused(ids(&["a"]))),
            // Refused because of nothing.
            with(1, |o| o.did = Did::Refused(Vec::new())),
            // The same fence again.
            with(5, |o| o.did = granted("b", 1)),
            // Before B's lease can have ended.
            with(6, |o| o.answered = 140),
            // Renewed by somebody else.
            with(3, |o| "B".clone_into(&mut o.session)),
            // Renewed after it was given back.
            with(3, |o| (o.asked, o.answered) = (42, 45)),
            // Said to be over while it was live.
            with(7, |o| (o.asked, o.answered) = (60, 70)),
            // All of them, and one that never was.
            with(8, |o| o.did = Did::ReleasedAll(ids(&["d", "x"]))),
            // All of them, but not this one.
            with(8, |o| (o.did, o.answered) = (Did::ReleasedAll(Vec::new()), 154)),
        ];
        for (n, found) in illegal.iter().enumerate() {
            assert!(found.as_ref().is_err_and(|e| !e.contains("undecided")), "{n}: {found:?}");
        }
    }
}
