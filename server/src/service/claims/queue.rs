//! Who waits for claims to end (G26). A waiter waits for all that is in the way of all its items, and
//! gets all of them or nothing. Whoever asks later does not overtake it, unless it is more urgent, or
//! the waiter itself waits for whoever asks. Waiting raises the rank by one class per time (configurable)
//! up to the highest, so every waiter comes first at some time.

use std::time::Duration;

use coord_protocol::claim::{self, Pair, Side};
use coord_protocol::edge::id_at;
use coord_protocol::lease::Standing;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimsAnswer, CreateClaims, Urgency};
use serde_json::json;

use super::circle;
use super::items::{self, Item};
use super::judge::{Wish, look as look_for, standing_of};
use super::refused::{self, Obstacle};
use super::team::{Attempt, Made, attempt, who, wish_of};
use super::{End, end, lock_view};
use crate::service::{Answer, Cx, Refusal, Waits, events};
use crate::store::{ClaimRow, Stored, Tx, View, WaitedItem, WaiterItem, WaiterRow, WaiterState};

/// A waiter without a connection is served so long after it was last heard.
pub const ALIVE_FOR: Duration = Duration::from_secs(3);
/// The highest class.
const TOP: i64 = 4;
/// Waiters behind another one that are tried with one look, and how long a turn is theirs, ms.
const TRIED_AT_ONCE: usize = 8;
const TURN_MS: i64 = 200;
/// Claims with open requests that are looked at in one look.
const ASKED_MAX: usize = 1_000;
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
        Self::aged(cx, w.urgency, w.enqueued_at, w.seq)
    }

    fn of_item(cx: &Cx<'_>, w: &WaitedItem) -> Self {
        Self::aged(cx, w.urgency, w.enqueued_at, w.seq)
    }

    fn aged(cx: &Cx<'_>, urgency: Urgency, since: Millis, seq: i64) -> Self {
        let waited = cx.now.since(since).as_millis();
        let boosts = match cx.rules.team.age_boost {
            Some(each) => i64::try_from(waited / each.as_millis().max(1)).unwrap_or(TOP),
            None => 0,
        };
        Self { class: urgency.class().saturating_add(boosts).min(TOP), seq }
    }

    fn is_before(self, other: Self) -> bool {
        (-self.class, self.seq) < (-other.class, other.seq)
    }
}

