//! Where things lie (XDG base folders; docs/cli.md has the list).

use std::path::PathBuf;

use super::ConfigError;
use super::env::Env;

/// The user's folders.
#[derive(Debug, Clone)]
pub struct Paths {
    /// The home folder, when there is one.
    pub home: Option<PathBuf>,
    /// `COORD_STATE_DIR`, `COORD_HOME` (seed 002), or `coord` in the XDG state folder: breaker, token,
    /// log, server record.
    pub state: PathBuf,
    /// `data` in `COORD_HOME`, or `coord` in the XDG data folder: the database of a server started here.
    pub data: PathBuf,
    /// `coord` in the XDG config folder.
    pub config: PathBuf,
}

impl Paths {
    /// Finds them.
    pub fn find(env: &Env) -> Result<Self, ConfigError> {
        let home = env.path("HOME").filter(|h| h.is_absolute());
        let base = |variable: &str, under_home: &str| {
            env.path(variable)
                .filter(|p| p.is_absolute())
                .or_else(|| home.as_ref().map(|h| h.join(under_home)))
                .map(|p| p.join("coord"))
        };
        let seed = env.path("COORD_HOME").filter(|p| p.is_absolute());
        let state = env
            .path("COORD_STATE_DIR")
            .or_else(|| seed.clone())
            .or_else(|| base("XDG_STATE_HOME", ".local/state"))
            .ok_or(ConfigError::NoHome)?;
        let data = seed
            .map(|s| s.join("data"))
            .or_else(|| base("XDG_DATA_HOME", ".local/share"))
            .unwrap_or_else(|| state.clone());
        let config = base("XDG_CONFIG_HOME", ".config").unwrap_or_else(|| state.clone());
        Ok(Self { home, state, data, config })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn found_by_variable_or_home() {
        let p = Paths::find(&Env::of(&[("HOME", "/h"), ("XDG_DATA_HOME", "/d")])).unwrap();
        assert_eq!(p.state, PathBuf::from("/h/.local/state/coord"));
        assert_eq!(p.data, PathBuf::from("/d/coord"));
        let p = Paths::find(&Env::of(&[("COORD_STATE_DIR", "/s")])).unwrap();
        assert_eq!((p.state, p.data), ("/s".into(), "/s".into()));
        let p = Paths::find(&Env::of(&[("HOME", "/h"), ("COORD_HOME", "/c")])).unwrap();
        assert_eq!((p.state, p.data), ("/c".into(), "/c/data".into()));
        assert!(matches!(Paths::find(&Env::default()), Err(ConfigError::NoHome)));
    }
}
