//! `POST /api/coord/batch`: many mutations in order, each with its own result.

use coord_protocol::id::parse_key;
use coord_protocol::limits::BATCH_ENTRIES_MAX;
use coord_protocol::request::{Request, body_bytes, check_path};
use coord_protocol::wire::{Batch, BatchDone, EntryDone};
use serde_json::Value;

use super::routes::{Handler, Routed, find};
use super::{Call, Matched, Reply, json, ok, write};
use crate::service::once::Told;
use crate::service::{Answer, Cx, Refusal};
use crate::store::Tx;

/// Runs the entries one after the other. A "no" to one does not stop the next; a database that
/// cannot go on ends the whole batch with 503, and nothing of it has happened.
pub(super) fn run(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let batch: Batch = json::body(&m.call.body)?;
    if batch.entries.len() > BATCH_ENTRIES_MAX {
        let why = format!("more than {BATCH_ENTRIES_MAX} entries in one batch");
        return Err(Refusal::new(413, why).into());
    }
    let mut results = Vec::with_capacity(batch.entries.len());
    for entry in batch.entries {
        let Some(id) = entry.id.clone() else {
            return Err(Refusal::new(422, "every entry of a batch needs an id").into());
        };
        let reply = match entry_call(entry) {
            Ok((call, handler, params)) => write(tx, cx, &call, handler, &params)?,
            Err(reply) => reply,
        };
        results.push(EntryDone {
            id,
            status: reply.status,
            replayed: reply.replayed,
            body: serde_json::from_str(&reply.body).unwrap_or(Value::Null),
        });
    }
    ok(&BatchDone { results })
}

type WriteHandler = fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>;

fn entry_call(entry: Request) -> Result<(Call, WriteHandler, Vec<String>), Reply> {
    check_path(&entry.path).map_err(|e| Reply::error(400, e.to_string()))?;
    let key = entry.id.unwrap_or_default();
    if parse_key(&key) != Some(key.as_str()) {
        return Err(Reply::error(400, "the entry's id cannot be an idempotency key"));
    }
    let call = Call {
        method: entry.method.as_str().to_owned(),
        target: entry.path,
        body: body_bytes(entry.body.as_ref()),
        key: Some(key),
        session: entry.session,
        past: entry.past,
        late: true,
        waited_ms: entry.waited_ms,
        ..Call::default()
    };
    match find(&call) {
        Routed::To(Handler::Write(h), _) if std::ptr::fn_addr_eq(h, run as WriteHandler) => {
            Err(Reply::error(400, "a batch inside a batch"))
        }
        Routed::To(Handler::Write(h) | Handler::Park { start: h, .. }, params) => {
            Ok((call, h, params))
        }
        Routed::To(..) | Routed::WrongMethod(_) => {
            Err(Reply::error(405, format!("{} is not for {}", call.method, call.path())))
        }
        Routed::Nowhere => Err(Reply::error(404, format!("no such path: {}", call.path()))),
    }
}
