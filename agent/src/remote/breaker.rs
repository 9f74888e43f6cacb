//! The breaker: after a failure no process of this workstation calls the same server until its time
//! (G17 to G19). Its state is one small file, written in place; a missing, damaged or impossible
//! file means closed.

use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::time::Millis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::NetError;
use super::local::LOCAL;
use crate::outbox::disk::{Disk, Share};

/// Rest after the first failure; doubled with each further one ...
const REST_FIRST: Duration = Duration::from_secs(5);
/// ... up to this.
const REST_MAX: Duration = Duration::from_mins(5);
/// No rest, not even one that the server asked for, is longer than this.
const SILENCE_MAX: Duration = Duration::from_hours(1);
/// A server that does not answer within this time counts as away.
const FAIR_CALL: Duration = Duration::from_secs(1);
/// While one process tries, the others wait this long for what it finds.
const PROBE_HOLD: Duration = Duration::from_secs(3);

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Failures in a row.
    fails: u32,
    /// When the rest began, by this workstation's wall clock.
    since: Millis,
    /// The same with milliseconds, for the arithmetic.
    since_ms: i64,
    /// How long it lasts.
    rest_ms: u64,
    /// The server itself asked for this silence.
    asked: bool,
    /// What went wrong.
    why: String,
}

/// With what right the server is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// Any command or hook: keeps to every rest.
    Anybody,
    /// A person asks for it now: keeps to silence that the server asked for, not to our own rest.
    Person,
    /// A person insists.
    Force,
}

/// Whether the server may be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum May {
    /// Yes.
    Call,
    /// Not for so long, because of this.
    Rest(Duration, String),
}

impl State {
    /// What is left of the rest. A clock that stepped back ends it: nobody is silenced by a clock.
    fn left(&self, now: Millis) -> Duration {
        let rest = Duration::from_millis(self.rest_ms).min(SILENCE_MAX);
        if now.0 < self.since_ms {
            return Duration::ZERO;
        }
        rest.saturating_sub(now.since(Millis(self.since_ms)))
    }

    fn new(fails: u32, now: Millis, rest: Duration, asked: bool, why: &str) -> Self {
        let rest_ms = u64::try_from(rest.min(SILENCE_MAX).as_millis()).unwrap_or(u64::MAX);
        Self { fails, since: now, since_ms: now.0, rest_ms, asked, why: why.to_owned() }
    }

    fn binds(&self, leave: Leave) -> bool {
        match leave {
            Leave::Anybody => true,
            Leave::Person => self.asked,
            Leave::Force => false,
        }
    }

    /// The state after one more failure. `asked` is the server's own Retry-After; `chance` spreads
    /// the workstations: up to a fifth is added.
    pub fn after_failure(
        before: Option<&Self>,
        now: Millis,
        asked: Option<Duration>,
        why: &str,
        chance: u64,
    ) -> Self {
        let fails = before.map_or(0, |b| b.fails).saturating_add(1);
        let doubled = REST_FIRST.saturating_mul(1u32.checked_shl(fails - 1).unwrap_or(u32::MAX));
        let own = doubled.min(REST_MAX);
        let spread = own / 5 * u32::try_from(chance % 1000).unwrap_or(0) / 1000;
        let rest = asked.map_or(own + spread, |a| a.max(Duration::from_secs(1)));
        Self::new(fails, now, rest, asked.is_some(), why)
    }
}

/// A short name for a text, such as an address, in file names.
pub fn short_hash(text: &str) -> u32 {
    Sha256::digest(text.as_bytes()).iter().take(4).fold(0, |n, b| (n << 8) | u32::from(*b))
}

/// The breaker of one server.
pub struct Breaker<'a> {
    disk: &'a dyn Disk,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    name: String,
    /// It guards this workstation's own store, which is busy at times and never away.
    is_local: bool,
}

impl<'a> Breaker<'a> {
    /// The breaker for a base address, kept in the state folder.
    pub fn new(disk: &'a dyn Disk, clock: &'a dyn Clock, rng: &'a dyn Rng, base: &str) -> Self {
        let name = format!("breaker-{:08x}.json", short_hash(base));
        Self { disk, clock, rng, name, is_local: base == LOCAL }
    }

