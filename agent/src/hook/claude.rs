//! Claude Code: `SessionStart` shows unread messages, `SessionEnd` releases what the session holds.
//! Other events are answered with `{}`.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Method;
use coord_protocol::time::Millis;
use coord_protocol::wire::{CheckedIn, EndSession, RegisterSession};
use serde_json::json;

use super::input::Input;
use super::{Answer, digest};
use crate::cli::registration;
use crate::context::Context;
use crate::local_server::log;
use crate::outbox::drain::{drain, fits_in_passing};
use crate::outbox::view;
use crate::remote::Outgoing;
use crate::remote::breaker::{Leave, May};
use crate::remote::verdict::is_ours;

/// All that a hook does with the network before it answers ends within this time.
const NETWORK_BUDGET: Duration = Duration::from_millis(600);
/// Of which the drain gets this much.
const DRAIN_BUDGET: Duration = Duration::from_millis(350);
/// Noting what was offered, after the answer.
const AFTER_BUDGET: Duration = Duration::from_millis(250);

/// Whether there is anything to do for an event.
pub(super) fn concerns(event: &str) -> bool {
    matches!(event, "SessionStart" | "SessionEnd")
}

pub(super) fn answer(cx: Context, input: &Input) -> Answer {
    match input.event.as_str() {
        "SessionStart" => session_start(cx, input),
        "SessionEnd" => {
            session_end(&cx, input);
            Answer::nothing()
        }
        _ => Answer::nothing(),
    }
}

fn session_start(cx: Context, input: &Input) -> Answer {
    let source = input.source.as_deref().unwrap_or("startup");
    let until = cx.clock.boot().plus(NETWORK_BUDGET);
    let mut said = Vec::new();
    send_waiting(&cx, &mut said);
    let mut printed = Vec::new();
    match check_in(&cx, source, until) {
        Ok(mail) => {
            let fresh = mail.unread;
            if !fresh.is_empty() {
                let d = digest::for_model(&fresh, mail.unread_count, &digest::boundary(&cx.rng));
                said.push(d.text);
                printed = fresh.into_iter().take(d.shown).map(|m| m.id).collect();
            }
        }
        Err(why) => {
            log(&cx.state, &format!("{} hook claude: {why}", cx.clock.wall()));
            let waiting = view::pending(&cx.outbox).map_or(0, |p| p.entries.len());
            if cx.base_is_configured || waiting > 0 {
                said.push(format!(
                    "coord: the server {} cannot be asked, so unread messages are not known; \
                     writes are queued here ({waiting} waiting) and sent later.",
                    cx.base
                ));
            }
        }
    }
    if said.is_empty() {
        return Answer::nothing();
    }
    let object = json!({"hookSpecificOutput": {
        "hookEventName": "SessionStart",
        "additionalContext": said.join("\n"),
    }});
    let after = move || {
        if let Err(e) = cx.note_offered(printed, AFTER_BUDGET) {
            log(&cx.state, &format!("{} offered: {e}", cx.clock.wall()));
        }
    };
    Answer { object, after: Some(Box::new(after)) }
}

/// Sends what waits here, as far as the time goes.
fn send_waiting(cx: &Context, said: &mut Vec<String>) {
    if !view::anything_waiting(&cx.outbox).unwrap_or(false) {
        return;
    }
    if !fits_in_passing(&cx.outbox).unwrap_or(false) {
        said.push("coord: very many writes wait here; `coord sync` sends them.".to_owned());
        return;
    }
    let breaker = cx.breaker();
    match drain(&cx.tools(&breaker), DRAIN_BUDGET, Leave::Anybody) {
        Ok(r) if !r.rejected.is_empty() => said.push(format!(
            "coord: {} queued writes were refused by the server; `coord outbox dead` shows why.",
            r.rejected.len()
        )),
        Ok(_) => {}
        Err(e) => log(&cx.state, &format!("{} drain: {e}", cx.clock.wall())),
    }
}

/// Registers the session and gets its unread mail, in one round trip.
fn check_in(cx: &Context, source: &str, until: Millis) -> Result<CheckedIn, String> {
    let breaker = cx.breaker();
    if let May::Rest(_, why) = breaker.ask(Leave::Anybody) {
        return Err(why);
    }
    let fresh = matches!(source, "startup" | "clear" | "fork");
    // After a compaction the model has forgotten what it was shown.
    let again = source == "compact";
    let ask = RegisterSession { again, ..registration(cx, None, fresh) };
    let body = serde_json::to_vec(&ask).map_err(|e| e.to_string())?;
    let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/sessions") };
    let left = until.since(cx.clock.boot()).max(Duration::from_millis(50));
    let answer = cx.net.call(&out, left).map_err(|e| {
        breaker.failed(&e.to_string(), None);
        e.to_string()
    })?;
    if !is_ours(&answer) || answer.status >= 500 {
        let why = format!("the server answered {}", answer.status);
        breaker.failed(&why, answer.retry_after);
        return Err(why);
    }
    breaker.succeeded();
    if answer.status != 200 {
        return Err(format!("{}: {}", answer.status, answer.detail().unwrap_or_default()));
    }
    serde_json::from_slice(&answer.body).map_err(|e| e.to_string())
}

fn session_end(cx: &Context, input: &Input) {
    let ask = EndSession { session_id: cx.session.id.clone(), reason: input.reason.clone() };
    let request = cx.request(Method::Post, "/api/coord/sessions/end", Some(&ask));
    if let Err(e) = cx.write(&request, NETWORK_BUDGET) {
        log(&cx.state, &format!("{} session end: {e}", cx.clock.wall()));
    }
}
