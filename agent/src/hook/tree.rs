//! The work tree that several sessions share: a command of git that takes changes away, or moves the tree
//! to another commit, is refused while another live session works in it and something is not committed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::wire::{Lock, Session, SessionStatus};
use coord_server::git::{Git, GitError};

use super::digest::inert;
use super::git_command::{SETTING, TreeChange};
use super::here;
use super::host::Reply;
use crate::config::file::path_of;
use crate::context::Context;
use crate::local_server::log;
use crate::ui::neutral::line;

/// Git gets this long to say what is not committed.
const GIT_WITHIN: Duration = Duration::from_millis(400);
/// The server gets this long to say who is here.
const LOOK_WITHIN: Duration = Duration::from_millis(300);
/// Sessions and files that are named.
const NAMED_MAX: usize = 4;

/// What the guard does about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Manner {
    Off,
    /// The model is told.
    Advise,
    /// The model and its person are told.
    Warn,
    /// The command is refused.
    #[default]
    Block,
}

impl Manner {
    fn named(word: &str) -> Option<Self> {
        match word {
            "off" => Some(Self::Off),
            "advise" => Some(Self::Advise),
            "warn" => Some(Self::Warn),
            "block" => Some(Self::Block),
            _ => None,
        }
    }

    fn of(cx: &Context) -> Self {
        let Some(word) = cx.env.get(SETTING).or(cx.tree_guard.as_deref()) else {
            return Self::default();
        };
        Self::named(word).unwrap_or_else(|| {
            let why = format!("{SETTING} must be off, advise, warn or block, not {word:?}");
            log(&cx.state, &format!("{} tree guard: {why}", cx.clock.wall()));
            Self::default()
        })
    }
}

/// What giving back a whole folder is.
pub(super) fn below() -> TreeChange {
    TreeChange {
        verb: "checkout".to_owned(),
        paths: None,
        name: None,
        moves: false,
        untracked: false,
        decided: false,
    }
}

/// What is said to these commands.
pub(super) fn answer(cx: &Context, changes: &[(PathBuf, TreeChange)]) -> Reply {
    let manner = Manner::of(cx);
    let guarded = changes.iter().filter(|(_, c)| manner != Manner::Off && !c.decided);
    let Some(why) = guarded.into_iter().find_map(|(folder, change)| harm(cx, folder, change))
    else {
        return Reply::default();
    };
    match manner {
        Manner::Off => Reply::default(),
        Manner::Advise => Reply { context: Some(why), ..Reply::default() },
        Manner::Warn => Reply { context: Some(why.clone()), notice: Some(why), ..Reply::default() },
        Manner::Block => Reply { deny: Some(why), ..Reply::default() },
    }
}

/// Why a command does harm to others; `None`: it does not, or that cannot be seen.
fn harm(cx: &Context, folder: &Path, change: &TreeChange) -> Option<String> {
    let root = top_of(folder)?;
    let status = here::status(cx, LOOK_WITHIN)?;
    let others = sharing(cx, &root, &status.sessions);
    if others.is_empty() {
        return None;
    }
    let open = match uncommitted(&root) {
        Ok(open) => open,
        Err(e) => {
            log(&cx.state, &format!("{} tree guard: {e}", cx.clock.wall()));
            return None;
        }
    };
    let at_stake = at_stake(&open, change, |file| is_own(cx, file, &status.active_locks));
    (!at_stake.is_empty()).then(|| sentence(change, &others, &at_stake))
}

/// The top of the work tree that a folder lies in.
fn top_of(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    real.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
}

/// Other live sessions of this workstation that work in this tree.
fn sharing<'a>(cx: &Context, root: &Path, sessions: &'a [Session]) -> Vec<&'a Session> {
    let here = |s: &&Session| {
        s.status == SessionStatus::Active
            && s.session_id != cx.session.id
            && s.machine.as_deref() == Some(&cx.machine)
            && s.worktree.as_deref().and_then(|w| top_of(Path::new(w))).as_deref() == Some(root)
    };
    sessions.iter().filter(here).collect()
}

