//! `coord workflow`.

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{ChangeWorkflow, CreateWorkflow, Workflow, Workflows};
use serde_json::Value;

use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Create a workflow
    Create {
        /// The project
        project: String,
        /// Its name
        name: String,
        /// What it is for
        description: Option<String>,
        /// planning, active, blocked, completed or cancelled [default: planning]
        #[arg(long)]
        status: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Change a workflow
    Update {
        /// Its id
        id: String,
        /// planning, active, blocked, completed or cancelled
        #[arg(long)]
        status: Option<String>,
        /// New name
        #[arg(long)]
        name: Option<String>,
        /// New description
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List workflows
    List {
        /// Only this project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// Only these
        #[arg(long)]
        status: Option<String>,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Create { project, name, description, status, write } => {
            let ask = CreateWorkflow {
                project_key: project,
                name,
                description,
                status,
                created_by: Some(cx.session.id.clone()),
            };
            let request = cx.request(Method::Post, "/api/coord/workflows", Some(&ask));
            send(cx, &write, request, "workflow", |answer| {
                format!("created {}", line(answer.get("id").and_then(Value::as_str).unwrap_or("?")))
            })
        }
        Verb::Update { id, status, name, description, write } => {
            let ask = ChangeWorkflow { name, description, status };
            let path = format!("/api/coord/workflows/{}", encode(&id));
            let request = cx.request(Method::Patch, &path, Some(&ask));
            let what = format!("workflow {}", line(&id));
            send(cx, &write, request, &what, |_| format!("changed {}", line(&id)))
        }
        Verb::List { project, status } => {
            let query = Query::default()
                .and("project_key", project.as_deref())
                .and("status", status.as_deref())
                .and("limit", Some("500"));
            let (w, raw): (Workflows, _) = read(cx, &query.on("/api/coord/workflows"))?;
            let rows: Vec<_> = w.workflows.iter().map(row).collect();
            Ok(listed(&rows, "no workflows", raw))
        }
    }
}

pub(super) fn row(w: &Workflow) -> String {
    format!("{}  {}  {}  {}", w.id, line(&w.project_key), line(&w.status), line(&w.name))
}
