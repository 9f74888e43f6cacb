//! A git repository on a workstation: real git, with nobody's settings, and coord's guards as its hooks.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::bins::bin;
use crate::workstation::{Workstation, chmod};

/// A repository with both guards as its hooks.
pub struct Repository<'a> {
    at: &'a Workstation,
    /// Its work tree.
    pub folder: PathBuf,
}

impl<'a> Repository<'a> {
    /// An empty repository in the workstation's project, with `origin` named and not there yet.
    pub fn new(at: &'a Workstation) -> Self {
        let clone = Self { at, folder: at.project() };
        clone.git(&["init", "-q", "-b", "main"]).ok();
        clone.git(&["remote", "add", "origin", &clone.remote().to_string_lossy()]).ok();
        let coord = bin("coord");
        for (hook, verb) in [("pre-commit", "commit"), ("pre-push", "push \"$@\"")] {
            let file = clone.folder.join(".git/hooks").join(hook);
            let script = format!("#!/bin/sh\n'{}' guard {verb}\n", coord.display());
            fs::write(&file, script).expect("a hook can be written");
            chmod(&file, 0o755);
        }
        clone
    }

    /// Where `origin` is.
    pub fn remote(&self) -> PathBuf {
        self.at.home().join("srv/acme/app.git")
    }

    /// With an empty `origin`.
    pub fn with_remote(self) -> Self {
        let remote = self.remote();
        self.git(&["init", "-q", "--bare", "-b", "main", &remote.to_string_lossy()]).ok();
        self
    }

    /// Runs git in a folder, with these variables.
    pub fn run(&self, folder: &Path, args: &[&str], vars: &[(&str, &str)]) -> Git {
        let began = Instant::now();
        let output = Command::new("git")
            .args(args)
            .current_dir(folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.at.home())
            .envs([
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_AUTHOR_NAME", "m"),
                ("GIT_COMMITTER_NAME", "m"),
            ])
            .envs([("GIT_AUTHOR_EMAIL", "m@x"), ("GIT_COMMITTER_EMAIL", "m@x")])
            .envs(vars.iter().copied())
            .output()
            .expect("git can be started");
        Git { what: format!("{args:?}"), output, took: began.elapsed() }
    }

    /// Runs git at the top.
    pub fn git(&self, args: &[&str]) -> Git {
        self.run(&self.folder, args, &[])
    }

    /// Writes a file.
    pub fn write(&self, name: impl AsRef<OsStr>, content: &str) {
        let file = self.folder.join(name.as_ref());
        let folder = file.parent().expect("a file lies in a folder");
        fs::create_dir_all(folder).expect("a folder can be made");
        fs::write(file, content).expect("a file can be written");
    }

    /// Changes files and stages all there is.
    pub fn stage(&self, files: &[&str]) {
        for file in files {
            self.write(file, &format!("{:?}", Instant::now()));
        }
        self.git(&["add", "-A"]).ok();
    }

    /// Commits them past the guard.
    pub fn commit(&self, files: &[&str]) {
        self.stage(files);
        self.git(&["commit", "-q", "--no-verify", "-m", "x"]).ok();
    }

    /// How many commits there are.
    pub fn commits(&self) -> usize {
        self.git(&["log", "--format=%h", "--all"]).out().lines().count()
    }
}

/// A git command that has ended.
pub struct Git {
    what: String,
    output: Output,
    /// From start to end.
    pub took: Duration,
}

impl Git {
    /// What it printed.
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it said besides.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// It must have succeeded.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert!(self.output.status.success(), "{}: {}{}", self.what, self.out(), self.err());
        self
    }

    /// It must have failed.
    #[track_caller]
    pub fn stopped(self) -> Self {
        assert!(!self.output.status.success(), "{} went on: {}", self.what, self.err());
        self
    }

    /// It must have said this.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.err().contains(words), "no {words:?} in: {}", self.err());
        self
    }

    /// It must not have said this.
    #[track_caller]
    pub fn does_not_say(self, words: &str) -> Self {
        assert!(!self.err().contains(words), "{words:?} in: {}", self.err());
        self
    }
}
