//! Messages: sending to an address that exists, and keeping per session what was offered and read.

use std::time::Duration;

use coord_protocol::lease::Ttl;
use coord_protocol::limits::{BROADCAST_LOOKBACK, PAGE_MAX};
use coord_protocol::session::{ALL_SESSIONS, MAIN, machine_of, main_of};
use coord_protocol::time::Millis;
use coord_protocol::wire::{Message, Offered, ReadMessages, SendMessage};
use serde_json::json;

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Mailboxes, Page, Paged, Stored, Tx, View};

/// Accepts a message.
pub fn send(tx: &Tx<'_>, cx: &Cx<'_>, ask: SendMessage) -> Answer<Message> {
    let to = ask.to_session.unwrap_or_else(|| ALL_SESSIONS.to_owned());
    fields::session("from_session", &ask.from_session)?;
    fields::session("to_session", &to)?;
    fields::maybe_name("project_key", ask.project_key.as_deref())?;
    if !ask.subject.is_empty() {
        fields::name("subject", &ask.subject)?;
    }
    fields::text("body", Some(&ask.body))?;
    if ask.subject.trim().is_empty() && ask.body.trim().is_empty() {
        return Err(Refusal::new(422, "a message needs a subject or a body").into());
    }
    let expires_at = expiry(cx, ask.expires_in_hours)?;
    // The sender first: whoever writes to itself is known by that.
    cx.touch(tx, &ask.from_session)?;
    if !ask.may_come_later && !is_known(tx, &to)? {
        return Err(unknown_recipient(tx, &to)?.into());
    }
    let m = Message {
        id: cx.new_id(),
        seq: 0,
        from_session: ask.from_session,
        to_session: to,
        project_key: ask.project_key,
        subject: ask.subject,
        body: ask.body,
        created_at: cx.now,
        read_at: None,
        offered_at: None,
        expires_at,
    };
    let seq = tx.add_message(&m)?;
    Ok(Message { seq, ..m })
}

/// When a message ceases to be shown. One that waited in a queue for longer than that is kept, so that
/// its sender can see what became of it, and is shown to nobody.
fn expiry(cx: &Cx<'_>, hours: Option<f64>) -> Result<Option<Millis>, Refusal> {
    let bad = |_| Refusal::new(422, "expires_in_hours must be 0 (never) or a number up to 720");
    let lasts = Ttl::from_hours(Some(hours.unwrap_or(0.0)), Duration::ZERO).map_err(bad)?;
    Ok(lasts.expiry(cx.now).map(|at| if cx.past { cx.now } else { at }))
}

/// An address is known when it is the broadcast, a session the server has heard of, the main
/// mailbox of a machine it has heard of, or a person at such a machine.
fn is_known(view: &View<'_>, to: &str) -> Stored<bool> {
    if to == ALL_SESSIONS || view.session(to)?.is_some() {
        return Ok(true);
    }
    match to.split_once('/') {
        Some((machine, MAIN)) => view.machine_known(machine, None),
        Some((machine, user)) => view.machine_known(machine, Some(user)),
        None => Ok(false),
    }
}

fn unknown_recipient(view: &View<'_>, to: &str) -> Stored<Refusal> {
    let known: Vec<String> = view
        .sessions(None, Millis(0), true, None, 20)?
        .rows
        .into_iter()
        .map(|s| s.session_id)
        .collect();
    let detail = format!(
        "no session {to:?} was ever heard of; check the name, or say that it may come later \
         (may_come_later, --may-come-later)"
    );
    Ok(Refusal::new(404, detail).with("known_sessions", json!(known)))
}

/// The addresses under which a session gets mail.
pub fn mailboxes(view: &View<'_>, cx: &Cx<'_>, session: &str) -> Stored<Mailboxes> {
    let known = view.session(session)?;
    let first_seen = known.as_ref().map_or(cx.now, |s| s.first_seen);
    let machine = machine_of(session);
    let lookback = i64::try_from(BROADCAST_LOOKBACK.as_millis()).unwrap_or(i64::MAX);
    Ok(Mailboxes {
        session: session.to_owned(),
        machine: machine.map(main_of),
        user: machine.zip(known.and_then(|s| s.user)).map(|(m, u)| format!("{m}/{u}")),
        since: Millis(first_seen.0.saturating_sub(lookback)),
        read_to: view.read_mark(session)?,
        now: cx.now,
    })
}

