//! Who waits for claims to end (G26). A waiter waits for all that is in the way of all its items, and
//! gets all of them or nothing. Whoever asks later does not overtake it, unless it is more urgent, or
//! the waiter itself waits for whoever asks. Waiting raises the rank by one class per time (configurable)
//! up to the highest, so every waiter comes first at some time.

use std::time::Duration;

use coord_protocol::claim::{self, Pair, Side};
use coord_protocol::lease::Standing;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimsAnswer, CreateClaims, Urgency};
use serde_json::json;

use super::circle;
use super::items::{self, Item};
use super::judge::{Wish, standing_of};
use super::refused::{self, Obstacle};
use super::team::{Attempt, Made, attempt, who, wish_of};
use super::{End, end};
use crate::service::{Answer, Cx, Refusal, Waits, events};
use crate::store::{ClaimRow, Stored, Tx, View, WaiterRow, WaiterState};

/// A waiter without a connection is served so long after it was last heard.
pub const ALIVE_FOR: Duration = Duration::from_secs(3);
/// The highest class.
const TOP: i64 = 4;
/// Waiters behind another one that are tried with one look, and how long a turn is theirs, ms.
const TRIED_AT_ONCE: usize = 32;
const TURN_MS: i64 = 200;
/// Waiters at most, together.
const WAITERS_MAX: i64 = 10_000;

/// A place in the order in which waiters are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// 1 to 4; higher comes first.
    class: i64,
    /// Among equals, lower comes first.
    seq: i64,
}

impl Place {
    /// Of somebody who asks now and does not say how urgent it is.
    pub(super) fn newcomer() -> Self {
        Self::of_wish(Urgency::Normal)
    }

    /// Of somebody who asks now.
    pub(super) fn of_wish(urgency: Urgency) -> Self {
        Self { class: urgency.class(), seq: i64::MAX }
    }

    fn of(cx: &Cx<'_>, w: &WaiterRow) -> Self {
        let waited = cx.now.since(w.enqueued_at).as_millis();
        let boosts = match cx.rules.team.age_boost {
            Some(each) => i64::try_from(waited / each.as_millis().max(1)).unwrap_or(TOP),
            None => 0,
        };
        Self { class: w.urgency.class().saturating_add(boosts).min(TOP), seq: w.seq }
    }

    fn is_before(self, other: Self) -> bool {
        (-self.class, self.seq) < (-other.class, other.seq)
    }
}

/// Waiters that come before whoever stands at `place`, and want what cannot be had beside this wish.
pub(super) fn before(
    view: &View<'_>,
    cx: &Cx<'_>,
    wish: &Wish<'_>,
    place: Place,
) -> Stored<Vec<WaiterRow>> {
    // What the server has in its queue is its own to judge.
    if cx.provisional || !view.anybody_waits()? {
        return Ok(Vec::new());
    }
    let mut found: Vec<WaiterRow> = Vec::new();
    let asker = Side { symbols: wish.symbols, narrowable: false, hard: wish.hard };
    for item in view.waited_near(wish.project, wish.resource)? {
        if found.iter().any(|w| w.id == item.waiter) {
            continue;
        }
        let Ok(resource) = Resource::claimed(&item.resource) else { continue };
        let (symbols, hard) = (item.symbols.as_deref(), item.hard);
        let theirs = Side { symbols, narrowable: item.narrowable, hard };
        if resource.overlap(wish.resource).is_none()
            || !matches!(claim::judge(&theirs, &asker), Pair::Conflict { .. })
        {
            continue;
        }
        let Some(w) = view.waiter(&item.waiter)? else { continue };
        if w.state == WaiterState::Waiting
            && !w.who().is(&wish.who)
            && Place::of(cx, &w).is_before(place)
            // Nobody is kept waiting for somebody who waits for them.
            && !circle::waits_for(view, &w, &wish.who)?
        {
            found.push(w);
        }
    }
    Ok(found)
}

