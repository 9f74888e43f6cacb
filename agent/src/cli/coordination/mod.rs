//! `coord coordination <function>`: what `coordination.sh` (seed 003's library) calls. Output and exit
//! codes are the seed's; the state is the engine's. Not for people: they have the other verbs.

mod documents;
mod folder;
mod functions;
mod import;
mod mirror;
mod snapshot;
mod texts;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::request::Method;
use serde::Serialize;
use serde_json::Value;

use super::file_lock::not_asked;
use super::outbox::take_back;
use super::writing::{not_kept, refused};
use crate::context::Context;
use crate::send::{Fate, TRY_BUDGET};
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// One function of the library.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Its name
    function: String,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ImportVerb {
    /// Take over a `.claude/coordination` folder: decisions, live locks, live instances
    Coordination {
        /// The folder
        dir: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum ExportVerb {
    /// Write this project's sessions, file locks and decisions as a `.claude/coordination` folder
    Coordination {
        /// The folder
        dir: PathBuf,
    },
}

/// The caller plays the instance that it names.
pub(super) fn become_instance(cx: &mut Context) -> Result<(), CliError> {
    let Some(id) = cx.env.get("INSTANCE_ID").map(str::to_owned) else { return Ok(()) };
    coord_protocol::session::check(&id)
        .map_err(|e| CliError::new(exit::USAGE, format!("INSTANCE_ID: {e}")))?;
    cx.session.id = id;
    "coordination".clone_into(&mut cx.session.tool);
    Ok(())
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    functions::call(cx, &a.function, &a.args)
}

pub(super) fn import(cx: &Context, verb: &ImportVerb) -> Result<Report, CliError> {
    let ImportVerb::Coordination { dir } = verb;
    import::folder(cx, dir)
}

pub(super) fn export(cx: &Context, verb: &ExportVerb) -> Result<Report, CliError> {
    let ExportVerb::Coordination { dir } = verb;
    let key = key(cx)?;
    let written = mirror::write(cx, &key, dir, &mirror::How::Export)?;
    let text = format!(
        "wrote {} instances, {} locks, {} decisions to {}",
        written.sessions.len(),
        written.locks.len(),
        written.decisions.len(),
        line(&dir.display().to_string())
    );
    let json = serde_json::json!({"instances": written.sessions.len(),
        "locks": written.locks.len(), "decisions": written.decisions.len()});
    Ok(Report::new(text, json))
}

/// The project that all of this is about.
fn key(cx: &Context) -> Result<String, CliError> {
    cx.project.key.clone().ok_or_else(|| {
        CliError::new(exit::USAGE, "this folder belongs to no project")
            .hint("set CLAUDE_PROJECT_DIR or COORD_PROJECT_DIR")
    })
}

/// A write whose answer is needed now: nothing is left in the queue.
fn write(
    cx: &Context,
    (method, path): (Method, &str),
    body: Option<&impl Serialize>,
    what: &str,
) -> Result<Value, CliError> {
    let request = cx.request(method, path, body);
    match cx.write(&request, TRY_BUDGET).map_err(|e| not_kept(&e, &request))? {
        // Provisional: this workstation's scripts are kept apart, which is all that the seed did.
        Fate::Done { answer, .. } | Fate::Provisional { answer, .. } => Ok(answer),
        Fate::Refused { status, answer } => Err(refused(status, &answer, what)),
        Fate::Queued { why, .. } => {
            // The seed's functions do their work or say that they did not.
            let taken_back = take_back(cx, request.id.as_deref().unwrap_or_default());
            Err(not_asked(&format!("{what}: not done"), &line(&why), taken_back))
        }
    }
}
