//! Tells listeners that something was committed: what, they read themselves.

use std::sync::{Mutex, PoisonError};

/// Called after each commit that changed something, on the writer's thread: it must not wait.
pub type Listener = Box<dyn Fn() + Send>;

/// The listeners.
#[derive(Default)]
pub struct Pulse {
    listeners: Mutex<Vec<Listener>>,
}

impl Pulse {
    /// Calls this one too, from now on.
    pub fn listen(&self, listener: Listener) {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Something was committed.
    pub fn beat(&self) {
        for tell in self.listeners.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            tell();
        }
    }
}
