//! Releasing and extending team claims by the calls of seed 002, which name an engineer, or nobody.

use coord_protocol::claim::Who;
use coord_protocol::lease::Ttl;
use coord_protocol::wire::ClaimKind;

use super::judge::standing_of;
use super::{End, end, release_all};
use crate::service::{Answer, Cx, Refusal, areas, fields, requests};
use crate::store::{ClaimRow, Tx};

/// Claims of one release at most.
const IDS_MAX: usize = 1_000;

/// Releases claims and says how many. What is unknown, over, or somebody else's counts nothing. A
/// caller that names no engineer may release any claim whose id it knows, as seed 002 has it, and its
/// holder is told.
pub fn release(tx: &Tx<'_>, cx: &Cx<'_>, ids: &[String], engineer: Option<&str>) -> Answer<usize> {
    fields::maybe_name("engineer", engineer)?;
    if ids.len() > IDS_MAX {
        return Err(Refusal::new(422, format!("more than {IDS_MAX} claims at once")).into());
    }
    let mut released = 0;
    for id in ids {
        let live = |r: &ClaimRow| r.ended_at.is_none() && r.kind == ClaimKind::Claim;
        let Some(row) = tx.claim(id)?.filter(live) else { continue };
        if row.expires_at.is_some_and(|e| e <= cx.now) {
            end(tx, cx, &row, End::Expired, None, None)?;
            continue;
        }
        let holder = engineer.is_some_and(|e| e == row.holder());
        let who = Who { session: engineer.unwrap_or_default(), engineer };
        if !holder && engineer.is_some() && !areas::is_owner(tx, &row, &who)? {
            continue;
        }
        let why = if engineer.is_none() || holder { End::Released } else { End::Forced };
        end(tx, cx, &row, why, engineer, None)?;
        released += 1;
    }
    tx.count_released(released);
    Ok(released)
}

/// Releases all that a session holds, locks too.
pub fn release_session(tx: &Tx<'_>, cx: &Cx<'_>, session: &str) -> Answer<usize> {
    Ok(release_all(tx, cx, session, End::SessionEnd)?.released)
}

/// The holder goes on for so many hours from now; it may be less than before. False: there is no such
/// claim, or it is over, or somebody else's.
pub fn extend(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &str,
    engineer: &str,
    hours: i64,
) -> Answer<Option<ClaimRow>> {
    fields::name("engineer", engineer)?;
    if !(1..=720).contains(&hours) {
        return Err(Refusal::new(422, "ttl_hours must be 1 to 720").into());
    }
    let mine = |r: &ClaimRow| {
        let stands = standing_of(cx.now, cx.rules, r) != coord_protocol::lease::Standing::Expired;
        r.ended_at.is_none() && r.kind == ClaimKind::Claim && r.holder() == engineer && stands
    };
    let Some(mut row) = tx.claim(id)?.filter(mine) else { return Ok(None) };
    if !row.session_id.is_empty() {
        cx.touch(tx, &row.session_id)?;
    }
    #[expect(clippy::cast_precision_loss, reason = "720 at most")]
    let ttl = Ttl::from_hours(Some(hours as f64), cx.rules.team.ttl_default)
        .map_err(|e| Refusal::new(422, e.to_string()))?;
    // From when it was made: what waited in a queue is not the same length again from now.
    let Some(until) = ttl.expiry(cx.made()).filter(|u| *u > cx.now) else { return Ok(Some(row)) };
    row.ttl_ms = ttl.as_millis();
    row.last_activity = row.last_activity.max(cx.made());
    requests::extended(tx, &mut row, until)?;
    tx.change_team_claim(&row)?;
    Ok(Some(row))
}
