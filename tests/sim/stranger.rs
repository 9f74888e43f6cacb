//! Answers of somebody who is not the server: a captive portal, a gateway, another service.

use std::time::Duration;

use coord_agent::remote::{Incoming, Outgoing};
use coord_protocol::wire::{Batch, BatchDone, EntryDone};
use serde_json::Value;

use crate::chance::Chance;
use crate::server::INSTANCE;

const PORTAL: &[u8] = b"<!doctype html><title>Welcome</title>";

/// One of them.
pub(crate) fn answer(chance: &mut Chance) -> Incoming {
    let (status, body): (u16, &[u8]) = *chance.pick(&[
        (200, PORTAL),
        (200, b"".as_slice()),
        (201, b"{}".as_slice()),
        (200, br#"{"results":[{"id"#.as_slice()),
        (302, b"".as_slice()),
        (404, b"not found".as_slice()),
        (404, b"".as_slice()),
        (404, PORTAL),
        (404, br#"{"detail":"no such path"}"#.as_slice()),
        (413, PORTAL),
        (500, b"".as_slice()),
        (502, PORTAL),
    ]);
    let retry_after = chance.hit(100_000).then_some(Duration::from_secs(5));
    Incoming { status, retry_after, body: body.to_vec(), ..Incoming::default() }
}

/// Makes it look like the server's own answer: for planted bugs in judging answers.
pub(crate) fn with_proof(answer: &mut Incoming, out: &Outgoing) {
    answer.instance = Some(INSTANCE.to_owned());
    answer.entry.clone_from(&out.key);
    if let (200, Ok(batch)) = (answer.status, serde_json::from_slice::<Batch>(&out.body)) {
        let done = |id: Option<String>| EntryDone {
            id: id.unwrap_or_default(),
            status: answer.status,
            replayed: false,
            body: Value::Null,
        };
        let results = batch.entries.into_iter().map(|e| done(e.id)).collect();
        answer.body = serde_json::to_vec(&BatchDone { results }).unwrap_or_default();
    }
}
