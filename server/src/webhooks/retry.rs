//! What becomes of an event after an attempt to send it.

use std::time::Duration;

use coord_protocol::time::Millis;

/// No pause between two attempts is longer, however often one failed.
const PAUSE_MAX: Duration = Duration::from_hours(24);

/// How often an event is tried.
#[derive(Debug, Clone, Copy)]
pub struct Retry {
    /// Attempts in all (`COORD_WEBHOOK_MAX_RETRIES`).
    pub attempts: u32,
    /// Pause after the first failure (`COORD_WEBHOOK_RETRY_BACKOFF_SEC`); it doubles with each one.
    pub backoff: Duration,
}

/// What becomes of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The receiver has it.
    Delivered,
    /// It is sent again at that time.
    Failed(Millis),
    /// It was tried often enough.
    Exhausted,
}

impl Retry {
    /// After an attempt at `now` that came after `failures` others.
    pub fn fate(&self, taken: bool, failures: u32, now: Millis) -> Fate {
        if taken {
            Fate::Delivered
        } else if failures.saturating_add(1) >= self.attempts {
            Fate::Exhausted
        } else {
            let factor = 2u32.checked_pow(failures).unwrap_or(u32::MAX);
            Fate::Failed(now.plus(self.backoff.saturating_mul(factor).min(PAUSE_MAX)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_attempts_with_pauses_that_double() {
        let retry = Retry { attempts: 5, backoff: Duration::from_mins(1) };
        let at = |failures| retry.fate(false, failures, Millis(1_000));
        let pauses = [60, 120, 240, 480].map(|s| Fate::Failed(Millis(1_000 + s * 1_000)));
        assert_eq!([at(0), at(1), at(2), at(3)], pauses);
        assert_eq!(at(4), Fate::Exhausted);
        assert_eq!(at(u32::MAX), Fate::Exhausted);
        assert_eq!(retry.fate(true, 4, Millis(0)), Fate::Delivered);
    }

    #[test]
    fn pauses_are_bounded() {
        let retry = Retry { attempts: u32::MAX, backoff: Duration::from_hours(20) };
        for failures in [3, 31, 32, 1_000_000] {
            let day = Fate::Failed(Millis(24 * 3_600_000));
            assert_eq!(retry.fate(false, failures, Millis(0)), day, "{failures}");
        }
    }
}
