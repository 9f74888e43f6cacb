//! Writes that a look at a checkout comes before.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use tracing::error;

use super::{Job, WAITING_MAX, Work, WriteHandler, spawn};
use crate::api::{self, Reply, Resume};
use crate::checkout::Checkout;
use crate::edge::{LeaseClock, SystemClock};

/// A write on its way to a checkout.
pub(super) type Asking = (Box<Work<WriteHandler>>, Resume);

/// A thread of its own: git and the parser may take seconds, and nobody else is to wait for them.
pub(super) fn look_into(
    checkout: Checkout,
    clock: Arc<LeaseClock<SystemClock>>,
    to: SyncSender<Job>,
) -> SyncSender<Asking> {
    let (ask, asked) = sync_channel::<Asking>(WAITING_MAX);
    spawn("checkout", move || {
        while let Ok((mut work, resume)) = asked.recv() {
            let look = || api::examine(&checkout, &mut work.call, clock.now());
            if catch_unwind(AssertUnwindSafe(look)).is_err() {
                error!("a look at the checkout panicked; the claim goes on without it");
            }
            if let Err(e) = to.send(Job::Write(work, Some(resume)))
                && let Job::Write(w, _) = e.0
            {
                (w.done)(Reply::unavailable("Server"));
            }
        }
    });
    ask
}

/// What a checkout says of it comes first; then it goes on to the writer.
pub(super) fn ask_checkout(to: &SyncSender<Asking>, work: Box<Work<WriteHandler>>, resume: Resume) {
    match to.try_send((work, resume)) {
        Ok(()) => {}
        Err(TrySendError::Full((w, _)) | TrySendError::Disconnected((w, _))) => {
            (w.done)(Reply::unavailable("Server"));
        }
    }
}
