//! `coord component`.

use std::fmt::Write as _;

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{Component, ComponentHistory, Components, SetComponent};

use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Report a component's state
    #[command(after_help = "\
Example:
  coord component set acme/app dashboard deployed --version 0.2.39")]
    Set {
        /// The project
        project: String,
        /// The component's name
        component: String,
        /// building, built, deploying, deployed, degraded, unknown, or any other word
        state: String,
        /// Its version
        #[arg(long, value_name = "V")]
        version: Option<String>,
        /// Free text
        #[arg(long, value_name = "TEXT")]
        notes: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List components
    List {
        /// Only this project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
    },
    /// Show how a component's state changed
    History {
        /// The project
        project: String,
        /// The component's name
        component: String,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Set { project, component, state, version, notes, write } => {
            let ask = SetComponent {
                project_key: project,
                component,
                state,
                version,
                notes,
                updated_by: Some(cx.session.id.clone()),
            };
            let what = format!("{}/{} {}", ask.project_key, ask.component, ask.state);
            let what = line(&what);
            let request = cx.request(Method::Put, "/api/coord/components", Some(&ask));
            send(cx, &write, request, &format!("component {what}"), |_| format!("set {what}"))
        }
        Verb::List { project } => {
            let query =
                Query::default().and("project_key", project.as_deref()).and("limit", Some("500"));
            let (c, raw): (Components, _) = read(cx, &query.on("/api/coord/components"))?;
            let rows: Vec<_> = c.components.iter().map(row).collect();
            Ok(listed(&rows, "no components", raw))
        }
        Verb::History { project, component } => {
            let path = format!(
                "/api/coord/components/{}/{}/history?limit=500",
                encode(&project),
                encode(&component)
            );
            let (h, raw): (ComponentHistory, _) = read(cx, &path)?;
            let rows: Vec<_> = h
                .history
                .iter()
                .map(|c| format!("{}  {}", c.component.updated_at, row(&c.component)))
                .collect();
            Ok(listed(&rows, "no changes", raw))
        }
    }
}

pub(super) fn row(c: &Component) -> String {
    let mut out = format!("{}/{}  {}", line(&c.project_key), line(&c.component), line(&c.state));
    if let Some(v) = &c.version {
        let _ = write!(out, "  {}", line(v));
    }
    if let Some(n) = &c.notes {
        let _ = write!(out, "  {}", brief(n));
    }
    if let Some(by) = &c.updated_by {
        let _ = write!(out, "  (by {})", line(by));
    }
    out
}
