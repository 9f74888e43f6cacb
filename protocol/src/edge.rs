//! The traits behind which time and chance live, so that the simulation can replace them.

use std::time::Duration;

use crate::id::{Uuid, uuid_v7};
use crate::time::Millis;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// Wall clock time: for display and for what other machines will read. It may step.
    fn wall(&self) -> Millis;
    /// Time since boot, suspend included. It never steps; use it for durations.
    fn boot(&self) -> Millis;
    /// Blocks the caller for `d`.
    fn sleep(&self, d: Duration);
}

/// Where randomness comes from.
pub trait Rng: Send + Sync {
    /// 64 fresh random bits.
    fn u64(&self) -> u64;
}

/// Makes a fresh `UUIDv7` from a clock and a random source.
pub fn fresh_id(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    id_at(clock.wall(), rng)
}

/// Makes a `UUIDv7` for a given moment.
pub fn id_at(now: Millis, rng: &dyn Rng) -> Uuid {
    let (a, b) = (rng.u64().to_le_bytes(), rng.u64().to_le_bytes());
    let mut random = [0u8; 10];
    random[..8].copy_from_slice(&a);
    random[8..].copy_from_slice(&b[..2]);
    uuid_v7(now, random)
}
