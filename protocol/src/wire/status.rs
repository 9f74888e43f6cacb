//! The overview, and the health answer.

use serde::{Deserialize, Serialize};

use super::{Component, Decision, Lock, Session, Workflow};
use crate::time::Millis;

/// `GET /api/coord/status`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The server's time.
    pub time: Millis,
    /// Live locks.
    pub active_locks: Vec<Lock>,
    /// Latest component changes first.
    pub recent_components: Vec<Component>,
    /// Workflows that are neither completed nor cancelled.
    pub active_workflows: Vec<Workflow>,
    /// Sessions heard of within a day and not ended.
    pub sessions: Vec<Session>,
    /// Unread mail: of the asking session, or of everybody when none is named.
    pub unread_messages: i64,
    /// Todos not done.
    pub open_todos: i64,
    /// All live locks; `active_locks` may hold fewer.
    #[serde(default)]
    pub lock_count: i64,
    /// All decisions.
    #[serde(default)]
    pub decision_count: i64,
    /// The last five, newest first.
    #[serde(default)]
    pub recent_decisions: Vec<Decision>,
}

/// `GET /health`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Health {
    /// `ok` or `degraded`.
    pub status: String,
    /// `connected` or `disconnected`.
    pub database: String,
    /// The server's instance name; stays with its database.
    pub instance: String,
    /// The program's version.
    pub version: String,
    /// The server's time.
    pub time: Millis,
}
