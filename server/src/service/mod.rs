//! The rules: commands and queries over the store. Each function gets an open transaction (or a
//! view), the moment and the asker's wish, and says what became of it. No HTTP, no SQL, no clock.

mod areas;
pub mod chores;
pub mod claims;
pub mod components;
pub mod decisions;
mod events;
pub mod feed;
mod fields;
pub mod files;
pub mod hotspots;
pub mod inbox;
pub mod messages;
mod notices;
pub mod once;
pub mod ownership;
pub mod reaping;
pub mod receipts;
pub mod repos;
pub mod requests;
pub mod rules;
pub mod sessions;
mod settle;
pub mod status;
pub mod todos;
pub mod work;

use std::time::Duration;

use coord_protocol::edge::{Rng, id_at};
use coord_protocol::id::Uuid;
use coord_protocol::time::Millis;
use coord_protocol::wire::ErrorBody;
use serde_json::Value;

use crate::store::{StoreError, Stored, Tx};

pub use notices::Notice;
pub use rules::Rules;

/// What a rule needs to know besides the wish itself.
pub struct Cx<'a> {
    /// The moment, by the engine's clock.
    pub now: Millis,
    /// Settings.
    pub rules: &'a Rules,
    /// Randomness for ids that the caller did not bring.
    pub rng: &'a dyn Rng,
    /// The id that the caller minted for what it creates: its idempotency key, when that is a UUID.
    pub id: Option<Uuid>,
    /// The wish is older than it was good for: record it, grant nothing (G13).
    pub past: bool,
    /// The wish may have waited in a queue: it says nothing about whether its session is alive now.
    pub late: bool,
    /// For how long it waited, as its sender says.
    pub waited: Duration,
    /// The answer is for this workstation alone: the server will settle it later (G27).
    pub provisional: bool,
    /// Whether whoever asks can be kept waiting for the answer.
    pub waits: Waits,
    /// The same request waits already, as this.
    pub waits_as: Option<&'a str>,
}

/// Whether whoever asks can be kept waiting for an answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Waits {
    /// It is answered at once.
    #[default]
    Never,
    /// On a connection: when it leaves, that is noticed.
    Connected,
    /// Without one: it has to say now and then that it is still there.
    Polling,
}

impl<'a> Cx<'a> {
    /// Of a wish that comes by itself and in time.
    pub fn at(now: Millis, rules: &'a Rules, rng: &'a dyn Rng) -> Self {
        Self {
            now,
            rules,
            rng,
            id: None,
            past: false,
            late: false,
            waited: Duration::ZERO,
            provisional: false,
            waits: Waits::Never,
            waits_as: None,
        }
    }
}

/// Times of entries are whole seconds, and so what was made before its session was last heard of is
/// surely so only beyond this.
const MADE_WITHIN: Duration = Duration::from_secs(1);

impl Cx<'_> {
    /// When the wish was made, by the engine's clock; it may have waited in a queue since.
    pub fn made(&self) -> Millis {
        if self.late { self.now.before(self.waited) } else { self.now }
    }

    /// The wish came late, and its session, last heard of at `seen`, has gone on without it.
    pub fn is_history(&self, seen: Millis) -> bool {
        self.late && seen > self.made().plus(MADE_WITHIN)
    }

    /// A session is heard of: a sign of life, unless the wish comes late; then it is only known. It
    /// comes too late for files that lapsed during its silence.
    pub fn touch(&self, tx: &Tx<'_>, session: &str) -> Stored<()> {
        if self.late {
            tx.know_session(session, self.made())
        } else {
            files::end_lapsed(tx, self, session)?;
            tx.touch_session(session, self.now)
        }
    }

    /// The id of what is being created.
    pub fn new_id(&self) -> String {
        self.id.unwrap_or_else(|| id_at(self.now, self.rng)).to_string()
    }
}

/// A "no" of the rules: an answer like any other, with its HTTP status.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// 4xx.
    pub status: u16,
    /// What to say.
    pub body: ErrorBody,
    /// Whom else to tell of it.
    pub tell: Vec<Notice>,
}

impl Refusal {
    /// A "no" in one sentence.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, body: ErrorBody::new(detail), tell: Vec::new() }
    }

    /// Adds a fact for programs.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.body = self.body.with(name, value);
        self
    }

    /// There is no such thing.
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(404, format!("no {what} {id:?}"))
    }
}

/// Why a rule gave no result.
#[derive(Debug)]
pub enum Fail {
    /// The answer is no.
    Refused(Refusal),
    /// The database could not.
    Store(StoreError),
}

impl From<Refusal> for Fail {
    fn from(r: Refusal) -> Self {
        Self::Refused(r)
    }
}

impl From<StoreError> for Fail {
    fn from(e: StoreError) -> Self {
        Self::Store(e)
    }
}

/// What a rule gives.
pub type Answer<T> = Result<T, Fail>;
