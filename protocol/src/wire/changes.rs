//! The change feed: the current rows of all that changed, in the order of their latest change.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::time::Millis;

/// `GET /api/coord/changes?since=<cursor>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeFeed {
    /// In order.
    pub changes: Vec<Change>,
    /// Pass as `since` to go on from here.
    pub cursor: String,
    /// Go on at once: there is more already.
    pub more: bool,
    /// The cursor was missing, too old, or of another database: this is the beginning of all there
    /// is, and what the caller had must go.
    pub reset: bool,
    /// The moment by the server's clock.
    pub time: Millis,
    /// The same in milliseconds since 1970: rows hold times in this form.
    pub time_ms: i64,
}

/// A row that changed, as it stands now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Change {
    /// `session`, `claim`, `component`, `component_change`, `workflow`, `work_item`, `message`,
    /// `receipt`, `todo`, `decision`; a reader skips what it does not know.
    pub kind: String,
    /// Its columns; times in milliseconds since 1970.
    pub row: Map<String, Value>,
}
