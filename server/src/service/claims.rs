//! Who may hold what. A lock of the protocol is a claim on a resource string; conflict is the same
//! canonical name or intersecting globs; check and grant happen in one transaction (design 5).

use coord_protocol::lease::{Standing, Ttl, standing};
use coord_protocol::path::BadResource;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimKind, ClaimLock, EndedLock, Lock, Released, ReleasedAll};
use serde_json::json;

use super::{Answer, Cx, Refusal, fields, files, reaping, sessions, settle};
use crate::store::{ClaimRow, Paged, Room, Stored, Tx, View, json_len};

/// Locks that a refusal names.
const CONFLICTS_MAX: usize = 10;

/// Why a claim ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its holder gave it back.
    Released,
    /// Its holder's session ended.
    SessionEnd,
    /// Its lease was over.
    Expired,
    /// Its holder was silent for too long.
    Stale,
    /// Somebody else ended it, and said why.
    Forced,
    /// It came too late to be granted at all.
    Past,
}

impl End {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::SessionEnd => "session_end",
            Self::Expired => "expired",
            Self::Stale => "stale",
            Self::Forced => "forced",
            Self::Past => "past",
        }
    }
}

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
    let mut released_stale = Vec::new();
    let mut in_the_way = Vec::new();
    for row in tx.claims_near(&ask.project_key, &resource)? {
        let Some(witness) = stored_resource(&row).and_then(|r| r.overlap(&resource)) else {
            continue;
        };
        match standing(cx.now, row.expires_at, row.last_activity, cx.rules.stale_after) {
            Standing::Expired => end(tx, cx, &row.id, End::Expired, None, None)?,
            Standing::Stale if row.session_id != ask.session_id => {
                let note = format!("no activity since {}", row.last_activity);
                end(tx, cx, &row.id, End::Stale, Some(&ask.session_id), Some(&note))?;
                released_stale.push(ended_view(&row, End::Stale));
            }
            Standing::Stale | Standing::Live if row.session_id == ask.session_id => {
                if row.resource == resource.as_str() && row.is_glob == resource.is_glob() {
                    return renew(tx, cx, ask, row, ttl).map(|l| Claimed::Granted(Box::new(l)));
                }
            }
            Standing::Stale | Standing::Live => in_the_way.push((row, witness)),
        }
    }
    if !in_the_way.is_empty() {
        let tell = settle::conflict_notices(cx, ask, &in_the_way);
        return Err(Refusal { tell, ..conflict(&resource, &in_the_way) }.into());
    }
    let fence = if cx.provisional { None } else { Some(tx.next_fence(cx.now)?) };
    let row = ClaimRow {
        fence,
        expires_at: ttl.expiry(cx.now),
        generation: ask.generation.or(tx.generation(&ask.session_id)?),
        ..new_row(cx, ask, &resource, ttl)
    };
    let overlapped = settle::held_meanwhile(tx, cx, ask, &resource)?;
    tx.add_claim(&row)?;
    Ok(Claimed::Granted(Box::new(Lock { released_stale, overlapped, ..lock_view(&row) })))
}

/// The wish is one that can be granted, and comes from the session's newest conversation.
pub(super) fn checked(tx: &Tx<'_>, ask: &ClaimLock) -> Answer<Resource> {
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
    tx.add_claim(&row)?;
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

fn conflict(resource: &Resource, in_the_way: &[(ClaimRow, String)]) -> Refusal {
    let (first, witness) = &in_the_way[0];
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
    let half = if first.fence.is_none() { "provisionally " } else { "" };
    let detail = format!(
        "{:?} is held {half}by {} since {} until {until}{why}{on}{more}",
        resource.as_str(),
        first.session_id,
        first.acquired_at,
    );
    let locks: Vec<_> = in_the_way
        .iter()
        .take(CONFLICTS_MAX)
        .map(|(row, overlap)| json!({"lock": brief_view(row), "overlap": overlap}))
        .collect();
    let no = Refusal::new(409, detail).with("conflicts", json!(locks));
    no.with("conflict_count", json!(in_the_way.len()))
}

/// Ends a claim. Every way in which a claim can end comes through here.
pub fn end(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &str,
    why: End,
    by: Option<&str>,
    note: Option<&str>,
) -> Stored<()> {
    tx.mark_ended(id, cx.now, why.as_str(), by, note)?;
    Ok(())
}

/// Who asks to release, and with what right.
pub struct Release<'a> {
    /// The asking session.
    pub session: &'a str,
    /// End it although somebody else holds it; needs a reason.
    pub force: bool,
    /// Why, on record.
    pub reason: Option<&'a str>,
    /// Which conversation of the session asks.
    pub generation: Option<i64>,
}

