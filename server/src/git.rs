//! Git, started without a shell; nothing that the repository names is run.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::child::{self, Ended, Unfinished};

/// Why git did not answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// It has not come to an end.
    #[error("git {0}")]
    Unfinished(#[from] Unfinished),
    /// The folder belongs to somebody else, and git refuses to read such a one.
    #[error(
        "the folder belongs to another user than the one who asks, so git refuses to read it; run \
         `git config --global --add safe.directory <the folder>` as that user"
    )]
    Owner,
    /// Whatever else it said.
    #[error("git says: {0}")]
    Failed(String),
}

/// Git in a folder.
pub struct Git<'a> {
    /// The folder.
    pub root: &'a Path,
    /// How long one call may take.
    pub within: Duration,
    /// Called by a hook of git's: its variables say which index it is about.
    pub in_hook: bool,
}

impl Git<'_> {
    /// Runs it and returns what it prints.
    pub fn run(&self, args: &[&str]) -> Result<Vec<u8>, GitError> {
        self.run_with(args, Vec::new())
    }

    /// The same with this on its stdin.
    pub fn run_with(&self, args: &[&str], stdin: Vec<u8>) -> Result<Vec<u8>, GitError> {
        let ended = child::run(self.command(args), stdin, self.within)?;
        if ended.status.success() { Ok(ended.stdout) } else { Err(failure(&ended)) }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]).args(args);
        command.current_dir(self.root);
        let of_git = |name: &OsStr| name.as_encoded_bytes().starts_with(b"GIT_");
        for (name, _) in std::env::vars_os().filter(|(n, _)| !self.in_hook && of_git(n)) {
            command.env_remove(name);
        }
        command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
        command
    }
}

fn failure(ended: &Ended) -> GitError {
    let complaint = String::from_utf8_lossy(&ended.complaint);
    if complaint.contains("dubious ownership") || complaint.contains("safe.directory") {
        return GitError::Owner;
    }
    GitError::Failed(ended.first_complaint())
}

#[cfg(test)]
mod tests {
    use std::process::ExitStatus;

    use super::*;

    #[test]
    fn failures_in_words() {
        let says = |complaint: &str| {
            let (stdout, complaint) = (Vec::new(), complaint.as_bytes().to_vec());
            failure(&Ended { status: ExitStatus::default(), stdout, complaint })
        };
        let owner = says("fatal: detected dubious ownership in repository at '/r'\nTo add ...\n");
        assert_eq!(owner, GitError::Owner);
        assert!(owner.to_string().contains("safe.directory"));
        let other = says("\nfatal: not a git repository\n");
        assert_eq!(other.to_string(), "git says: fatal: not a git repository");
    }

    #[test]
    fn what_it_is_told_it_reads() {
        let dir = tempfile::tempdir().unwrap();
        let git = Git { root: dir.path(), within: Duration::from_secs(5), in_hook: false };
        let hashed = git.run_with(&["hash-object", "--stdin"], b"x\n".to_vec());
        assert_eq!(hashed.unwrap(), b"587be6b4c3f93f93c489c0111bba5596147a26cb\n");
    }
}
