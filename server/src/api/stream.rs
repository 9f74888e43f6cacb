//! Answers that go on: pieces of a stream, each read like any other page. Who sends them, and how a
//! connection is kept open for it, is a face's business.

use std::fmt;

use super::routes::StreamHandler;
use super::{Call, Matched, Reply};
use crate::service::{Cx, Fail};
use crate::store::{Stored, View};

/// What is to be sent now, and where the stream stands after it.
pub struct Piece {
    /// Text of the stream; empty when there is nothing new.
    pub text: String,
    /// Where to go on.
    pub place: String,
    /// There is more already.
    pub more: bool,
}

/// A stream that goes on.
#[derive(Clone)]
pub struct Follow {
    /// The call that began it.
    pub call: Call,
    /// Gives its pieces.
    pub handler: StreamHandler,
    /// Decoded path variables.
    pub params: Vec<String>,
    /// Where it stands; `None` before the first piece.
    pub place: Option<String>,
    /// There is more already: go on without waiting for a commit.
    pub more: bool,
}

impl fmt::Debug for Follow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Follow({} at {:?})", self.call.path(), self.place)
    }
}

impl Follow {
    /// What says to a reader where the stream stands, and that it is alive: the place is kept by
    /// whoever reads it, and shown to nobody.
    pub fn sign_of_life(&self) -> String {
        let place = self.place.as_deref().unwrap_or_default();
        format!(":\nid: {place}\n\n")
    }
}

/// Reads the next piece of a stream.
pub fn go_on(view: &View<'_>, cx: &Cx<'_>, follow: &Follow) -> Stored<Reply> {
    let matched = Matched { call: &follow.call, params: &follow.params };
    match (follow.handler)(view, cx, &matched, follow.place.as_deref()) {
        Ok(piece) => {
            let next = Follow { place: Some(piece.place), more: piece.more, ..follow.clone() };
            Ok(Reply::stream(piece.text, Some(Box::new(next))))
        }
        Err(Fail::Refused(r)) => Ok(Reply::told(r.into(), None)),
        Err(Fail::Store(e)) => Err(e),
    }
}
