//! Keeping a write that cannot be sent now.

use coord_protocol::request::{Method, Request};
use serde_json::Value;

use super::append::{AppendError, append};
use super::disk::Disk;
use super::drain::Settled;

const LOCKS: &str = "/api/coord/locks";
/// Team claims (seed 002).
const CLAIMS: &str = "/claims";

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

/// Whether a write grants, changes or ends claims.
pub fn concerns_claims(request: &Request) -> bool {
    let extends = request.method == Method::Patch && request.path.starts_with(LOCKS)
        || request.method == Method::Post && segments(request).ends_with(&["extend"]);
    is_claim(request) || ends_claims(request) || extends
}

/// Whether a write asks for claims: it means something here before the server has seen it.
pub fn is_claim(request: &Request) -> bool {
    request.method == Method::Post && matches!(route(request), LOCKS | CLAIMS)
}

/// Whether a write gives claims back.
pub fn ends_claims(request: &Request) -> bool {
    match (request.method, segments(request).as_slice()) {
        (Method::Delete, ["api", "coord", "locks", ..] | ["claims", _])
        | (Method::Post, ["claims", "release"] | ["sessions", _, "release"]) => true,
        (Method::Post | Method::Put | Method::Patch | Method::Delete, _) => false,
    }
}

/// Whether a write may end claims, of whichever session.
pub fn may_end_claims(request: &Request) -> bool {
    ends_claims(request)
        || matches!(
            segments(request).as_slice(),
            ["requests", _, "respond"] | ["api", "coord", "sessions", "end" | "cleanup"]
        )
}

/// Whether a write sends a message, or makes the engine send one to who holds something.
pub fn sends_mail(request: &Request) -> bool {
    let path = segments(request);
    ends_claims(request)
        || request.method == Method::Post && path == ["api", "coord", "messages"]
        || path.first() == Some(&"requests")
}

/// The team claims that a write gives back by their ids.
pub fn named_ends(request: &Request) -> Vec<String> {
    match (request.method, segments(request).as_slice()) {
        (Method::Delete, ["claims", id]) => vec![(*id).to_owned()],
        (Method::Post, ["claims", "release"]) => {
            let ids = request.body.as_ref().and_then(|b| b.get("claim_ids")?.as_array());
            let ids = ids.into_iter().flatten().filter_map(Value::as_str);
            ids.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The path without its query.
fn route(request: &Request) -> &str {
    request.path.split('?').next().unwrap_or_default()
}

fn segments(request: &Request) -> Vec<&str> {
    route(request).trim_start_matches('/').split('/').collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_concerns_claims() {
        let of = |method, path: &str| Request::new(method, path, None);
        for (method, path, claim, concerns) in [
            (Method::Post, "/api/coord/locks", true, true),
            (Method::Post, "/claims?rows=true", true, true),
            (Method::Post, "/claims", true, true),
            (Method::Delete, "/api/coord/locks?release_all=true", false, true),
            (Method::Patch, "/api/coord/locks/x", false, true),
            (Method::Delete, "/claims/x?engineer=y", false, true),
            (Method::Post, "/claims/release", false, true),
            (Method::Post, "/claims/x/extend", false, true),
            (Method::Post, "/sessions/A%2Fx/release", false, true),
            (Method::Post, "/requests", false, false),
            (Method::Delete, "/requests/x", false, false),
            (Method::Post, "/api/coord/todos", false, false),
        ] {
            assert_eq!(is_claim(&of(method, path)), claim, "{path}");
            assert_eq!(concerns_claims(&of(method, path)), concerns, "{path}");
        }
    }

    #[test]
    fn what_may_end_claims() {
        let of = |path: &str| may_end_claims(&Request::new(Method::Post, path, None));
        assert!(of("/requests/x/respond") && of("/api/coord/sessions/end"));
        assert!(of("/api/coord/sessions/cleanup") && of("/claims/release"));
        assert!(!of("/requests") && !of("/api/coord/sessions") && !of("/api/coord/locks"));
    }

    #[test]
    fn what_sends_mail() {
        let of = |method, path: &str| sends_mail(&Request::new(method, path, None));
        assert!(of(Method::Post, "/api/coord/messages"));
        assert!(of(Method::Post, "/requests") && of(Method::Post, "/requests/x/respond"));
        assert!(of(Method::Delete, "/api/coord/locks/x?force=true"));
        assert!(!of(Method::Post, "/api/coord/messages/offered"));
        assert!(!of(Method::Post, "/api/coord/locks"));
    }

    #[test]
    fn which_claims_a_release_names() {
        let body = json!({"claim_ids": ["a", "b"]});
        let many = Request::new(Method::Post, "/claims/release", Some(body));
        assert_eq!(named_ends(&many), ["a", "b"]);
        assert_eq!(named_ends(&Request::new(Method::Delete, "/claims/a?engineer=x", None)), ["a"]);
        assert!(named_ends(&Request::new(Method::Post, "/claims", None)).is_empty());
    }
}
