//! The settings of the checkout, from the environment (names and meanings of seed 002).

use std::path::PathBuf;
use std::time::Duration;

use crate::settings::BadSetting;

/// What the server knows about its checkout.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckoutSettings {
    /// `COORD_REPO_ROOT`: the work tree, or a folder in it.
    pub root: PathBuf,
    /// `COORD_REPO_SCOPE`: a pathspec of git below the root. With one, no share is judged.
    pub scope: Option<String>,
    /// `COORD_MAX_CLAIM_FILES`: most tracked files that one pattern may match.
    pub max_files: usize,
    /// `COORD_MAX_CLAIM_RATIO`: largest share of all files that one pattern, or all of a claim
    /// together, may match.
    pub max_ratio: f64,
    /// `COORD_LS_FILES_CACHE_TTL_SEC`: how long an answer of git is used.
    pub cache_ttl: Duration,
}

impl CheckoutSettings {
    /// The defaults for a root.
    pub fn of(root: PathBuf) -> Self {
        Self {
            root,
            scope: None,
            max_files: 100,
            max_ratio: 0.2,
            cache_ttl: Duration::from_secs(10),
        }
    }

    /// Reads the environment through `var`; `None` without a root.
    pub fn read(var: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, BadSetting> {
        let set =
            |name: &'static str| var(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let Some(root) = set("COORD_REPO_ROOT") else { return Ok(None) };
        let defaults = Self::of(PathBuf::from(root));
        let number = |name, default: f64| match set(name) {
            None => Ok(default),
            Some(value) => match value.parse::<f64>() {
                Ok(n) if n.is_finite() && n >= 0.0 => Ok(n),
                _ => Err(bad(name, value, "must be a number, 0 or greater")),
            },
        };
        let max_files = match set("COORD_MAX_CLAIM_FILES") {
            None => defaults.max_files,
            Some(value) => value.parse().map_err(|_| {
                bad("COORD_MAX_CLAIM_FILES", value, "must be a whole number, 0 or greater")
            })?,
        };
        let max_ratio = number("COORD_MAX_CLAIM_RATIO", defaults.max_ratio)?;
        let name = "COORD_LS_FILES_CACHE_TTL_SEC";
        let seconds = number(name, defaults.cache_ttl.as_secs_f64())?;
        let cache_ttl = Duration::try_from_secs_f64(seconds)
            .map_err(|e| bad(name, seconds.to_string(), &e.to_string()))?;
        let scope = set("COORD_REPO_SCOPE");
        Ok(Some(Self { scope, max_files, max_ratio, cache_ttl, ..defaults }))
    }
}

fn bad(name: &'static str, value: String, why: &str) -> BadSetting {
    BadSetting::Value { name, value, why: why.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Option<CheckoutSettings>, BadSetting> {
        CheckoutSettings::read(&|name| {
            vars.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn without_a_root_there_is_none() {
        assert_eq!(read(&[]).unwrap(), None);
        assert_eq!(
            read(&[("COORD_REPO_ROOT", " "), ("COORD_MAX_CLAIM_FILES", "x")]).unwrap(),
            None
        );
        let found = read(&[("COORD_REPO_ROOT", "/r")]).unwrap().unwrap();
        assert_eq!(found, CheckoutSettings::of("/r".into()));
    }

    #[test]
    fn values() {
        let root = ("COORD_REPO_ROOT", "/r");
        let found = read(&[
            root,
            ("COORD_REPO_SCOPE", "src"),
            ("COORD_MAX_CLAIM_FILES", "7"),
            ("COORD_MAX_CLAIM_RATIO", "0.5"),
            ("COORD_LS_FILES_CACHE_TTL_SEC", "0.25"),
        ]);
        let found = found.unwrap().unwrap();
        assert_eq!((found.scope.as_deref(), found.max_files), (Some("src"), 7));
        assert!((found.max_ratio - 0.5).abs() < f64::EPSILON);
        assert_eq!(found.cache_ttl, Duration::from_millis(250));
        for (name, value) in [
            ("COORD_MAX_CLAIM_FILES", "-1"),
            ("COORD_MAX_CLAIM_RATIO", "NaN"),
            ("COORD_MAX_CLAIM_RATIO", "-0.1"),
            ("COORD_LS_FILES_CACHE_TTL_SEC", "1e300"),
        ] {
            let e = read(&[root, (name, value)]).unwrap_err();
            assert!(e.to_string().contains(name), "{e}");
        }
    }
}
