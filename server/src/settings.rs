//! The server's settings, from the environment (names and meanings of seed 002; where a default is
//! safer than the seed's, docs/operations.md says so).

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use coord_protocol::lease::Ttl;

use crate::checkout::CheckoutSettings;
use crate::service::Rules;
use crate::service::rules::{Promotion, TeamRules};
use crate::webhooks::WebhookSettings;

/// What the server needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `COORD_HOST`, `COORD_PORT`.
    pub address: SocketAddr,
    /// `COORD_DATABASE_PATH`.
    pub database: PathBuf,
    /// `COORD_AUTH_TOKEN`; `None` without one and with `COORD_ALLOW_INSECURE_NO_AUTH`.
    pub token: Option<String>,
    /// `COORD_ALLOWED_HOSTS`: names, divided by commas, under which the server is reached.
    pub hosts: Vec<String>,
    /// `COORD_LOCK_TTL`, `COORD_STALE_AFTER`, `COORD_FILE_LOCK_TTL`, `COORD_SESSION_STALE_AFTER`.
    pub rules: Rules,
    /// `COORD_WEBHOOK_*`; `None`: off.
    pub webhooks: Option<WebhookSettings>,
    /// `COORD_REPO_ROOT` and what belongs to it.
    pub checkout: Option<CheckoutSettings>,
    /// `COORD_LOG_LEVEL`.
    pub log_level: String,
    /// `COORD_LOG_JSON`: one JSON object a line.
    pub log_json: bool,
    /// `COORD_HTTP`: which face speaks.
    pub face: String,
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadSetting {
    /// The value does not fit.
    #[error("{name}={value:?}: {why}")]
    Value {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What is wrong.
        why: String,
    },
    /// No token, and nobody said that this is meant.
    #[error(
        "no COORD_AUTH_TOKEN is set; set one, or say COORD_ALLOW_INSECURE_NO_AUTH=1 to let \
         everybody in who reaches the port"
    )]
    NoToken,
}

const DEFAULT_PORT: u16 = 8080;

impl Settings {
    /// Reads the environment through `var`; `database` is where the file lies by default.
    pub fn read(
        var: &dyn Fn(&str) -> Option<String>,
        database: PathBuf,
    ) -> Result<Self, BadSetting> {
        let set = |name| var(name).filter(|v| !v.trim().is_empty());
        let host: IpAddr = parsed(&set, "COORD_HOST", Ipv4Addr::LOCALHOST.into())?;
        let port: u16 = parsed(&set, "COORD_PORT", DEFAULT_PORT)?;
        let open = set("COORD_ALLOW_INSECURE_NO_AUTH").is_some_and(|v| yes(&v));
        let token = set("COORD_AUTH_TOKEN").map(|t| t.trim().to_owned());
        Ok(Self {
            address: SocketAddr::new(host, port),
            database: set("COORD_DATABASE_PATH").map_or(database, PathBuf::from),
            token: match (token, open) {
                (Some(t), _) => Some(t),
                (None, true) => None,
                (None, false) => return Err(BadSetting::NoToken),
            },
            hosts: set("COORD_ALLOWED_HOSTS")
                .map(|h| h.split(',').map(|n| n.trim().to_owned()).collect())
                .unwrap_or_default(),
            rules: Rules::read(var)?,
            checkout: checkout(var)?,
            webhooks: WebhookSettings::read(var)?,
            log_level: log_level(set("COORD_LOG_LEVEL"))?,
            log_json: set("COORD_LOG_JSON").is_some_and(|v| yes(&v)),
            face: set("COORD_HTTP").unwrap_or_default(),
        })
    }
}

impl Rules {
    /// Reads `COORD_LOCK_TTL`, `COORD_STALE_AFTER`, `COORD_FILE_LOCK_TTL` and
    /// `COORD_SESSION_STALE_AFTER`, all in seconds.
    pub fn read(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let set = |name: &'static str| var(name).filter(|v| !v.trim().is_empty());
        let seconds = |name, default: Duration| match parsed(&set, name, default.as_secs())? {
            0 => Err(BadSetting::Value {
                name,
                value: "0".to_owned(),
                why: "must be at least 1 second".to_owned(),
            }),
            secs => Ok(Duration::from_secs(secs)),
        };
        let defaults = Self::default();
        Ok(Self {
            ttl_default: seconds("COORD_LOCK_TTL", defaults.ttl_default)?,
            stale_after: seconds("COORD_STALE_AFTER", defaults.stale_after)?,
            file_ttl: seconds("COORD_FILE_LOCK_TTL", defaults.file_ttl)?,
            session_stale_after: seconds(
                "COORD_SESSION_STALE_AFTER",
                defaults.session_stale_after,
            )?,
            team: TeamRules::read(var)?,
            webhooks: None,
        })
    }
}

