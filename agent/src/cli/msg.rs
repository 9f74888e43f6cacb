//! `coord msg`.

use std::path::PathBuf;

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::request::Method;
use coord_protocol::session::{ALL_SESSIONS, address};
use coord_protocol::wire::{Message, Messages, ReadMessages, Receipt, SendMessage};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reading::{Query, ask, ask_as, encode, read, see_off};
use super::text::from_arg_or_file;
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::hook::digest;
use crate::remote::breaker::Leave;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// Messages shown at once, about.
const SHOWN_MAX: usize = 500;
/// Sent messages shown.
const SENT_SHOWN: &str = "30";

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
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Show your unread messages
    Inbox {
        /// Also those that were read
        #[arg(long)]
        all: bool,
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
    /// Show what you sent, and what is known of its delivery
    Sent,
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Send { to, subject, body, body_file, project, may_come_later, write } => {
            let to_session = address(&to)
                .map_err(|e| CliError::new(exit::USAGE, format!("recipient {to:?}: {e}")))?;
            let ask = SendMessage {
                from_session: cx.session.id.clone(),
                to_session: Some(to_session.clone()),
                project_key: project,
                subject,
                body: from_arg_or_file("the message body", body, body_file.as_deref())?,
                may_come_later,
            };
            let request = cx.request(Method::Post, "/api/coord/messages", Some(&ask));
            let to =
                if to_session == ALL_SESSIONS { "everybody".to_owned() } else { line(&to_session) };
            send(cx, &write, request, &format!("message to {to}"), |answer| {
                format!("sent to {to} ({})", id_of(answer))
            })
        }
        Verb::Inbox { all } => inbox(cx, all),
        Verb::Read { ids, all, write } => mark_read(cx, ids, all, &write),
        Verb::Sent => sent(cx),
    }
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

fn inbox(cx: &Context, all: bool) -> Result<Report, CliError> {
    see_off(cx);
    let mail = fetch(cx, !all, Leave::Anybody)?;
    let text = match mail.messages.as_slice() {
        [] if all => "no messages".to_owned(),
        [] => "no unread messages".to_owned(),
        some => digest::for_people(some),
    };
    let offers = not_offered(&mail.messages);
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

/// The messages that were not put before this session yet.
pub(super) fn not_offered(messages: &[Message]) -> Vec<String> {
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

#[derive(Deserialize)]
struct Receipts {
    receipts: Vec<Receipt>,
}

fn sent(cx: &Context) -> Result<Report, CliError> {
    let query = Query::default()
        .and("from_session", Some(&cx.session.id))
        .and("newest_first", Some("true"))
        .and("limit", Some(SENT_SHOWN));
    let (mail, _): (Messages, _) = read(cx, &query.on("/api/coord/messages"))?;
    let mut texts = Vec::new();
    let mut rows = Vec::new();
    for m in &mail.messages {
        let path = format!("/api/coord/messages/{}/receipts", encode(&m.id));
        let (r, raw): (Receipts, _) = ask(cx, &path)?;
        let (to, subject) = (line(&m.to_session), line(&m.subject));
        texts.push(format!("{}  to {to}  {subject}  {}", m.id, fate_of(&r.receipts)));
        rows.push(json!({"message": m, "receipts": raw["receipts"]}));
    }
    if texts.is_empty() {
        texts.push("nothing sent".to_owned());
    }
    let report = Report::new(texts.join("\n"), json!({"sent": rows}));
    let more = mail.next.map(|_| format!("these are the latest {SENT_SHOWN}"));
    Ok(more.into_iter().fold(report, Report::note))
}

fn fate_of(receipts: &[Receipt]) -> String {
    let read = receipts.iter().filter(|r| r.read_at.is_some()).count();
    let offered = receipts.iter().filter(|r| r.offered_at.is_some()).count();
    match (offered, read) {
        (0, 0) => "accepted, not seen by anybody yet".to_owned(),
        (o, 0) => format!("offered to {o}"),
        (o, r) => format!("offered to {o}, read by {r}"),
    }
}
