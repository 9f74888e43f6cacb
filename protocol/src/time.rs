//! Moments as whole milliseconds, and their text form on the wire.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// A moment: milliseconds since 1970-01-01T00:00:00Z. On the wire an RFC 3339 text in UTC with
/// whole seconds (seed 000); reading accepts fractions and offsets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub i64);

/// The text is not an RFC 3339 moment.
#[derive(Debug, thiserror::Error)]
#[error("not an RFC 3339 time: {0:?}")]
pub struct BadTime(String);

impl Millis {
    /// This moment plus `d`, saturating.
    pub fn plus(self, d: Duration) -> Self {
        Self(self.0.saturating_add(millis(d)))
    }

    /// This moment less `d`, saturating.
    pub fn before(self, d: Duration) -> Self {
        Self(self.0.saturating_sub(millis(d)))
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Whether it lies in the years 1970 to 9999, as every time of a clock that works.
    pub fn is_plausible(self) -> bool {
        self.0 >= 0 && Timestamp::from_millisecond(self.0).is_ok()
    }

    /// Reads an RFC 3339 text, or what stands for a moment that has none.
    pub fn parse(text: &str) -> Result<Self, BadTime> {
        let number = text.strip_prefix('@').and_then(|t| t.strip_suffix("ms"));
        if let Some(n) = number.and_then(|t| t.parse().ok()) {
            return Ok(Self(n));
        }
        let t: Timestamp = text.parse().map_err(|_| BadTime(text.to_owned()))?;
        Ok(Self(t.as_millisecond()))
    }
}

fn millis(d: Duration) -> i64 {
    i64::try_from(d.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Timestamp::from_second(self.0.div_euclid(1000)) {
            Ok(t) => write!(f, "{t}"),
            // Beyond jiff's years ±9999: only a broken clock gets here; show the number.
            Err(_) => write!(f, "@{}ms", self.0),
        }
    }
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_utc_with_whole_seconds() {
        assert_eq!(Millis(1_778_599_800_999).to_string(), "2026-05-12T15:30:00Z");
        assert_eq!(Millis::parse("2026-05-12T15:30:00Z").unwrap(), Millis(1_778_599_800_000));
        assert_eq!(
            Millis::parse("2026-05-12T17:30:00.5+02:00").unwrap(),
            Millis(1_778_599_800_500)
        );
        assert!(Millis::parse("yesterday").is_err());
        assert!(Millis::parse("@ms").is_err());
        // What no calendar has is shown as it is, and read again.
        for odd in [i64::MAX, i64::MIN] {
            assert_eq!(Millis::parse(&Millis(odd).to_string()).unwrap(), Millis(odd));
            assert!(!Millis(odd).is_plausible());
        }
        assert!(Millis(0).is_plausible() && !Millis(-1).is_plausible());
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Millis(i64::MAX).plus(Duration::from_secs(1)), Millis(i64::MAX));
        assert_eq!(Millis(5).since(Millis(9)), Duration::ZERO);
        assert_eq!(Millis(i64::MAX).to_string(), format!("@{}ms", i64::MAX));
    }
}