/// Releases one lock: the holder's right, or by force with a recorded reason. Releasing what has
/// ended already changes nothing and is no error (G25).
pub fn release(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, ask: &Release<'_>) -> Answer<Released> {
    fields::session("session_id", ask.session)?;
    sessions::newest(tx, ask.session, ask.generation)?;
    let row = tx.claim(id)?.ok_or_else(|| Refusal::not_found("lock", id))?;
    cx.touch(tx, ask.session)?;
    if row.ended_at.is_some() {
        let reason = row.end_reason.unwrap_or_default();
        return Ok(Released { id: row.id, released: false, reason });
    }
    let lapsed = row.expires_at.is_some_and(|e| e <= cx.now);
    let why = if lapsed {
        End::Expired
    } else if row.session_id == ask.session {
        End::Released
    } else if ask.force {
        End::Forced
    } else if standing(cx.now, row.expires_at, row.last_activity, cx.rules.stale_after)
        == Standing::Stale
    {
        // Seed 000, step 1: a lock without activity for 2 hours may be released by who finds it.
        End::Stale
    } else {
        let detail = format!(
            "lock {id} is held by {}, not by {}; ask the holder, or force it with a reason",
            row.session_id, ask.session
        );
        return Err(Refusal::new(403, detail).with("lock", json!(brief_view(&row))).into());
    };
    if why == End::Forced && ask.reason.is_none_or(|r| r.trim().is_empty()) {
        return Err(Refusal::new(422, "a forced release needs a reason").into());
    }
    fields::text("reason", ask.reason)?;
    end(tx, cx, id, why, Some(ask.session), ask.reason)?;
    Ok(Released { id: row.id, released: true, reason: why.as_str().to_owned() })
}

/// Releases all that a session holds.
pub fn release_all(tx: &Tx<'_>, cx: &Cx<'_>, session: &str, why: End) -> Answer<ReleasedAll> {
    fields::session("session_id", session)?;
    let ids = tx.claims_of(session)?;
    for id in &ids {
        end(tx, cx, id, why, Some(session), None)?;
    }
    Ok(ReleasedAll { released: ids.len(), ids, past: false })
}

/// What a lock costs in JSON besides its names and its description.
const LOCK_BYTES: usize = 700;

/// What a list of locks is narrowed by.
#[derive(Default)]
pub struct LockFilter<'a> {
    /// Of this project.
    pub project: Option<&'a str>,
    /// Touching this resource ...
    pub resource: Option<&'a str>,
    /// ... which means exactly itself.
    pub literal: bool,
    /// Held by this session.
    pub session: Option<&'a str>,
}

/// Live locks, oldest first. With a resource: those that would be in the way of a claim on it.
pub fn list(
    view: &View<'_>,
    cx: &Cx<'_>,
    f: &LockFilter<'_>,
    after: Option<&str>,
    most: usize,
) -> Answer<Paged<Lock>> {
    let from = after.map(|id| place_of(view, id)).transpose()?;
    let rows = match (f.project, f.resource) {
        (Some(project), Some(raw)) => {
            let wanted = wanted(raw, f.literal)?;
            let mut near = view.claims_near(project, &wanted)?;
            near.retain(|row| {
                row.expires_at.is_none_or(|e| e > cx.now)
                    && from.as_ref().is_none_or(|from| place(row) > *from)
                    && f.session.is_none_or(|s| s == row.session_id)
                    && stored_resource(row).is_some_and(|r| r.overlap(&wanted).is_some())
            });
            near.sort_by_key(place);
            let found = near.len();
            let mut room = Room::of(most);
            let rows: Vec<_> = near.into_iter().take_while(|r| room.takes(bytes_of(r))).collect();
            Paged { more: rows.len() < found, rows }
        }
        (None, Some(_)) => {
            return Err(Refusal::new(422, "resource needs project_key beside it").into());
        }
        (project, None) => view.live_claims(cx.now, project, f.session, after, most)?,
    };
    Ok(rows.map(|row| lock_view(&row)))
}

