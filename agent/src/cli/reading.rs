//! What all reading verbs share: asking the server, and honest words when it cannot be asked.

use std::time::Duration;

use coord_protocol::exit;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::writing::{refused, waiting_here};
use crate::context::Context;
use crate::local_server::is_loopback;
use crate::outbox::drain::{drain, fits_in_passing};
use crate::outbox::view::anything_waiting;
use crate::remote::Outgoing;
use crate::remote::breaker::{Leave, May};
use crate::remote::verdict::is_ours;
use crate::ui::neutral;
use crate::ui::report::{CliError, Report};

const READ_BUDGET: Duration = Duration::from_millis(1_500);

/// A query string, built piece by piece.
#[derive(Default)]
pub(super) struct Query(String);

impl Query {
    /// Adds a parameter when it has a value.
    pub(super) fn and(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(v) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&encode(v));
        }
        self
    }

    /// The path with it.
    pub(super) fn on(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// Percent-encodes a path segment or a query value.
pub(super) fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}

/// Reads from the server. What waits here goes out first, so that everybody sees their own writes.
pub(super) fn read<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<(T, Value), CliError> {
    see_off(cx);
    ask(cx, path)
}

/// Sends what waits here, if that can be done in passing.
pub(super) fn see_off(cx: &Context) {
    let disk = &cx.outbox;
    if anything_waiting(disk).unwrap_or(false) && fits_in_passing(disk).unwrap_or(false) {
        // What goes wrong here is seen again by the read itself.
        let _ = drain(&cx.tools(&cx.breaker()), READ_BUDGET, Leave::Anybody);
    }
}

/// Reads from the server, and leaves what waits here alone.
pub(super) fn ask<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<(T, Value), CliError> {
    ask_as(cx, path, Leave::Anybody)
}

/// The same with more right to call.
pub(super) fn ask_as<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    leave: Leave,
) -> Result<(T, Value), CliError> {
    let breaker = cx.breaker();
    if let May::Rest(left, why) = breaker.ask(leave) {
        let secs = left.as_secs() + 1;
        let why =
            format!("not tried, because lately {why}; next try in {secs} s, or with `coord sync`");
        return Err(away(cx, &why));
    }
    let out = Outgoing { session: Some(cx.session.id.clone()), ..Outgoing::get(path) };
    let answer = cx.net.call(&out, READ_BUDGET).map_err(|e| {
        breaker.failed(&e.to_string(), None);
        away(cx, &e.to_string())
    })?;
    if !is_ours(&answer) {
        let why = format!("what answers at {} is not a coord server", cx.base);
        breaker.failed(&why, answer.retry_after);
        return Err(away(cx, &why));
    }
    if answer.status >= 500 {
        let why = format!("the server answered {}", answer.status);
        breaker.failed(&why, answer.retry_after);
        return Err(away(cx, &why));
    }
    breaker.succeeded();
    let value = answer.json().unwrap_or(Value::Null);
    if answer.status != 200 {
        return Err(refused(answer.status, &value, "the server refused"));
    }
    let typed = serde_json::from_value(value.clone()).map_err(|e| {
        CliError::new(exit::UNAVAILABLE, format!("the server's answer cannot be read: {e}"))
            .hint("client and server may be of different versions")
    })?;
    Ok((typed, value))
}

fn away(cx: &Context, why: &str) -> CliError {
    let e = CliError::new(
        exit::UNAVAILABLE,
        format!("cannot ask the server: {}; what it holds is not known here", neutral::line(why)),
    );
    let e = match waiting_here(cx) {
        0 => e,
        n => e.hint(format!("{} here; `coord outbox list` shows them", count(n, "write"))),
    };
    if !cx.base_is_configured {
        e.hint("no server is configured; `coord start --background` starts one on this machine")
    } else if is_loopback(&cx.base) {
        e.hint("if it is a server of yours, `coord start --background` starts it again")
    } else {
        e
    }
}

/// A list as an answer: says so when there is more of it than is shown.
pub(super) fn listed(rows: &[String], none: &str, raw: Value) -> Report {
    let text = if rows.is_empty() { none.to_owned() } else { rows.join("\n") };
    let cut = !raw["next"].is_null();
    let report = Report::new(text, raw);
    if cut {
        report.note(format!("these are the first {}; there are more", rows.len()))
    } else {
        report
    }
}

/// A number of things, in words.
pub(super) fn count(n: usize, thing: &str) -> String {
    match n {
        1 => format!("1 {thing} waits"),
        n => format!("{n} {thing}s wait"),
    }
}
