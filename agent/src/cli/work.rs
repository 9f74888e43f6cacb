//! `coord work`.

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{AddWorkItem, ChangeWorkItem, WorkItem, WorkItems};
use serde_json::Value;

use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a work item to a workflow
    Add {
        /// The workflow's id
        workflow: String,
        /// What to do
        title: String,
        /// More about it
        #[arg(long)]
        description: Option<String>,
        /// Higher first
        #[arg(long, allow_negative_numbers = true)]
        priority: Option<i64>,
        #[arg(
            long,
            help = "\
pending, in_progress, blocked, completed or cancelled [default: pending]"
        )]
        status: Option<String>,
        /// The session that works on it
        #[arg(long, value_name = "SESSION")]
        assign: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Change a work item
    Update {
        /// Its id
        id: String,
        #[arg(long, help = "pending, in_progress, blocked, completed or cancelled")]
        status: Option<String>,
        /// New title
        #[arg(long)]
        title: Option<String>,
        /// New description
        #[arg(long)]
        description: Option<String>,
        /// New priority
        #[arg(long, allow_negative_numbers = true)]
        priority: Option<i64>,
        /// New worker
        #[arg(long, value_name = "SESSION")]
        assign: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List work items
    List {
        /// Only of this workflow
        #[arg(long, value_name = "ID")]
        workflow: Option<String>,
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
        Verb::Add { workflow, title, description, priority, status, assign, write } => {
            let ask = AddWorkItem {
                workflow_id: workflow,
                project_key: None,
                title,
                description,
                status,
                priority,
                assigned_to: assign,
            };
            let request = cx.request(Method::Post, "/api/coord/work-items", Some(&ask));
            send(cx, &write, request, "work item", |answer| {
                format!("added {}", line(answer.get("id").and_then(Value::as_str).unwrap_or("?")))
            })
        }
        Verb::Update { id, status, title, description, priority, assign, write } => {
            let ask = ChangeWorkItem { title, description, status, priority, assigned_to: assign };
            let path = format!("/api/coord/work-items/{}", encode(&id));
            let request = cx.request(Method::Patch, &path, Some(&ask));
            let what = format!("work item {}", line(&id));
            send(cx, &write, request, &what, |_| format!("changed {}", line(&id)))
        }
        Verb::List { workflow, project, status } => {
            let query = Query::default()
                .and("workflow_id", workflow.as_deref())
                .and("project_key", project.as_deref())
                .and("status", status.as_deref())
                .and("limit", Some("500"));
            let (w, raw): (WorkItems, _) = read(cx, &query.on("/api/coord/work-items"))?;
            let rows: Vec<_> = w.work_items.iter().map(row).collect();
            Ok(listed(&rows, "no work items", raw))
        }
    }
}

fn row(w: &WorkItem) -> String {
    let who = w.assigned_to.as_deref().map(|a| format!("  ({})", line(a))).unwrap_or_default();
    format!("{}  {:>4}  {}  {}{who}", w.id, w.priority, line(&w.status), line(&w.title))
}
