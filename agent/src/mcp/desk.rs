//! Where calls are worked on: each with surroundings of its own, so that nothing of one conversation or
//! of one run of the server stays for the next.

use std::path::PathBuf;
use std::sync::Arc;

use coord_protocol::edge::Rng;
use coord_server::edge::OsRng;

use super::answer::Answer;
use super::arguments::Arguments;
use super::caller::Caller;
use super::offers::Resource;
use super::tools::Tool;
use super::words::of_call;
use crate::cli::{self, Shown};
use crate::config::env::Env;
use crate::context::Context;
use crate::ui::aside::Aside;
use crate::ui::report::{CliError, Report};

/// What all calls of a process share.
pub struct Desk {
    env: Env,
    cwd: PathBuf,
    /// For callers of whom nothing is known.
    process: String,
}

/// What is to be done once an answer was handed over.
pub type After = Box<dyn FnOnce() + Send>;

impl Desk {
    /// In this environment; the host says where the project is, or starts the server there.
    pub fn new(env: Env) -> Self {
        let project = env.path("CLAUDE_PROJECT_DIR").filter(|p| p.is_absolute() && p.is_dir());
        if let Some(project) = &project {
            // Paths in arguments are seen from there, too.
            let _ = std::env::set_current_dir(project);
        }
        let cwd = project.or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        Self { env, cwd, process: format!("{:016x}", OsRng.u64()) }
    }

    /// A tool's answer.
    pub fn call(
        &self,
        caller: &Caller,
        tool: &Tool,
        arguments: &Arguments,
        aside: Arc<dyn Aside>,
    ) -> (Answer, Option<After>) {
        let named = arguments.text("session");
        let cx = match caller.context(&self.env, &self.cwd, named, &self.process) {
            Ok(cx) => Context { aside, ..cx },
            Err(e) => return (Answer::of(Err(e), "", false), None),
        };
        let lines = match of_call(tool, arguments, cx.project.key.as_deref()) {
            Ok(lines) => lines,
            Err(why) => return (Answer::refused(&why), None),
        };
        let asks = tool.name == "coord_claims";
        let mut notes = Vec::new();
        for words in &lines[..lines.len() - 1] {
            match cli::answer(&cx, words) {
                Ok(report) => notes.push(head(&report.text)),
                Err(e) => return (Answer::of(Err(e), &cx.session.id, asks), None),
            }
        }
        let outcome = cli::answer(&cx, &lines[lines.len() - 1]);
        let mut outcome = outcome.map(|r| notes.into_iter().fold(r, Report::note));
        let shown = outcome.as_mut().map(Shown::of).unwrap_or_default();
        let answer = Answer::of(outcome, &cx.session.id, asks);
        let after = after(&answer, shown, cx);
        (answer, after)
    }

    /// A resource's text.
    pub fn read(
        &self,
        caller: &Caller,
        what: &Resource,
    ) -> Result<(String, Option<After>), CliError> {
        let cx = caller.context(&self.env, &self.cwd, None, &self.process)?;
        let mut report = cli::answer(&cx, &what.words())?;
        let shown = Shown::of(&mut report);
        let answer = Answer::of(Ok(report), "", false);
        let after = after(&answer, shown, cx);
        Ok((answer.text, after))
    }
}

/// What was shown counts as such; not where something was cut off, which may be just that.
fn after(answer: &Answer, shown: Shown, cx: Context) -> Option<After> {
    answer.is_whole.then(|| -> After { Box::new(move || shown.note(&cx)) })
}

/// The first line of what a command says before the one that was asked for.
fn head(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    match text.lines().count() {
        0 | 1 => first.to_owned(),
        n => format!("{first} (and {} more)", n - 1),
    }
}
