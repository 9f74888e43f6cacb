//! `coord decision`.

use std::fmt::Write as _;

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{AddDecision, ChangeDecision, Decision, Decisions};
use serde_json::Value;

use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::{line, lines};
use crate::ui::report::{CliError, Report};

#[derive(Debug, clap::Args)]
pub(super) struct AddArgs {
    /// architecture, api-design, database-schema, security, performance, testing, workflow,
    /// ui-pattern, integration, or any other word
    category: String,
    /// What was decided
    title: String,
    /// The whole of it
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT")]
    rationale: Option<String>,
    /// What it covers: local, module, service, system, global, a path, a component
    #[arg(long)]
    scope: Option<String>,
    /// proposed, accepted, implemented, deprecated, superseded [default: accepted]
    #[arg(long)]
    status: Option<String>,
    /// What was considered instead (repeatable)
    #[arg(long = "alternative", value_name = "TEXT")]
    alternatives: Vec<String>,
    /// A file that it concerns (repeatable)
    #[arg(long = "file", value_name = "PATH")]
    files: Vec<String>,
    /// What it rests on (repeatable)
    #[arg(long = "depends-on", value_name = "ID")]
    depends_on: Vec<String>,
    /// The project [default: the one of this folder]
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// The decision that this one replaces
    #[arg(long, value_name = "ID")]
    supersedes: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct ListArgs {
    /// Only this category
    #[arg(long)]
    category: Option<String>,
    /// Only this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Only since this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only until this RFC 3339 time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most this many, 1 to 500
    #[arg(long, value_name = "N", default_value_t = 500)]
    limit: usize,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Put a decision on record
    #[command(after_help = "\
Example:
  coord decision add api-design \"Errors are RFC 9457 bodies\" --rationale \"One shape for clients\" \\
    --alternative \"plain text\" --file src/errors.rs")]
    Add(Box<AddArgs>),
    /// List decisions, newest first
    List(ListArgs),
    /// Show one decision
    Show {
        /// Its id, or DEC-YYYYMMDD-NNNN
        id: String,
    },
    /// Give a decision another status
    Status {
        /// Its id, or DEC-YYYYMMDD-NNNN
        id: String,
        /// proposed, accepted, implemented, deprecated, superseded
        status: String,
        #[command(flatten)]
        write: WriteArgs,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Add(a) => add(cx, *a),
        Verb::List(a) => list(cx, &a),
        Verb::Show { id } => {
            let path = format!("/api/coord/decisions/{}", encode(&id));
            let (d, raw): (Decision, _) = read(cx, &path)?;
            Ok(Report::new(full(&d), raw))
        }
        Verb::Status { id, status, write } => {
            let path = format!("/api/coord/decisions/{}", encode(&id));
            let request = cx.request(Method::Patch, &path, Some(&ChangeDecision { status }));
            send(cx, &write, request, "change of the decision", |a| {
                let text = |name: &str| line(a.get(name).and_then(Value::as_str).unwrap_or("?"));
                format!("{} is {}", text("display_id"), text("status"))
            })
        }
    }
}

fn add(cx: &Context, a: AddArgs) -> Result<Report, CliError> {
    let ask = AddDecision {
        project_key: a.project.or_else(|| cx.project.key.clone()),
        category: a.category,
        title: a.title,
        rationale: a.rationale,
        scope: a.scope,
        decided_by: Some(cx.session.id.clone()),
        supersedes: a.supersedes,
        description: a.description,
        status: a.status,
        alternatives: a.alternatives,
        files: a.files,
        depends_on: a.depends_on,
        display_id: None,
        decided_at: None,
    };
    let request = cx.request(Method::Post, "/api/coord/decisions", Some(&ask));
    send(cx, &a.write, request, "decision", |a| {
        let id = a.get("display_id").and_then(Value::as_str).unwrap_or("?");
        format!("on record as {}", line(id))
    })
}

fn list(cx: &Context, a: &ListArgs) -> Result<Report, CliError> {
    let query = Query::default()
        .and("category", a.category.as_deref())
        .and("project_key", a.project.as_deref())
        .and("since", a.since.as_deref())
        .and("until", a.until.as_deref())
        .and("limit", Some(&a.limit.to_string()));
    let (d, raw): (Decisions, _) = read(cx, &query.on("/api/coord/decisions"))?;
    let rows: Vec<_> = d.decisions.iter().map(row).collect();
    Ok(listed(&rows, "no decisions", raw))
}

pub(super) fn row(d: &Decision) -> String {
    let status = match d.status.as_str() {
        "accepted" | "" => String::new(),
        other => format!("  ({})", line(other)),
    };
    format!("{}  {}  {}{status}", d.display_id, line(&d.category), line(&d.title))
}

fn full(d: &Decision) -> String {
    let mut out = row(d);
    for text in [&d.description, &d.rationale].into_iter().flatten() {
        let _ = write!(out, "\n{}", lines(text));
    }
    let when = Some(d.decided_at.to_string());
    for (label, value) in [
        ("status", &Some(d.status.clone())),
        ("scope", &d.scope),
        ("project", &d.project_key),
        ("by", &d.decided_by),
        ("when", &when),
        ("replaces", &d.supersedes),
        ("replaced by", &d.superseded_by),
    ] {
        if let Some(v) = value {
            let _ = write!(out, "\n  {label}: {}", line(v));
        }
    }
    for (label, list) in
        [("instead of", &d.alternatives), ("file", &d.files), ("rests on", &d.depends_on)]
    {
        for v in list {
            let _ = write!(out, "\n  {label}: {}", line(v));
        }
    }
    out
}