/// The first of those that come before whoever stands at `place`, and want what cannot be had beside
/// this wish.
pub(super) fn before(
    view: &View<'_>,
    cx: &Cx<'_>,
    wish: &Wish<'_>,
    place: Place,
) -> Stored<Option<WaiterRow>> {
    // What the server has in its queue is its own to judge.
    if cx.provisional || !view.anybody_waits()? {
        return Ok(None);
    }
    let asker = Side { symbols: wish.symbols, narrowable: false, hard: wish.hard };
    let mut all: Vec<(Place, WaitedItem)> = view
        .waited_near(wish.project, wish.resource)?
        .into_iter()
        .filter(|w| !w.who().is(&wish.who))
        .map(|w| (Place::of_item(cx, &w), w))
        .filter(|(p, _)| p.is_before(place))
        .collect();
    all.sort_by_key(|(p, _)| (-p.class, p.seq));
    let mut spared: Option<String> = None;
    for (_, w) in all {
        if spared.as_ref() == Some(&w.item.waiter) || !is_in_the_way(&w.item, wish, &asker) {
            continue;
        }
        let Some(row) = view.waiter(&w.item.waiter)? else { continue };
        // Nobody is kept waiting for somebody who waits for them.
        if circle::waits_for(view, &row, &wish.who)? {
            spared = Some(row.id);
        } else {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

fn is_in_the_way(item: &WaiterItem, wish: &Wish<'_>, asker: &Side<'_>) -> bool {
    let Ok(resource) = Resource::claimed(&item.resource) else { return false };
    let (symbols, hard) = (item.symbols.as_deref(), item.hard);
    let theirs = Side { symbols, narrowable: item.narrowable, hard };
    resource.overlap(wish.resource).is_some()
        && matches!(claim::judge(&theirs, asker), Pair::Conflict { .. })
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
    // Whoever uses the id of somebody's place as a key does not get that place.
    let id = cx.new_id();
    let taken = tx.waiter(&id)?.is_some();
    let id = if taken { id_at(cx.now, cx.rng).to_string() } else { id };
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
/// `None`: it is to be judged like a new one.
pub(super) fn again(tx: &Tx<'_>, cx: &Cx<'_>, waits_as: &str) -> Answer<Option<Made>> {
    let Some(known) = tx.waiter(waits_as)? else { return Ok(None) };
    let can_wait = cx.waits != Waits::Never;
    match known.state {
        WaiterState::Waiting if can_wait => Ok(Some(Made::Waits(known.id, known.expires_at))),
        WaiterState::Waiting => {
            // It comes out of a queue now: nobody hangs on a connection for it any more.
            leave(tx, cx, &known, WaiterState::Left)?;
            Ok(None)
        }
        WaiterState::Left if can_wait && known.expires_at > cx.now => wait_again(tx, cx, &known),
        WaiterState::Granted if are_live(tx, &known.granted)? => {
            // It has heard now, whatever is found out of its older connection.
            tx.waiter_has_heard(&known.id)?;
            told(tx, &known).map(Some)
        }
        WaiterState::Granted | WaiterState::Left => Ok(None),
        WaiterState::Expired | WaiterState::Cancelled | WaiterState::Refused => {
            told(tx, &known).map(Some)
        }
    }
}

fn are_live(tx: &Tx<'_>, claims: &[String]) -> Stored<bool> {
    if claims.is_empty() {
        return Ok(false);
    }
    for id in claims {
        if tx.claim(id)?.is_none_or(|row| row.ended_at.is_some()) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A waiter that had left waits again, in its old place.
fn wait_again(tx: &Tx<'_>, cx: &Cx<'_>, known: &WaiterRow) -> Answer<Option<Made>> {
    let Some(ask) = wish_of(known) else { return Ok(None) };
    let Ok(items) = items::read(tx, cx, &ask)? else { return Ok(None) };
    let alive_until = alive_until(cx);
    tx.put_waiter(&WaiterRow { state: WaiterState::Waiting, alive_until, ..known.clone() })?;
    for (at, item) in items.iter().enumerate() {
        tx.add_waiter_item(&known.project_key, at, &item.for_waiter(&known.id))?;
    }
    let blocking: Vec<String> = known.blocking_claim_id.iter().cloned().collect();
    tx.set_targets(&known.id, &blocking)?;
    // What it waited for may be over by now.
    for claim in &blocking {
        tx.note_freed(claim);
    }
    Ok(Some(Made::Waits(known.id.clone(), known.expires_at)))
}

/// What the caller of a waiter that waits no longer is told.
fn told(view: &View<'_>, w: &WaiterRow) -> Answer<Made> {
    if w.state == WaiterState::Granted {
        let answer = ClaimsAnswer { claim_ids: w.granted.clone(), ..ClaimsAnswer::default() };
        let rows = w.granted.iter().map(|id| view.claim(id)).collect::<Stored<Vec<_>>>()?;
        let locks = rows.iter().flatten().map(lock_view).collect();
        return Ok(Made::Granted { answer, locks });
    }
    let answer = w.answer.as_deref().and_then(|a| serde_json::from_str(a).ok());
    Ok(Made::Blocked(answer.unwrap_or_default()))
}

/// What the parked caller of a waiter is told now; `None`: it waits on.
pub fn resume(tx: &Tx<'_>, cx: &Cx<'_>, id: &str) -> Answer<Option<Made>> {
    let Some(w) = tx.waiter(id)? else { return Ok(Some(Made::Blocked(ClaimsAnswer::default()))) };
    if w.state == WaiterState::Waiting {
        if cx.now < w.expires_at {
            return Ok(None);
        }
        leave(tx, cx, &w, WaiterState::Expired)?;
    }
    // As it stands now.
    let Some(w) = tx.waiter(id)? else { return Ok(Some(Made::Blocked(ClaimsAnswer::default()))) };
    tx.waiter_hears(id)?;
    if w.state == WaiterState::Expired
        && let Some(now) = in_the_way_now(tx, cx, &w)?
    {
        return Ok(Some(Made::Blocked(now)));
    }
    told(tx, &w).map(Some)
}

/// What is in a waiter's way now: not what was when it began to wait.
fn in_the_way_now(tx: &Tx<'_>, cx: &Cx<'_>, w: &WaiterRow) -> Stored<Option<ClaimsAnswer>> {
    let Some(ask) = wish_of(w) else { return Ok(None) };
    let Ok(items) = items::read(tx, cx, &ask)? else { return Ok(None) };
    let mut blocked = Vec::new();
    for (at, item) in items.iter().enumerate() {
        for (met, symbols) in look_for(tx, cx, &item.wish(&ask))?.in_the_way {
            blocked.push(Obstacle::Holder { at, met: Box::new(met), symbols });
        }
    }
    Ok((!blocked.is_empty()).then(|| refused::answer(&items, &blocked)))
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
    if w.state == WaiterState::Granted && !w.granted.is_empty() {
        for claim in &w.granted {
            if let Some(row) = tx.claim(claim)?.filter(|r| r.ended_at.is_none()) {
                end(tx, cx, &row, End::Left, None, None)?;
            }
        }
        // Whoever asks again is not told of what it has no more.
        tx.waiter_did_not_hear(id, cx.now)?;
        tx.forget_answer_of(id)?;
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
            let targets = std::slice::from_ref(&claim);
            tx.set_targets(&w.id, targets)?;
            tx.set_blocking(&w.id, Some(&claim))?;
            if circle::closed_by(tx, &w.who(), targets)?.is_some() {
                // Said in full by a try.
                serve_one(tx, cx, &w)?;
            }
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
        Attempt::Impossible(_) => {
            leave(tx, cx, w, WaiterState::Refused)?;
            Ok(None)
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
    for claim in tx.claims_asked_for(ASKED_MAX)? {
        end_if_over(tx, cx, &claim)?;
    }
    if !tx.anybody_waits()? {
        return serve(tx, cx);
    }
    end_unheard(tx, cx)?;
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
        end_if_over(tx, cx, &row)?;
    }
    serve(tx, cx)
}

/// A waiter without a connection that was served, and died before it heard of it, holds nothing.
pub(super) fn end_unheard(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    for id in tx.waiters_unheard(cx.now)? {
        caller_left(tx, cx, &id)?;
    }
    Ok(())
}

fn end_if_over(tx: &Tx<'_>, cx: &Cx<'_>, row: &ClaimRow) -> Stored<()> {
    match standing_of(cx.now, cx.rules, row) {
        Standing::Live => Ok(()),
        Standing::Expired => end(tx, cx, row, End::Expired, None, None),
        Standing::Stale => end(tx, cx, row, End::Stale, None, None),
    }
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
    let before = view.waiting_on(target)?;
    Ok(before.iter().filter(|o| Place::of(cx, o).is_before(place)).count() + 1)
}
