//! Who may hold what (design 5). A lock of the protocol and a team claim are rows of one table, judged
//! by one rule; check and grant happen in one transaction, and every claim ends in one function.

mod circle;
pub mod conflicts;
mod items;
mod judge;
mod lock;
pub mod queue;
mod refused;
pub mod rows;
pub mod team;
pub mod team_ends;

use coord_protocol::lease::Standing;
use coord_protocol::path::BadResource;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{EndedLock, Lock, Released, ReleasedAll};
use serde_json::json;

use super::{Answer, Cx, Notice, Refusal, fields, requests, sessions};
use crate::store::{ClaimRow, Paged, Room, Stored, Tx, View, json_len};

pub(super) use items::{read_pattern, read_symbols};
pub(super) use judge::{Met, standing_of};
pub(super) use lock::checked;
pub use lock::{Claimed, claim};
pub(super) use team::{Granting, others_allow};

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
    /// Its holder agreed to let go.
    Approved,
    /// Its holder kept a part of it.
    Narrowed,
    /// Who had waited for it was gone when its turn came.
    Left,
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
            Self::Approved => "approved",
            Self::Narrowed => "narrowed",
            Self::Left => "left",
            Self::Past => "past",
        }
    }
}

/// Ends a claim. Every way in which a claim can end comes through here: its partners are told apart
/// from it, requests for it are settled, and whoever waits for it is served before the transaction is
/// over (see [`queue::serve`]).
pub fn end(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    row: &ClaimRow,
    why: End,
    by: Option<&str>,
    note: Option<&str>,
) -> Stored<()> {
    if !tx.mark_ended(&row.id, cx.now, why.as_str(), by, note)? {
        return Ok(());
    }
    if let Some(team) = row.team.as_deref() {
        unlink(tx, &row.id, &team.partners)?;
    }
    requests::claim_ended(tx, cx, row, why)?;
    if let Some(notice) = told_of_end(row, why, by, note) {
        notice.send(tx, cx)?;
    }
    tx.note_freed(&row.id);
    Ok(())
}

/// What the holder of a claim is told that has ended otherwise than by its own doing. That a lock's time
/// was over, its holder knows.
fn told_of_end(row: &ClaimRow, why: End, by: Option<&str>, note: Option<&str>) -> Option<Notice> {
    let team = row.team.as_deref();
    let own = by.is_some_and(|b| b == row.holder() || b == row.session_id);
    if own || (team.is_none() && why == End::Expired) {
        return None;
    }
    let who = by.unwrap_or("somebody who gave no name");
    let because = note.map(|n| format!(" ({})", fields::brief(n))).unwrap_or_default();
    let how = match why {
        End::Released | End::Forced => format!("{who} has released it{because}"),
        End::Approved => format!("{who} has granted a request for its release"),
        End::Expired if team.is_some_and(|t| t.ttl_shortened) => {
            "a request for its release was not answered".to_owned()
        }
        End::Expired => "its time was over".to_owned(),
        End::Stale => "you were silent for too long".to_owned(),
        End::SessionEnd | End::Narrowed | End::Left | End::Past => return None,
    };
    let (kind, what) = match team {
        Some(t) => ("claim", &t.pattern),
        None => ("lock", &row.resource),
    };
    Some(Notice {
        to: row.session_id.clone(),
        project_key: row.project_key.clone(),
        subject: format!("your {kind} on {what} has ended"),
        body: format!("You hold {what} no more: {how}. Claim it anew before you go on."),
    })
}

fn unlink(tx: &Tx<'_>, id: &str, partners: &[String]) -> Stored<()> {
    for partner in partners {
        if let Some(mut row) = tx.claim(partner)?
            && let Some(team) = row.team.as_deref_mut()
        {
            team.partners.retain(|p| p != id);
            tx.change_team_claim(&row)?;
        }
    }
    Ok(())
}

/// Ends claims that were found to be over. `by` found them.
fn end_over(tx: &Tx<'_>, cx: &Cx<'_>, over: &[(ClaimRow, End)], by: &str) -> Stored<()> {
    for (row, why) in over {
        if *why == End::Stale {
            let note = format!("no activity since {}", row.last_activity);
            end(tx, cx, row, *why, Some(by), Some(&note))?;
        } else {
            end(tx, cx, row, *why, None, None)?;
        }
    }
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
    } else if row.session_id == ask.session || row.holder() == ask.session {
        End::Released
    } else if ask.force {
        End::Forced
    } else if standing_of(cx.now, cx.rules, &row) == Standing::Stale {
        // Seed 000, step 1: a lock without activity for 2 hours may be released by who finds it.
        End::Stale
    } else {
        let detail = format!(
            "lock {id} is held by {}, not by {}; ask the holder, or force it with a reason",
            row.holder(),
            ask.session
        );
        return Err(Refusal::new(403, detail).with("lock", json!(brief_view(&row))).into());
    };
    if why == End::Forced && ask.reason.is_none_or(|r| r.trim().is_empty()) {
        return Err(Refusal::new(422, "a forced release needs a reason").into());
    }
    fields::text("reason", ask.reason)?;
    end(tx, cx, &row, why, Some(ask.session), ask.reason)?;
    Ok(Released { id: row.id, released: true, reason: why.as_str().to_owned() })
}

/// Releases all that a session holds.
pub fn release_all(tx: &Tx<'_>, cx: &Cx<'_>, session: &str, why: End) -> Answer<ReleasedAll> {
    fields::session("session_id", session)?;
    let rows = tx.claims_of(session)?;
    for row in &rows {
        end(tx, cx, row, why, Some(session), None)?;
    }
    let ids: Vec<_> = rows.into_iter().map(|r| r.id).collect();
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
                    && row.read_resource().is_some_and(|r| r.overlap(&wanted).is_some())
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
        team: row.team.clone(),
        ended_at: row.ended_at,
        end_reason: row.end_reason.clone(),
        renewed: false,
        released_stale: Vec::new(),
        overlapped: Vec::new(),
    }
}

/// The row of a lock that another engine has granted; `None`: it cannot be read here.
pub fn row_of(lock: &Lock, literal: bool) -> Option<(ClaimRow, String)> {
    let resource = lock.on(literal).ok()?;
    let row = ClaimRow {
        id: lock.id.clone(),
        project_key: lock.project_key.clone(),
        session_id: lock.session_id.clone(),
        resource: lock.resource.clone(),
        is_glob: resource.is_glob(),
        description: lock.description.clone(),
        ttl_ms: lock.ttl_ms(),
        fence: lock.fence,
        acquired_at: lock.acquired_at,
        last_activity: lock.last_activity,
        expires_at: lock.expires_at,
        ended_at: None,
        end_reason: None,
        kind: lock.kind,
        generation: lock.generation,
        content_then: lock.content_then.clone(),
        content_now: lock.content_now.clone(),
        team: lock.team.clone(),
    };
    Some((row, resource.anchor().to_owned()))
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