/// Puts a request into the queue, unless it would wait for itself.
pub(super) fn enter(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    items: &[Item],
    blocked: &[Obstacle],
    answer: ClaimsAnswer,
) -> Answer<Made> {
    let targets = targets_of(blocked);
    refused::note(tx, cx, ask, items, blocked)?;
    if let Some(names) = circle::closed_by(tx, &who(ask), &targets)? {
        return Ok(Made::Blocked(with_circle(answer, &names)));
    }
    if tx.waiting_count()? >= WAITERS_MAX {
        return Err(Refusal::new(429, "too many wait already").into());
    }
    let seconds = ask.wait_seconds.unwrap_or(0).unsigned_abs();
    let until = cx.now.plus(Duration::from_secs(seconds));
    let id = cx.new_id();
    let row = WaiterRow {
        seq: 0,
        id: id.clone(),
        project_key: ask.repo.clone().unwrap_or_default(),
        engineer: ask.engineer.clone(),
        session_id: ask.session_id.clone().unwrap_or_default(),
        wish: json!(ask).to_string(),
        urgency: ask.urgency,
        blocking_claim_id: targets.first().cloned(),
        pattern: items[blocked[0].at()].pattern.clone(),
        claim_type: items[blocked[0].at()].claim_type,
        symbols: items[blocked[0].at()].symbols.clone(),
        state: WaiterState::Waiting,
        enqueued_at: cx.now,
        expires_at: until,
        alive_until: alive_until(cx),
        decided_at: None,
        granted: Vec::new(),
        answer: Some(json!(answer).to_string()),
    };
    tx.put_waiter(&row)?;
    for (at, item) in items.iter().enumerate() {
        tx.add_waiter_item(&row.project_key, at, &item.for_waiter(&id))?;
    }
    tx.set_targets(&id, &targets)?;
    Ok(Made::Waits(id, until))
}

/// How long a waiter counts as there without a word of its own.
fn alive_until(cx: &Cx<'_>) -> Option<Millis> {
    (cx.waits == Waits::Polling).then(|| cx.now.plus(ALIVE_FOR))
}

fn targets_of(blocked: &[Obstacle]) -> Vec<String> {
    let mut ids: Vec<String> = blocked.iter().map(|o| o.id().to_owned()).collect();
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
    ids
}

fn with_circle(mut answer: ClaimsAnswer, names: &[String]) -> ClaimsAnswer {
    let circle = names.join(" waits for ");
    answer.warnings.push(format!("Not queued, that would be a circle: {circle}"));
    answer.options.retain(|o| o != "wait");
    answer
}

/// A request that waited comes again: its caller lost its connection, or the server was restarted.
pub(super) fn again(tx: &Tx<'_>, cx: &Cx<'_>, known: WaiterRow) -> Answer<Made> {
    match known.state {
        WaiterState::Waiting => Ok(Made::Waits(known.id, known.expires_at)),
        WaiterState::Left if known.expires_at > cx.now && known.granted.is_empty() => {
            let Some(ask) = wish_of(&known) else { return Ok(told(&known)) };
            let Ok(items) = items::read(tx, cx, &ask)? else { return Ok(told(&known)) };
            let (id, until) = (known.id.clone(), known.expires_at);
            let alive_until = alive_until(cx);
            tx.put_waiter(&WaiterRow {
                state: WaiterState::Waiting,
                alive_until,
                ..known.clone()
            })?;
            for (at, item) in items.iter().enumerate() {
                tx.add_waiter_item(&known.project_key, at, &item.for_waiter(&id))?;
            }
            let blocking: Vec<String> = known.blocking_claim_id.into_iter().collect();
            tx.set_targets(&id, &blocking)?;
            // What it waited for may be over by now.
            for claim in &blocking {
                tx.note_freed(claim);
            }
            Ok(Made::Waits(id, until))
        }
        _ => Ok(told(&known)),
    }
}

/// What the caller of a waiter that waits no longer is told.
fn told(w: &WaiterRow) -> Made {
    if w.state == WaiterState::Granted {
        let answer = ClaimsAnswer { claim_ids: w.granted.clone(), ..ClaimsAnswer::default() };
        return Made::Granted { answer, locks: Vec::new() };
    }
    let answer = w.answer.as_deref().and_then(|a| serde_json::from_str(a).ok());
    Made::Blocked(answer.unwrap_or_default())
}

