//! Messages and what became of them (seeds 000 and 001).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `POST /api/coord/messages`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SendMessage {
    /// The sender.
    pub from_session: String,
    /// A session, a machine's mailbox, or `ALL_SESSIONS`; absent is the broadcast (seed 000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_session: Option<String>,
    /// The project it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// One line.
    #[serde(default)]
    pub subject: String,
    /// The text.
    #[serde(default)]
    pub body: String,
    /// The recipient is not known yet but will be: keep the message for it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_come_later: bool,
    /// After so many hours it is shown to nobody any more who was not offered it before; 0 or absent
    /// is never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_hours: Option<f64>,
}

/// A message.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// Its id.
    pub id: String,
    /// The order in which the server accepted messages.
    pub seq: i64,
    /// The sender.
    pub from_session: String,
    /// The address.
    pub to_session: String,
    /// The project it is about.
    pub project_key: Option<String>,
    /// One line.
    pub subject: String,
    /// The text.
    pub body: String,
    /// When the server accepted it.
    pub created_at: Millis,
    /// When the asking session (for mail to a mailbox: anybody) read it.
    pub read_at: Option<Millis>,
    /// When it was printed into the asking session.
    pub offered_at: Option<Millis>,
    /// When it ceases to be shown as unread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

/// `GET /api/coord/messages`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Messages {
    /// In the order in which they were accepted.
    pub messages: Vec<Message>,
    /// How many are in `messages`.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// `POST /api/coord/messages/offered`: these were printed into a session and flushed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Offered {
    /// The session that has them in front of it.
    pub session_id: String,
    /// Which messages.
    pub ids: Vec<String>,
}

/// `POST /api/coord/messages/read`: the session has read these; all of them or, when one is unknown
/// or not for it, none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReadMessages {
    /// The session that read them.
    pub session_id: String,
    /// Which messages; at most [`crate::limits::PAGE_MAX`].
    pub ids: Vec<String>,
}

/// One recipient's state of a message: `GET /api/coord/messages/<id>/receipts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Receipt {
    /// The recipient.
    pub session_id: String,
    /// When it was printed into that session.
    pub offered_at: Option<Millis>,
    /// When that session read it.
    pub read_at: Option<Millis>,
}

/// How far a message got with one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// The recipient read it.
    Read,
    /// It was printed into the recipient's session.
    Offered,
    /// The server has it; the recipient was not offered it yet.
    Accepted,
    /// Its time passed before that.
    Expired,
    /// It is addressed to one session, and that ended before it was offered the message. When the
    /// session speaks again it can be delivered after all.
    Undeliverable,
    /// Something that this version does not know.
    #[serde(other)]
    Unknown,
}

/// One recipient of a message, and how far it got there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// A session, or the address of a mailbox.
    pub session_id: String,
    /// How far it got.
    pub state: Delivery,
    /// Since when.
    pub at: Millis,
}

/// A message with its recipients: `GET /api/coord/messages?with=receipts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SentMessage {
    /// The message.
    #[serde(flatten)]
    pub message: Message,
    /// Of a broadcast: the sessions known when it was sent, at most [`crate::limits::PAGE_MAX`], and
    /// those that it reached.
    #[serde(default)]
    pub recipients: Vec<Recipient>,
}

/// `GET /api/coord/messages?with=receipts`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SentMessages {
    /// In the order that was asked for.
    pub messages: Vec<SentMessage>,
    /// How many are in `messages`.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}
