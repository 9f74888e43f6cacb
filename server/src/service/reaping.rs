//! Clearing away: silent sessions end, their files with them, and claims whose time is over. What it
//! costs depends on what there is to clear, not on how many sessions there are.

use coord_protocol::time::Millis;
use coord_protocol::wire::{CleanUp, CleanedUp};

use super::claims::{End, end};
use super::{Cx, sessions};
use crate::store::{ClaimRow, Stored, Tx};

/// Why a session ended that was silent for too long.
pub(super) const STALE: &str = "stale";
/// Most sessions and claims that end on the way of another wish, so that no transaction grows long.
const IN_PASSING: usize = 50;
/// Most that end in one clean-up.
const AT_ONCE: usize = 10_000;

/// Ends what is silent or over.
pub fn clean_up(tx: &Tx<'_>, cx: &Cx<'_>, ask: &CleanUp) -> Stored<CleanedUp> {
    reap(tx, cx, ask.project_key.as_deref(), AT_ONCE)
}

/// What ends by itself, of all projects: files of silent sessions, claims whose time is over, and team
/// claims whose sessions were idle for too long.
pub(super) fn sweep(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    reap(tx, cx, None, AT_ONCE)?;
    if let Some(idle) = cx.rules.team.idle_after {
        for row in tx.claims_idle(cx.now.before(idle), AT_ONCE)? {
            end(tx, cx, &row, End::Stale, None, None)?;
        }
    }
    Ok(())
}

/// The same on the way of another wish.
pub(super) fn in_passing(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    // A wish from a queue says nothing about now.
    if cx.late {
        return Ok(());
    }
    reap(tx, cx, None, IN_PASSING).map(drop)
}

/// A file that was taken for a longer silence than is usual ends with that silence.
fn was_asked_for_longer(cx: &Cx<'_>, row: &ClaimRow) -> bool {
    let usual = i64::try_from(cx.rules.ttl_of(row.kind).as_millis()).unwrap_or(i64::MAX);
    row.ttl_ms == 0 || row.ttl_ms > usual
}

fn reap(tx: &Tx<'_>, cx: &Cx<'_>, project: Option<&str>, most: usize) -> Stored<CleanedUp> {
    let mut done = CleanedUp::default();
    if let Some(then) = sessions::silence_limit(tx, cx)? {
        for id in tx.silent_sessions(then, project, most)? {
            let mut keeps = false;
            for row in tx.files_of(&id)? {
                let lapsed = row.expires_at.is_some_and(|e| e <= cx.now);
                if !lapsed && was_asked_for_longer(cx, &row) {
                    keeps = true;
                    continue;
                }
                let why = if lapsed { End::Expired } else { End::Stale };
                end(tx, cx, &row, why, None, None)?;
                done.lock_ids.push(row.id);
            }
            if !keeps {
                tx.end_session(&id, cx.now, STALE)?;
                done.session_ids.push(id);
            }
        }
    }
    for row in tx.claims_over(cx.now, project, most)? {
        if row.expires_at.is_some_and(|e: Millis| e > cx.now) {
            // A file whose end has moved on: next time it is not among these.
            tx.renew_claim(&row)?;
        } else {
            end(tx, cx, &row, End::Expired, None, None)?;
            done.lock_ids.push(row.id);
        }
    }
    done.sessions = done.session_ids.len();
    done.locks = done.lock_ids.len();
    Ok(done)
}
