//! Lease arithmetic: how long a claim lasts and when its holder counts as gone. All of it is judged
//! by one clock, the one of the engine that granted (design 4, "Clocks").

use std::time::Duration;

use crate::time::Millis;

/// Time to live when the caller names none (seed 000: 2 hours).
pub const TTL_DEFAULT: Duration = Duration::from_hours(2);
/// The same of a file (seed 003: 5 minutes); any sign of life of its session renews it.
pub const FILE_TTL_DEFAULT: Duration = Duration::from_mins(5);
/// A session that was silent for longer is stale (seed 003: 5 minutes).
pub const SESSION_STALE_AFTER_DEFAULT: Duration = Duration::from_mins(5);
/// Longest time to live; 0 hours on the wire means none at all.
pub const TTL_MAX: Duration = Duration::from_hours(720);
/// A lock without activity for this long is abandoned (seed 000: 2 hours).
pub const STALE_AFTER_DEFAULT: Duration = Duration::from_hours(2);
/// What every live lease gets again at least after the engine was restarted (G23).
pub const RESTART_GRACE: Duration = Duration::from_mins(1);

/// How long a claim lasts from its grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ttl {
    /// Until released.
    None,
    /// For this long after the grant or the last extension.
    For(Duration),
}

/// The hours are not a number of hours that a lease can have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("ttl_hours must be 0 (no expiry) or a number up to 720, not {0}")]
pub struct BadTtl(pub f64);

impl Ttl {
    /// From the wire's `ttl_hours`: absent is `default`, 0 is none.
    pub fn from_hours(hours: Option<f64>, default: Duration) -> Result<Self, BadTtl> {
        let Some(h) = hours else { return Ok(Self::For(default)) };
        if h == 0.0 {
            return Ok(Self::None);
        }
        let secs = h * 3600.0;
        // Written so that NaN fails too.
        if !(secs >= 0.001 && secs <= TTL_MAX.as_secs_f64()) {
            return Err(BadTtl(h));
        }
        Ok(Self::For(Duration::from_secs_f64(secs)))
    }

    /// When a lease granted (or extended) at `now` ends.
    pub fn expiry(self, now: Millis) -> Option<Millis> {
        match self {
            Self::None => None,
            Self::For(d) => Some(now.plus(d)),
        }
    }

    /// Milliseconds for storage; 0 is none.
    pub fn as_millis(self) -> i64 {
        match self {
            Self::None => 0,
            Self::For(d) => i64::try_from(d.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

/// How a lease stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its holder has it.
    Live,
    /// Its time is over.
    Expired,
    /// Its holder was silent for too long: note it, release it, proceed.
    Stale,
}

/// Judges a lease: `expires_at` from [`Ttl::expiry`], `last_activity` the holder's last sign.
pub fn standing(
    now: Millis,
    expires_at: Option<Millis>,
    last_activity: Millis,
    stale_after: Duration,
) -> Standing {
    if expires_at.is_some_and(|e| e <= now) {
        Standing::Expired
    } else if now.since(last_activity) > stale_after {
        Standing::Stale
    } else {
        Standing::Live
    }
}

/// Whether the holder may still say "held" without asking (G24): not in the last 5 % of the lease, at
/// least 1 s. `now` is the holder's idea of the granting clock, which is late, never early.
pub fn surely_held(now: Millis, expires_at: Option<Millis>, ttl_ms: i64) -> bool {
    let margin = (ttl_ms / 20).max(1_000);
    expires_at.is_none_or(|e| now.0 < e.0.saturating_sub(margin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 3_600_000;

    #[test]
    fn hours_on_the_wire() {
        let ttl = |h| Ttl::from_hours(h, TTL_DEFAULT);
        assert_eq!(ttl(None), Ok(Ttl::For(TTL_DEFAULT)));
        assert_eq!(ttl(Some(0.0)), Ok(Ttl::None));
        assert_eq!(ttl(Some(0.5)), Ok(Ttl::For(Duration::from_mins(30))));
        for bad in [-1.0, 721.0, f64::INFINITY, f64::NAN, 1e-9] {
            assert!(ttl(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_holder_says_held_only_while_it_is_sure() {
        let sure = |now, exp: i64, ttl| surely_held(Millis(now), Some(Millis(exp)), ttl);
        assert!(sure(94_999, 100_000, 100_000));
        assert!(!sure(95_000, 100_000, 100_000));
        assert!(sure(8_999, 10_000, 2_000) && !sure(9_000, 10_000, 2_000));
        assert!(surely_held(Millis(i64::MAX), None, 0));
    }

    #[test]
    fn standing_at_the_borders() {
        let judge = |now, exp: Option<i64>, act| {
            standing(Millis(now), exp.map(Millis), Millis(act), STALE_AFTER_DEFAULT)
        };
        assert_eq!(judge(10, Some(11), 0), Standing::Live);
        assert_eq!(judge(11, Some(11), 0), Standing::Expired);
        assert_eq!(judge(2 * H, None, 0), Standing::Live);
        assert_eq!(judge(2 * H + 1, None, 0), Standing::Stale);
        // A clock that stepped back never ends a lease.
        assert_eq!(judge(-5 * H, Some(11), 0), Standing::Live);
    }
}
