//! Claude Code: `SessionStart` shows unread messages, `SessionEnd` releases what the session holds.
//! Other events are answered with `{}`.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Method;
use coord_protocol::session::main_of;
use coord_protocol::time::Millis;
use coord_protocol::wire::{CheckedIn, EndSession, Message, Messages, RegisterSession};
use coord_server::api::Call;
use coord_server::replica::written_within;
use serde_json::json;

use super::input::Input;
use super::{Answer, digest, news};
use crate::cli::registration;
use crate::context::Context;
use crate::local_server::log;
use crate::outbox::drain::{drain, fits_in_passing};
use crate::outbox::news::{self as outbox_news, News};
use crate::outbox::view;
use crate::remote::Outgoing;
use crate::remote::breaker::{Leave, May};
use crate::remote::query::Query;
use crate::remote::verdict::is_ours;
use crate::ui::report::in_words;

/// All that a hook does with the network before it answers ends within this time.
const NETWORK_BUDGET: Duration = Duration::from_millis(600);
/// Of which the drain gets this much.
const DRAIN_BUDGET: Duration = Duration::from_millis(350);
/// A copy that was brought up to date so lately need not be again.
const COPY_YOUNG: Duration = Duration::from_mins(1);
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
    // After a compaction the model has forgotten what it was shown.
    let again = source == "compact";
    let heard = check_in(&cx, source, again, until);
    let was_heard = heard.is_ok();
    let (fresh, total) = heard.unwrap_or_else(|why| {
        log(&cx.state, &format!("{} hook claude: {why}", cx.clock.wall()));
        away(&cx, again, &mut said)
    });
    let mut printed = Vec::new();
    if !fresh.is_empty() {
        let d = digest::for_model(&fresh, total, &digest::boundary(&cx.rng));
        said.push(d.text);
        printed = fresh.into_iter().take(d.shown).map(|m| m.id).collect();
    }
    let untold = untold(&cx);
    let both = untold.iter().flat_map(|(_, n)| &n.items).cloned().collect::<Vec<_>>();
    said.extend(news::for_model(&both));
    let object = if said.is_empty() {
        json!({})
    } else {
        json!({"hookSpecificOutput": {
            "hookEventName": "SessionStart",
            "additionalContext": said.join("\n"),
        }})
    };
    let after = move || {
        if let Err(e) = cx.note_offered(printed, AFTER_BUDGET) {
            log(&cx.state, &format!("{} offered: {e}", cx.clock.wall()));
        }
        // What cannot be let go is told once more.
        for (session, news) in &untold {
            let _ = outbox_news::told(&cx.outbox, session, news);
        }
        if was_heard {
            keep_a_copy(&cx, until);
        }
    };
    Answer { object, after: Some(Box::new(after)) }
}

/// What became of writes of this session, and of commands at the shell here that no session was named
/// for: like mail to the machine, that is for whoever comes next.
fn untold(cx: &Context) -> Vec<(String, News)> {
    let mut sessions = vec![cx.session.id.clone(), main_of(&cx.machine)];
    sessions.dedup();
    let of = |s: String| outbox_news::of(&cx.outbox, &s).ok().map(|news| (s, news));
    sessions.into_iter().filter_map(of).collect()
}

/// Whether an answer to this event can carry words into the context.
pub(super) fn tells(event: &str) -> bool {
    matches!(event, "PostToolUse" | "UserPromptSubmit")
}

/// What became of writes that waited, at an event in between.
pub(super) fn tell(cx: Context, event: &str) -> Answer {
    let untold = untold(&cx);
    let both = untold.iter().flat_map(|(_, n)| &n.items).cloned().collect::<Vec<_>>();
    let Some(words) = news::for_model(&both) else { return Answer::nothing() };
    let object = json!({"hookSpecificOutput": {
        "hookEventName": event,
        "additionalContext": words,
    }});
    let after = move || {
        for (session, news) in &untold {
            // What cannot be let go is told once more.
            let _ = outbox_news::told(&cx.outbox, session, news);
        }
    };
    Answer { object, after: Some(Box::new(after)) }
}