impl TeamRules {
    /// Reads the variables of seed 002; 0 means off where the field is an option.
    fn read(var: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let set = |name: &'static str| var(name).filter(|v| !v.trim().is_empty());
        let number = |name, default: u32| parsed(&set, name, default);
        let hours = |name, default: Duration| {
            let hours: f64 = parsed(&set, name, default.as_secs_f64() / 3600.0)?;
            match Ttl::from_hours(Some(hours), default) {
                Ok(Ttl::For(d)) => Ok(d),
                Ok(Ttl::None) | Err(_) => Err(BadSetting::Value {
                    name,
                    value: hours.to_string(),
                    why: "must be more than 0 and at most 720 hours".to_owned(),
                }),
            }
        };
        let seconds = |name, default: Option<Duration>| {
            let secs: u32 = parsed(&set, name, secs_of(default))?;
            Ok((secs > 0).then(|| Duration::from_secs(secs.into())))
        };
        let defaults = Self::default();
        let promotion = defaults.promotion;
        let short = Some(defaults.request_ttl_short);
        let no_chores = set("COORD_DISABLE_BACKGROUND_CLEANUP").is_some_and(|v| yes(&v));
        Ok(Self {
            ttl_default: hours("COORD_DEFAULT_TTL_HOURS", defaults.ttl_default)?,
            ttl_shared: hours("COORD_SHARED_TTL_HOURS", defaults.ttl_shared)?,
            idle_after: seconds("COORD_IDLE_TIMEOUT_SEC", defaults.idle_after)?,
            request_ttl_short: seconds("COORD_REQUEST_TTL_SHORT_SEC", short)?
                .unwrap_or(Duration::ZERO),
            age_boost: seconds("COORD_QUEUE_AGE_BOOST_SECONDS", defaults.age_boost)?,
            sweep_every: seconds("COORD_CLEANUP_INTERVAL_SEC", defaults.sweep_every)?
                .filter(|_| !no_chores),
            promotion: Promotion {
                threshold: number("COORD_AUTO_PROMOTE_THRESHOLD", promotion.threshold)?,
                window_days: number("COORD_AUTO_PROMOTE_WINDOW_DAYS", promotion.window_days)?,
                subtree_min_files: number(
                    "COORD_AUTO_PROMOTE_SUBTREE_MIN_FILES",
                    promotion.subtree_min_files,
                )?,
                demote_every: seconds("COORD_AUTO_DEMOTE_INTERVAL_SEC", promotion.demote_every)?
                    .filter(|_| !no_chores),
                demote_window_days: number(
                    "COORD_AUTO_DEMOTE_WINDOW_DAYS",
                    promotion.demote_window_days,
                )?,
            },
        })
    }
}

fn secs_of(span: Option<Duration>) -> u32 {
    span.map_or(0, |d| u32::try_from(d.as_secs()).unwrap_or(u32::MAX))
}

fn checkout(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<CheckoutSettings>, BadSetting> {
    let checkout = CheckoutSettings::read(var)?;
    match checkout.as_ref().filter(|c| !c.root.is_dir()) {
        None => Ok(checkout),
        Some(c) => Err(BadSetting::Value {
            name: "COORD_REPO_ROOT",
            value: c.root.display().to_string(),
            why: "is no folder".to_owned(),
        }),
    }
}

/// A level, or a filter of the form `target=level`.
fn log_level(asked: Option<String>) -> Result<String, BadSetting> {
    const LEVELS: [&str; 8] =
        ["error", "warn", "warning", "info", "debug", "trace", "off", "critical"];
    let level = asked.unwrap_or_else(|| "info".to_owned()).trim().to_ascii_lowercase();
    match level.as_str() {
        "warning" => Ok("warn".to_owned()),
        "critical" => Ok("error".to_owned()),
        l if l.contains('=') || LEVELS.contains(&l) => Ok(level),
        _ => Err(BadSetting::Value {
            name: "COORD_LOG_LEVEL",
            value: level,
            why: "must be error, warn, info, debug or trace".to_owned(),
        }),
    }
}

/// Whether a variable's text means yes.
pub fn yes(text: &str) -> bool {
    ["1", "true", "yes", "on"].iter().any(|y| text.trim().eq_ignore_ascii_case(y))
}

pub(crate) fn parsed<T: std::str::FromStr>(
    set: &dyn Fn(&'static str) -> Option<String>,
    name: &'static str,
    default: T,
) -> Result<T, BadSetting>
where
    T::Err: std::fmt::Display,
{
    let Some(value) = set(name) else { return Ok(default) };
    // People write localhost; what is meant is the loopback address.
    let text = if name == "COORD_HOST" && value.trim() == "localhost" {
        "127.0.0.1"
    } else {
        value.trim()
    };
    text.parse().map_err(|e: T::Err| BadSetting::Value {
        name,
        why: e.to_string(),
        value: value.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let vars: Vec<(String, String)> =
            vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Settings::read(
            &|name| vars.iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()),
            "default.db".into(),
        )
    }

    #[test]
    fn defaults_are_safe() {
        assert!(matches!(read(&[]), Err(BadSetting::NoToken)));
        let s = read(&[("COORD_AUTH_TOKEN", " t ")]).unwrap();
        assert_eq!(s.address.to_string(), "127.0.0.1:8080");
        assert_eq!(s.token.as_deref(), Some("t"));
        assert_eq!(s.database, PathBuf::from("default.db"));
    }

    #[test]
    fn values() {
        let s = read(&[
            ("COORD_ALLOW_INSECURE_NO_AUTH", "Yes"),
            ("COORD_PORT", "9"),
            ("COORD_HOST", "localhost"),
            ("COORD_LOCK_TTL", "60"),
        ])
        .unwrap();
        assert_eq!((s.token, s.address.to_string()), (None, "127.0.0.1:9".into()));
        assert_eq!(s.rules.ttl_default, Duration::from_mins(1));
        let e = read(&[("COORD_AUTH_TOKEN", "t"), ("COORD_PORT", "x")]).unwrap_err();
        assert!(e.to_string().contains("COORD_PORT"), "{e}");
        for name in [
            "COORD_LOCK_TTL",
            "COORD_STALE_AFTER",
            "COORD_FILE_LOCK_TTL",
            "COORD_SESSION_STALE_AFTER",
        ] {
            let e = read(&[("COORD_AUTH_TOKEN", "t"), (name, "0")]).unwrap_err();
            assert!(e.to_string().contains(name), "{e}");
        }
    }
}
