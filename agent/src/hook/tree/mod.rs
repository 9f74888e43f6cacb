//! The work tree that several sessions share: a command of git that takes changes away, or moves the tree
//! to another commit, is refused while another session works in it and something that the command touches
//! is not committed.

pub(super) mod ask;

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::resource::Resource;
use coord_protocol::wire::{Lock, Locks, Session, SessionStatus};

use self::ask::{Open, Standing};
use super::digest::inert;
use super::git_command::{SETTING, TreeChange};
use super::here::{self, Look};
use super::host::Reply;
use crate::config::file::name_of;
use crate::config::project;
use crate::context::Context;
use crate::local_server::log;
use crate::remote::query::Query;
use crate::ui::neutral::line;

/// The server gets this long to say who is here.
const LOOK_WITHIN: Duration = Duration::from_millis(200);
/// Claims of one session that are read.
const CLAIMS_MAX: &str = "500";
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
    let project = project::find(&cx.env, &root, cx.paths.home.as_deref()).key?;
    let look = Look::begin(cx, cx.clock.boot().plus(LOOK_WITHIN));
    let status = here::status(&look, Some(&project))?;
    let holds = |session: &str| !claims(&look, &project, session).is_empty();
    let others = sharing(cx, &root, &status.sessions, holds);
    if others.is_empty() {
        return None;
    }
    let open = match ask::uncommitted(folder, change) {
        Ok(open) => open,
        Err(e) => {
            log(&cx.state, &format!("{} tree guard: {e}", cx.clock.wall()));
            return None;
        }
    };
    let touched = touched(open, change);
    if touched.is_empty() {
        return None;
    }
    let own = claims(&look, &project, &cx.session.id);
    let at_stake = at_stake(&touched, change, &own);
    (!at_stake.is_empty()).then(|| sentence(change, &others, &at_stake))
}

/// What a session holds in a project.
fn claims(look: &Look<'_>, project: &str, session: &str) -> Vec<Lock> {
    let locks = Query::default()
        .and("project_key", Some(project))
        .and("session_id", Some(session))
        .and("limit", Some(CLAIMS_MAX))
        .on("/api/coord/locks");
    look.get::<Locks>(&locks).map(|l| l.locks).unwrap_or_default()
}

/// The top of the work tree that a folder lies in.
fn top_of(folder: &Path) -> Option<PathBuf> {
    let real = folder.canonicalize().ok()?;
    real.ancestors().find(|dir| dir.join(".git").exists()).map(Path::to_owned)
}

/// Other sessions of this workstation that work in this tree. One that is silent for long counts as long
/// as it holds anything: its model may think, or run a long command.
fn sharing<'a>(
    cx: &Context,
    root: &Path,
    sessions: &'a [Session],
    holds: impl Fn(&str) -> bool,
) -> Vec<&'a Session> {
    let here = |s: &&Session| {
        s.session_id != cx.session.id
            && s.machine.as_deref() == Some(&cx.machine)
            && s.worktree.as_deref().and_then(|w| top_of(Path::new(w))).as_deref() == Some(root)
    };
    let there = |s: &&Session| match s.status {
        SessionStatus::Active => true,
        SessionStatus::Stale => holds(&s.session_id),
        SessionStatus::Ended => false,
    };
    sessions.iter().filter(here).filter(there).collect()
}

/// What of it the command takes away or moves.
fn touched(open: Vec<Open>, change: &TreeChange) -> Vec<Open> {
    let is_touched = |o: &Open| match o.standing {
        Standing::Tracked => change.verb != "clean",
        Standing::Untracked => change.untracked || change.moves,
        Standing::Ignored => change.ignored,
    };
    open.into_iter().filter(is_touched).collect()
}

/// What others could lose: not what is the session's own, unless the whole tree moves under them.
fn at_stake(touched: &[Open], change: &TreeChange, claims: &[Lock]) -> Vec<String> {
    let own: Vec<Resource> = claims.iter().filter_map(|l| l.on(false).ok()).collect();
    let is_own = |o: &&Open| {
        let name = name_of(&o.path);
        // A pattern's own text may be the name of a file: `app/[id]/page.tsx`.
        let exact = own.iter().any(|r| r.as_str() == name);
        exact || Resource::literal(&name).is_ok_and(|f| own.iter().any(|r| r.overlap(&f).is_some()))
    };
    let stake = touched.iter().filter(|o| change.moves || !is_own(o));
    stake.map(|o| String::from_utf8_lossy(&o.path).into_owned()).collect()
}

/// Names of others and of files are not ours.
fn sentence(change: &TreeChange, others: &[&Session], at_stake: &[String]) -> String {
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
    use super::super::{git_command, shell};
    use super::ask::read_status;
    use super::*;
    use serde_json::json;

    fn claim(resource: &str, kind: &str) -> Lock {
        let lock = json!({"id": "i", "project_key": "p", "session_id": "s", "resource": resource,
            "kind": kind, "ttl_hours": 1, "acquired_at": "2026-01-01T00:00:00Z",
            "last_activity": "2026-01-01T00:00:00Z", "expires_at": null});
        serde_json::from_value(lock).unwrap()
    }

    fn stake(command: &str, claims: &[Lock]) -> Vec<String> {
        let open = b" M a.rs\0?? docs/new.md\0M  docs/[b] c.md\0!! target/\0";
        let (_, change) = git_command::read(&shell::commands(command)[0]).unwrap();
        at_stake(&touched(read_status(open), &change), &change, claims)
    }

    #[test]
    fn what_is_at_stake() {
        let own = [claim("a.rs", "file")];
        for (command, expected) in [
            ("git stash", vec!["docs/[b] c.md"]),
            ("git stash -u", vec!["docs/new.md", "docs/[b] c.md"]),
            ("git stash -a", vec!["docs/new.md", "docs/[b] c.md", "target/"]),
            ("git reset --hard", vec!["docs/[b] c.md"]),
            ("git clean -fd", vec!["docs/new.md"]),
            ("git clean -fdx", vec!["docs/new.md", "target/"]),
            ("git clean -fX", vec!["target/"]),
            ("git switch x", vec!["a.rs", "docs/new.md", "docs/[b] c.md"]),
        ] {
            assert_eq!(stake(command, &own), expected, "{command}");
        }
        assert!(read_status(b"").is_empty());
    }

    #[test]
    fn what_is_ones_own() {
        for (resource, kind, left) in [
            ("docs/**", "lock", vec!["a.rs"]),
            ("docs", "claim", vec!["a.rs"]),
            ("docs", "file", vec!["a.rs", "docs/new.md", "docs/[b] c.md"]),
            ("docs/[b] c.md", "file", vec!["a.rs", "docs/new.md"]),
            ("docs/[b] c.md", "lock", vec!["a.rs", "docs/new.md"]),
            ("**", "lock", vec![]),
        ] {
            assert_eq!(stake("git stash -u", &[claim(resource, kind)]), left, "{resource} {kind}");
        }
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
