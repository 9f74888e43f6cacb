//! The registry of who is alive.

use serde::{Deserialize, Serialize};

use super::Message;
use crate::time::Millis;

/// `POST /api/coord/sessions`: a session begins, resumes, or says more about itself.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct RegisterSession {
    /// The session.
    pub session_id: String,
    /// Its workstation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Its person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The host tool: `claude`, `codex`, `cli` ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// The project it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// The branch it works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What it works as: `main`, `reviewer` ...
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The folder it works in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worktree: Option<String>,
    /// Its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<i64>,
    /// A conversation begins (rather than the same one telling more): starts a new generation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fresh: bool,
    /// Also hand over mail that was offered to this session before (after a compaction).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
}

/// Whether a session is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SessionStatus {
    /// It was heard of lately.
    #[default]
    Active,
    /// It has been silent for too long.
    Stale,
    /// It is over.
    Ended,
}

impl SessionStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stale => "stale",
            Self::Ended => "ended",
        }
    }
}

/// A session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub session_id: String,
    /// Its workstation.
    pub machine: Option<String>,
    /// Its person.
    pub user: Option<String>,
    /// The host tool.
    pub tool: Option<String>,
    /// The project it works in.
    pub project_key: Option<String>,
    /// The branch it works on.
    pub branch: Option<String>,
    /// What it is doing.
    pub task: Option<String>,
    /// What it works as.
    #[serde(default)]
    pub role: Option<String>,
    /// The folder it works in.
    #[serde(default)]
    pub worktree: Option<String>,
    /// Its process.
    #[serde(default)]
    pub pid: Option<i64>,
    /// Active, stale or ended, at the moment of the answer.
    #[serde(default)]
    pub status: SessionStatus,
    /// Grows with each conversation under this name.
    pub generation: i64,
    /// When the server first heard of it.
    pub first_seen: Millis,
    /// When the server last heard of it.
    pub last_seen: Millis,
    /// When it said that it was done.
    pub ended_at: Option<Millis>,
    /// When its current conversation registered; absent when it was only heard of.
    #[serde(default)]
    pub began_at: Option<Millis>,
    /// Why it ended: `ended` by itself, `stale` when it was silent for too long. Stays until it
    /// registers again.
    #[serde(default)]
    pub end_reason: Option<String>,
}

/// Answer to a registration: the session, and the mail that waits for it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckedIn {
    /// The session as it stands now.
    pub session: Session,
    /// Unread mail that was not offered to the session yet (or all of it, see
    /// [`RegisterSession::again`]), oldest first, at most [`crate::limits::PAGE_DEFAULT`].
    pub unread: Vec<Message>,
    /// How much mail is unread, offered or not.
    pub unread_count: usize,
}

/// `POST /api/coord/sessions/heartbeat`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The session.
    pub session_id: String,
    /// Refuse one that never registered (404) or was ended since (410), instead of reviving it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
    /// Which conversation of the session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// `POST /api/coord/sessions/end`: releases what the session holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndSession {
    /// The session.
    pub session_id: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /api/coord/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sessions {
    /// Latest sign of life first.
    pub sessions: Vec<Session>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
