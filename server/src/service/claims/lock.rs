//! Locks of the protocol (seeds 000 and 003).

use coord_protocol::claim::Who;
use coord_protocol::lease::Ttl;
use coord_protocol::resource::Resource;
use coord_protocol::wire::{ClaimKind, ClaimLock, Lock};
use serde_json::json;

use super::judge::{Found, Met, TOO_COSTLY, Wish, look};
use super::queue::{self, Place};
use super::{End, brief_view, end_over, ended_view, lock_view, wanted};
use crate::service::{Answer, Cx, Refusal, fields, files, reaping, sessions, settle};
use crate::store::{ClaimRow, Tx, WaiterRow};

/// Locks that a refusal names.
const CONFLICTS_MAX: usize = 10;

/// What became of a claim that was not refused.
#[derive(Debug)]
pub enum Claimed {
    /// The asker holds it.
    Granted(Box<Lock>),
    /// It came after its time: written down under this id, nothing granted (G13).
    Past(String),
}

/// Grants a lock, renews the asker's own, or refuses with the locks in the way.
pub fn claim(tx: &Tx<'_>, cx: &Cx<'_>, ask: &ClaimLock) -> Answer<Claimed> {
    let resource = checked(tx, ask)?;
    let ttl = Ttl::from_hours(ask.ttl_hours, cx.rules.ttl_of(ask.kind))
        .map_err(|e| Refusal::new(422, e.to_string()))?;
    cx.touch(tx, &ask.session_id)?;
    if cx.past {
        return record_past(tx, cx, ask, &resource, ttl);
    }
    if ask.kind == ClaimKind::File {
        reaping::in_passing(tx, cx)?;
    }
    let wish = wish(ask, &resource);
    let Found { over, own, in_the_way, too_costly, .. } = look(tx, cx, &wish)?;
    if too_costly {
        return Err(Refusal::new(422, TOO_COSTLY).into());
    }
    end_over(tx, cx, &over, &ask.session_id)?;
    let stale = over.iter().filter(|(_, why)| *why == End::Stale);
    let released_stale = stale.map(|(row, why)| ended_view(row, *why)).collect();
    let same = |r: &ClaimRow| {
        let named = r.resource == resource.as_str() && r.is_glob == resource.is_glob();
        named && r.kind != ClaimKind::Claim
    };
    if let Some(row) = own.into_iter().find(same) {
        return renew(tx, cx, ask, row, ttl).map(|l| Claimed::Granted(Box::new(l)));
    }
    if !in_the_way.is_empty() {
        let tell = settle::conflict_notices(cx, &settle::Late::of_lock(ask), &in_the_way);
        return Err(Refusal { tell, ..conflict(&resource, &in_the_way) }.into());
    }
    if let Some(first) = queue::before(tx, cx, &wish, Place::newcomer())? {
        return Err(waited_for(&resource, &first).into());
    }
    let fence = if cx.provisional { None } else { Some(tx.next_fence(cx.now)?) };
    let row = ClaimRow {
        fence,
        expires_at: ttl.expiry(cx.now),
        generation: ask.generation.or(tx.generation(&ask.session_id)?),
        ..new_row(cx, ask, &resource, ttl)
    };
    let late = settle::Late::of_lock(ask);
    let overlapped = settle::held_meanwhile(tx, cx, &late, &resource)?;
    tx.add_claim(&row, resource.anchor())?;
    Ok(Claimed::Granted(Box::new(Lock { released_stale, overlapped, ..lock_view(&row) })))
}

fn wish<'a>(ask: &'a ClaimLock, resource: &'a Resource) -> Wish<'a> {
    Wish {
        project: &ask.project_key,
        who: Who { session: &ask.session_id, engineer: None },
        resource,
        symbols: None,
        hard: false,
    }
}

/// Nobody holds it, but somebody has waited for it.
fn waited_for(resource: &Resource, first: &WaiterRow) -> Refusal {
    let detail = format!(
        "{:?} is free, but {} has waited for {:?} since {} and comes first; ask again, or wait in \
         the queue: coord claim --wait",
        resource.as_str(),
        first.engineer,
        first.pattern,
        first.enqueued_at,
    );
    let no = Refusal::new(409, detail).with("conflicts", json!([]));
    no.with("conflict_count", json!(0)).with("waiter", json!(first.id))
}