/// A file with changes that are in no commit.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    path: String,
    /// Git does not know it.
    untracked: bool,
}

fn uncommitted(root: &Path) -> Result<Vec<Open>, GitError> {
    let args = ["status", "--porcelain=v1", "-z", "--untracked-files=normal", "--no-renames"];
    let git = Git { root, within: GIT_WITHIN, in_hook: false };
    Ok(read_status(&git.run(&args)?))
}

/// Reads `git status --porcelain=v1 -z`.
fn read_status(said: &[u8]) -> Vec<Open> {
    let entry = |raw: &[u8]| {
        let text = String::from_utf8_lossy(raw);
        let (state, path) = (text.get(..2)?, text.get(3..)?);
        Some(Open { path: path.to_owned(), untracked: state == "??" })
    };
    said.split(|b| *b == 0).filter_map(entry).collect()
}

/// What others could lose: not what is the session's own, unless the whole tree moves under them.
fn at_stake<'a>(
    open: &'a [Open],
    change: &TreeChange,
    is_own: impl Fn(&str) -> bool,
) -> Vec<&'a str> {
    let touched = |o: &&Open| match change.verb.as_str() {
        "clean" => o.untracked,
        _ => !o.untracked || change.untracked || change.moves,
    };
    let open = open.iter().filter(touched).map(|o| o.path.as_str());
    open.filter(|path| change.moves || !is_own(path)).collect()
}

/// Whether this session holds a file.
fn is_own(cx: &Context, file: &str, locks: &[Lock]) -> bool {
    let own = locks.iter().filter(|l| l.session_id == cx.session.id);
    own.into_iter().any(|l| path_of(&l.resource) == Path::new(file))
}

/// Names of others and of files are not ours.
fn sentence(change: &TreeChange, others: &[&Session], at_stake: &[&str]) -> String {
    let some = |all: Vec<String>| {
        let more = all.len().saturating_sub(NAMED_MAX);
        let shown = all.into_iter().take(NAMED_MAX).collect::<Vec<_>>().join(", ");
        if more > 0 { format!("{shown} and {more} more") } else { shown }
    };
    let who = some(others.iter().map(|s| inert(&line(&s.session_id))).collect());
    let files = some(at_stake.iter().map(|f| inert(&line(f))).collect());
    format!(
        "coord: `git {}` would change this work tree under {who}, who works in it too, while {files} \
         {} not committed. Commit just your own files instead (`git commit <files>`), give back single \
         files (`git restore <file>`), use a work tree of your own (`git worktree add ../<name> \
         <branch>`), or ask: `coord msg send <session> \"<subject>\" \"<text>\"`. If your user has \
         decided that it is to be done: {SETTING}=off git {} ...",
        change.verb,
        if at_stake.len() == 1 { "is" } else { "are" },
        change.verb,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(verb: &str, moves: bool, untracked: bool) -> TreeChange {
        TreeChange { verb: verb.into(), moves, untracked, ..below() }
    }

    #[test]
    fn what_is_at_stake() {
        let open = read_status(b" M a.rs\0?? new.rs\0M  b c.rs\0");
        let own = |f: &str| f == "a.rs";
        for (change, expected) in [
            (change("stash", false, false), vec!["b c.rs"]),
            (change("stash", false, true), vec!["new.rs", "b c.rs"]),
            (change("reset", false, false), vec!["b c.rs"]),
            (change("clean", false, true), vec!["new.rs"]),
            (change("switch", true, false), vec!["a.rs", "new.rs", "b c.rs"]),
        ] {
            assert_eq!(at_stake(&open, &change, own), expected, "{change:?}");
        }
        assert!(read_status(b"").is_empty());
    }

    #[test]
    fn manners() {
        for word in ["off", "advise", "warn", "block"] {
            assert!(Manner::named(word).is_some(), "{word}");
        }
        assert_eq!(Manner::named("loud"), None);
        assert_eq!(Manner::default(), Manner::Block);
    }
}
