//! What a session is asked, and what happened around its claims: it polls this (`peer_api`, 6.7).

use serde_json::{Value, json};

use super::events::{self, AUTO_NARROW, About};
use super::{Answer, Cx, fields};
use crate::store::{ClaimRow, EventRow, RequestRow, Tx};

/// Entries of one kind at most.
const EACH_MAX: usize = 100;

/// What waits for a session's answer or attention: release requests first, then what was narrowed,
/// then claims that were refused because of its own; each newest first, of claims still held.
pub fn pending(tx: &Tx<'_>, cx: &Cx<'_>, session: &str) -> Answer<Vec<Value>> {
    fields::session("session_id", session)?;
    cx.touch(tx, session)?;
    let held: Vec<ClaimRow> = tx.claims_of(session)?;
    let mut requests: Vec<(i64, Value)> = Vec::new();
    let mut narrowed: Vec<(i64, Value)> = Vec::new();
    let mut refused: Vec<(i64, Value)> = Vec::new();
    for row in &held {
        for r in tx.pending_requests(&row.id)? {
            first_seen(tx, cx, &r, session)?;
            requests.push((r.created_at.0, request_entry(&r, row)));
        }
        for e in tx.events_of_claim(&row.id, AUTO_NARROW, EACH_MAX)? {
            narrowed.push((e.created_at.0, narrow_entry(&e, row)));
        }
        for a in tx.attempts_on(&row.id, EACH_MAX)? {
            let entry = json!({"kind": "auto-conflict", "id": a.id, "claim_id": a.claim_id,
                "attempted_by": a.attempted_by, "attempted_pattern": a.pattern,
                "attempted_session_id": a.attempted_session_id, "created_at": a.created_at,
                "holder_pattern": row.pattern(), "holder_engineer": row.holder()});
            refused.push((a.created_at.0, entry));
        }
    }
    let mut all = Vec::new();
    for mut kind in [requests, narrowed, refused] {
        kind.sort_by_key(|(at, _)| -at);
        all.extend(kind.into_iter().take(EACH_MAX).map(|(_, entry)| entry));
    }
    Ok(all)
}

/// A session has seen a request: on record, once.
fn first_seen(tx: &Tx<'_>, cx: &Cx<'_>, r: &RequestRow, session: &str) -> Answer<()> {
    let known = tx.events_of_request(&r.id, EACH_MAX)?;
    let seen =
        |e: &EventRow| e.event_type == "notified" && e.actor_session_id.as_deref() == Some(session);
    if !known.iter().any(seen) {
        let about =
            About { project: &r.project_key, request: Some(&r.id), claim: Some(&r.claim_id) };
        let who = coord_protocol::claim::Who { session, engineer: None };
        events::record(tx, cx, "notified", about, Some(who), &Value::Null)?;
    }
    Ok(())
}

fn request_entry(r: &RequestRow, row: &ClaimRow) -> Value {
    let mut entry = request_view(r);
    if let Some(fields) = entry.as_object_mut() {
        fields.insert("kind".to_owned(), json!("request"));
        fields.insert("holder_engineer".to_owned(), json!(row.holder()));
        fields.insert("holder_pattern".to_owned(), json!(row.pattern()));
        let repo = Some(&row.project_key).filter(|p| !p.is_empty());
        fields.insert("holder_repo".to_owned(), json!(repo));
    }
    entry
}

fn narrow_entry(e: &EventRow, row: &ClaimRow) -> Value {
    let detail = e.detail.as_deref().and_then(|d| serde_json::from_str::<Value>(d).ok());
    let detail = detail.unwrap_or_default();
    json!({"kind": "auto-narrow-notice", "id": e.id, "claim_id": row.id,
        "requester_claim_id": detail["requester_claim_id"], "narrowed_by": e.actor_engineer,
        "narrowed_by_session_id": e.actor_session_id,
        "overlapping_symbols": detail["overlapping_symbols"], "created_at": e.created_at,
        "holder_pattern": row.pattern(), "holder_engineer": row.holder()})
}

/// A request, as the calls of seed 002 show it.
pub fn request_view(r: &RequestRow) -> Value {
    json!({
        "id": r.id, "claim_id": r.claim_id, "requester_engineer": r.requester_engineer,
        "requester_session_id": r.requester_session_id,
        "requested_pattern": r.requested_pattern, "reason": r.reason, "urgency": r.urgency,
        "decision": r.decision, "decided_at": r.decided_at,
        "decided_by_engineer": r.decided_by_engineer,
        "decided_by_session_id": r.decided_by_session_id, "note": r.note,
        "original_expires_at": r.original_expires_at,
        "shortened_expires_at": r.shortened_expires_at, "created_at": r.created_at,
        "requested_scope": r.requested_scope,
    })
}

/// The same in a list, with what is known of the claim.
pub fn request_row(r: &RequestRow, claim: Option<&ClaimRow>) -> Value {
    let mut view = request_view(r);
    if let Some(fields) = view.as_object_mut() {
        fields.insert("holder_engineer".to_owned(), json!(claim.map(ClaimRow::holder)));
        fields.insert("holder_pattern".to_owned(), json!(claim.map(ClaimRow::pattern)));
        let repo = Some(&r.project_key).filter(|p| !p.is_empty());
        fields.insert("holder_repo".to_owned(), json!(repo));
        fields.insert("claim_released_at".to_owned(), json!(claim.and_then(|c| c.ended_at)));
    }
    view
}
