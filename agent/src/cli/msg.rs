//! `coord msg`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Subcommand;
use coord_protocol::edge::Clock;
use coord_protocol::exit;
use coord_protocol::lease::Ttl;
use coord_protocol::request::Method;
use coord_protocol::session::{ALL_SESSIONS, address};
use coord_protocol::wire::{Message, Messages, ReadMessages, SendMessage};
use serde_json::{Value, json};

use super::reading::{Query, ask_as, see_off};
use super::sent::sent;
use super::text::from_arg_or_file;
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::hook::digest;
use crate::remote::breaker::Leave;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// Messages shown at once, about.
const SHOWN_MAX: usize = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Send a message to a session, a machine or everybody
    #[command(after_help = "\
Examples:
  coord msg send ALL \"Deploy at 5\" \"Please hold merges\"
  coord msg send HOWARD-HOME \"Pipeline ready\" --body-file notes.md
  coord msg send BOX/codex-1a2b3c4d \"Done with api.rs\" -       (body from stdin)")]
    Send {
        /// ALL (or fleet, broadcast), a machine name, or a full session id
        to: String,
        /// One line
        subject: String,
        /// The text; '-' reads stdin
        body: Option<String>,
        /// The text from a file
        #[arg(long, value_name = "FILE")]
        body_file: Option<PathBuf>,
        /// The project it is about
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// The recipient is not known yet but will be: keep the message for it
        #[arg(long)]
        may_come_later: bool,
        /// Do not show it any more after so many hours
        #[arg(long, value_name = "HOURS")]
        expires: Option<f64>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Show your unread messages
    Inbox {
        /// Also those that were read
        #[arg(long)]
        all: bool,
        /// At most 8 KiB, framed for a model
        #[arg(long)]
        brief: bool,
    },
    /// Mark messages read
    Read {
        /// Ids as shown by `coord msg inbox`
        #[arg(required_unless_present = "all")]
        ids: Vec<String>,
        /// All that are unread now
        #[arg(long, conflicts_with_all = ["ids", "intent_id"])]
        all: bool,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Show what you sent, and what became of it: queued here, refused, accepted, offered, read ...
    Sent,
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Send { to, subject, body, body_file, project, may_come_later, expires, write } => {
            let to_session = address(&to)
                .map_err(|e| CliError::new(exit::USAGE, format!("recipient {to:?}: {e}")))?;
            let ask = SendMessage {
                from_session: cx.session.id.clone(),
                to_session: Some(to_session),
                project_key: project,
                subject,
                body: from_arg_or_file("the message body", body, body_file.as_deref())?,
                may_come_later,
                expires_in_hours: expires,
            };
            send_message(cx, &ask, &write)
        }
        Verb::Inbox { all, brief } => inbox(cx, all, brief),
        Verb::Read { ids, all, write } => mark_read(cx, ids, all, &write),
        Verb::Sent => sent(cx),
    }
}

fn send_message(cx: &Context, ask: &SendMessage, write: &WriteArgs) -> Result<Report, CliError> {
    let mut request = cx.request(Method::Post, "/api/coord/messages", Some(ask));
    if let Some(hours) = ask.expires_in_hours {
        // Checked here too, so that nothing is queued that the server is bound to refuse.
        let lasts = Ttl::from_hours(Some(hours), Duration::ZERO).map_err(|_| {
            CliError::new(exit::USAGE, "--expires takes 0 (never) or hours up to 720")
        })?;
        // In the queue its time runs, too.
        request.not_after = lasts.expiry(cx.clock.wall()).map(|t| t.to_string());
    }
    let to = ask.to_session.as_deref().unwrap_or(ALL_SESSIONS);
    let to = if to == ALL_SESSIONS { "everybody".to_owned() } else { line(to) };
    send(cx, write, request, &format!("message to {to}"), |answer| {
        format!("sent to {to} ({})", id_of(answer))
    })
}

