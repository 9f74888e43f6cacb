//! Team claims (seeds 002 and 004): several at once, all or nothing, on files or on symbols in them.

use coord_protocol::claim::{Pair, Who};
use coord_protocol::edge::id_at;
use coord_protocol::id::part_id;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimKind, ClaimsAnswer, CreateClaims, Lock, TeamClaim};

use super::items::{Item, bad, check, read};
use super::judge::{Found, Met, TOO_COSTLY, Wish, look};
use super::queue::{self, Place};
use super::refused::{self, Obstacle};
use super::{end_over, lock_view};
use crate::service::events::{self, About};
use crate::service::{Answer, Cx, Refusal, Waits, requests, settle};
use crate::store::{ClaimRow, Stored, Tx, WaiterRow};

/// Claims of others that the claims of one request can stand beside.
const PARTNERS_MAX: usize = 200;
/// Obstacles of one request that are looked for.
const OBSTACLES_MAX: usize = 200;

/// What became of a request for claims.
#[derive(Debug)]
pub enum Made {
    /// All items are granted.
    Granted {
        /// What the asker is told.
        answer: ClaimsAnswer,
        /// The claims, in the order of the items.
        locks: Vec<Lock>,
    },
    /// The request cannot be granted whoever holds what: 400.
    Bad(ClaimsAnswer),
    /// Somebody is in the way, and nothing is granted: 409.
    Blocked(ClaimsAnswer),
    /// Its caller waits, as this waiter, until then at most.
    Waits(String, Millis),
    /// It came after its time: on record, nothing granted (G13).
    Past,
}

/// What an attempt came to.
#[derive(Debug)]
pub(super) enum Attempt {
    Granted(Vec<ClaimRow>),
    Blocked(Vec<Obstacle>),
    /// It cannot be judged, or there is no room.
    Impossible(String),
}

/// Grants all items, or none. `warnings` were found by looking at a checkout.
pub fn create(tx: &Tx<'_>, cx: &Cx<'_>, ask: &CreateClaims, warnings: Vec<String>) -> Answer<Made> {
    check(ask)?;
    let session = ask.session_id.as_deref().unwrap_or_default();
    if !session.is_empty() {
        cx.touch(tx, session)?;
    }
    let items = match read(tx, cx, ask)? {
        Ok(items) => items,
        Err(bad) => return Ok(Made::Bad(bad)),
    };
    if cx.past {
        return Ok(Made::Past);
    }
    if let Some(waits_as) = cx.waits_as
        && let Some(made) = queue::again(tx, cx, waits_as)?
    {
        return Ok(made);
    }
    if cx.waits == Waits::Polling {
        queue::end_unheard(tx, cx)?;
    }
    let place = Place::of_wish(ask.urgency);
    let blocked = match attempt(tx, cx, ask, &items, place)? {
        Attempt::Granted(rows) => {
            let about = items.iter().filter_map(|i| i.warning.clone());
            let warnings = warnings.into_iter().chain(about).collect();
            return Ok(granted(&rows, warnings));
        }
        Attempt::Blocked(blocked) => blocked,
        Attempt::Impossible(why) => {
            return Ok(Made::Bad(bad(&why, &["narrow_claim", "escalate"])));
        }
    };
    let answer = refused::answer(&items, &blocked);
    let wait = ask.wait_seconds.unwrap_or(0);
    if wait > 0 && cx.waits != Waits::Never {
        return queue::enter(tx, cx, ask, &items, &blocked, answer);
    }
    refused::note(tx, cx, ask, &items, &blocked)?;
    Ok(Made::Blocked(answer))
}

fn granted(rows: &[ClaimRow], warnings: Vec<String>) -> Made {
    let claim_ids = rows.iter().map(|r| r.id.clone()).collect();
    Made::Granted {
        answer: ClaimsAnswer { claim_ids, warnings, ..ClaimsAnswer::default() },
        locks: rows.iter().map(lock_view).collect(),
    }
}

/// Who asks.
pub(super) fn who(ask: &CreateClaims) -> Who<'_> {
    Who { session: ask.session_id.as_deref().unwrap_or_default(), engineer: Some(&ask.engineer) }
}

