//! A conversation begins, or goes on: what waits is sent, the session is registered, and it is told what
//! it has to know.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Method;
use coord_protocol::time::Millis;
use coord_protocol::wire::{CheckedIn, Message, Messages, RegisterSession};
use coord_server::api::Call;

use super::host::Reply;
use super::input::Input;
use super::marks::{Mark, Marks};
use super::{Answer, CONTEXT_BYTES_MAX, ask, digest, here, mail, news, untold};
use crate::cli::registration;
use crate::context::Context;
use crate::local_server::log;
use crate::outbox::disk::Share;
use crate::outbox::drain::{drain, fits_in_passing};
use crate::outbox::view;
use crate::remote::Outgoing;
use crate::remote::breaker::Leave;
use crate::remote::query::Query;
use crate::ui::report::in_words;

/// All that is done with the network before the answer ends within this time.
const NETWORK_BUDGET: Duration = Duration::from_millis(600);
/// Of which the drain gets this much.
const DRAIN_BUDGET: Duration = Duration::from_millis(350);
/// With less time left it is not looked what goes on here.
const LOOK_MIN: Duration = Duration::from_millis(150);
/// A registration that is kept for later.
const REGISTER_BUDGET: Duration = Duration::from_millis(250);
/// One beginning is told to all hooks of a host within this time.
const TWICE_WITHIN: Duration = Duration::from_secs(2);

/// `entry` names the entry of the host's settings that called us. A host that reads the settings of
/// another one too tells a beginning twice, and the second time there is nothing to say.
pub(super) fn answer(cx: Context, input: &Input, entry: &str, marks: &Marks<'_>) -> Answer {
    let lock = format!("{}.lock", marks.name(Mark::Began));
    let only = cx.state.hold(&lock, Share::Exclusive, Duration::ZERO);
    let by_another = marks.is_young(Mark::Began, TWICE_WITHIN) && !marks.says(Mark::Began, entry);
    if matches!(only, Ok(None)) || by_another {
        return Answer::nothing();
    }
    marks.set_to(Mark::Began, entry);
    marks.set(Mark::Looked);
    let source = input.source.as_deref().unwrap_or("startup");
    // After a compaction the model has forgotten what it was shown.
    let again = marks.is_set(Mark::Forgot) || source == "compact";
    let until = cx.clock.boot().plus(NETWORK_BUDGET);
    let mut said = Vec::new();
    let few_wait = send_waiting(&cx, &mut said);
    let heard = check_in(&cx, source, again, until);
    if heard.is_ok() {
        marks.take(Mark::Forgot);
    } else if again {
        marks.set(Mark::Forgot);
    }
    let (fresh, total) = heard.unwrap_or_else(|why| {
        log(&cx.state, &format!("{} hook start: {why}", cx.clock.wall()));
        away(&cx, again, &mut said)
    });
    mail::forget_what_ended(&cx, &fresh);
    let mut printed = Vec::new();
    if !fresh.is_empty() {
        let d = digest::for_model(&fresh, total, &digest::boundary(&cx.rng));
        said.push(d.text);
        printed = fresh.into_iter().take(d.shown).map(|m| m.id).collect();
    }
    let mut told = untold(&cx);
    let both = told.iter().flat_map(|(_, n)| &n.items).cloned().collect::<Vec<_>>();
    let words = news::for_model(&both);
    if fits(&said, words.as_deref()) {
        said.extend(words);
    } else {
        // They are told at the next event.
        told.clear();
    }
    let time = until.since(cx.clock.boot()) >= LOOK_MIN;
    // A copy is of use only with all that waits done on it, and that is too much for a hook.
    let around = (time && few_wait).then(|| here::words(&cx, until)).flatten();
    if fits(&said, around.as_deref()) {
        said.extend(around);
    } else {
        said.push("coord: `coord status` shows who else is here".to_owned());
    }
    let context = (!said.is_empty()).then(|| said.join("\n"));
    let reply = Reply { context, session: Some(cx.session.id.clone()), ..Reply::default() };
    Answer { reply, after: Some(super::note_told(cx, printed, told, None)) }
}

/// Whether there is room for one more text.
fn fits(said: &[String], more: Option<&str>) -> bool {
    let have: usize = said.iter().map(|s| s.len() + 1).sum();
    have + more.map_or(0, str::len) <= CONTEXT_BYTES_MAX
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
    if let Err(e) = cx.write(&register, REGISTER_BUDGET) {
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

/// Sends what waits here, as far as the time goes; whether it is few enough for that.
pub(super) fn send_waiting(cx: &Context, said: &mut Vec<String>) -> bool {
    if !view::anything_waiting(&cx.outbox).unwrap_or(false) {
        return true;
    }
    if !fits_in_passing(&cx.outbox).unwrap_or(false) {
        said.push("coord: very many writes wait here; `coord sync` sends them.".to_owned());
        return false;
    }
    let breaker = cx.breaker();
    match drain(&cx.tools(&breaker), DRAIN_BUDGET, Leave::Anybody) {
        // What became of this session's own is in its news.
        Ok(_) => {}
        Err(e) => log(&cx.state, &format!("{} drain: {e}", cx.clock.wall())),
    }
    true
}

/// Registers the session and gets its unread mail, in one round trip; the mail, and how much is
/// unread in all.
fn check_in(
    cx: &Context,
    source: &str,
    again: bool,
    until: Millis,
) -> Result<(Vec<Message>, usize), String> {
    let fresh = matches!(source, "startup" | "clear" | "fork" | "new");
    let register = RegisterSession { again, ..registration(cx, None, fresh) };
    let body = serde_json::to_vec(&register).map_err(|e| e.to_string())?;
    let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/sessions") };
    let left = until.since(cx.clock.boot()).max(Duration::from_millis(50));
    let answer = ask::ask(cx, &out, left)?;
    if answer.status != 200 {
        return Err(format!("{}: {}", answer.status, answer.detail().unwrap_or_default()));
    }
    let mail: CheckedIn = serde_json::from_slice(&answer.body).map_err(|e| e.to_string())?;
    Ok((mail.unread, mail.unread_count))
}
