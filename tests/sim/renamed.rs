//! The planted bug of an agent that makes a new id for each try: ids are replaced on the way out
//! and put back on the way in.

use std::collections::BTreeMap;

use coord_agent::remote::{Incoming, Outgoing};
use coord_protocol::wire::{Batch, BatchDone};

use crate::chance::Chance;

/// New id to old id.
pub(crate) type Ids = BTreeMap<String, String>;

fn fresh(chance: &mut Chance, ids: &mut Ids, old: &str) -> String {
    let new = format!("{:016x}{:016x}", chance.next(), chance.next());
    ids.insert(new.clone(), old.to_owned());
    new
}

/// The request with new ids.
pub(crate) fn outgoing(out: &Outgoing, chance: &mut Chance) -> (Outgoing, Ids) {
    let mut ids = Ids::new();
    let mut out = out.clone();
    out.key = out.key.map(|old| fresh(chance, &mut ids, &old));
    if let (true, Ok(mut batch)) =
        (out.path.ends_with("/batch"), serde_json::from_slice::<Batch>(&out.body))
    {
        for entry in &mut batch.entries {
            entry.id = entry.id.as_ref().map(|old| fresh(chance, &mut ids, old));
        }
        out.body = serde_json::to_vec(&batch).unwrap_or_default();
    }
    (out, ids)
}

/// The answer with the ids that the agent knows.
pub(crate) fn incoming(mut answer: Incoming, ids: &Ids) -> Incoming {
    answer.entry = answer.entry.map(|new| ids.get(&new).cloned().unwrap_or(new));
    if let Ok(mut done) = serde_json::from_slice::<BatchDone>(&answer.body) {
        for result in &mut done.results {
            if let Some(old) = ids.get(&result.id) {
                result.id.clone_from(old);
            }
        }
        answer.body = serde_json::to_vec(&done).unwrap_or_default();
    }
    answer
}
