//! A sign of life from whatever event a host reports, at most once a minute and session, so that a
//! session at work keeps what it holds (seed 003). Between two of them a hook looks at one file.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Method;
use coord_protocol::wire::Heartbeat;
use coord_server::edge::SystemClock;

use crate::context::Context;
use crate::outbox::disk::Disk;
use crate::outbox::real_disk::RealDisk;
use crate::remote::Outgoing;
use crate::remote::breaker::{Leave, May, short_hash};
use crate::remote::verdict::is_ours;

/// Signs of life are at least so far apart.
const EVERY: Duration = Duration::from_mins(1);
/// The server gets this long to take one.
const BUDGET: Duration = Duration::from_millis(300);

/// The file whose time says when the last one was given.
fn marker(host: &str, session: &str) -> String {
    format!("alive-{:08x}", short_hash(&format!("{host} {session}")))
}

/// Whether it is time for the next one.
pub(super) fn is_due(state: &RealDisk, host: &str, session: &str) -> bool {
    let written = state.stamp(&marker(host, session)).ok().flatten();
    let last = written.map(|s| s.modified / 1_000_000);
    let now = SystemClock.wall().0;
    // A time from the future is no time.
    last.is_none_or(|t| t > now || now - t >= i64::try_from(EVERY.as_millis()).unwrap_or(i64::MAX))
}

/// Gives one. It is not queued when the server is away: late, it would say nothing.
pub(super) fn give(cx: &Context, host: &str, session: &str) -> Result<(), String> {
    // First: while the server is away, the next hooks shall not try either.
    cx.state.put(&marker(host, session), b"").map_err(|e| e.to_string())?;
    let breaker = cx.breaker();
    if let May::Rest(..) = breaker.ask(Leave::Anybody) {
        return Ok(());
    }
    let ask = Heartbeat { session_id: cx.session.id.clone(), strict: false, generation: None };
    let body = serde_json::to_vec(&ask).map_err(|e| e.to_string())?;
    let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/sessions/heartbeat") };
    match cx.net.call(&out, BUDGET) {
        Ok(answer) if is_ours(&answer) && answer.status < 500 => breaker.succeeded(),
        Ok(answer) => {
            let why = format!("the server answered {}", answer.status);
            breaker.failed(&why, answer.retry_after);
        }
        Err(e) => breaker.no_answer(&e, BUDGET),
    }
    Ok(())
}
