//! `Retry-After`: seconds or a date, and everything else that servers write there (G18). Pure.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// Longest silence that a server can ask for.
const SILENCE_MAX: Duration = Duration::from_hours(1);
/// What a value without meaning stands for.
const MEANINGLESS: Duration = Duration::from_secs(30);

/// How long not to call. `date` is the same answer's `Date`: a date is read against the clock that
/// wrote it. A value that cannot be understood counts as 30 seconds, a huge one as an hour.
pub fn parse(value: &str, date: Option<&str>) -> Duration {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        let secs = value.parse::<u64>().unwrap_or(u64::MAX);
        return Duration::from_secs(secs).min(SILENCE_MAX);
    }
    match (moment(value), date.and_then(moment)) {
        (Some(then), Some(now)) => {
            let secs = u64::try_from(then.saturating_sub(now)).unwrap_or(0);
            Duration::from_secs(secs).min(SILENCE_MAX)
        }
        _ => MEANINGLESS,
    }
}

fn moment(text: &str) -> Option<i64> {
    DateTimeParser::new().parse_timestamp(text).ok().map(jiff::Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now = Some("Fri, 20 Nov 2026 18:00:00 GMT");
        let secs = |v, d| parse(v, d).as_secs();
        assert_eq!(secs("7", None), 7);
        assert_eq!(secs(" 0 ", None), 0);
        assert_eq!(secs("Fri, 20 Nov 2026 18:00:45 GMT", now), 45);
        assert_eq!(secs("Fri, 20 Nov 2026 17:00:00 GMT", now), 0);
        assert_eq!(secs("Fri, 20 Nov 2037 18:00:00 GMT", now), 3600);
        assert_eq!(secs("99999999999999999999999", None), 3600);
    }

    #[test]
    fn values_without_meaning_neither_crash_nor_silence_for_long() {
        for v in ["", "-5", "1.5", "soon", "0x10", "\u{663}", "Fri, 99 Nov 2026 18:00:00 GMT"] {
            assert!(parse(v, None) <= Duration::from_mins(1), "{v:?}");
        }
        assert_eq!(parse("Fri, 20 Nov 2026 18:00:45 GMT", None), MEANINGLESS);
    }
}
