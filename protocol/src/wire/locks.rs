//! Locks: claims on a resource string (seed 000).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `POST /api/coord/locks`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClaimLock {
    /// The project.
    pub project_key: String,
    /// Who asks.
    pub session_id: String,
    /// A name, path or glob.
    pub resource: String,
    /// The resource means exactly itself, whatever characters it holds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub literal: bool,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Hours; absent is the server's default (2), 0 is no expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_hours: Option<f64>,
}

/// A lock as it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lock {
    /// Its id; needed to release it.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// The holder.
    pub session_id: String,
    /// Canonical form of the resource.
    pub resource: String,
    /// What for.
    pub description: Option<String>,
    /// Hours; 0 is no expiry.
    pub ttl_hours: f64,
    /// When it was granted.
    pub acquired_at: Millis,
    /// The holder's last sign of life for it.
    pub last_activity: Millis,
    /// When it ends by itself.
    pub expires_at: Option<Millis>,
    /// Grows with each grant: a holder proves with it that it is the latest. A provisional claim
    /// has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fence: Option<i64>,
    /// Granted on this workstation alone while the server was away: it keeps out other processes
    /// here and nobody else, until the server settles it (G27).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub provisional: bool,
    /// When it ended; absent while it is live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Millis>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_reason: Option<String>,
    /// True when the same session had it already and only extended it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// Abandoned locks that were ended to make way for this one (the 2-hour rule).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released_stale: Vec<EndedLock>,
    /// Of a claim that waited for the server: what others held meanwhile, and gave back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overlapped: Vec<EndedLock>,
}

impl Lock {
    /// Its time to live in milliseconds; 0 is no expiry.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "30 days of ms at most; hours come from ms"
    )]
    pub fn ttl_ms(&self) -> i64 {
        (self.ttl_hours * 3_600_000.0).round() as i64
    }
}

/// A lock that is over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndedLock {
    /// Its id.
    pub id: String,
    /// Who held it.
    pub session_id: String,
    /// On what.
    pub resource: String,
    /// Since when.
    pub acquired_at: Millis,
    /// `released`, `session_end`, `expired`, `stale`, `forced`, `past`.
    pub reason: String,
}

/// `GET /api/coord/locks`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Locks {
    /// Live locks, oldest first.
    pub locks: Vec<Lock>,
    /// How many are in `locks`.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `DELETE /api/coord/locks/<id>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Released {
    /// The lock.
    pub id: String,
    /// False when it had ended before; releasing twice is harmless.
    pub released: bool,
    /// Why it ended, and when it had ended before.
    pub reason: String,
}

/// `DELETE /api/coord/locks?session_id=..&release_all=true`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReleasedAll {
    /// How many ended.
    pub released: usize,
    /// Which.
    pub ids: Vec<String>,
}
