//! Team claims on the command line (seeds 002 and 004).

pub(super) mod claim;
pub(super) mod ends;
pub(super) mod hotspots;
pub(super) mod list;
pub(super) mod owners;
pub(super) mod queue;
pub(super) mod request;
pub(super) mod steps;

mod examine;
mod inbox;
mod rows;
mod wait;

use coord_protocol::exit;
use coord_protocol::wire::Urgency;

use crate::config::pattern::{self, Wanted};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::CliError;

/// How urgent a wish is, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum UrgencyArg {
    /// It can wait
    Low,
    /// As most
    Normal,
    /// Before most
    High,
    /// Others stand still until then
    Blocking,
}

impl From<UrgencyArg> for Urgency {
    fn from(arg: UrgencyArg) -> Self {
        match arg {
            UrgencyArg::Low => Self::Low,
            UrgencyArg::Normal => Self::Normal,
            UrgencyArg::High => Self::High,
            UrgencyArg::Blocking => Self::Blocking,
        }
    }
}

/// The project that a command is about.
fn project(cx: &Context, named: Option<&str>) -> Result<String, CliError> {
    let key = named.map(str::to_owned).or_else(|| cx.project.key.clone());
    key.ok_or_else(|| {
        CliError::new(exit::USAGE, "this folder belongs to no project").hint("name it: --project")
    })
}

/// What is to be known of plain names that are not here.
fn at_any_depth<'a>(names: impl Iterator<Item = (&'a String, &'a Wanted)>) -> Vec<String> {
    let anywhere = names.filter(|(_, wanted)| wanted.anywhere);
    let said = anywhere.map(|(name, _)| {
        let name = line(name);
        format!(
            "{name} is not here, so it means that name at any depth; to mean only the file in this \
             folder: ./{name}"
        )
    });
    said.collect()
}

/// What a text means as a pattern: seen from this folder, unless it is about another project.
fn wanted(cx: &Context, text: &str, project: &str) -> Result<Wanted, CliError> {
    let cwd = std::env::current_dir().unwrap_or_default();
    let is_here = cx.project.key.as_deref() == Some(project);
    let found = if is_here {
        pattern::find(&cx.env, &cx.project, &cwd, text)
    } else {
        pattern::as_written(text)
    };
    found.map_err(|e| CliError::new(exit::USAGE, line(&e.to_string())))
}
