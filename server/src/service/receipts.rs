//! Delivery receipts: how far a message got with each of its recipients, and not a step further.

use std::collections::BTreeSet;
use std::time::Duration;

use coord_protocol::limits::PAGE_MAX;
use coord_protocol::session::{ALL_SESSIONS, MAIN};
use coord_protocol::time::Millis;
use coord_protocol::wire::{Delivery, Message, Receipt, Recipient, SentMessage};

use super::messages::show;
use super::{Answer, Cx};
use crate::store::{ENDED, Paged, Room, Stored, View, json_len};

/// A broadcast is meant for the sessions that were heard of at most so long before.
const KNOWN_WITHIN: Duration = Duration::from_hours(24);
/// What a recipient costs in JSON besides its name.
const RECIPIENT_BYTES: usize = 80;

/// What is known of a message: the marks that its readers left, and the state of each recipient.
pub fn of(view: &View<'_>, cx: &Cx<'_>, id: &str) -> Answer<(Vec<Receipt>, Vec<Recipient>)> {
    let m = show(view, id, "")?;
    let marks = view.receipts(m.seq)?;
    let recipients = recipients(view, cx.now, &m, &marks)?;
    Ok((marks, recipients))
}

/// Messages with their recipients.
pub fn with(view: &View<'_>, cx: &Cx<'_>, page: Paged<Message>) -> Answer<Paged<SentMessage>> {
    let mut rows = Vec::with_capacity(page.rows.len());
    let mut room = Room::of(page.rows.len());
    for message in page.rows {
        let marks = view.receipts(message.seq)?;
        let recipients = recipients(view, cx.now, &message, &marks)?;
        let all: usize = recipients.iter().map(|r| json_len(&r.session_id) + RECIPIENT_BYTES).sum();
        if !room.takes(all + json_len(&message.body)) {
            return Ok(Paged { rows, more: true });
        }
        rows.push(SentMessage { message, recipients });
    }
    Ok(Paged { rows, more: page.more })
}

fn recipients(
    view: &View<'_>,
    now: Millis,
    m: &Message,
    marks: &[Receipt],
) -> Stored<Vec<Recipient>> {
    let mark_of = |session: &str| marks.iter().find(|r| r.session_id == session);
    let marked = marks.iter().map(|r| r.session_id.clone());
    if m.to_session == ALL_SESSIONS {
        let known = view.sessions_at(m.created_at, KNOWN_WITHIN, &m.from_session, PAGE_MAX)?;
        let all: BTreeSet<String> = known.into_iter().chain(marked).collect();
        return Ok(all.into_iter().map(|s| judge(m, mark_of(&s), None, now).of(s)).collect());
    }
    // A mailbox is nobody's end: another session at the machine may open it.
    let (own, ended) = match view.session(&m.to_session)? {
        Some(s) if !m.to_session.ends_with(&format!("/{MAIN}")) => {
            // One that was only silent may come back any time.
            let said_so = s.end_reason.as_deref() == Some(ENDED);
            (mark_of(&m.to_session).cloned(), s.ended_at.filter(|_| said_so))
        }
        Some(_) | None => (Some(together(m, marks)), None),
    };
    let mut all = vec![judge(m, own.as_ref(), ended, now).of(m.to_session.clone())];
    let others = marks.iter().filter(|r| r.session_id != m.to_session);
    all.extend(others.map(|r| judge(m, Some(r), None, now).of(r.session_id.clone())));
    Ok(all)
}

/// What all who share a mailbox left, as one: mail to it is read once for all of them.
fn together(m: &Message, marks: &[Receipt]) -> Receipt {
    Receipt {
        session_id: m.to_session.clone(),
        offered_at: marks.iter().filter_map(|r| r.offered_at).min(),
        read_at: marks.iter().filter_map(|r| r.read_at).chain(m.read_at).min(),
    }
}

/// A state, and since when.
struct Judged(Delivery, Millis);

impl Judged {
    fn of(self, session_id: String) -> Recipient {
        Recipient { session_id, state: self.0, at: self.1 }
    }
}

/// How far a message got with one recipient. `ended`: it is one session, and that ended then.
fn judge(m: &Message, mark: Option<&Receipt>, ended: Option<Millis>, now: Millis) -> Judged {
    if let Some(at) = mark.and_then(|r| r.read_at) {
        return Judged(Delivery::Read, at);
    }
    if let Some(at) = mark.and_then(|r| r.offered_at) {
        return Judged(Delivery::Offered, at);
    }
    // Before the end of a session: that one may come back, its time does not.
    if let Some(at) = m.expires_at.filter(|at| *at <= now) {
        return Judged(Delivery::Expired, at);
    }
    match ended {
        Some(at) => Judged(Delivery::Undeliverable, at),
        None => Judged(Delivery::Accepted, m.created_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(expires_at: Option<Millis>) -> Message {
        Message {
            id: "i".into(),
            seq: 1,
            from_session: "A/x".into(),
            to_session: "B/y".into(),
            project_key: None,
            subject: "s".into(),
            body: String::new(),
            created_at: Millis(10),
            read_at: None,
            offered_at: None,
            expires_at,
        }
    }

    #[test]
    fn a_state_is_the_furthest_that_is_known() {
        let mark = |offered: Option<i64>, read: Option<i64>| Receipt {
            session_id: "B/y".into(),
            offered_at: offered.map(Millis),
            read_at: read.map(Millis),
        };
        let state = |mark: Option<Receipt>, expires: Option<i64>, ended: Option<i64>| {
            let m = message(expires.map(Millis));
            let Judged(state, at) = judge(&m, mark.as_ref(), ended.map(Millis), Millis(100));
            (state, at.0)
        };
        assert_eq!(state(None, None, None), (Delivery::Accepted, 10));
        assert_eq!(state(None, Some(101), None), (Delivery::Accepted, 10));
        assert_eq!(state(None, Some(100), None), (Delivery::Expired, 100));
        assert_eq!(state(None, None, Some(50)), (Delivery::Undeliverable, 50));
        assert_eq!(state(None, Some(90), Some(50)), (Delivery::Expired, 90));
        assert_eq!(state(Some(mark(Some(20), None)), Some(90), Some(50)), (Delivery::Offered, 20));
        assert_eq!(state(Some(mark(Some(20), Some(30))), Some(90), None), (Delivery::Read, 30));
        assert_eq!(state(Some(mark(None, Some(30))), None, Some(50)), (Delivery::Read, 30));
    }

    #[test]
    fn a_mailbox_is_what_its_readers_made_of_it() {
        let marks = [(Some(30), None), (Some(20), Some(40))].map(|(offered, read)| Receipt {
            session_id: "B/z".into(),
            offered_at: offered.map(Millis),
            read_at: read.map(Millis),
        });
        let one = together(&message(None), &marks);
        assert_eq!((one.offered_at, one.read_at), (Some(Millis(20)), Some(Millis(40))));
    }
}