/// So that reads can be answered when the server is away. A copy that is young enough is left alone:
/// a look at two files is cheaper than opening them.
fn keep_a_copy(cx: &Context, until: Millis) {
    let left = until.since(cx.clock.boot());
    if left.is_zero() || written_within(&cx.replica_folder(), COPY_YOUNG) {
        return;
    }
    let Some(standin) = cx.standin() else { return };
    if let Err(e) = cx.pull(&standin, left.min(AFTER_BUDGET), Leave::Anybody) {
        log(&cx.state, &format!("{} pull: {e}", cx.clock.wall()));
    }
}

/// Without the server: the session is registered later, and what is known here is shown.
fn away(cx: &Context, again: bool, said: &mut Vec<String>) -> (Vec<Message>, usize) {
    let waiting = view::pending(&cx.outbox).map_or(0, |p| p.entries.len());
    // Signs of life that only this workstation saw say nothing of mail: where nothing waits, what the
    // server said is enough.
    let known = cx.standin().and_then(|s| s.read(&unread_of(cx), false).ok().flatten());
    let age = match &known {
        Some(k) => format!("what follows is as of {} ago", in_words(k.age)),
        None => "unread messages are not known".to_owned(),
    };
    said.push(format!(
        "coord: the server {} cannot be asked, so {age}; writes are queued here ({waiting} waiting) \
         and sent later.",
        cx.base
    ));
    // Others here see that it is there, and the server hears of it later.
    let register =
        cx.request(Method::Post, "/api/coord/sessions", Some(&registration(cx, None, true)));
    if let Err(e) = cx.write(&register, AFTER_BUDGET) {
        log(&cx.state, &format!("{} registration: {e}", cx.clock.wall()));
    }
    let mail = known.and_then(|k| serde_json::from_str::<Messages>(&k.reply.body).ok());
    let mut mail = mail.map(|m| m.messages).unwrap_or_default();
    let total = mail.len();
    mail.retain(|m| again || m.offered_at.is_none());
    (mail, total)
}

fn unread_of(cx: &Context) -> Call {
    let query = Query::default()
        .and("to_session", Some(&cx.session.id))
        .and("unread_only", Some("true"))
        .and("limit", Some("100"));
    Call { method: "GET".into(), target: query.on("/api/coord/messages"), ..Call::default() }
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
        // What became of this session's own is in its news.
        Ok(_) => {}
        Err(e) => log(&cx.state, &format!("{} drain: {e}", cx.clock.wall())),
    }
}

/// Registers the session and gets its unread mail, in one round trip; the mail, and how much is
/// unread in all.
fn check_in(
    cx: &Context,
    source: &str,
    again: bool,
    until: Millis,
) -> Result<(Vec<Message>, usize), String> {
    let breaker = cx.breaker();
    if let May::Rest(_, why) = breaker.ask(Leave::Anybody) {
        return Err(why);
    }
    let fresh = matches!(source, "startup" | "clear" | "fork");
    let ask = RegisterSession { again, ..registration(cx, None, fresh) };
    let body = serde_json::to_vec(&ask).map_err(|e| e.to_string())?;
    let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/sessions") };
    let left = until.since(cx.clock.boot()).max(Duration::from_millis(50));
    let answer = cx.net.call(&out, left).map_err(|e| {
        breaker.no_answer(&e, left);
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
    let mail: CheckedIn = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
    Ok((mail.unread, mail.unread_count))
}

fn session_end(cx: &Context, input: &Input) {
    let ask = EndSession { session_id: cx.session.id.clone(), reason: input.reason.clone() };
    let request = cx.request(Method::Post, "/api/coord/sessions/end", Some(&ask));
    if let Err(e) = cx.write(&request, NETWORK_BUDGET) {
        log(&cx.state, &format!("{} session end: {e}", cx.clock.wall()));
    }
}
