//! Locks: claims on a resource string (seed 000).

use serde::{Deserialize, Serialize};

use super::TeamClaim;
use crate::lease::surely_held;
use crate::path::BadResource;
use crate::resource::Resource;
use crate::time::Millis;

/// What a claim is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimKind {
    /// Seed 000: lasts as long as it was granted for.
    #[default]
    Lock,
    /// Seed 003: one file, means exactly itself; any sign of life of its session renews it.
    File,
    /// Seeds 002 and 004: a team claim, of an engineer.
    Claim,
}

impl ClaimKind {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::File => "file",
            Self::Claim => "claim",
        }
    }

    /// Reads the word; whatever is not known is a lock.
    pub fn parse(word: &str) -> Self {
        match word {
            "file" => Self::File,
            "claim" => Self::Claim,
            _ => Self::Lock,
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_lock(&self) -> bool {
        *self == Self::Lock
    }
}

/// What stands for the content of a file that is not there.
pub const ABSENT: &str = "absent";

/// `POST /api/coord/locks`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    /// What kind of claim.
    #[serde(default, skip_serializing_if = "ClaimKind::is_lock")]
    pub kind: ClaimKind,
    /// Of a file: its content now, a SHA-256 in hex, or [`ABSENT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Which conversation of the session asks; one that a newer one has replaced is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// A lapsed claim in the way is only ended, and the asker is to ask again (seed 003).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub two_step: bool,
}

/// `PATCH /api/coord/locks/<id>`: its holder goes on with it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ExtendLock {
    /// Who asks.
    pub session_id: String,
    /// Of a file: its content after the holder's edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// A new lease from now; absent is the same length again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_hours: Option<f64>,
    /// Which conversation of the session asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
}

/// `GET /api/coord/file`: how a file stands for a session.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FileState {
    /// The moment by the clock of the engine that answers.
    #[serde(default)]
    pub time: Option<Millis>,
    /// The live claim on it; the asker's own before others.
    pub lock: Option<Lock>,
    /// The asker's latest claim of exactly this file, live or not.
    pub mine: Option<Lock>,
}

/// `POST /api/coord/sessions/cleanup`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CleanUp {
    /// Only sessions and claims of this project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
}

/// What a clean-up ended.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CleanedUp {
    /// How many silent sessions.
    pub sessions: usize,
    /// Which.
    pub session_ids: Vec<String>,
    /// How many claims: files of those sessions, and all whose time was over.
    pub locks: usize,
    /// Which.
    pub lock_ids: Vec<String>,
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
    /// What kind of claim.
    #[serde(default)]
    pub kind: ClaimKind,
    /// Of a file: its content when it was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_then: Option<String>,
    /// Of a file: its content after its holder's last recorded edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_now: Option<String>,
    /// The conversation of its session that it was granted to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<i64>,
    /// What a team claim has beyond this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Box<TeamClaim>>,
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
    /// What it is on, read as its kind says. `literal`: a lock of that resource means exactly itself.
    pub fn on(&self, literal: bool) -> Result<Resource, BadResource> {
        match self.kind {
            ClaimKind::Claim => Resource::claimed(&self.resource),
            ClaimKind::Lock if !literal => Resource::parse(&self.resource),
            ClaimKind::Lock | ClaimKind::File => Resource::literal(&self.resource),
        }
    }

    /// Whether its holder may still say so without asking the server (G24); `now` as in
    /// [`surely_held`].
    pub fn surely_held(&self, now: Millis) -> bool {
        surely_held(now, self.expires_at, self.ttl_ms())
    }

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
    /// The end of a session came late, and the session was heard of since: nothing ended.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub past: bool,
}
