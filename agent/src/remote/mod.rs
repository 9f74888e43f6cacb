//! The server, as the agent sees it: a call with a budget, a breaker that all processes of the
//! workstation share, and the judgement of what came back.

pub mod breaker;
pub mod events;
pub mod http;
pub mod local;
pub mod query;
pub mod retry_after;
pub mod verdict;

use std::io::BufRead;
use std::time::Duration;

use coord_protocol::request::Method;
use serde_json::Value;

/// A request on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// `None` is `GET`.
    pub method: Option<Method>,
    /// Path with query.
    pub path: String,
    /// JSON, or empty.
    pub body: Vec<u8>,
    /// Idempotency key.
    pub key: Option<String>,
    /// Who asks.
    pub session: Option<String>,
}

impl Outgoing {
    /// A read.
    pub fn get(path: &str) -> Self {
        Self { method: None, path: path.to_owned(), body: Vec::new(), key: None, session: None }
    }

    /// A write.
    pub fn new(method: Method, path: &str) -> Self {
        Self { method: Some(method), ..Self::get(path) }
    }
}

/// What came back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// The server's instance name, when the answer carries one.
    pub instance: Option<String>,
    /// The key that the answer repeats.
    pub entry: Option<String>,
    /// The answer comes from the server's memory.
    pub replayed: bool,
    /// How long not to call again, as far as it can be understood.
    pub retry_after: Option<Duration>,
    /// At most [`coord_protocol::limits::ANSWER_BYTES_MAX`].
    pub body: Vec<u8>,
}

impl Incoming {
    /// The body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The sentence of an error body.
    pub fn detail(&self) -> Option<String> {
        self.json()?.get("detail")?.as_str().map(str::to_owned)
    }
}

/// Why nothing came back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// Nobody answers there: refused, no route, name unknown.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// The budget was over first.
    #[error("{0} did not answer in time")]
    Timeout(String),
    /// What answered does not speak HTTP as it should, or broke off.
    #[error("{0} gave no usable answer: {1}")]
    Garbled(String, String),
    /// The answer came, and is longer than what is read: this is its head.
    #[error("{0} answered with more than can be read")]
    TooLarge(String, Box<Incoming>),
}

/// An answer that goes on.
pub struct Stream {
    /// Its head; with the whole body when it is no stream after all.
    pub head: Incoming,
    /// What comes. A network that is dead ends it with an error.
    pub lines: Box<dyn BufRead>,
}

/// A way to the server.
pub trait Net: Send + Sync {
    /// One request, one answer, within the budget.
    fn call(&self, out: &Outgoing, budget: Duration) -> Result<Incoming, NetError>;

    /// Asks for an answer that goes on. `None`: this way has none, ask again and again instead.
    fn stream(&self, _: &Outgoing) -> Result<Option<Stream>, NetError> {
        Ok(None)
    }
}