/// The wish is one that can be granted, and comes from the session's newest conversation.
pub(in crate::service) fn checked(tx: &Tx<'_>, ask: &ClaimLock) -> Answer<Resource> {
    if ask.kind == ClaimKind::Claim {
        return Err(Refusal::new(422, "team claims are made at POST /claims").into());
    }
    fields::name("project_key", &ask.project_key)?;
    fields::session("session_id", &ask.session_id)?;
    fields::text("description", ask.description.as_deref())?;
    files::content(ask.content.as_deref())?;
    sessions::newest(tx, &ask.session_id, ask.generation)?;
    Ok(wanted(&ask.resource, ask.literal || ask.kind == ClaimKind::File)?)
}

fn new_row(cx: &Cx<'_>, ask: &ClaimLock, resource: &Resource, ttl: Ttl) -> ClaimRow {
    ClaimRow {
        id: cx.new_id(),
        project_key: ask.project_key.clone(),
        session_id: ask.session_id.clone(),
        resource: resource.as_str().to_owned(),
        is_glob: resource.is_glob(),
        description: ask.description.clone(),
        ttl_ms: ttl.as_millis(),
        fence: None,
        acquired_at: cx.now,
        last_activity: cx.now,
        expires_at: None,
        ended_at: None,
        end_reason: None,
        kind: ask.kind,
        generation: None,
        content_then: ask.content.clone(),
        content_now: ask.content.clone(),
        team: None,
    }
}

/// A claim that arrives after its time is history: it is written down, and nobody is kept out.
fn record_past(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    ask: &ClaimLock,
    resource: &Resource,
    ttl: Ttl,
) -> Answer<Claimed> {
    let row = ClaimRow {
        ended_at: Some(cx.now),
        end_reason: Some(End::Past.as_str().to_owned()),
        ..new_row(cx, ask, resource, ttl)
    };
    tx.add_claim(&row, resource.anchor())?;
    Ok(Claimed::Past(row.id))
}

fn renew(tx: &Tx<'_>, cx: &Cx<'_>, ask: &ClaimLock, row: ClaimRow, ttl: Ttl) -> Answer<Lock> {
    let generation = ask.generation.or(tx.generation(&ask.session_id)?);
    let row = ClaimRow { generation, ..files::again(row, ask, ttl, cx) };
    tx.renew_claim(&row)?;
    let lock = lock_view(&row);
    let provisional = lock.provisional || cx.provisional;
    // Only the server says that the fence still stands.
    Ok(Lock { renewed: true, provisional, fence: lock.fence.filter(|_| !provisional), ..lock })
}

fn conflict(resource: &Resource, in_the_way: &[(Met, Vec<String>)]) -> Refusal {
    let Met { row: first, witness } = &in_the_way[0].0;
    let until = first.expires_at.map_or("released".to_owned(), |t| t.to_string());
    let why = first.description.as_deref();
    let why = why.map(|d| format!(" ({})", fields::brief(d))).unwrap_or_default();
    let on = if first.resource == resource.as_str() {
        String::new()
    } else {
        format!(" as {:?}, both mean {witness:?}", first.resource)
    };
    let more = match in_the_way.len() - 1 {
        0 => String::new(),
        n => format!(", and {n} more in the way"),
    };
    let symbols = first.team.as_ref().and_then(|t| t.symbols.as_ref());
    let of = symbols.map(|s| format!(" (symbols {})", s.join(", "))).unwrap_or_default();
    let half = if first.fence.is_none() { "provisionally " } else { "" };
    let detail = format!(
        "{:?} is held {half}by {}{of} since {} until {until}{why}{on}{more}",
        resource.as_str(),
        first.holder(),
        first.acquired_at,
    );
    let locks: Vec<_> = in_the_way
        .iter()
        .take(CONFLICTS_MAX)
        .map(|(met, _)| json!({"lock": brief_view(&met.row), "overlap": met.witness}))
        .collect();
    let no = Refusal::new(409, detail).with("conflicts", json!(locks));
    no.with("conflict_count", json!(in_the_way.len()))
}
