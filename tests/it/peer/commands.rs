//! The other's command for people, against our server.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use coord_tests::peer::{self, TOKEN};
use serde_json::Value;
use tempfile::TempDir;

use super::judged::{Judged, rows};

/// A repository set up by the other's `coord init`, for a service that is already there.
pub(super) struct Repository {
    folder: TempDir,
    programs: std::path::PathBuf,
}

impl Repository {
    /// Of the person `engineer`.
    #[track_caller]
    pub(super) fn of(engineer: &str, s: &Judged, programs: &Path) -> Self {
        let me = Self { folder: tempfile::tempdir().unwrap(), programs: programs.to_owned() };
        fs::create_dir(me.path()).unwrap();
        me.git(&["init", "--quiet", "--initial-branch", "main"]);
        me.git(&["config", "user.name", engineer]);
        me.git(&["config", "user.email", "nobody@example.invalid"]);
        me.git(&["config", "commit.gpgsign", "false"]);
        let mut init = me.program("coord");
        init.args(["init", "--tool", "claude", "--mode", "remote", "--yes", "--service-url"]);
        succeeds(init.arg(s.url()).env("COORD_AUTH_TOKEN", TOKEN));
        me
    }

    pub(super) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app")
    }

    /// One of the other's programs, in the repository.
    pub(super) fn program(&self, name: &str) -> Command {
        let mut command = peer::program(&self.programs, name);
        command.current_dir(self.path()).env("HOME", self.folder.path());
        command
    }

    /// git with these arguments; it must succeed.
    #[track_caller]
    pub(super) fn git(&self, args: &[&str]) -> String {
        succeeds(&mut self.try_git(args))
    }

    pub(super) fn try_git(&self, args: &[&str]) -> Command {
        let mut git = Command::new("git");
        let path = std::env::var_os("PATH").unwrap_or_default();
        git.args(args).current_dir(self.path()).env_clear();
        git.env("PATH", path).env("HOME", self.folder.path()).env("GIT_CONFIG_NOSYSTEM", "1");
        git
    }
}

/// What a command said on both channels.
pub(super) fn told(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b)).concat()
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(super) fn succeeds(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", told(&output));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn status_claims_release() {
    let Some(programs) = peer::programs("peer::commands") else { return };
    let Some(s) = Judged::start("peer::commands") else { return };
    let repository = Repository::of("alice", &s, &programs);
    let coord = |args: &[&str]| {
        let mut coord = repository.program("coord");
        coord.args(args);
        coord
    };
    let status = succeeds(&mut coord(&["status"]));
    assert!(status.contains("ready"), "{status}");
    let id = s.claimed("bob", "src/x.ts");
    let listed: Value = serde_json::from_str(&succeeds(&mut coord(&["claims", "--json"]))).unwrap();
    let listed = if listed.is_array() {
        listed.as_array().unwrap().clone()
    } else {
        rows(&listed, "claims")
    };
    assert_eq!((listed.len(), &listed[0]["id"]), (1, &Value::from(id.clone())));
    let wrong = coord(&["release", &id, "--engineer", "carol"]).output().unwrap();
    assert_eq!(wrong.status.code(), Some(1), "{}", told(&wrong));
    succeeds(&mut coord(&["release", &id, "--engineer", "bob"]));
    assert_eq!(s.claims_of("bob"), [Value::Null; 0]);
}
