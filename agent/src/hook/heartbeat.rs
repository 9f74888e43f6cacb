//! A sign of life from whatever event a host reports, at most once a minute and session, so that a
//! session at work keeps what it holds (seed 003). Between two of them a hook looks at one file.

use std::time::Duration;

use coord_protocol::request::Method;
use coord_protocol::wire::Heartbeat;

use super::ask;
use super::marks::{Mark, Marks};
use crate::context::Context;
use crate::remote::Outgoing;

/// Signs of life are at least so far apart.
const EVERY: Duration = Duration::from_mins(1);
/// The server gets this long to take one.
const BUDGET: Duration = Duration::from_millis(300);

/// Whether it is time for the next one.
pub(super) fn is_due(marks: &Marks<'_>) -> bool {
    !marks.is_young(Mark::Alive, EVERY)
}

/// Gives one. It is not queued when the server is away: late, it would say nothing.
pub(super) fn give(cx: &Context, marks: &Marks<'_>) -> Result<(), String> {
    // First: while the server is away, the next hooks shall not try either.
    marks.set(Mark::Alive);
    let sign = Heartbeat { session_id: cx.session.id.clone(), strict: false, generation: None };
    let body = serde_json::to_vec(&sign).map_err(|e| e.to_string())?;
    let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/sessions/heartbeat") };
    // The next minute gives another.
    let _ = ask::ask(cx, &out, BUDGET);
    Ok(())
}
