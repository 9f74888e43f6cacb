//! The shapes on the wire: what requests ask and what answers say. Unknown fields are accepted
//! (G36); names follow seed 000 and the glossary.

mod changes;
mod claims;
mod components;
mod decisions;
mod error;
mod locks;
mod messages;
mod sessions;
mod status;
mod todos;
mod work;

pub use changes::{Change, ChangeFeed};
pub use claims::{
    ClaimConflict, ClaimItem, ClaimType, ClaimsAnswer, ConflictingClaim, CreateClaims, ITEMS_MAX,
    Severity, SymbolOverlap, TeamClaim, Urgency, WAIT_SECONDS_MAX,
};
pub use components::{
    Component, ComponentChange, ComponentHistory, Components, SetComponent, SetComponentAt,
};
pub use decisions::{AddDecision, ChangeDecision, DECISION_STATUSES, Decision, Decisions};
pub use error::{ErrorBody, HEADER_ENTRY, HEADER_INSTANCE, HEADER_REPLAYED, HEADER_SESSION};
pub use locks::{
    ABSENT, ClaimKind, ClaimLock, CleanUp, CleanedUp, EndedLock, ExtendLock, FileState, Lock,
    Locks, Released, ReleasedAll,
};
pub use messages::{
    Delivery, Message, Messages, Offered, ReadMessages, Receipt, Recipient, SendMessage,
    SentMessage, SentMessages,
};
pub use sessions::{
    CheckedIn, EndSession, Heartbeat, RegisterSession, Session, SessionStatus, Sessions,
};
pub use status::{Health, Status};
pub use todos::{AddTodo, ChangeTodo, Todo, Todos};
pub use work::{
    AddWorkItem, ChangeWorkItem, ChangeWorkflow, CreateWorkflow, WorkItem, WorkItems, Workflow,
    Workflows,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::Request;

/// Entries sent together; the server works through them in order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Batch {
    /// At most [`crate::limits::BATCH_ENTRIES_MAX`].
    pub entries: Vec<Request>,
}

/// What became of a batch: one result per entry, in the same order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchDone {
    /// Shorter than the batch when the server had to stop before an entry.
    pub results: Vec<EntryDone>,
}

/// What became of one entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntryDone {
    /// The entry's id: proof that this answer is about it (G12).
    pub id: String,
    /// The HTTP status that the entry alone would have got.
    pub status: u16,
    /// The answer comes from memory: the entry had been applied before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// The answer's body.
    pub body: Value,
}