    fn state(&self) -> Option<State> {
        let bytes = self.disk.read(&self.name, 0).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Whether the breaker is open, without asking for leave to call.
    pub fn resting(&self) -> Option<(Duration, String)> {
        let state = self.state()?;
        let left = state.left(self.clock.wall());
        (!left.is_zero()).then_some((left, state.why))
    }

    /// Asks for leave to call. After a rest, one process gets it; the others go on resting until
    /// that one has found out.
    pub fn ask(&self, leave: Leave) -> May {
        let Some(state) = self.state() else { return May::Call };
        let left = state.left(self.clock.wall());
        if !left.is_zero() && state.binds(leave) {
            return May::Rest(left, state.why);
        }
        let lock = self.disk.lock(&format!("{}.lock", self.name), Share::Exclusive, Duration::ZERO);
        match lock {
            Ok(Some(_guard)) => {
                // Somebody may have found out, or begun to, between our look and the lock.
                match self.state() {
                    Some(now) if now == state => {}
                    Some(now) if now.binds(leave) => {
                        return May::Rest(now.left(self.clock.wall()), now.why);
                    }
                    Some(_) => {}
                    None => return May::Call,
                }
                let hold =
                    State::new(state.fails, self.clock.wall(), PROBE_HOLD, false, &state.why);
                self.write(&hold);
                May::Call
            }
            Ok(None) => May::Rest(PROBE_HOLD, state.why),
            // No state folder to lock in: without memory every call is allowed.
            Err(_) => May::Call,
        }
    }

    /// The server answered: calls are allowed again.
    pub fn succeeded(&self) {
        if self.disk.len(&self.name).ok().flatten().is_some() {
            let _ = self.disk.unlink(&self.name);
        }
    }

    /// The server did not answer, or asked for silence.
    pub fn failed(&self, why: &str, asked: Option<Duration>) {
        if self.is_local {
            return;
        }
        let before = self.state();
        let now = self.clock.wall();
        self.write(&State::after_failure(before.as_ref(), now, asked, why, self.rng.u64()));
    }

    /// What cannot be written is forgotten: the next process tries the server itself.
    /// No answer came in the time that was given for it. A time-out that we cut short ourselves says
    /// nothing about the server: a healthy one may be far away.
    pub fn no_answer(&self, e: &NetError, given: Duration) {
        if !matches!(e, NetError::Timeout(_)) || given >= FAIR_CALL {
            self.failed(&e.to_string(), None);
        }
    }

    fn write(&self, state: &State) {
        if let Ok(text) = serde_json::to_string(state) {
            let _ = self.disk.put(&self.name, text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest_of(s: &State) -> u64 {
        s.rest_ms / 1000
    }

    #[test]
    fn rests_double_and_end() {
        let mut s: Option<State> = None;
        let mut rests = Vec::new();
        for _ in 0..9 {
            s = Some(State::after_failure(s.as_ref(), Millis(0), None, "x", 0));
            rests.push(rest_of(s.as_ref().unwrap()));
        }
        assert_eq!(rests, [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn the_server_may_ask_for_more_or_less() {
        let ask = |d| rest_of(&State::after_failure(None, Millis(0), Some(d), "x", 0));
        assert_eq!(ask(Duration::from_secs(30)), 30);
        assert_eq!(ask(Duration::ZERO), 1);
        assert_eq!(ask(Duration::from_secs(1_000_000)), 3600);
    }

    #[test]
    fn clocks_silence_nobody() {
        let s = State::after_failure(None, Millis(1_000_000), None, "x", 0);
        assert_eq!(s.left(Millis(1_001_000)).as_secs(), 4);
        assert_eq!(s.left(Millis(1_005_000)), Duration::ZERO);
        assert_eq!(s.left(Millis(999_999)), Duration::ZERO);
        let forged = State { rest_ms: u64::MAX, ..s };
        assert!(forged.left(Millis(1_000_000)) <= SILENCE_MAX);
    }
}
