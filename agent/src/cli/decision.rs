//! `coord decision`.

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{AddDecision, Decision, Decisions};
use serde_json::Value;

use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::{line, lines};
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Put a decision on record
    #[command(after_help = "\
Example:
  coord decision add api \"Errors are RFC 9457 bodies\" --rationale \"One shape for clients\"")]
    Add {
        /// architecture, api, database, or any other word
        category: String,
        /// What was decided
        title: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        rationale: Option<String>,
        /// What it covers: a path, a component
        #[arg(long)]
        scope: Option<String>,
        /// The project [default: the one of this folder]
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// The decision that this one replaces
        #[arg(long, value_name = "ID")]
        supersedes: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List decisions, newest first
    List {
        /// Only this category
        #[arg(long)]
        category: Option<String>,
        /// Only this project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// Only since this RFC 3339 time
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Show one decision
    Show {
        /// Its id, or DEC-YYYYMMDD-NNNN
        id: String,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Add { category, title, rationale, scope, project, supersedes, write } => {
            let ask = AddDecision {
                project_key: project.or_else(|| cx.project.key.clone()),
                category,
                title,
                rationale,
                scope,
                decided_by: Some(cx.session.id.clone()),
                supersedes,
            };
            let request = cx.request(Method::Post, "/api/coord/decisions", Some(&ask));
            send(cx, &write, request, "decision", |a| {
                let id = a.get("display_id").and_then(Value::as_str).unwrap_or("?");
                format!("on record as {}", line(id))
            })
        }
        Verb::List { category, project, since } => {
            let query = Query::default()
                .and("category", category.as_deref())
                .and("project_key", project.as_deref())
                .and("since", since.as_deref())
                .and("limit", Some("500"));
            let (d, raw): (Decisions, _) = read(cx, &query.on("/api/coord/decisions"))?;
            let rows: Vec<_> = d.decisions.iter().map(row).collect();
            Ok(listed(&rows, "no decisions", raw))
        }
        Verb::Show { id } => {
            let path = format!("/api/coord/decisions/{}", encode(&id));
            let (d, raw): (Decision, _) = read(cx, &path)?;
            let why = d.rationale.as_deref().map(|r| format!("\n{}", lines(r))).unwrap_or_default();
            Ok(Report::new(format!("{}{why}", row(&d)), raw))
        }
    }
}

fn row(d: &Decision) -> String {
    let over = d.superseded_by.as_deref().map(|_| "  (superseded)").unwrap_or_default();
    format!("{}  {}  {}{over}", d.display_id, line(&d.category), line(&d.title))
}