/// What a list of messages is narrowed by.
#[derive(Default)]
pub struct MessageFilter<'a> {
    /// The inbox of this session.
    pub to: Option<&'a str>,
    /// Only what it has not read.
    pub unread_only: bool,
    /// Of the unread: only what was not printed into it before.
    pub not_offered: bool,
    /// Sent by this session.
    pub from: Option<&'a str>,
    /// About this project.
    pub project: Option<&'a str>,
    /// Latest first; for lists by sender or project.
    pub newest_first: bool,
}

/// Messages in the order in which they were accepted.
pub fn list(
    view: &View<'_>,
    cx: &Cx<'_>,
    f: &MessageFilter<'_>,
    after: i64,
    most: usize,
) -> Answer<Paged<Message>> {
    let (newest_first, not_offered) = (f.newest_first, f.not_offered);
    let page = Page { from: f.from, project: f.project, not_offered, newest_first, after, most };
    let Some(to) = f.to else { return Ok(view.messages(page)?) };
    fields::session("to_session", to)?;
    if to == ALL_SESSIONS {
        return Err(Refusal::new(422, "to_session must name a session, to see its mail").into());
    }
    let boxes = mailboxes(view, cx, to)?;
    Ok(if f.unread_only { view.unread(&boxes, page)? } else { view.inbox(&boxes, page)? })
}

/// One message, as a session sees it.
pub fn show(view: &View<'_>, id: &str, viewer: &str) -> Answer<Message> {
    Ok(view.message(id, viewer)?.ok_or_else(|| Refusal::not_found("message", id))?)
}

/// Marks a message read for a session. Without a session named, mail to one address is read by that
/// address (seed 000); a broadcast needs a name, because its read state is each session's own.
pub fn mark_read(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, by: Option<&str>) -> Answer<Message> {
    let m = show(tx, id, by.unwrap_or_default())?;
    let reader = match by {
        Some(s) => s.to_owned(),
        None if m.to_session != ALL_SESSIONS => m.to_session.clone(),
        None => {
            let detail =
                "a broadcast is read per session: name yours, .../read?session_id=<session>";
            return Err(Refusal::new(422, detail).into());
        }
    };
    fields::session("session_id", &reader)?;
    let boxes = mailboxes(tx, cx, &reader)?;
    note_read(tx, cx, &m, &boxes)?;
    cx.touch(tx, &reader)?;
    if m.to_session == ALL_SESSIONS {
        tx.advance_read_mark(&boxes)?;
    }
    show(tx, id, &reader)
}

/// Marks messages read for a session: all of them or none.
pub fn mark_all_read(tx: &Tx<'_>, cx: &Cx<'_>, ask: &ReadMessages) -> Answer<usize> {
    fields::session("session_id", &ask.session_id)?;
    if ask.ids.len() > PAGE_MAX {
        return Err(Refusal::new(422, format!("more than {PAGE_MAX} ids")).into());
    }
    let boxes = mailboxes(tx, cx, &ask.session_id)?;
    for id in &ask.ids {
        let m = show(tx, id, &ask.session_id)?;
        note_read(tx, cx, &m, &boxes)?;
    }
    cx.touch(tx, &ask.session_id)?;
    tx.advance_read_mark(&boxes)?;
    Ok(ask.ids.len())
}

/// One message read by the session of these mailboxes, if it is for one of them.
fn note_read(tx: &Tx<'_>, cx: &Cx<'_>, m: &Message, boxes: &Mailboxes) -> Answer<()> {
    if !is_for(m, boxes) {
        let detail = format!("message {} is for {}, not for {}", m.id, m.to_session, boxes.session);
        return Err(Refusal::new(403, detail).into());
    }
    Ok(tx.note_read(m, &boxes.session, cx.now)?)
}

/// Whether a message is for the session of these mailboxes.
fn is_for(m: &Message, boxes: &Mailboxes) -> bool {
    m.to_session == ALL_SESSIONS
        || [Some(&boxes.session), boxes.machine.as_ref(), boxes.user.as_ref()]
            .contains(&Some(&m.to_session))
}

/// Notes that messages were printed into a session and flushed (G31). Ids that are unknown, or of
/// messages for others, are ignored.
pub fn mark_offered(tx: &Tx<'_>, cx: &Cx<'_>, ask: &Offered) -> Answer<usize> {
    fields::session("session_id", &ask.session_id)?;
    cx.touch(tx, &ask.session_id)?;
    let boxes = mailboxes(tx, cx, &ask.session_id)?;
    let mut noted = 0;
    for id in &ask.ids {
        if let Some(m) = tx.message(id, &ask.session_id)?.filter(|m| is_for(m, &boxes)) {
            tx.note_offered(m.seq, &ask.session_id, cx.now)?;
            noted += 1;
        }
    }
    Ok(noted)
}
