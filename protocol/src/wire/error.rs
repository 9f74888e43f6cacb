//! The error body and the headers that prove where an answer comes from.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Response header with the server's instance name. No answer counts as ours without it (G12).
pub const HEADER_INSTANCE: &str = "coord-instance";
/// Response header that repeats the request's idempotency key.
pub const HEADER_ENTRY: &str = "coord-entry";
/// Response header `true` when the answer comes from memory.
pub const HEADER_REPLAYED: &str = "idempotency-replayed";
/// Request header naming the session that asks.
pub const HEADER_SESSION: &str = "coord-session";

/// Every error: one sentence, and what a program may want to know besides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// For people: names the thing and the next step.
    pub detail: String,
    /// Seconds until it makes sense to try again; on 503 and 429.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// Facts, by error (the lock in the way, known recipients ...).
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl ErrorBody {
    /// An error that is a sentence only.
    pub fn new(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), retry_after: None, more: Map::new() }
    }

    /// Adds a fact.
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.more.insert(name.to_owned(), value);
        self
    }
}