/// Grants all items to whoever stands at `place`, or says what is in the way.
pub(super) fn attempt(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    items: &[Item],
    place: Place,
) -> Stored<Attempt> {
    let mut found = Vec::with_capacity(items.len());
    let mut blocked = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let mut f = look(tx, cx, &item.wish(ask))?;
        if f.too_costly {
            return Ok(Attempt::Impossible(TOO_COSTLY.to_owned()));
        }
        end_over(tx, cx, &f.over, &ask.engineer)?;
        if f.own.iter().any(|r| is_same(r, ask, item)) {
            // What it has it keeps, whoever stands beside it by now.
            f.in_the_way.clear();
            f.beside.clear();
        }
        for (met, symbols) in std::mem::take(&mut f.in_the_way) {
            blocked.push(Obstacle::Holder { at, met: Box::new(met), symbols });
        }
        found.push(f);
        // It is refused anyway.
        if blocked.len() >= OBSTACLES_MAX {
            blocked.truncate(OBSTACLES_MAX);
            break;
        }
    }
    if blocked.is_empty() {
        let renews = |at: usize, item: &Item| found[at].own.iter().any(|r| is_same(r, ask, item));
        for (at, item) in items.iter().enumerate().filter(|(at, item)| !renews(*at, item)) {
            let first = queue::before(tx, cx, &item.wish(ask), place)?;
            blocked.extend(first.map(|w| Obstacle::Waiter { at, waiter: Box::new(w) }));
        }
    }
    if !blocked.is_empty() {
        return Ok(Attempt::Blocked(blocked));
    }
    if found.iter().map(|f| f.beside.len()).sum::<usize>() > PARTNERS_MAX {
        let why = format!("More than {PARTNERS_MAX} claims on symbols stand there already");
        return Ok(Attempt::Impossible(why));
    }
    let mut rows: Vec<ClaimRow> = Vec::with_capacity(items.len());
    for (at, (item, f)) in items.iter().zip(found).enumerate() {
        // The same thing twice in one request is one claim.
        let row = match rows.iter().find(|r| is_same(r, ask, item)) {
            Some(row) => row.clone(),
            None => grant(tx, cx, ask, item, f, at)?,
        };
        rows.push(row);
    }
    announce_granted(tx, cx, ask, &rows)?;
    Ok(Attempt::Granted(rows))
}

/// Whether a claim is what the same holder asks for again.
fn is_same(r: &ClaimRow, ask: &CreateClaims, item: &Item) -> bool {
    r.kind == ClaimKind::Claim
        && r.resource == item.resource.as_str()
        && r.session_id == ask.session_id.as_deref().unwrap_or_default()
        && r.team.as_deref().is_some_and(|t| {
            t.engineer == ask.engineer
                && t.symbols == item.symbols
                && t.claim_type == item.claim_type
        })
}

fn announce_granted(tx: &Tx<'_>, cx: &Cx<'_>, ask: &CreateClaims, rows: &[ClaimRow]) -> Stored<()> {
    let ids: Vec<_> = rows.iter().map(|r| &r.id).collect();
    events::announce(
        tx,
        cx,
        events::CLAIM_GRANTED,
        &serde_json::json!({"claim_ids": ids, "engineer": ask.engineer, "repo": ask.repo,
            "session_id": ask.session_id}),
    )
}

fn grant(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    item: &Item,
    found: Found,
    at: usize,
) -> Stored<ClaimRow> {
    if let Some(row) = found.own.into_iter().find(|r| is_same(r, ask, item)) {
        return renew(tx, cx, ask, item, row);
    }
    let project = ask.repo.as_deref().unwrap_or_default();
    let partners: Vec<String> = found.beside.iter().map(|(m, _)| m.row.id.clone()).collect();
    let row = ClaimRow {
        // The request's own id is the first one's: even without its key it cannot make it twice.
        // Those of the others follow from it: what was granted provisionally is released by them.
        id: match cx.id {
            Some(request) if at > 0 => part_id(&request, at).to_string(),
            None if at > 0 => id_at(cx.now, cx.rng).to_string(),
            Some(_) | None => cx.new_id(),
        },
        project_key: project.to_owned(),
        session_id: ask.session_id.clone().unwrap_or_default(),
        resource: item.resource.as_str().to_owned(),
        is_glob: item.resource.is_glob(),
        description: ask.description.clone(),
        ttl_ms: item.ttl.as_millis(),
        fence: if cx.provisional { None } else { Some(tx.next_fence(cx.now)?) },
        acquired_at: cx.now,
        last_activity: cx.now,
        expires_at: item.ttl.expiry(cx.now),
        ended_at: None,
        end_reason: None,
        kind: ClaimKind::Claim,
        generation: None,
        content_then: None,
        content_now: None,
        team: Some(Box::new(TeamClaim {
            engineer: ask.engineer.clone(),
            claim_type: item.claim_type,
            branch: ask.branch.clone(),
            pattern: item.pattern.clone(),
            severity: item.severity,
            symbols: item.symbols.clone(),
            narrowable: item.narrowable,
            partners,
            ttl_shortened: false,
        })),
    };
    settle::held_meanwhile(tx, cx, &late(ask, &item.pattern), &item.resource)?;
    tx.add_claim(&row, item.resource.anchor())?;
    for (met, pair) in &found.beside {
        stand_beside(tx, cx, ask, &row, met, pair)?;
    }
    tx.count_created(item.severity);
    Ok(row)
}

