//! What git is asked about a work tree.

use std::path::Path;
use std::time::Duration;

use coord_server::git::{Git, GitError};

use crate::hook::git_command::TreeChange;

/// Git gets this long to say what is not committed.
const STATUS_WITHIN: Duration = Duration::from_millis(250);
/// The same for what a name is.
const NAME_WITHIN: Duration = Duration::from_millis(100);

/// A file with changes that are in no commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    /// Seen from the top of the tree.
    pub(super) path: Vec<u8>,
    pub(super) standing: Standing,
}

/// What git knows of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Tracked,
    Untracked,
    Ignored,
}

/// What is not committed of what a command touches.
pub(super) fn uncommitted(folder: &Path, change: &TreeChange) -> Result<Vec<Open>, GitError> {
    let mut args = vec!["status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames"];
    if change.ignored {
        // Folders that are ignored are told as one.
        args.push("--ignored=matching");
    }
    args.push("--");
    args.extend(change.paths.iter().map(String::as_str));
    let git = Git { root: folder, within: STATUS_WITHIN, in_hook: false };
    Ok(read_status(&git.run(&args)?))
}

/// Reads `git status --porcelain=v1 -z`.
pub(super) fn read_status(said: &[u8]) -> Vec<Open> {
    let entry = |raw: &[u8]| {
        let standing = match raw.get(..2)? {
            b"??" => Standing::Untracked,
            b"!!" => Standing::Ignored,
            _ => Standing::Tracked,
        };
        Some(Open { path: raw.get(3..)?.to_owned(), standing })
    };
    said.split(|b| *b == 0).filter_map(entry).collect()
}

/// What the word of `git checkout <word>` means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::hook) enum Named {
    Commit,
    /// Something that is tracked, also when it is not there.
    Path,
    /// Neither: a branch of a remote that is to become one here, or a mistake.
    Nothing,
}

/// Reads a name as `git checkout` does. Where git does not say, it is a commit.
pub(in crate::hook) fn named(folder: &Path, name: &str) -> Named {
    let git = Git { root: folder, within: NAME_WITHIN, in_hook: false };
    let commit = format!("{name}^{{commit}}");
    match git.run(&["rev-parse", "--verify", "--quiet", &commit]) {
        Err(GitError::Failed(_)) => {}
        // Without the folder there is no tree either.
        Ok(_) | Err(GitError::Owner | GitError::Unfinished(_)) => return Named::Commit,
    }
    match git.run(&["ls-files", "-z", "--", name]) {
        Ok(said) if !said.is_empty() => Named::Path,
        _ => Named::Nothing,
    }
}

/// Parts pathspecs into those that are one file each, there or tracked, and others.
pub(in crate::hook) fn files(folder: &Path, paths: Vec<String>) -> (Vec<String>, Vec<String>) {
    let is_file = |path: &String| {
        folder.join(path).symlink_metadata().is_ok_and(|m| !m.is_dir()) && !path.ends_with('/')
    };
    let (mut files, others): (Vec<_>, Vec<_>) = paths.into_iter().partition(is_file);
    let gone = tracked(folder, &others);
    let (gone, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|p| gone.contains(p));
    files.extend(gone);
    (files, others)
}

/// Those that are not there and that git tracks under exactly this name.
fn tracked(folder: &Path, paths: &[String]) -> Vec<String> {
    let missing = |p: &&str| !folder.join(p).exists();
    let missing: Vec<&str> = paths.iter().map(String::as_str).filter(missing).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let git = Git { root: folder, within: NAME_WITHIN, in_hook: false };
    let args: Vec<&str> = ["ls-files", "-z", "--"].into_iter().chain(missing).collect();
    let said = git.run(&args).unwrap_or_default();
    String::from_utf8_lossy(&said).split('\0').map(str::to_owned).collect()
}
