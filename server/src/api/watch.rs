//! What who watches the server is told: `/meta`, `/readyz`, `/metrics`. None of it needs a token, so
//! none of it names a file, a session or a claim.

use serde_json::json;

use super::{Matched, Reply};
use crate::metrics::{CONTENT_TYPE, Counters, Text};
use crate::service::once::Told;
use crate::service::{Answer, Cx};
use crate::store::View;

/// States of events for webhooks.
const OUTBOX_STATES: [&str; 4] = ["pending", "failed", "delivered", "exhausted"];

fn auth_mode(has_token: bool) -> &'static str {
    if has_token { "bearer" } else { "insecure-no-auth" }
}

impl Reply {
    /// The name and kind of this server, as clients of seed 002 expect it.
    pub fn meta(has_token: bool, has_checkout: bool) -> Self {
        let body = json!({
            "name": "multi-agent-coordination",
            "version": env!("CARGO_PKG_VERSION"),
            "auth_mode": auth_mode(has_token),
            "repo_root_configured": has_checkout,
        });
        Self::json(200, body.to_string())
    }

    /// Work can be done.
    pub fn ready(has_token: bool) -> Self {
        let body = json!({
            "status": "ready",
            "version": env!("CARGO_PKG_VERSION"),
            "auth_mode": auth_mode(has_token),
        });
        Self::json(200, body.to_string())
    }

    /// What is counted, with what the database said when it was asked for its part.
    pub fn metrics(counters: &Counters, gauges: &Self) -> Self {
        let gauges = (gauges.status == 200).then_some(gauges.body.as_str());
        Self { content_type: CONTENT_TYPE, ..Self::json(200, counters.text(gauges)) }
    }
}

/// What the database knows, as text in the format of Prometheus.
pub(super) fn gauges(v: &View<'_>, cx: &Cx<'_>, _: &Matched<'_>) -> Answer<Told> {
    let mut out = Text::default();
    out.head("coord_claims_active", "gauge", "Locks, file locks and claims that are held.");
    out.line("coord_claims_active", &[], v.claims_active(cx.now)?);
    out.head("coord_queue_waiting", "gauge", "Who waits for claims to end.");
    out.line("coord_queue_waiting", &[], v.queue_waiting(cx.now)?);
    let counts = v.delivery_counts()?;
    let name = "coord_webhook_outbox";
    out.head(name, "gauge", "Events for webhook receivers, by state.");
    for state in OUTBOX_STATES {
        let n = counts.iter().find(|(s, _)| s == state).map_or(0, |(_, n)| *n);
        out.line(name, &[("state", state)], n);
    }
    Ok(Told::new(200, out.into_string()))
}