/// What the parked caller of a waiter is told now; `None`: it waits on.
pub fn resume(tx: &Tx<'_>, cx: &Cx<'_>, id: &str) -> Stored<Option<Made>> {
    let Some(w) = tx.waiter(id)? else { return Ok(Some(Made::Blocked(ClaimsAnswer::default()))) };
    if w.state == WaiterState::Waiting {
        if cx.now < w.expires_at {
            return Ok(None);
        }
        leave(tx, cx, &w, WaiterState::Expired)?;
    }
    Ok(Some(told(&w)))
}

/// A waiter ceases to wait and gets nothing.
fn leave(tx: &Tx<'_>, cx: &Cx<'_>, w: &WaiterRow, as_what: WaiterState) -> Stored<bool> {
    let was_waiting = tx.decide_waiter(&w.id, as_what, cx.now, &[])?;
    if was_waiting {
        tx.note_freed(&w.id);
        tx.note_woken(&w.id);
    }
    Ok(was_waiting)
}

/// The caller of a waiter is gone: it is not served any more, and what it was granted without hearing
/// of it ends.
pub fn caller_left(tx: &Tx<'_>, cx: &Cx<'_>, id: &str) -> Stored<()> {
    let Some(w) = tx.waiter(id)? else { return Ok(()) };
    leave(tx, cx, &w, WaiterState::Left)?;
    if w.state == WaiterState::Granted {
        for claim in &w.granted {
            if let Some(row) = tx.claim(claim)?.filter(|r| r.ended_at.is_none()) {
                end(tx, cx, &row, End::Left, None, None)?;
            }
        }
    }
    serve(tx, cx)
}

/// Cancels a waiter; false when there is none that waits, or not of this engineer.
pub fn cancel(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, engineer: Option<&str>) -> Stored<bool> {
    let Some(w) = tx.waiter(id)? else { return Ok(false) };
    if engineer.is_some_and(|e| e != w.engineer) || !leave(tx, cx, &w, WaiterState::Cancelled)? {
        return Ok(false);
    }
    let detail = json!({"queue_id": w.id, "requester_engineer": w.engineer, "pattern": w.pattern});
    events::announce(tx, cx, events::QUEUE_CANCEL, &detail)?;
    Ok(true)
}

/// Serves whoever waits for what has ended in this transaction. Everything that ends comes to this
/// one place; it is called before the answer of each request is remembered.
pub fn serve(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    loop {
        let freed = tx.take_freed();
        if freed.is_empty() || cx.provisional {
            return Ok(());
        }
        for target in freed {
            serve_those_for(tx, cx, &target)?;
        }
    }
}

/// Somebody who was just served, for those behind it.
struct Served {
    claims: Vec<ClaimRow>,
}

fn serve_those_for(tx: &Tx<'_>, cx: &Cx<'_>, target: &str) -> Stored<()> {
    let mut waiting = tx.waiting_for(target)?;
    waiting.sort_by_key(|w| (-Place::of(cx, w).class, w.seq));
    let mut served: Vec<Served> = Vec::new();
    for w in waiting {
        if w.alive_until.is_some_and(|t| t < cx.now) {
            leave(tx, cx, &w, WaiterState::Left)?;
        } else if w.expires_at <= cx.now {
            leave(tx, cx, &w, WaiterState::Expired)?;
        } else if let Some(claim) = met_by(&served, &w) {
            // Without a try: the one before it has just got what it wants, too.
            tx.set_targets(&w.id, std::slice::from_ref(&claim))?;
            tx.set_blocking(&w.id, Some(&claim))?;
        } else {
            served.extend(serve_one(tx, cx, &w)?);
        }
    }
    Ok(())
}

/// A claim that somebody was just granted and that is surely in this waiter's way.
fn met_by(served: &[Served], w: &WaiterRow) -> Option<String> {
    let wish = Resource::claim(&w.pattern).ok()?;
    let in_the_way = |row: &&ClaimRow| {
        let team = row.team.as_deref();
        let whole = team.is_some_and(|t| t.symbols.is_none() && !t.narrowable);
        (w.symbols.is_none() || whole)
            && row.project_key == w.project_key
            && !row.who().is(&w.who())
            && row.read_resource().is_some_and(|r| r.overlap(&wish).is_some())
    };
    served.iter().flat_map(|s| &s.claims).find(in_the_way).map(|row| row.id.clone())
}

