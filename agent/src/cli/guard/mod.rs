//! `coord guard`: git's pre-commit and pre-push hooks ask who else holds what is committed or pushed.
//! Whatever goes wrong on our side, the commit goes on.

mod changed;
mod words;

use std::io::{self, IsTerminal as _, Read as _};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Subcommand;
use coord_server::git::{Git, GitError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reading::{Query, ask_all, encode};
use crate::config::env::Env;
use crate::config::file;
use crate::context::{Context, Whose};
use crate::replica::HOOK_PATIENCE;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report, finish};
use changed::{Changed, Place};
use words::{Held, Verdict};

/// A look at the server takes so long at most.
const LOOK_WITHIN: Duration = Duration::from_millis(400);
/// Git lists what has changed within this time.
const GIT_WITHIN: Duration = Duration::from_secs(3);
/// Files and bytes of names in one question: the server itself may be asked, in an address.
const FILES_OF_QUESTION: usize = 300;
const BYTES_OF_QUESTION: usize = 10 * 1024;
/// Git's lines on stdin, at most.
const STDIN_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Debug, Clone, Subcommand)]
pub(super) enum Verb {
    /// Who holds the staged files? For git's pre-commit hook
    Commit,
    /// Who holds the files of the commits that are pushed? For git's pre-push hook: reads its lines on
    /// stdin
    Push {
        /// The remote, as git names it
        remote: Option<String>,
        /// Its address
        url: Option<String>,
    },
}

impl Verb {
    fn stage(&self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Push { .. } => "push",
        }
    }
}

/// What is done about foreign claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Nothing is looked at.
    Off,
    /// It is said.
    Advise,
    /// It is said, and git is told to stop.
    Block,
}

