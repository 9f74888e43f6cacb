//! Keeps tests that load the machine and tests that measure time out of each other's way.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static MACHINE: RwLock<()> = RwLock::new(());

/// Held by a test that keeps all cores busy.
pub(super) fn busy() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Held by tests that measure how long a command takes.
pub(super) fn calm() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Numbers that look random and are the same in each run (xorshift).
pub(super) struct Chance(u64);

impl Chance {
    /// From a seed other than 0.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n.max(1)
    }
}
