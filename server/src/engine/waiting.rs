//! Calls that wait for their answers: the writer looks after them with each group.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::writer::{Replies, Writer};
use crate::api::{self, Call, Print, Reply, Resume};
use crate::edge::OsRng;
use crate::parked::Slot;
use crate::service::Cx;
use crate::service::once::Parked;
use crate::store::{Stored, Tx};

/// While anybody waits, claims that are over by time are looked for this often.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// So long after an answer callers that left are looked for, though nobody waits any more.
const LINGER: Duration = Duration::from_secs(5);

/// A call that waits for its answer.
pub(super) struct ParkedCall {
    /// Without its body.
    pub(super) call: Call,
    pub(super) print: Print,
    pub(super) params: Vec<String>,
    pub(super) resume: Resume,
    pub(super) parked: Parked,
    pub(super) slot: Arc<Slot>,
}

impl Writer {
    /// Callers that left, claims that are over, and answers that have come: for all that wait.
    pub(super) fn look_after_parked(&mut self, state: &mut Stored<()>, replies: &mut Replies) {
        let left = std::mem::take(&mut *self.lefts.lock().unwrap_or_else(PoisonError::into_inner));
        for slot in left {
            let id = slot.id().to_owned();
            // Unless it has come again meanwhile, on another connection.
            let is_its = self.parked.get(&id).is_none_or(|p| Arc::ptr_eq(&p.slot, &slot));
            if is_its && !slot.is_superseded() {
                self.parked.remove(&id);
                self.inside(state, |tx, cx| api::caller_left(tx, cx, &id));
            }
            replies.left.push(slot);
        }
        if self.parked.is_empty() {
            self.woken.clear();
            return;
        }
        let now = self.clock.now();
        if now.since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.inside(state, api::look_after_waiters);
            let over = self.parked.values().filter(|p| p.parked.until <= now);
            self.woken.extend(over.map(|p| p.parked.id.clone()));
        }
        while let Some(id) = self.woken.pop() {
            let Some(p) = self.parked.get(&id) else { continue };
            if replies.late.iter().any(|(done, _)| *done == id) || state.is_err() {
                continue;
            }
            let cx = Cx::at(now, &self.rules, &OsRng);
            let tx = Tx::new(&self.conn);
            let answer = api::resume(&tx, &cx, &p.call, p.resume, &p.params, (&p.parked, &p.print));
            self.woken.extend(tx.take_woken());
            self.counts.add(tx.take_counts());
            match answer {
                Ok(Some(reply)) => replies.late.push((id, reply)),
                Ok(None) => {}
                Err(e) => *state = self.after_error(e),
            }
        }
    }

    pub(super) fn answer_parked(&mut self, id: &str, reply: Reply) {
        let Some(p) = self.parked.remove(id) else { return };
        // Until the answer was surely taken, its caller may turn out to have left.
        self.lingers_until = self.clock.now().plus(LINGER);
        if !p.slot.complete(reply) {
            // It left before it was heard: what it was granted ends with the next group.
            self.lefts.lock().unwrap_or_else(PoisonError::into_inner).push(p.slot);
        }
    }
}
