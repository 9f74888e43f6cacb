//! Calls that are answered later. The writer keeps the slot, whoever serves the connection keeps the
//! hold; nobody's thread waits in between.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::api::Reply;
use crate::metrics::Waiting;

/// Takes the answer; called once.
type Tell = Box<dyn FnOnce(Reply) + Send>;

enum State {
    /// No answer yet, and nobody to give it to.
    Open,
    /// No answer yet; this takes it.
    Awaited(Tell),
    /// The answer, which nobody has taken yet.
    Ready(Box<Reply>),
    /// Answered and taken.
    Over,
    /// The caller is gone.
    Left,
}

/// Where the answer of a parked call will be.
pub struct Slot {
    id: String,
    state: Mutex<State>,
    /// Another connection has taken its place: that its own is gone means nothing.
    superseded: AtomicBool,
}

/// Parked calls whose callers are gone, for the writer to look through.
pub type Lefts = Arc<Mutex<Vec<Arc<Slot>>>>;

impl Slot {
    /// For the parked call of this name.
    pub fn new(id: &str) -> Arc<Self> {
        let superseded = AtomicBool::new(false);
        Arc::new(Self { id: id.to_owned(), state: Mutex::new(State::Open), superseded })
    }

    fn change(&self, f: impl FnOnce(State) -> State) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Over);
        *state = f(before);
    }

    /// What the call waits as.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Another connection takes its place; its own is told so.
    pub fn supersede(&self, reply: Reply) {
        self.superseded.store(true, Ordering::Release);
        self.complete(reply);
    }

    /// Whether another connection has its place.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// Gives the answer. False: the caller is gone, and will not hear it.
    pub fn complete(&self, reply: Reply) -> bool {
        let mut delivered = true;
        let mut tell = None;
        self.change(|state| match state {
            State::Awaited(t) => {
                tell = Some((t, reply));
                State::Over
            }
            State::Open => State::Ready(Box::new(reply)),
            State::Left => {
                delivered = false;
                State::Left
            }
            State::Ready(_) | State::Over => State::Over,
        });
        if let Some((tell, reply)) = tell {
            tell(reply);
        }
        delivered
    }
}

struct Inner {
    slot: Arc<Slot>,
    lefts: Lefts,
    /// Counts the call, and that it waits.
    waiting: OnceLock<Waiting>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let mut gone = false;
        self.slot.change(|state| match state {
            State::Over => State::Over,
            State::Open | State::Awaited(_) | State::Ready(_) | State::Left => {
                gone = true;
                State::Left
            }
        });
        if gone {
            let mut lefts = self.lefts.lock().unwrap_or_else(PoisonError::into_inner);
            lefts.push(Arc::clone(&self.slot));
        }
    }
}

/// A caller's hold on its parked call: when the last one is dropped without an answer, the caller has
/// left.
#[derive(Clone)]
pub struct Hold(Arc<Inner>);

impl Hold {
    /// On this slot.
    pub fn new(slot: Arc<Slot>, lefts: Lefts) -> Self {
        Self(Arc::new(Inner { slot, lefts, waiting: OnceLock::new() }))
    }

    /// Has the call counted: as waiting until the last hold is gone, and with its answer. To be said
    /// before [`Self::answer_to`].
    pub fn count(&self, waiting: Waiting) {
        // Of two the first counts: a call has one beginning.
        let _ = self.0.waiting.set(waiting);
    }

    /// Has this called with the answer, now or later.
    pub fn answer_to(&self, tell: impl FnOnce(Reply) + Send + 'static) {
        let mut now = None;
        let tally = self.0.waiting.get().map(Waiting::tally);
        let tell: Tell = Box::new(move |reply| {
            if let Some(tally) = tally {
                tally(reply.status);
            }
            tell(reply);
        });
        self.0.slot.change(|state| match state {
            State::Ready(reply) => {
                now = Some((tell, *reply));
                State::Over
            }
            State::Open | State::Awaited(_) => State::Awaited(tell),
            State::Over => State::Over,
            State::Left => State::Left,
        });
        if let Some((tell, reply)) = now {
            tell(reply);
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hold({})", self.0.slot.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    fn parked() -> (Arc<Slot>, Hold, Lefts) {
        let (slot, lefts) = (Slot::new("w"), Lefts::default());
        (Arc::clone(&slot), Hold::new(slot, Arc::clone(&lefts)), lefts)
    }

    #[test]
    fn an_answer_arrives_whoever_comes_first() {
        for early in [true, false] {
            let (slot, hold, lefts) = parked();
            let (tell, told) = channel();
            let wait = |hold: &Hold| hold.answer_to(move |r| tell.send(r.status).unwrap());
            if early {
                wait(&hold);
                assert!(slot.complete(Reply::error(404, "x")));
            } else {
                assert!(slot.complete(Reply::error(404, "x")));
                wait(&hold);
            }
            drop(hold);
            assert_eq!(told.try_recv(), Ok(404));
            assert!(lefts.lock().unwrap().is_empty());
        }
    }

    #[test]
    fn a_caller_that_left_is_known() {
        let (slot, hold, lefts) = parked();
        drop(hold);
        assert!(!slot.complete(Reply::error(404, "x")));
        assert_eq!(lefts.lock().unwrap().len(), 1);
        // Also when the answer lay ready and nobody took it.
        let (slot, hold, lefts) = parked();
        assert!(slot.complete(Reply::error(404, "x")));
        drop(hold);
        assert!(Arc::ptr_eq(&lefts.lock().unwrap()[0], &slot));
    }
}
