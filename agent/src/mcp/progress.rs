//! What a call says while it is worked on, and whether its caller still waits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::ui::aside::Aside;

/// Between the thread that works on a call and the loop that speaks with the client.
pub(super) struct Progress {
    /// The latest words.
    words: Mutex<Option<String>>,
    is_over: AtomicBool,
    /// Tells the loop that there is something to say.
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Progress {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self { words: Mutex::new(None), is_over: AtomicBool::new(false), wake: Box::new(wake) }
    }

    /// The caller has lost interest.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// What was said last.
    pub(super) fn words(&self) -> Option<String> {
        self.words.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Aside for Progress {
    fn say(&self, words: &str) {
        *self.words.lock().unwrap_or_else(PoisonError::into_inner) = Some(words.to_owned());
        (self.wake)();
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn can_end(&self) -> bool {
        true
    }
}