pub(super) fn late<'a>(ask: &'a CreateClaims, pattern: &'a str) -> settle::Late<'a> {
    settle::Late {
        project: ask.repo.as_deref().unwrap_or_default(),
        who: who(ask),
        name: &ask.engineer,
        resource: pattern,
        description: ask.description.as_deref(),
    }
}

/// The holder asks for the same again: the claim goes on, and no second one lies beside it.
fn renew(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    item: &Item,
    mut row: ClaimRow,
) -> Stored<ClaimRow> {
    let until = item.ttl.expiry(cx.made());
    let gives_way = row.team.as_deref().is_some_and(|t| !t.narrowable) && item.narrowable;
    if let Some(until) = until.filter(|u| row.expires_at.is_some_and(|e| e < *u)) {
        row.ttl_ms = item.ttl.as_millis();
        requests::extended(tx, &mut row, until)?;
    }
    row.last_activity = row.last_activity.max(cx.made());
    row.description = ask.description.clone().or(row.description);
    if let Some(team) = row.team.as_deref_mut() {
        team.branch = ask.branch.clone().or(team.branch.take());
        team.narrowable = item.narrowable;
    }
    tx.change_team_claim(&row)?;
    if gives_way {
        // Who waits for symbols in it may have them now.
        tx.note_freed(&row.id);
    }
    Ok(row)
}

/// Two claims stand beside each other by the rules: both know it, it is on record, and a holder whose
/// file was narrowed is told.
fn stand_beside(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &CreateClaims,
    new: &ClaimRow,
    met: &Met,
    pair: &Pair,
) -> Stored<()> {
    let kind = if *pair == Pair::Narrow { events::AUTO_NARROW } else { events::AUTO_COEXIST };
    // Anew: another item of this request may have changed it.
    let Some(mut holder) = tx.claim(&met.row.id)? else { return Ok(()) };
    let Some(team) = holder.team.as_deref_mut() else { return Ok(()) };
    if !team.partners.contains(&new.id) {
        team.partners.push(new.id.clone());
    }
    tx.change_team_claim(&holder)?;
    let symbols = new.team.as_ref().and_then(|t| t.symbols.clone()).unwrap_or_default();
    let narrowed = *pair == Pair::Narrow;
    let overlapping = if narrowed {
        serde_json::json!([{"file": met.witness, "symbols": symbols}])
    } else {
        serde_json::json!([])
    };
    let detail = serde_json::json!({
        "holder_claim_id": holder.id,
        "requester_claim_id": new.id,
        "overlapping_paths": [met.witness],
        "overlapping_symbols": overlapping,
    });
    let about = About { project: &new.project_key, request: None, claim: Some(&holder.id) };
    events::record(tx, cx, kind, about, Some(who(ask)), &detail)?;
    events::announce(tx, cx, kind, &detail)?;
    if narrowed {
        refused::narrowed_notice(ask, &holder, &symbols).send(tx, cx)?;
    }
    Ok(())
}

/// The wish of a waiter, as it was asked.
pub(super) fn wish_of(waiter: &WaiterRow) -> Option<CreateClaims> {
    serde_json::from_str(&waiter.wish).ok()
}

/// A claim that a holder grants to somebody beside its own.
pub(in crate::service) struct Granting<'a> {
    pub(in crate::service) project: &'a str,
    pub(in crate::service) who: Who<'a>,
    pub(in crate::service) resource: &'a Resource,
    pub(in crate::service) symbols: Option<&'a [String]>,
    /// The claim of whoever grants it.
    pub(in crate::service) beside: &'a str,
}

/// Whether nobody but the one who grants it is in the way.
pub(in crate::service) fn others_allow(tx: &Tx<'_>, cx: &Cx<'_>, g: &Granting<'_>) -> Answer<()> {
    let wish = Wish {
        project: g.project,
        who: g.who,
        resource: g.resource,
        symbols: g.symbols,
        hard: false,
    };
    let found = look(tx, cx, &wish)?;
    // So that nobody comes back to a claim that this one was granted over.
    end_over(tx, cx, &found.over, g.who.engineer.unwrap_or_default())?;
    let other = found.in_the_way.into_iter().map(|(met, _)| met.row).find(|r| r.id != g.beside);
    let Some(row) = other else { return Ok(()) };
    let why = format!(
        "{:?} is held by {} too, until {}",
        g.resource.as_str(),
        row.holder(),
        row.expires_at.map_or("released".to_owned(), |t| t.to_string())
    );
    Err(Refusal::new(409, why).with("lock", serde_json::json!(lock_view(&row))).into())
}