fn serve_one(tx: &Tx<'_>, cx: &Cx<'_>, w: &WaiterRow) -> Stored<Option<Served>> {
    let Some(ask) = wish_of(w) else {
        leave(tx, cx, w, WaiterState::Left)?;
        return Ok(None);
    };
    let items = match items::read(tx, cx, &ask)? {
        Ok(items) => items,
        Err(bad) => {
            tx.set_waiter_answer(&w.id, &json!(bad).to_string())?;
            leave(tx, cx, w, WaiterState::Refused)?;
            return Ok(None);
        }
    };
    // What is granted is not the request that runs now: it gets ids of its own.
    let own = Cx { id: None, ..*cx };
    match attempt(tx, &own, &ask, &items, Place::of(cx, w))? {
        Attempt::Granted(claims) => {
            let ids: Vec<_> = claims.iter().map(|c| c.id.clone()).collect();
            tx.decide_waiter(&w.id, WaiterState::Granted, cx.now, &ids)?;
            tx.note_woken(&w.id);
            tx.note_freed(&w.id);
            let detail = json!({"queue_id": w.id, "granted_claim_id": ids.first(),
                "requester_engineer": w.engineer, "pattern": w.pattern});
            events::announce(tx, cx, events::QUEUE_GRANT, &detail)?;
            Ok(Some(Served { claims }))
        }
        Attempt::Blocked(blocked) => {
            let targets = targets_of(&blocked);
            tx.set_targets(&w.id, &targets)?;
            tx.set_blocking(&w.id, targets.first().map(String::as_str))?;
            if let Some(names) = circle::closed_by(tx, &w.who(), &targets)? {
                let answer = with_circle(refused::answer(&items, &blocked), &names);
                tx.set_waiter_answer(&w.id, &json!(answer).to_string())?;
                leave(tx, cx, w, WaiterState::Refused)?;
            }
            Ok(None)
        }
    }
}

/// Ends what is over by time among all that anybody waits for, and waiters whose own time is over.
pub fn look(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    if !tx.anybody_waits()? {
        return Ok(());
    }
    for w in tx.waiters_over(cx.now)? {
        let gone = w.alive_until.is_some_and(|t| t < cx.now);
        leave(tx, cx, &w, if gone { WaiterState::Left } else { WaiterState::Expired })?;
    }
    for target in tx.targets()? {
        let Some(row) = tx.claim(&target)? else {
            try_some_behind(tx, cx, &target)?;
            continue;
        };
        if row.ended_at.is_some() {
            tx.note_freed(&target);
            continue;
        }
        match standing_of(cx.now, cx.rules, &row) {
            Standing::Live => {}
            Standing::Expired => end(tx, cx, &row, End::Expired, None, None)?,
            Standing::Stale => end(tx, cx, &row, End::Stale, None, None)?,
        }
    }
    serve(tx, cx)
}

/// Who waits for a waiter alone may come before it by now: by its age, or because that one waits for it.
/// Some are tried with each look, in turn, so that a look costs little however many there are.
fn try_some_behind(tx: &Tx<'_>, cx: &Cx<'_>, target: &str) -> Stored<()> {
    if tx.waiter(target)?.is_none_or(|w| w.state != WaiterState::Waiting) {
        tx.note_freed(target);
        return Ok(());
    }
    let mut behind = tx.waiting_for(target)?;
    behind.sort_by_key(|w| (-Place::of(cx, w).class, w.seq));
    let turns = behind.len().div_ceil(TRIED_AT_ONCE).max(1);
    let turn = usize::try_from(cx.now.0 / TURN_MS).unwrap_or(0) % turns;
    for w in behind.into_iter().skip(turn * TRIED_AT_ONCE).take(TRIED_AT_ONCE) {
        serve_one(tx, cx, &w)?;
    }
    Ok(())
}

/// The places of those that wait for the same claim, the first being 1.
pub fn position(view: &View<'_>, cx: &Cx<'_>, w: &WaiterRow) -> Stored<usize> {
    let Some(target) = w.blocking_claim_id.as_deref().filter(|_| w.state == WaiterState::Waiting)
    else {
        return Ok(0);
    };
    let place = Place::of(cx, w);
    let before = view.waiting_for(target)?;
    Ok(before.iter().filter(|o| Place::of(cx, o).is_before(place)).count() + 1)
}