fn id_of(answer: &Value) -> String {
    line(answer.get("id").and_then(Value::as_str).unwrap_or("?"))
}

/// This session's mail, page after page, up to [`SHOWN_MAX`] messages.
pub(super) fn fetch(cx: &Context, unread_only: bool, leave: Leave) -> Result<Messages, CliError> {
    let mut all = Messages { messages: Vec::new(), count: 0, next: None };
    loop {
        let query = Query::default()
            .and("to_session", Some(&cx.session.id))
            .and("unread_only", unread_only.then_some("true"))
            .and("after", all.next.map(|n| n.to_string()).as_deref())
            .and("limit", Some("500"));
        let (page, _): (Messages, _) = ask_as(cx, &query.on("/api/coord/messages"), leave)?;
        all.messages.extend(page.messages);
        (all.count, all.next) = (all.messages.len(), page.next);
        if all.next.is_none() || all.count >= SHOWN_MAX {
            return Ok(all);
        }
    }
}

fn inbox(cx: &Context, all: bool, brief: bool) -> Result<Report, CliError> {
    see_off(cx);
    let mail = fetch(cx, !all, Leave::Anybody)?;
    let (text, offers) = match mail.messages.as_slice() {
        [] if all => ("no messages".to_owned(), Vec::new()),
        [] => ("no unread messages".to_owned(), Vec::new()),
        some => shown(cx, some, brief),
    };
    let report = Report { offers, ..Report::new(text, json!(mail)) };
    let report = match mail.next {
        Some(_) => report.note("there are more than these"),
        None => report,
    };
    let unread = mail.messages.iter().any(|m| m.read_at.is_none());
    Ok(if unread {
        report.note("mark them read with `coord msg read <id>` or `coord msg read --all`")
    } else {
        report
    })
}

/// Messages as text: all of them, or what fits into a model's context. And which of these were not put
/// before this session yet.
pub(super) fn shown(cx: &Context, some: &[Message], brief: bool) -> (String, Vec<String>) {
    if !brief {
        return (digest::for_people(some), not_offered(some));
    }
    let d = digest::for_model(some, some.len(), &digest::boundary(&cx.rng));
    (d.text, not_offered(&some[..d.shown]))
}

/// The messages that were not put before this session yet.
fn not_offered(messages: &[Message]) -> Vec<String> {
    messages.iter().filter(|m| m.offered_at.is_none()).map(|m| m.id.clone()).collect()
}

fn mark_read(
    cx: &Context,
    ids: Vec<String>,
    all: bool,
    write: &WriteArgs,
) -> Result<Report, CliError> {
    if !all {
        return read_now(cx, ids, write);
    }
    see_off(cx);
    let mut done = 0;
    loop {
        let ids: Vec<String> =
            fetch(cx, true, Leave::Anybody)?.messages.into_iter().map(|m| m.id).collect();
        if ids.is_empty() {
            let text =
                if done == 0 { "no unread messages".to_owned() } else { format!("read: {done}") };
            return Ok(Report::new(text, json!({"outcome": "done", "read": done})));
        }
        done += ids.len();
        let report = read_now(cx, ids, write)?;
        // Queued: the next look would find the same messages unread.
        if report.json["outcome"] == "queued" {
            return Ok(report);
        }
    }
}

fn read_now(cx: &Context, ids: Vec<String>, write: &WriteArgs) -> Result<Report, CliError> {
    let text = ids.iter().map(|id| format!("read: {}", line(id))).collect::<Vec<_>>().join("\n");
    let what = match ids.as_slice() {
        [one] => format!("read mark of {}", line(one)),
        many => format!("read marks of {} messages", many.len()),
    };
    let ask = ReadMessages { session_id: cx.session.id.clone(), ids };
    let request = cx.request(Method::Post, "/api/coord/messages/read", Some(&ask));
    send(cx, write, request, &what, |_| text)
}
