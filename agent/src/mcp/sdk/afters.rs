//! What is to be done once an answer was written: only then it counts as handed over.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::RequestId;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::mcp::desk::After;

/// By request, and what is being done.
#[derive(Default)]
pub(super) struct Afters {
    kept: Mutex<HashMap<RequestId, After>>,
    running: Mutex<JoinSet<()>>,
}

impl Afters {
    /// A request begins: what an earlier one of this id left is void.
    pub(super) fn begin(&self, id: &RequestId) {
        lock(&self.kept).remove(id);
    }

    /// Its answer is ready.
    pub(super) fn keep(&self, id: RequestId, after: After) {
        lock(&self.kept).insert(id, after);
    }

    /// Its answer was written.
    pub(super) fn written(&self, id: &RequestId) {
        let Some(after) = lock(&self.kept).remove(id) else { return };
        let mut running = lock(&self.running);
        while running.try_join_next().is_some() {}
        running.spawn_blocking(after);
    }

    /// Waits until all is done, but not longer than this.
    pub(super) async fn done(&self, within: Duration) {
        let mut running = std::mem::take(&mut *lock(&self.running));
        // What is not noted by then is shown once more.
        let _ = timeout(within, async { while running.join_next().await.is_some() {} }).await;
        running.detach_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
