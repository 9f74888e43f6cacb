//! Keeping a write that cannot be sent now.

use coord_protocol::request::{Method, Request};
use serde_json::Value;

use super::append::{AppendError, append};
use super::disk::Disk;
use super::drain::Settled;

const LOCKS: &str = "/api/coord/locks";

/// What became of a write that cannot be sent now.
#[derive(Debug, Clone)]
pub enum Kept {
    /// It is in the queue, durably.
    Queued,
    /// It is in the queue, and until the server has settled it, it holds on this workstation (G27).
    Provisional(Value),
    /// By what is known here it is bound to be refused, so it was not queued.
    Refused {
        /// HTTP status, as the server would say.
        status: u16,
        /// The answer, as the server would give it.
        answer: Value,
    },
}

/// Keeps writes for later.
pub trait Keep {
    /// Queues a write in this outbox, or says at once that it will be refused. An error: it is not
    /// kept.
    fn keep(&self, outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError>;

    /// The server has done writes that were kept. They leave the queue after this, so that what they
    /// mean here is at no moment known in neither place.
    fn settled(&self, done: &[Settled]);
}

/// Queues everything and answers nothing: where no copy of the server's rows is at hand.
pub struct QueueOnly;

impl Keep for QueueOnly {
    fn keep(&self, outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError> {
        if is_claim(request) {
            return queue_unjudged(outbox, request);
        }
        append(outbox, request).map(|()| Kept::Queued)
    }

    fn settled(&self, _: &[Settled]) {}
}

/// Queues a claim that nobody here could judge.
pub fn queue_unjudged(outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError> {
    append(outbox, &Request { unjudged: true, ..request.clone() }).map(|()| Kept::Queued)
}

/// Whether a write grants or ends claims.
pub fn concerns_claims(request: &Request) -> bool {
    let one_of_them = matches!(request.method, Method::Delete | Method::Patch);
    is_claim(request) || (one_of_them && request.path.starts_with(LOCKS))
}

/// Whether a write asks for a claim: it means something here before the server has seen it.
pub fn is_claim(request: &Request) -> bool {
    request.method == Method::Post && request.path == LOCKS
}
