//! Exactly once in effect: the answer to a request is kept under its idempotency key in the
//! transaction of its effect, and given again when the request comes again (G3, G32).

use coord_protocol::limits::{KEY_RETENTION, KEYS_MAX};
use coord_protocol::time::Millis;
use coord_protocol::wire::ErrorBody;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::claims::queue;
use super::{Answer, Cx, Fail, Refusal};
use crate::store::{Applied, Stored, Tx};

/// Keys forgotten in one go, so that no transaction grows long; more than are added between two
/// rounds.
const FORGET_STEP: usize = 20_000;

/// An answer as it will be sent, and kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// HTTP status.
    pub status: u16,
    /// JSON, unless `content_type` says otherwise.
    pub body: String,
    /// From memory.
    pub replayed: bool,
    /// No answer yet: it comes later, and is remembered then.
    pub parked: Option<Parked>,
    /// What a body is that is not JSON; only answers to reads, which are not remembered, have one.
    pub content_type: Option<&'static str>,
}

/// A call that is answered later.
#[derive(Debug, Clone, PartialEq)]
pub struct Parked {
    /// What it waits as: a waiter, or a release request.
    pub id: String,
    /// Until when at most.
    pub until: Millis,
}

impl Told {
    /// A fresh answer.
    pub fn new(status: u16, body: String) -> Self {
        Self { status, body, replayed: false, parked: None, content_type: None }
    }

    /// An answer that comes later.
    pub fn parked(parked: Parked) -> Self {
        Self { parked: Some(parked), ..Self::new(202, String::new()) }
    }
}

impl From<Refusal> for Told {
    fn from(r: Refusal) -> Self {
        Self::new(r.status, error_json(&r.body))
    }
}

/// An error body as JSON.
pub fn error_json(body: &ErrorBody) -> String {
    serde_json::to_string(body).expect("an error body is plain JSON")
}

/// SHA-256 of method, target and canonical body: two requests with the same one ask the same.
pub fn fingerprint(method: &str, target: &str, body: &[u8]) -> Vec<u8> {
    let mut h = Sha256::new();
    h.update(method.as_bytes());
    h.update(b"\n");
    h.update(target.as_bytes());
    h.update(b"\n");
    match serde_json::from_slice::<Value>(body) {
        // serde_json's map is sorted, so this text is canonical.
        Ok(v) => h.update(v.to_string().as_bytes()),
        Err(_) => h.update(body),
    }
    h.finalize().to_vec()
}

/// Runs `effect` once per key. The caller holds a transaction; a refused effect leaves no trace but
/// its answer and what others are told of it. 5xx is never kept: it means that nothing happened.
pub fn once(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    key: Option<&(&str, Vec<u8>)>,
    effect: impl FnOnce(Option<&str>) -> Answer<Told>,
) -> Stored<Told> {
    if let Some((k, print)) = key
        && let Some(before) = tx.applied(k)?
    {
        if before.fingerprint == *print
            && let Some((_, waits_as)) = tx.parked_under(k)?
        {
            // It hears the answer now, whatever is found out of the connection that it waited on.
            tx.waiter_has_heard(&waits_as)?;
        }
        return Ok(if before.fingerprint == *print {
            Told { replayed: true, ..Told::new(before.status, before.response) }
        } else {
            let why = format!("idempotency key {k:?} was used before for another request");
            Refusal::new(422, why).into()
        });
    }
    let again = match key {
        Some((k, print)) => match tx.parked_under(k)? {
            Some((before, _)) if before != *print => {
                let why = format!("idempotency key {k:?} waits for the answer to another request");
                return Ok(Refusal::new(422, why).into());
            }
            known => known.map(|(_, waits_as)| waits_as),
        },
        None => None,
    };
    // Effect and memory are one part: neither stays without the other.
    tx.savepoint()?;
    let done = effect(again.as_deref()).and_then(|told| {
        queue::serve(tx, cx)?;
        if let (Some((k, print)), Some(parked)) = (key, &told.parked) {
            tx.park_key(k, print, &parked.id, cx.now)?;
        }
        remember(tx, cx.now, key, &told)?;
        Ok(told)
    });
    let no: Refusal = match done {
        Ok(told) => {
            tx.keep()?;
            return Ok(told);
        }
        Err(Fail::Refused(no)) => no,
        Err(Fail::Store(e)) if e.is_violation() => {
            Refusal::new(409, "what this request creates exists already under the same id")
        }
        Err(Fail::Store(e)) => {
            // The error that matters is `e`; SQLite may have ended the transaction by itself.
            let _ = tx.undo();
            return Err(e);
        }
    };
    tx.undo()?;
    for notice in &no.tell {
        notice.send(tx, cx)?;
    }
    queue::serve(tx, cx)?;
    let told = no.into();
    remember(tx, cx.now, key, &told)?;
    Ok(told)
}

/// Keeps an answer under its key. 5xx is never kept: it means that nothing happened; nor is an answer
/// that is still to come.
pub fn remember(
    tx: &Tx<'_>,
    now: Millis,
    key: Option<&(&str, Vec<u8>)>,
    told: &Told,
) -> Stored<()> {
    let is_final = told.status < 500 && told.parked.is_none();
    let Some((k, fingerprint)) = key.filter(|_| is_final) else { return Ok(()) };
    let kept = Applied {
        fingerprint: fingerprint.clone(),
        status: told.status,
        response: told.body.clone(),
    };
    tx.remember(k, &kept, now)
}

/// Forgets keys that are past their time; call it now and then.
pub fn forget_old_keys(tx: &Tx<'_>, now: Millis) -> Stored<usize> {
    let retention = i64::try_from(KEY_RETENTION.as_millis()).unwrap_or(i64::MAX);
    tx.forget_keys(Millis(now.0.saturating_sub(retention)), KEYS_MAX, FORGET_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_sees_meaning_not_spelling() {
        let f = |b: &str| fingerprint("POST", "/x", b.as_bytes());
        assert_eq!(f(r#"{"a":1,"b":2}"#), f(r#" {"b": 2, "a": 1} "#));
        assert_ne!(f(r#"{"a":1}"#), f(r#"{"a":2}"#));
        assert_ne!(f("x"), f("y"));
        assert_ne!(fingerprint("PUT", "/x", b""), fingerprint("POST", "/x", b""));
    }
}
