//! The environment, read through one value so that tests need no process of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Variables. An empty one counts as not set.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<String, String>);

impl Env {
    /// Of this process. Variables that are not text are left out.
    pub fn of_process() -> Self {
        let text = |(k, v): (std::ffi::OsString, std::ffi::OsString)| {
            Some((k.into_string().ok()?, v.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// Made up.
    pub fn of(vars: &[(&str, &str)]) -> Self {
        Self(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    /// A variable's text, when it is set and not blank.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// The first of these that is set to something: placeholders of seed 002's templates are nothing.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        const PLACEHOLDERS: [&str; 2] = ["set-me", "example-org/example-repo"];
        names.iter().filter_map(|n| self.get(n)).find(|v| !PLACEHOLDERS.contains(v))
    }

    /// A variable that names a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }
}
