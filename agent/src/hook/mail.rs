//! New messages at events in between. The server is asked at most every two seconds, and at once when
//! something was sent from this workstation; two hooks of one conversation never tell the same.

use std::fs::File;
use std::time::Duration;

use coord_protocol::session::SYSTEM;
use coord_protocol::wire::{Message, Messages};

use super::ask;
use super::marks::{Mark, Marks};
use crate::context::Context;
use crate::held;
use crate::outbox::disk::Share;
use crate::remote::Outgoing;
use crate::remote::query::Query;

/// The server is not asked more often.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// It gets this long to answer.
const BUDGET: Duration = Duration::from_millis(250);
/// Messages of one look; what is beyond comes with the next.
const MESSAGES_MAX: &str = "50";

/// What came, and the right to tell it: nobody else does before this is let go.
pub(super) struct Mail {
    pub(super) messages: Vec<Message>,
    _telling: File,
}

/// What a look has found.
pub(super) enum Looked {
    /// This.
    Mail(Mail),
    /// There is nothing new.
    Nothing,
    /// The server could not be asked, or another hook tells it just now.
    Unheard,
}

/// Whether it is time to look.
pub(super) fn is_due(marks: &Marks<'_>) -> bool {
    !marks.is_young(Mark::Looked, LOOK_EVERY) || marks.is_mail_newer(Mark::Looked)
}

/// Looks for messages that this session was not told yet; all that are unread when it has forgotten
/// what it was told.
pub(super) fn look(cx: &Context, marks: &Marks<'_>, again: bool) -> Looked {
    messages(cx, marks, again).map_or(Looked::Unheard, |mail| {
        if mail.messages.is_empty() { Looked::Nothing } else { Looked::Mail(mail) }
    })
}

fn messages(cx: &Context, marks: &Marks<'_>, again: bool) -> Option<Mail> {
    // Before the question: what is sent meanwhile is newer than the look.
    marks.set(Mark::Looked);
    let lock = format!("{}.lock", marks.name(Mark::Looked));
    let telling = cx.state.hold(&lock, Share::Exclusive, Duration::ZERO).ok().flatten()?;
    let query = Query::default()
        .and("to_session", Some(&cx.session.id))
        .and("unread_only", Some("true"))
        .and("not_offered", (!again).then_some("true"))
        .and("limit", Some(MESSAGES_MAX));
    let out = Outgoing::get(&query.on("/api/coord/messages"));
    let answer = ask::ask(cx, &out, BUDGET).ok()?;
    let mut messages = serde_json::from_slice::<Messages>(&answer.body).ok()?.messages;
    // A server that does not know the question answers with all.
    messages.retain(|m| again || m.offered_at.is_none());
    forget_what_ended(cx, &messages);
    Some(Mail { messages, _telling: telling })
}

/// The engine itself writes when somebody else has ended or changed a claim of this session: then
/// nothing counts as held that is not asked for again.
pub(super) fn forget_what_ended(cx: &Context, messages: &[Message]) {
    if messages.iter().any(|m| m.from_session == SYSTEM) {
        held::forget(&cx.state, &cx.session.id);
    }
}
