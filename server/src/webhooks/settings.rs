//! The settings of webhooks (names and defaults of seed 002; `COORD_WEBHOOK_ALLOW_HOSTS` is ours).

use std::fmt;
use std::time::Duration;

use super::address::{AllowList, Receiver};
use super::retry::Retry;
use crate::settings::{BadSetting, parsed};

/// More receivers than this are a mistake: each has a thread of its own.
const RECEIVERS_MAX: usize = 16;
const ATTEMPTS_DEFAULT: u32 = 5;
const ATTEMPTS_MAX: u32 = 100;
const BACKOFF_SECS_DEFAULT: u32 = 60;
const INTERVAL_SECS_DEFAULT: u32 = 5;
/// Longest pause that can be asked for: a day.
const SECS_MAX: u32 = 86_400;

/// What is sent where.
#[derive(Debug, Clone)]
pub struct WebhookSettings {
    /// `COORD_WEBHOOK_URL`: who gets events; 1 to 16.
    pub receivers: Vec<Receiver>,
    /// `COORD_WEBHOOK_SECRET`: what deliveries are signed with.
    pub secret: Option<Secret>,
    /// `COORD_WEBHOOK_EVENTS`: types that are sent; `None`: all.
    pub events: Option<Vec<String>>,
    /// `COORD_WEBHOOK_MAX_RETRIES`, `COORD_WEBHOOK_RETRY_BACKOFF_SEC`.
    pub retry: Retry,
    /// `COORD_WEBHOOK_DELIVERY_INTERVAL_SEC`: a lane that has nothing to do looks again after this.
    pub interval: Duration,
}

/// A text that is never shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps it.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// For signing.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl WebhookSettings {
    /// Reads the environment through `var`; `None`: webhooks are off.
    pub fn read(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, BadSetting> {
        let set = |name: &'static str| var(name).filter(|v| !v.trim().is_empty());
        let allow = AllowList::parse(&set("COORD_WEBHOOK_ALLOW_HOSTS").unwrap_or_default())
            .map_err(|why| bad("COORD_WEBHOOK_ALLOW_HOSTS", why))?;
        let receivers = receivers(&names(set("COORD_WEBHOOK_URL")), &allow)?;
        let bounded = |name, default: u32, least: u32, most: u32| {
            let n = parsed(&set, name, default)?;
            if (least..=most).contains(&n) {
                return Ok(n);
            }
            let why = format!("must be {least} to {most}");
            Err(BadSetting::Value { name, value: n.to_string(), why })
        };
        let seconds = |name, default, least| {
            bounded(name, default, least, SECS_MAX).map(|n| Duration::from_secs(n.into()))
        };
        let events = names(set("COORD_WEBHOOK_EVENTS"));
        let settings = Self {
            receivers,
            secret: set("COORD_WEBHOOK_SECRET").map(Secret::new),
            events: (!events.is_empty()).then_some(events),
            retry: Retry {
                attempts: bounded("COORD_WEBHOOK_MAX_RETRIES", ATTEMPTS_DEFAULT, 1, ATTEMPTS_MAX)?,
                backoff: seconds("COORD_WEBHOOK_RETRY_BACKOFF_SEC", BACKOFF_SECS_DEFAULT, 0)?,
            },
            interval: seconds("COORD_WEBHOOK_DELIVERY_INTERVAL_SEC", INTERVAL_SECS_DEFAULT, 1)?,
        };
        if settings.receivers.is_empty() {
            return Ok(None);
        }
        if cfg!(not(feature = "webhooks")) {
            return Err(bad("COORD_WEBHOOK_URL", "this build cannot send webhooks".to_owned()));
        }
        Ok(Some(settings))
    }
}

fn receivers(urls: &[String], allow: &AllowList) -> Result<Vec<Receiver>, BadSetting> {
    let name = "COORD_WEBHOOK_URL";
    if urls.len() > RECEIVERS_MAX {
        return Err(bad(name, format!("names more than {RECEIVERS_MAX} receivers")));
    }
    let mut all: Vec<Receiver> = Vec::new();
    for (at, url) in urls.iter().enumerate() {
        let receiver = Receiver::parse(url, allow)
            .map_err(|why| bad(name, format!("address {} {why}", at + 1)))?;
        // The same one twice is one receiver.
        if all.iter().all(|r| r.label() != receiver.label()) {
            all.push(receiver);
        }
    }
    Ok(all)
}

