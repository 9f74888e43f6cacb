//! `coord msg sent`: what became of each message of this session, wherever it is by now.

use std::collections::HashSet;

use coord_protocol::exit;
use coord_protocol::request::{Method, Request};
use coord_protocol::session::ALL_SESSIONS;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Delivery, Message, Recipient, SentMessage, SentMessages};
use serde_json::{Value, json};

use super::reading::{Query, read};
use crate::context::Context;
use crate::outbox::dead::{self, Letter};
use crate::outbox::line::{self, Line};
use crate::outbox::view;
use crate::ui::neutral;
use crate::ui::report::{CliError, Report};
use crate::ui::write_words::{body_of, what};

/// Messages shown of those that the server has.
const SHOWN: &str = "30";

/// One message in the list.
struct Shown {
    at: Millis,
    id: Option<String>,
    text: String,
    json: Value,
}

pub(super) fn sent(cx: &Context) -> Result<Report, CliError> {
    let query = Query::default()
        .and("from_session", Some(&cx.session.id))
        .and("with", Some("receipts"))
        .and("newest_first", Some("true"))
        .and("limit", Some(SHOWN));
    let known = read::<SentMessages>(cx, &query.on("/api/coord/messages"));
    // After the read: it may have sent what was waiting.
    let here = here(cx)?;
    let (known, away) = match known {
        Ok((known, raw)) => (only_of_server(known, &raw), None),
        // What lies here is known all the same.
        Err(e) if e.exit == exit::UNAVAILABLE && !here.is_empty() => {
            (SentMessages { messages: Vec::new(), count: 0, next: None }, Some(e.detail))
        }
        Err(e) => return Err(e),
    };
    let known_ids: HashSet<_> = known.messages.iter().map(|s| s.message.id.clone()).collect();
    // An acknowledgement may have been lost: then the server's word counts.
    let is_only_here = |s: &Shown| s.id.as_ref().is_none_or(|id| !known_ids.contains(id));
    // Times are whole seconds: within one, what did not get to the server is the newer one.
    let mut all: Vec<Shown> = here.into_iter().rev().filter(is_only_here).collect();
    all.extend(known.messages.iter().map(accepted));
    all.sort_by_key(|s| std::cmp::Reverse(s.at));
    let texts: Vec<_> = all.iter().map(|s| s.text.clone()).collect();
    let rows: Vec<_> = all.into_iter().map(|s| s.json).collect();
    let text = if texts.is_empty() { "nothing sent".to_owned() } else { texts.join("\n") };
    let json = json!({"sent": rows, "server_asked": away.is_none()});
    let report = Report::new(text, json);
    let more = known.next.map(|_| format!("of those that the server has, the latest {SHOWN}"));
    Ok(more.into_iter().chain(away).fold(report, Report::note))
}

/// Without those that only the copy here knows: they wait, and are shown as that.
fn only_of_server(known: SentMessages, raw: &Value) -> SentMessages {
    let is_here = |n: usize| raw["messages"][n]["queued"] != true;
    let messages: Vec<_> = known
        .messages
        .into_iter()
        .enumerate()
        .filter(|(n, _)| is_here(*n))
        .map(|(_, m)| m)
        .collect();
    SentMessages { count: messages.len(), messages, next: known.next }
}

/// Messages of this session that were refused, or wait here.
fn here(cx: &Context) -> Result<Vec<Shown>, CliError> {
    let broken = |e| CliError::new(exit::NOT_DURABLE, format!("the outbox: {e}"));
    let pending = view::pending(&cx.outbox).map_err(broken)?;
    let mine = |r: &Request| is_message_of(&cx.session.id, r);
    let waiting = pending.entries.into_iter().map(|e| e.request).filter(mine).map(queued);
    let letters = dead::list(&cx.outbox).map_err(broken)?;
    let refused = letters.into_iter().filter_map(|l| {
        let request = entry_of(&l).filter(mine)?;
        Some(refused(&l, &request))
    });
    Ok(refused.chain(waiting).collect())
}

fn entry_of(letter: &Letter) -> Option<Request> {
    match line::parse(letter.text.as_deref()?.as_bytes()) {
        Line::Entry(e) => Some(e.request),
        Line::Blank | Line::Broken(_) => None,
    }
}

fn is_message_of(session: &str, r: &Request) -> bool {
    r.method == Method::Post
        && r.path == "/api/coord/messages"
        && body_of(r).get("from_session").and_then(Value::as_str) == Some(session)
}

fn row(id: Option<&str>, what: &str, fate: &str) -> String {
    // `what` says "message to B/x: subject".
    let what = what.trim_start_matches("message ");
    format!("{}  {what}  {fate}", neutral::line(id.unwrap_or("(no id yet)")))
}

