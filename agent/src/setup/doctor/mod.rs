//! `coord doctor`: each thing that has to be right, in one line, with what mends it. It looks, and
//! changes nothing.

mod claude;
mod codex;
mod hosts;
mod own;
mod programs;

use std::path::Path;

use serde::Serialize;

use super::site::Site;
use super::wiring::Scope;
use crate::config::env::Env;
use crate::context::{Context, Whose};

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Ok,
    /// It works, or will, once something is done.
    Warn,
    /// It does not work.
    Fail,
}

impl State {
    /// In four letters at most.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub name: String,
    /// How it is.
    pub state: State,
    /// In words.
    pub detail: String,
    /// What mends it.
    pub fix: Option<String>,
}

impl Check {
    fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), state: State::Ok, detail: detail.into(), fix: None }
    }

    fn warn(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Warn, fix: Some(fix.into()), ..Self::ok(name, detail) }
    }

    fn fail(name: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { state: State::Fail, fix: Some(fix.into()), ..Self::ok(name, detail) }
    }
}

/// Looks at everything, seen from a folder.
pub fn examine(env: &Env, cwd: &Path) -> Vec<Check> {
    let mut all = programs::examine(env);
    match Context::load(env.clone(), cwd, &Whose::Shell) {
        Ok(cx) => all.extend(own::examine(&cx)),
        Err(e) => all.push(Check::fail("identity", e.to_string(), "mend or remove what it names")),
    }
    let project = Site::find(env, cwd, Scope::Project).ok();
    let user = Site::find(env, cwd, Scope::User).ok();
    all.extend(hosts::examine(env, project.as_ref(), user.as_ref()));
    all
}
