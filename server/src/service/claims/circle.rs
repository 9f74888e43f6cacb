//! Who waits for whom, and whether that comes back to where it began.

use std::collections::HashSet;

use coord_protocol::claim::Who;

use crate::store::{Stored, View, WaiterRow};

/// Names that are followed at most; beyond, a circle is not looked for.
const NAMES_MAX: usize = 1_000;

/// Somebody on the way, owned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Name {
    session: String,
    engineer: Option<String>,
}

impl Name {
    fn of(who: &Who<'_>) -> Self {
        Self { session: who.session.to_owned(), engineer: who.engineer.map(str::to_owned) }
    }

    fn who(&self) -> Who<'_> {
        Who { session: &self.session, engineer: self.engineer.as_deref() }
    }

    fn text(&self) -> String {
        self.engineer.clone().unwrap_or_else(|| self.session.clone())
    }
}

/// The names from `who`, who would wait for `targets`, back to `who`; `None`: there is no circle.
pub(super) fn closed_by(
    view: &View<'_>,
    who: &Who<'_>,
    targets: &[String],
) -> Stored<Option<Vec<String>>> {
    let start = Name::of(who);
    let mut seen = HashSet::new();
    let mut ways = vec![(vec![start.text()], targets.to_vec())];
    while let Some((way, targets)) = ways.pop() {
        for holder in holders_of(view, &targets)? {
            let mut way = way.clone();
            way.push(holder.text());
            if holder.who().is(who) {
                return Ok(Some(way));
            }
            if seen.len() >= NAMES_MAX || !seen.insert(holder.clone()) {
                continue;
            }
            let mut next = Vec::new();
            for waiter in view.waiting_of(&holder.who())? {
                next.extend(view.targets_of(&waiter.id)?);
            }
            if !next.is_empty() {
                ways.push((way, next));
            }
        }
    }
    Ok(None)
}

/// Whether a waiter waits, over however many others, for `who`.
pub(super) fn waits_for(view: &View<'_>, waiter: &WaiterRow, who: &Who<'_>) -> Stored<bool> {
    let mut seen = HashSet::new();
    let mut open = vec![view.targets_of(&waiter.id)?];
    while let Some(targets) = open.pop() {
        for holder in holders_of(view, &targets)? {
            if holder.who().is(who) {
                return Ok(true);
            }
            if seen.len() >= NAMES_MAX || !seen.insert(holder.clone()) {
                continue;
            }
            for next in view.waiting_of(&holder.who())? {
                open.push(view.targets_of(&next.id)?);
            }
        }
    }
    Ok(false)
}

/// Who stands behind claims and waiters.
fn holders_of(view: &View<'_>, targets: &[String]) -> Stored<Vec<Name>> {
    let mut names: Vec<Name> = Vec::new();
    for id in targets {
        let name = match view.claim(id)? {
            Some(row) => row.ended_at.is_none().then(|| Name::of(&row.who())),
            None => view.waiter(id)?.map(|w| Name::of(&w.who())),
        };
        names.extend(name.filter(|n| !names.contains(n)));
    }
    Ok(names)
}
