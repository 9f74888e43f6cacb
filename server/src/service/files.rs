//! Claims on files (seed 003): any sign of life of its session renews one, and it knows what was in the
//! file. Grant, conflict and end are those of every claim.

use std::time::Duration;

use coord_protocol::lease::{Standing, Ttl, standing};
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ABSENT, ClaimKind, ClaimLock, EndedLock, ExtendLock, FileState, Lock};
use serde_json::json;

use super::claims::{End, brief_view, checked, end, ended_view, lock_view, wanted};
use super::{Answer, Cx, Refusal, fields, sessions};
use crate::store::{ClaimRow, Stored, Tx, View};

/// A content is a SHA-256 in hex, or the word for a file that is not there.
pub(super) fn content(value: Option<&str>) -> Result<(), Refusal> {
    let is_hash = |v: &str| v.len() == 64 && v.bytes().all(|b| b.is_ascii_hexdigit());
    match value {
        Some(v) if v != ABSENT && !is_hash(v) => {
            Err(Refusal::new(422, "content must be a SHA-256 in hex, or absent"))
        }
        Some(_) | None => Ok(()),
    }
}

/// What the holder's own claim becomes when it asks again: the content that it began with stays, and
/// a claim of hours does not become one of minutes.
pub(super) fn again(row: ClaimRow, ask: &ClaimLock, ttl: Ttl, cx: &Cx<'_>) -> ClaimRow {
    let keeps_lease = row.kind == ClaimKind::Lock && ask.kind == ClaimKind::File;
    ClaimRow {
        description: ask.description.clone().or(row.description),
        kind: if keeps_lease { row.kind } else { ask.kind },
        ttl_ms: if keeps_lease { row.ttl_ms } else { ttl.as_millis() },
        expires_at: if keeps_lease {
            row.expires_at
        } else {
            later(row.expires_at, ttl.expiry(cx.now))
        },
        content_then: row.content_then.or_else(|| ask.content.clone()),
        content_now: row.content_now.or_else(|| ask.content.clone()),
        last_activity: cx.now,
        ..row
    }
}

/// The later end of a lease: what was acknowledged is never taken back. `None` is no end.
fn later(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    Some(a?.max(b?))
}

/// A session that was silent for so long that its files lapsed has lost them, also when it speaks
/// again before anybody asked for them.
pub(super) fn end_lapsed(tx: &Tx<'_>, cx: &Cx<'_>, session: &str) -> Stored<()> {
    for row in tx.files_of(session)? {
        if row.expires_at.is_some_and(|e| e <= cx.now) {
            end(tx, cx, &row, End::Expired, None, None)?;
        }
    }
    Ok(())
}

/// Ends lapsed claims in the way of a wish, and gives them: the first of seed 003's two steps.
pub fn clear_lapsed(tx: &Tx<'_>, cx: &Cx<'_>, ask: &ClaimLock) -> Answer<Vec<EndedLock>> {
    let resource = checked(tx, ask)?;
    let mut ended = Vec::new();
    for row in tx.claims_near(&ask.project_key, &resource)? {
        if touches(&row, &resource) && row.expires_at.is_some_and(|e| e <= cx.now) {
            end(tx, cx, &row, End::Expired, Some(&ask.session_id), None)?;
            ended.push(ended_view(&row, End::Expired));
        }
    }
    Ok(ended)
}

fn touches(row: &ClaimRow, resource: &Resource) -> bool {
    row.read_resource().is_some_and(|r| r.overlap(resource).is_some())
}

/// The holder goes on with a claim, and may say what it has made of the file. `None`: it came after its
/// time, and changes nothing (G13).
pub fn extend(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, ask: &ExtendLock) -> Answer<Option<Lock>> {
    fields::session("session_id", &ask.session_id)?;
    content(ask.content.as_deref())?;
    if cx.past {
        return Ok(None);
    }
    sessions::newest(tx, &ask.session_id, ask.generation)?;
    let row = tx.claim(id)?.ok_or_else(|| Refusal::not_found("lock", id))?;
    if row.session_id != ask.session_id {
        let detail = format!("lock {id} is held by {}, not by {}", row.session_id, ask.session_id);
        return Err(Refusal::new(403, detail).with("lock", json!(brief_view(&row))).into());
    }
    let over = standing(cx.now, row.expires_at, row.last_activity, cx.rules.stale_after);
    if row.ended_at.is_some() || over == Standing::Expired {
        let why = row.end_reason.as_deref().unwrap_or(End::Expired.as_str());
        let detail = format!("lock {id} on {:?} is over ({why}); acquire it anew", row.resource);
        let no = Refusal::new(410, detail).with("end_reason", json!(why));
        return Err(no.with("lock", json!(brief_view(&row))).into());
    }
    cx.touch(tx, &ask.session_id)?;
    let same = Duration::from_millis(u64::try_from(row.ttl_ms).unwrap_or(0));
    let ttl = match ask.ttl_hours {
        None if same.is_zero() => Ttl::None,
        hours => Ttl::from_hours(hours, same).map_err(|e| Refusal::new(422, e.to_string()))?,
    };
    // From when it was made: what waited in a queue is not the same length again from now.
    let until = ttl.expiry(cx.made());
    if until.is_some_and(|e| e <= cx.now) {
        return Ok(None);
    }
    let row = ClaimRow {
        ttl_ms: ttl.as_millis(),
        last_activity: row.last_activity.max(cx.made()),
        expires_at: later(row.expires_at, until),
        content_then: row.content_then.or_else(|| ask.content.clone()),
        content_now: ask.content.clone().or(row.content_now),
        ..row
    };
    tx.renew_claim(&row)?;
    Ok(Some(Lock { renewed: true, ..lock_view(&row) }))
}

/// How a file stands for a session: who has it, and what became of the session's own claim.
pub fn state(
    view: &View<'_>,
    cx: &Cx<'_>,
    project: &str,
    file: &str,
    session: &str,
) -> Answer<FileState> {
    let resource = wanted(file, true)?;
    let mut live = view.claims_near(project, &resource)?;
    live.retain(|r| touches(r, &resource) && r.expires_at.is_none_or(|e| e > cx.now));
    live.sort_by_key(|r| (r.session_id != session, r.acquired_at));
    let mine = view.latest_claim(project, resource.as_str(), session)?;
    Ok(FileState {
        time: Some(cx.now),
        lock: live.first().map(lock_view),
        mine: mine.map(|row| {
            let lapsed = row.ended_at.is_none() && row.expires_at.is_some_and(|e| e <= cx.now);
            let reason = lapsed.then(|| End::Expired.as_str().to_owned());
            Lock {
                ended_at: row.ended_at.or(row.expires_at.filter(|_| lapsed)),
                end_reason: row.end_reason.clone().or(reason),
                ..lock_view(&row)
            }
        }),
    })
}
