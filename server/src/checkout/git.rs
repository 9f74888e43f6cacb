//! Git, asked about the checkout: no shell, none of our caller's git settings, bounded time and
//! output.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use coord_protocol::project::key_of_url;

/// How long one call may take.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Most bytes of a list of files: about a million of them.
const OUTPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most bytes of a complaint.
const COMPLAINT_BYTES_MAX: u64 = 4096;

/// Why git did not answer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// It is not there, or the folder is not.
    #[error("git cannot be started there ({0})")]
    Start(String),
    /// It took too long.
    #[error("git did not answer in time")]
    Slow,
    /// It said too much.
    #[error("git lists more than {OUTPUT_BYTES_MAX} bytes of names")]
    Long,
    /// The folder belongs to somebody else, and git refuses to read such a one.
    #[error(
        "the folder belongs to another user than the server's, so git refuses to read it; run \
         `git config --global --add safe.directory <the folder>` as the server's user"
    )]
    Owner,
    /// Whatever else it said.
    #[error("git says: {0}")]
    Failed(String),
}

/// The tracked files below `root`, sorted, as paths from there. `scope` is a pathspec.
pub(super) fn tracked_files(root: &Path, scope: Option<&str>) -> Result<Vec<String>, GitError> {
    let mut args = vec!["ls-files", "-z", "--cached", "--"];
    args.extend(scope);
    let listed = run(root, &args)?;
    let mut files: Vec<String> = listed
        .split(|b| *b == 0)
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect();
    // A file in conflict is listed once for each side.
    files.sort_unstable();
    files.dedup();
    Ok(files)
}

/// `owner/name` of the remote `origin`; `None` when there is none.
pub(super) fn repo_id(root: &Path) -> Option<String> {
    let url = run(root, &["remote", "get-url", "origin"]).ok()?;
    id_of_url(String::from_utf8_lossy(&url).trim())
}

/// `owner/name` of an address; a name alone is nobody's.
fn id_of_url(url: &str) -> Option<String> {
    key_of_url(url).filter(|key| key.contains('/'))
}

fn run(root: &Path, args: &[&str]) -> Result<Vec<u8>, GitError> {
    run_within(root, args, TIME_MAX)
}

/// Runs git in a folder, for so long at most, and returns what it prints.
pub fn run_within(root: &Path, args: &[&str], within: Duration) -> Result<Vec<u8>, GitError> {
    let mut child = command(root, args).spawn().map_err(|e| GitError::Start(e.to_string()))?;
    let said = reading(child.stdout.take(), OUTPUT_BYTES_MAX + 1);
    let complaint = reading(child.stderr.take(), COMPLAINT_BYTES_MAX);
    let Ok(out) = said.recv_timeout(within) else {
        end(&mut child);
        return Err(GitError::Slow);
    };
    if out.len() as u64 > OUTPUT_BYTES_MAX {
        end(&mut child);
        return Err(GitError::Long);
    }
    // Its output has ended, so it has, or is about to.
    let complaint = complaint.recv_timeout(within).unwrap_or_default();
    match child.wait() {
        Ok(status) if status.success() => Ok(out),
        Ok(_) => Err(failure(&String::from_utf8_lossy(&complaint))),
        Err(e) => Err(GitError::Failed(e.to_string())),
    }
}

fn command(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new("git");
    // Nothing that the repository names is run.
    command.args(["-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null"]).args(args);
    command.current_dir(root).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    command.env("GIT_OPTIONAL_LOCKS", "0").env("GIT_TERMINAL_PROMPT", "0").env("LC_ALL", "C");
    command
}

/// Reads a pipe up to a bound on a thread of its own: a read has no end of its own.
fn reading<R: Read + Send + 'static>(pipe: Option<R>, most: u64) -> mpsc::Receiver<Vec<u8>> {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // What was read before a failure is judged by git's status.
            let _ = pipe.take(most).read_to_end(&mut bytes);
        }
        let _ = send.send(bytes);
    });
    receive
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
}

fn failure(complaint: &str) -> GitError {
    if complaint.contains("dubious ownership") || complaint.contains("safe.directory") {
        return GitError::Owner;
    }
    let first = complaint.lines().map(str::trim).find(|l| !l.is_empty());
    let first = first.unwrap_or("nothing").chars().filter(|c| !c.is_control()).collect();
    GitError::Failed(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_remotes() {
        for url in [
            "https://example.com/acme/app.git",
            "https://user:secret@example.com:8443/acme/app",
            "git@example.com:acme/app.git",
            "ssh://git@example.com:22/acme/app/",
            "/srv/git/acme/app.git",
            "https://example.com/group/acme/app",
        ] {
            assert_eq!(id_of_url(url).as_deref(), Some("acme/app"), "{url}");
        }
        for url in ["", "app", "https://example.com", "git@example.com:app.git"] {
            assert_eq!(id_of_url(url), None, "{url}");
        }
    }

    #[test]
    fn failures_in_words() {
        let owner =
            failure("fatal: detected dubious ownership in repository at '/r'\nTo add ...\n");
        assert_eq!(owner, GitError::Owner);
        assert!(owner.to_string().contains("safe.directory"));
        let other = failure("\nfatal: not a git repository\n");
        assert_eq!(other.to_string(), "git says: fatal: not a git repository");
    }

    #[test]
    fn a_folder_that_is_none() {
        let missing = tracked_files(Path::new("/nowhere/at/all"), None);
        assert!(matches!(missing, Err(GitError::Start(_))), "{missing:?}");
        let dir = tempfile::tempdir().unwrap();
        let plain = tracked_files(dir.path(), None);
        assert!(matches!(plain, Err(GitError::Failed(_))), "{plain:?}");
        assert_eq!(repo_id(dir.path()), None);
    }
}