fn queued(r: Request) -> Shown {
    // Without a time of its own it came just now, as far as is known.
    let at = r.ts.as_deref().and_then(|t| Millis::parse(t).ok()).unwrap_or(Millis(i64::MAX));
    let text = row(r.id.as_deref(), &what(&r), "queued here, not sent yet");
    let json = json!({"state": "queued", "request": r});
    Shown { at, id: r.id, text, json }
}

fn refused(l: &Letter, r: &Request) -> Shown {
    let status = l.status.map(|s| format!(" ({s})")).unwrap_or_default();
    let fate = format!("refused{status}: {}", neutral::line(&l.reason));
    let at = r.ts.as_deref().and_then(|t| Millis::parse(t).ok()).unwrap_or(l.at);
    let text = row(l.id.as_deref(), &what(r), &fate);
    Shown { at, id: l.id.clone(), text, json: json!({"state": "refused", "letter": l}) }
}

fn accepted(s: &SentMessage) -> Shown {
    let m = &s.message;
    let to = if m.to_session == ALL_SESSIONS { "everybody" } else { &m.to_session };
    let what = format!("message to {to}: {}", m.subject);
    let text = row(Some(&m.id), &neutral::line(&what), &fate(m, &s.recipients));
    let json = json!({"state": "accepted", "message": m, "recipients": s.recipients});
    Shown { at: m.created_at, id: Some(m.id.clone()), text, json }
}

/// How far a message got, in words.
fn fate(m: &Message, recipients: &[Recipient]) -> String {
    // A mailbox stands for those who opened it, once somebody has.
    let is_box = |r: &&Recipient| r.session_id == m.to_session;
    let others = recipients.iter().filter(|r| !is_box(r)).count();
    let is_counted = |r: &&Recipient| others == 0 || !is_box(r) || r.state == Delivery::Accepted;
    let number = |state| recipients.iter().filter(is_counted).filter(|r| r.state == state).count();
    let words = [
        (Delivery::Read, "read by"),
        (Delivery::Offered, "offered to"),
        (Delivery::Accepted, "not seen yet by"),
        (Delivery::Expired, "expired unseen for"),
        (Delivery::Undeliverable, "undeliverable, its session has ended, for"),
        (Delivery::Unknown, "unknown for"),
    ];
    let told: Vec<_> = words
        .into_iter()
        .map(|(state, words)| (state, words, number(state)))
        .filter(|(_, _, n)| *n > 0)
        .collect();
    match told.as_slice() {
        [] | [(Delivery::Accepted, ..)] => "accepted, not seen by anybody yet".to_owned(),
        [(Delivery::Expired, ..)] => "expired, seen by nobody".to_owned(),
        [(Delivery::Undeliverable, ..)] => "undeliverable: its session has ended".to_owned(),
        some => {
            some.iter().map(|(_, words, n)| format!("{words} {n}")).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    use Delivery::{Accepted, Expired, Offered, Read, Undeliverable};

    use super::*;

    #[test]
    fn fates_in_words() {
        let message = |to: &str| -> Message {
            serde_json::from_value(json!({"id": "i", "seq": 1, "from_session": "A/x", "body": "",
                "to_session": to, "project_key": null, "subject": "s", "read_at": null,
                "created_at": "2026-01-01T00:00:00Z", "offered_at": null}))
            .unwrap()
        };
        let told = |to: &str, states: &[(&str, Delivery)]| {
            let of = |(s, state): &(&str, Delivery)| Recipient {
                session_id: (*s).to_owned(),
                state: *state,
                at: Millis(0),
            };
            fate(&message(to), &states.iter().map(of).collect::<Vec<_>>())
        };
        assert_eq!(told("B/x", &[("B/x", Accepted)]), "accepted, not seen by anybody yet");
        assert_eq!(told("ALL_SESSIONS", &[]), "accepted, not seen by anybody yet");
        assert_eq!(told("B/x", &[("B/x", Offered)]), "offered to 1");
        assert_eq!(told("B/x", &[("B/x", Expired)]), "expired, seen by nobody");
        assert_eq!(told("B/x", &[("B/x", Undeliverable)]), "undeliverable: its session has ended");
        let mixed = [("B/x", Read), ("C/y", Offered), ("D/z", Accepted), ("E/w", Accepted)];
        assert_eq!(told("ALL_SESSIONS", &mixed), "read by 1, offered to 1, not seen yet by 2");
        let mailbox = [("B/claude-main", Read), ("B/y", Read)];
        assert_eq!(told("B/claude-main", &mailbox), "read by 1");
    }
}