/// How long a lock is in JSON, not less.
fn bytes_of(row: &ClaimRow) -> usize {
    let names = [&row.project_key, &row.session_id, &row.resource];
    let texts = names.into_iter().chain(&row.description).map(|t| json_len(t)).sum::<usize>();
    texts + LOCK_BYTES
}

/// Where a row stands in a list of locks.
fn place(row: &ClaimRow) -> (Millis, Option<i64>) {
    (row.acquired_at, row.fence)
}

/// The place behind which a list goes on; the lock there may have ended meanwhile.
fn place_of(view: &View<'_>, id: &str) -> Answer<(Millis, Option<i64>)> {
    let row = view.claim(id)?;
    let row = row.ok_or_else(|| Refusal::new(422, format!("after must be a lock, not {id:?}")))?;
    Ok(place(&row))
}

/// One lock, live or not.
pub fn show(view: &View<'_>, id: &str) -> Answer<Lock> {
    let row = view.claim(id)?.ok_or_else(|| Refusal::not_found("lock", id))?;
    Ok(lock_view(&row))
}

/// The resource that a caller names.
pub(super) fn wanted(raw: &str, literal: bool) -> Result<Resource, Refusal> {
    let read = if literal { Resource::literal(raw) } else { Resource::parse(raw) };
    read.map_err(|e| {
        let hint = if matches!(e, BadResource::Pattern { .. }) {
            "; say literal if it is meant to the letter"
        } else {
            ""
        };
        Refusal::new(422, format!("{e}{hint}"))
    })
}

/// The resource of a stored row. A row that a foreign hand wrote and that cannot be read can be in
/// nobody's way.
pub(super) fn stored_resource(row: &ClaimRow) -> Option<Resource> {
    let read = if row.is_glob { Resource::parse } else { Resource::literal };
    read(&row.resource).ok()
}

#[expect(clippy::cast_precision_loss, reason = "hours for display; 30 days of ms fit exactly")]
pub(super) fn lock_view(row: &ClaimRow) -> Lock {
    Lock {
        id: row.id.clone(),
        project_key: row.project_key.clone(),
        session_id: row.session_id.clone(),
        resource: row.resource.clone(),
        description: row.description.clone(),
        ttl_hours: row.ttl_ms as f64 / 3_600_000.0,
        acquired_at: row.acquired_at,
        last_activity: row.last_activity,
        expires_at: row.expires_at,
        fence: row.fence,
        provisional: row.fence.is_none() && row.ended_at.is_none(),
        kind: row.kind,
        content_then: row.content_then.clone(),
        content_now: row.content_now.clone(),
        generation: row.generation,
        ended_at: row.ended_at,
        end_reason: row.end_reason.clone(),
        renewed: false,
        released_stale: Vec::new(),
        overlapped: Vec::new(),
    }
}

/// A lock that is only mentioned.
pub(super) fn brief_view(row: &ClaimRow) -> Lock {
    Lock { description: row.description.as_deref().map(fields::brief), ..lock_view(row) }
}

pub(super) fn ended_view(row: &ClaimRow, why: End) -> EndedLock {
    ended(row, why.as_str())
}

pub(super) fn ended(row: &ClaimRow, reason: &str) -> EndedLock {
    EndedLock {
        id: row.id.clone(),
        session_id: row.session_id.clone(),
        resource: row.resource.clone(),
        acquired_at: row.acquired_at,
        reason: reason.to_owned(),
    }
}
