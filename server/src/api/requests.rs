//! Release requests and the queue (`peer_api`, sections 8 and 9).

use std::time::Duration;

use coord_protocol::wire::{Urgency, WAIT_SECONDS_MAX};
use serde_json::{Value, json};

use super::forms::Form;
use super::team::read;
use super::{Matched, ok};
use crate::service::claims::queue;
use crate::service::inbox::{request_row, request_view};
use crate::service::once::{Parked, Told};
use crate::service::requests::{self, File, PENDING, Respond};
use crate::service::{Answer, Cx, Refusal, Waits};
use crate::store::{
    ClaimRow, EventRow, RequestFilter, RequestRow, Tx, View, WaiterRow, WaiterState,
};

/// Requests of one list at most.
const LIST_MAX: usize = 200;
/// Waiters of one list at most.
const QUEUE_MAX: usize = 100;
/// So long a request waits whose caller does not say.
const WAIT_DEFAULT: i64 = 60;

pub(super) fn file(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = read!(Form::body(&m.call.body));
    let urgency = form.maybe_text("urgency").unwrap_or_default();
    let known = Urgency::parse(&urgency);
    if known.is_none() && !urgency.is_empty() {
        form.one_of("urgency", "'low', 'normal', 'high' or 'blocking'");
    }
    let ask = File {
        claim_id: form.text("claim_id"),
        requester: form.text("requester"),
        session_id: form.maybe_name("session_id"),
        reason: form.maybe_text("reason"),
        requested_scope: form.maybe_name("requested_scope"),
        urgency: known.unwrap_or_default(),
        wait_seconds: form.number("wait_seconds", 0, WAIT_SECONDS_MAX).unwrap_or(WAIT_DEFAULT),
    };
    read!(form.done());
    let row = requests::file(tx, cx, &ask)?;
    if row.decision == PENDING && ask.wait_seconds > 0 && cx.waits != Waits::Never {
        let wait = Duration::from_secs(ask.wait_seconds.unsigned_abs());
        return Ok(Told::parked(Parked { id: row.id, until: cx.now.plus(wait) }));
    }
    ok(&request_view(&row))
}

/// The parked caller of a request: its answer, once it is decided or its time is over.
pub(super) fn filed_resumed(
    tx: &Tx<'_>,
    _: &Cx<'_>,
    _: &Matched<'_>,
    id: &str,
    is_over: bool,
) -> Answer<Option<Told>> {
    let row = tx.request(id)?.ok_or_else(not_found)?;
    if row.decision == PENDING && !is_over {
        return Ok(None);
    }
    ok(&request_view(&row)).map(Some)
}

fn not_found() -> Refusal {
    Refusal::new(404, "request not found")
}

pub(super) fn list(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form =
        Form::query(m, &["requester", "claim_id", "decision", "queued", "state", "repo"]);
    let (requester, claim) = (form.maybe_name("requester"), form.maybe_name("claim_id"));
    let (decision, state) = (form.maybe_name("decision"), form.maybe_name("state"));
    let queued = form.flag("queued").unwrap_or(false);
    read!(form.done());
    if queued {
        let state = state.as_deref().map_or(Some(WaiterState::Waiting), WaiterState::parse);
        let rows = match state {
            Some(state) => v.waiters(requester.as_deref(), state, QUEUE_MAX)?,
            None => Vec::new(),
        };
        let rows = rows.iter().map(|w| queued_row(v, cx, w)).collect::<Answer<Vec<_>>>()?;
        return ok(&json!({"count": rows.len(), "requests": rows, "queued": true}));
    }
    let filter = RequestFilter {
        requester: requester.as_deref(),
        claim: claim.as_deref(),
        decision: decision.as_deref(),
    };
    let rows = v.requests(&filter, LIST_MAX)?;
    let rows = rows.iter().map(|r| with_claim(v, r)).collect::<Answer<Vec<_>>>()?;
    ok(&json!({"count": rows.len(), "requests": rows}))
}

fn with_claim(v: &View<'_>, r: &RequestRow) -> Answer<Value> {
    Ok(request_row(r, v.claim(&r.claim_id)?.as_ref()))
}

fn queued_row(v: &View<'_>, cx: &Cx<'_>, w: &WaiterRow) -> Answer<Value> {
    let blocking = w.blocking_claim_id.as_deref().map(|id| v.claim(id)).transpose()?.flatten();
    let pattern = blocking.as_ref().map(ClaimRow::pattern);
    Ok(json!({
        "kind": "queued", "queue_id": w.id, "blocking_claim_id": w.blocking_claim_id,
        "blocking_engineer": blocking.as_ref().map(|row| row.holder().to_owned()),
        "blocking_pattern": pattern, "requester_engineer": w.engineer,
        "requester_pattern": w.pattern, "claim_type": w.claim_type.as_str(),
        "symbols": w.symbols, "position": queue::position(v, cx, w)?, "state": w.state.as_str(),
        "enqueued_at": w.enqueued_at, "expires_at": w.expires_at,
        "granted_claim_id": w.granted.first(), "urgency": w.urgency,
        "repo": Some(&w.project_key).filter(|p| !p.is_empty()),
    }))
}

pub(super) fn show(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let row = v.request(m.param(0))?.ok_or_else(not_found)?;
    ok(&request_view(&row))
}

pub(super) fn events(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let events = v.events_of_request(m.param(0), LIST_MAX)?;
    let view = |e: &EventRow| {
        json!({"id": e.id, "request_id": e.request_id, "event_type": e.event_type,
            "actor_engineer": e.actor_engineer, "actor_session_id": e.actor_session_id,
            "detail": e.detail, "created_at": e.created_at})
    };
    let events: Vec<Value> = events.iter().map(view).collect();
    ok(&json!({"count": events.len(), "events": events}))
}

pub(super) fn respond(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = read!(Form::body(&m.call.body));
    let ask = Respond {
        decision: form.text("decision"),
        engineer: form.maybe_name("engineer"),
        session_id: form.maybe_name("session_id"),
        note: form.maybe_text("note"),
        narrowed_pattern: form.maybe_name("narrowed_pattern"),
        coexist_pattern: form.maybe_name("coexist_pattern"),
        coexist_symbols: form.texts("coexist_symbols"),
    };
    read!(form.done());
    ok(&request_view(&requests::respond(tx, cx, m.param(0), &ask)?))
}

pub(super) fn cancel(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let engineer = m.query("engineer");
    let cancelled = queue::cancel(tx, cx, m.param(0), engineer.as_deref())?;
    ok(&json!({"ok": true, "cancelled": cancelled, "queue_id": m.param(0)}))
}
