//! What the rules know of webhooks: who gets which events.

use std::sync::atomic::{AtomicBool, Ordering};

use super::WebhookSettings;

/// Where announced events are stored for.
#[derive(Debug)]
pub struct Outlet {
    /// Labels of the receivers; see [`super::address::Receiver::label`].
    receivers: Vec<String>,
    /// Types of events that are sent; `None`: all.
    events: Option<Vec<String>>,
    /// Something was stored since the last look.
    stored: AtomicBool,
}

impl Outlet {
    /// As the settings say.
    pub fn new(settings: &WebhookSettings) -> Self {
        Self {
            receivers: settings.receivers.iter().map(|r| r.label().to_owned()).collect(),
            events: settings.events.clone(),
            stored: AtomicBool::new(false),
        }
    }

    /// Whether events of this type are sent at all.
    pub fn wants(&self, kind: &str) -> bool {
        self.events.as_ref().is_none_or(|all| all.iter().any(|e| e == kind))
    }

    /// Labels of the receivers.
    pub fn receivers(&self) -> &[String] {
        &self.receivers
    }

    /// An event was stored, in a transaction that is not committed yet.
    pub fn note(&self) {
        self.stored.store(true, Ordering::Relaxed);
    }

    /// Whether something was stored since this was asked last. To be asked after a commit, on the
    /// thread that noted it.
    pub fn take_note(&self) -> bool {
        self.stored.load(Ordering::Relaxed) && self.stored.swap(false, Ordering::Relaxed)
    }
}
