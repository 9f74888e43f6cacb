//! The audit of team claims, and the events that webhooks send.

use coord_protocol::claim::Who;
use coord_protocol::edge::id_at;
use serde_json::Value;

use super::Cx;
use crate::store::{DeliveryRow, EventRow, Stored, Tx};
use crate::webhooks::payload::body;

/// Symbol claims of two holders were let stand beside each other.
pub(super) const AUTO_COEXIST: &str = "auto-coexist";
/// A whole-file claim gave way to a claim on symbols in it.
pub(super) const AUTO_NARROW: &str = "auto-narrow";
/// A hot file became a shared file.
pub(super) const AUTO_PROMOTE: &str = "auto-promote";
/// A file that is not hot any more ceased to be one.
pub(super) const AUTO_DEMOTE: &str = "auto-demote";
/// Claims were granted.
pub(super) const CLAIM_GRANTED: &str = "claim_granted";
/// A waiter got its claims.
pub(super) const QUEUE_GRANT: &str = "queue_grant";
/// A waiter was cancelled.
pub(super) const QUEUE_CANCEL: &str = "queue_cancel";

/// What an event is about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    /// The project; '' is none.
    pub(super) project: &'a str,
    /// The release request.
    pub(super) request: Option<&'a str>,
    /// The holder's claim.
    pub(super) claim: Option<&'a str>,
}

/// Writes an event into the audit.
pub(super) fn record(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    kind: &str,
    about: About<'_>,
    by: Option<Who<'_>>,
    detail: &Value,
) -> Stored<()> {
    tx.add_event(&EventRow {
        id: id_at(cx.now, cx.rng).to_string(),
        project_key: about.project.to_owned(),
        request_id: about.request.map(str::to_owned),
        claim_id: about.claim.map(str::to_owned),
        event_type: kind.to_owned(),
        actor_engineer: by.and_then(|w| w.engineer).map(str::to_owned),
        actor_session_id: by.map(|w| w.session.to_owned()).filter(|s| !s.is_empty()),
        detail: (!detail.is_null()).then(|| detail.to_string()),
        created_at: cx.now,
    })
}

/// Stores an event for each webhook receiver, when there are any: it is sent when this transaction was
/// committed.
pub(super) fn announce(tx: &Tx<'_>, cx: &Cx<'_>, kind: &str, detail: &Value) -> Stored<()> {
    let Some(outlet) = cx.rules.webhooks.filter(|o| o.wants(kind)) else { return Ok(()) };
    let payload = body(kind, detail, cx.now);
    for receiver in outlet.receivers() {
        tx.add_delivery(&DeliveryRow {
            id: id_at(cx.now, cx.rng).to_string(),
            receiver: receiver.clone(),
            event_type: kind.to_owned(),
            payload: payload.clone(),
            created_at: cx.now,
        })?;
    }
    outlet.note();
    Ok(())
}

#[cfg(feature = "webhooks")]
#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