/// Names divided by commas, blanks around them left out.
fn names(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

/// The value is not shown: paths of such addresses are often secrets.
fn bad(name: &'static str, why: String) -> BadSetting {
    BadSetting::Value { name, value: "...".to_owned(), why }
}

#[cfg(feature = "webhooks")]
#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<WebhookSettings>, BadSetting> {
        let find = |name: &str| vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned());
        WebhookSettings::read(&find)
    }

    const URL: (&str, &str) = ("COORD_WEBHOOK_URL", "https://a.example/x, http://b.lan:1/y ,");
    const LIST: (&str, &str) = ("COORD_WEBHOOK_ALLOW_HOSTS", "b.lan:1");

    #[test]
    fn off_unless_there_is_an_address() {
        assert!(read(&[]).unwrap().is_none());
        assert!(read(&[("COORD_WEBHOOK_URL", " , "), LIST]).unwrap().is_none());
    }

    #[test]
    fn defaults_are_those_of_the_seed() {
        let s = read(&[URL, LIST]).unwrap().unwrap();
        let labels: Vec<_> = s.receivers.iter().map(|r| r.label().split('#').next()).collect();
        assert_eq!(labels, [Some("https://a.example:443"), Some("http://b.lan:1")]);
        assert_eq!((s.retry.attempts, s.retry.backoff), (5, Duration::from_mins(1)));
        assert_eq!(s.interval, Duration::from_secs(5));
        assert!(s.secret.is_none() && s.events.is_none());
    }

    #[test]
    fn values() {
        let s = read(&[
            URL,
            LIST,
            ("COORD_WEBHOOK_EVENTS", " claim_granted , ,auto-narrow"),
            ("COORD_WEBHOOK_SECRET", "s3cret"),
            ("COORD_WEBHOOK_RETRY_BACKOFF_SEC", "0"),
        ]);
        let s = s.unwrap().unwrap();
        assert_eq!(s.events.as_deref().unwrap(), ["claim_granted", "auto-narrow"]);
        assert_eq!(s.secret.as_ref().unwrap().bytes(), b"s3cret");
        assert!(!format!("{s:?}").contains("s3cret"));
        let twice = read(&[("COORD_WEBHOOK_URL", "https://a.example/x,https://a.example/x")]);
        assert_eq!(twice.unwrap().unwrap().receivers.len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_named_but_not_shown() {
        for (name, value) in [
            ("COORD_WEBHOOK_URL", "http://a.example/s3cret"),
            ("COORD_WEBHOOK_URL", "https://127.0.0.1/s3cret"),
            ("COORD_WEBHOOK_ALLOW_HOSTS", "http://s3cret/"),
            ("COORD_WEBHOOK_MAX_RETRIES", "0"),
            ("COORD_WEBHOOK_MAX_RETRIES", "x"),
            ("COORD_WEBHOOK_RETRY_BACKOFF_SEC", "86401"),
            ("COORD_WEBHOOK_DELIVERY_INTERVAL_SEC", "0"),
        ] {
            let why = read(&[(name, value), URL, LIST]).unwrap_err().to_string();
            assert!(why.contains(name), "{why}");
            assert!(name.ends_with("HOSTS") || !why.contains("s3cret"), "{why}");
        }
        let many = vec!["https://a.example/"; 17].join(",");
        assert!(read(&[("COORD_WEBHOOK_URL", &many)]).is_err());
    }
}

#[cfg(not(feature = "webhooks"))]
#[cfg(test)]
mod tests_without {
    use super::*;

    #[test]
    fn a_build_that_cannot_send_says_so() {
        let url = |name: &str| (name == "COORD_WEBHOOK_URL").then(|| "https://a.example/".into());
        let why = WebhookSettings::read(&url).unwrap_err().to_string();
        assert!(why.contains("COORD_WEBHOOK_URL") && why.contains("cannot send"), "{why}");
        assert!(WebhookSettings::read(&|_| None).unwrap().is_none());
    }
}