impl Mode {
    /// `COORD_GUARD` goes before identity.json. Beside it what is wrong with the setting: then it
    /// advises.
    fn of(variable: Option<&str>, identity: Option<&str>) -> (Self, Option<String>) {
        let whence = if variable.is_some() { "COORD_GUARD" } else { "guard in identity.json" };
        match variable.or(identity).map(str::trim) {
            Some("off") => (Self::Off, None),
            None | Some("advise") => (Self::Advise, None),
            Some("block") => (Self::Block, None),
            Some(other) => {
                let other = line(&format!("{other:?}"));
                let why = format!("{whence} is {other}, none of off, advise, block; advising");
                (Self::Advise, Some(why))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Advise => "advise",
            Self::Block => "block",
        }
    }
}

/// The exit status: 1 only for a foreign claim where that blocks.
pub(super) fn main(env: Env, verb: &Verb, as_json: bool) -> u8 {
    let stage = verb.stage();
    let (of_env, asked) = (env.get("COORD_GUARD").map(str::to_owned), verb.clone());
    if Mode::of(of_env.as_deref(), None).0 == Mode::Off {
        return finish(Ok(off(stage)), as_json);
    }
    // A panic says on stderr where it was.
    let outcome = catch_unwind(move || judged(env, &asked));
    let fault = |why: &str| {
        let note =
            format!("coord: the {stage} goes on, and nobody has looked who holds what: {why}");
        Report::new("", json!({"stage": stage, "fault": why})).note(note)
    };
    finish(
        match outcome {
            Ok(Ok(done)) => done,
            Ok(Err(why)) => Ok(fault(&why)),
            Err(_) => Ok(fault("a bug in coord")),
        },
        as_json,
    )
}

fn off(stage: &str) -> Report {
    Report::new("", json!({"stage": stage, "mode": Mode::Off.name()}))
}

/// `Err`: it could not be found out. The inner error blocks.
fn judged(env: Env, verb: &Verb) -> Result<Result<Report, CliError>, String> {
    let stage = verb.stage();
    let cwd = std::env::current_dir().map_err(|e| format!("the current folder: {e}"))?;
    let git = |root| Git { root, within: GIT_WITHIN, in_hook: true };
    let top = match top_of(&git(&cwd)) {
        Some(top) => top,
        None if is_outside(&git(&cwd)) => return Err("this folder is in no git repository".into()),
        None => cwd.clone(),
    };
    let mut cx = Context::load(env, &top, &Whose::Shell).map_err(|e| e.to_string())?;
    // Others here who judge claims are waited for no longer than a hook would.
    cx.patience = HOOK_PATIENCE;
    let (mode, wrong) = Mode::of(cx.env.get("COORD_GUARD"), cx.guard.as_deref());
    if mode == Mode::Off {
        return Ok(Ok(off(stage)));
    }
    let changed = match verb {
        Verb::Commit => changed::staged(&git(&cwd)),
        Verb::Push { remote, url } => {
            changed::pushed(&git(&cwd), remote.as_deref(), url.as_deref(), &lines_of_git()?)
        }
    };
    let changed = changed.map_err(|e| line(&e.to_string()))?;
    let verdict = look(&cx, &top, stage, &changed)?;
    let done = verdict.said(mode == Mode::Block, mode.name());
    Ok(match wrong {
        Some(why) => done.map(|r| r.note(format!("coord: {why}"))),
        None => done,
    })
}

/// The top of the work tree; a bare repository has none.
fn top_of(git: &Git<'_>) -> Option<PathBuf> {
    use std::os::unix::ffi::OsStringExt as _;
    let mut out = git.run(&["rev-parse", "--show-toplevel"]).ok()?;
    out.pop_if(|last| *last == b'\n');
    Some(PathBuf::from(std::ffi::OsString::from_vec(out))).filter(|p| p.is_absolute())
}

fn is_outside(git: &Git<'_>) -> bool {
    matches!(git.run(&["rev-parse", "--git-dir"]), Err(GitError::Failed(_)))
}

fn lines_of_git() -> Result<Vec<u8>, String> {
    if io::stdin().is_terminal() {
        return Err("git's pre-push hook has lines on stdin, and there are none".to_owned());
    }
    let mut lines = Vec::new();
    let read = io::stdin().lock().take(STDIN_BYTES_MAX).read_to_end(&mut lines);
    read.map_err(|e| format!("stdin: {e}"))?;
    Ok(lines)
}

#[derive(Deserialize)]
struct Found {
    conflicts: Vec<Held>,
}

/// Asks who holds the files.
fn look(cx: &Context, top: &Path, stage: &str, changed: &Changed) -> Result<Verdict, String> {
    cx.note_heard();
    let place = Place::of(top, &cx.project.root);
    let files = changed.files.iter().filter_map(|f| place.name(f));
    let files: Vec<String> = files.map(|f| file::name_of(&f)).collect();
    let questions = questions(cx, &files);
    let found: Vec<Found> = ask_all(cx, &questions, LOOK_WITHIN).map_err(|e| line(&e.detail))?;
    Ok(Verdict {
        stage: stage.to_owned(),
        files: files.len(),
        more: changed.more,
        held: found.into_iter().flat_map(|f| f.conflicts).collect(),
        as_of: cx.stale.get().cloned(),
    })
}

/// One question, unless there are very many files.
fn questions(cx: &Context, files: &[String]) -> Vec<String> {
    let key = cx.project.key.as_deref();
    let new = || {
        Query::default()
            .and("engineer", Some(&cx.session.id))
            .and("session_id", Some(&cx.session.id))
            .and("repo", key)
    };
    let mut all = Vec::new();
    let mut rest = files;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = |f: &&String| {
            bytes += encode(f).len();
            bytes <= BYTES_OF_QUESTION
        };
        let n = rest.iter().take(FILES_OF_QUESTION).take_while(fits).count().max(1);
        let piece = rest[..n].iter().fold(new(), |q, f| q.and("file", Some(f)));
        all.push(piece.on("/conflicts"));
        rest = &rest[n..];
    }
    all
}

/// For programs.
fn facts(verdict: &Verdict, mode: &str) -> Value {
    let as_of = verdict.as_of.as_ref();
    json!({"stage": verdict.stage, "mode": mode, "files": verdict.files,
        "not_all": verdict.more, "held": verdict.held,
        "as_of": as_of.map(|s| json!({"age_secs": s.age.as_secs(), "why": s.why}))})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_goes_before_the_identity() {
        assert_eq!(Mode::of(None, None), (Mode::Advise, None));
        assert_eq!(Mode::of(None, Some("block")), (Mode::Block, None));
        assert_eq!(Mode::of(Some("off"), Some("block")), (Mode::Off, None));
        assert_eq!(Mode::of(Some("advise"), Some("block")), (Mode::Advise, None));
        let (mode, why) = Mode::of(None, Some("Block\u{1b}"));
        let why = why.unwrap();
        assert_eq!(mode, Mode::Advise);
        assert!(why.starts_with("guard in identity.json is"), "{why}");
        assert!(!why.contains('\u{1b}'));
    }
}
