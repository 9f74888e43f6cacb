//! What a running engine does now and then without being asked.

use std::time::Duration;

use coord_protocol::time::Millis;

use super::claims::queue;
use super::{Cx, hotspots, reaping};
use crate::store::{Stored, Tx};

/// Waiters are known so long after they ceased to wait.
const WAITERS_KEPT: Duration = Duration::from_hours(7 * 24);
/// Rows that are forgotten in one go.
const FORGET_STEP: usize = 10_000;

/// When each was last done.
#[derive(Debug, Clone, Copy)]
pub struct Chores {
    swept: Millis,
    demoted: Millis,
}

impl Chores {
    /// All done at `now`.
    pub fn new(now: Millis) -> Self {
        Self { swept: now, demoted: now }
    }

    /// Whether any is due.
    pub fn are_due(&self, cx: &Cx<'_>) -> bool {
        self.is_sweep_due(cx) || self.is_demotion_due(cx)
    }

    fn is_sweep_due(&self, cx: &Cx<'_>) -> bool {
        cx.rules.team.sweep_every.is_some_and(|each| cx.now.since(self.swept) >= each)
    }

    fn is_demotion_due(&self, cx: &Cx<'_>) -> bool {
        let each = cx.rules.team.promotion.demote_every;
        each.is_some_and(|each| cx.now.since(self.demoted) >= each)
    }

    /// Does what is due: claims that are over end, old attempts are forgotten, shared files that are
    /// not hot any more cease to be.
    pub fn run(&mut self, tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
        if self.is_sweep_due(cx) {
            self.swept = cx.now;
            reaping::sweep(tx, cx)?;
            hotspots::forget_old_attempts(tx, cx.now)?;
            tx.forget_waiters(cx.now.before(WAITERS_KEPT), FORGET_STEP)?;
        }
        if self.is_demotion_due(cx) {
            self.demoted = cx.now;
            hotspots::demote(tx, cx)?;
        }
        queue::serve(tx, cx)
    }
}
