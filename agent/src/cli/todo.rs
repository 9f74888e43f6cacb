//! `coord todo`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use coord_protocol::request::Method;
use coord_protocol::wire::{AddTodo, ChangeTodo, Todo, Todos};
use serde_json::Value;

use super::reading::{Query, encode, listed, read};
use super::text::from_arg_or_file;
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Status {
    /// Not done yet
    Pending,
    /// Done
    Done,
    /// Both
    All,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Add a todo
    #[command(after_help = "\
Examples:
  coord todo add \"Update the runbook\" --project acme/app --user mike
  coord todo add --text-file plan.md")]
    Add {
        /// What to do; '-' reads stdin
        text: Option<String>,
        /// The text from a file
        #[arg(long, value_name = "FILE")]
        text_file: Option<PathBuf>,
        /// Whose it is
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// The project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// The todo it is a part of
        #[arg(long, value_name = "ID")]
        parent: Option<String>,
        /// Where it comes from
        #[arg(long, value_name = "TEXT")]
        source: Option<String>,
        /// Made by a program rather than on somebody's word
        #[arg(long)]
        auto: bool,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List todos
    List {
        /// Only this person's
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Only this project's
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// Which
        #[arg(long, value_enum, default_value = "pending")]
        status: Status,
    },
    /// Mark a todo done
    Done {
        /// Its id
        id: String,
        #[command(flatten)]
        write: WriteArgs,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Add { text, text_file, user, project, parent, source, auto, write } => {
            let ask = AddTodo {
                text: from_arg_or_file("the todo's text", text, text_file.as_deref())?,
                assigned_to_user: user,
                project_key: project,
                parent_id: parent,
                source,
                auto,
                created_by_user: Some(cx.user.clone()),
                created_by_machine: Some(cx.machine.clone()),
            };
            let request = cx.request(Method::Post, "/api/coord/todos", Some(&ask));
            send(cx, &write, request, "todo", |answer| {
                format!("added {}", line(answer.get("id").and_then(Value::as_str).unwrap_or("?")))
            })
        }
        Verb::List { user, project, status } => {
            let status = match status {
                Status::Pending => "pending",
                Status::Done => "done",
                Status::All => "all",
            };
            let query = Query::default()
                .and("assigned_to_user", user.as_deref())
                .and("project_key", project.as_deref())
                .and("status", Some(status))
                .and("limit", Some("500"));
            let (todos, raw): (Todos, _) = read(cx, &query.on("/api/coord/todos"))?;
            let rows: Vec<_> = todos.todos.iter().map(row).collect();
            Ok(listed(&rows, "no todos", raw))
        }
        Verb::Done { id, write } => {
            let ask = ChangeTodo {
                status: Some("done".to_owned()),
                completed_by: Some(cx.user.clone()),
                ..ChangeTodo::default()
            };
            let path = format!("/api/coord/todos/{}", encode(&id));
            let request = cx.request(Method::Patch, &path, Some(&ask));
            let what = format!("todo {}", line(&id));
            send(cx, &write, request, &what, |_| format!("done: {}", line(&id)))
        }
    }
}

fn row(t: &Todo) -> String {
    let mark = if t.status == "done" { "x" } else { " " };
    let first = t.text.lines().next().unwrap_or_default();
    let mut about = Vec::new();
    about.extend(t.project_key.as_deref().map(line));
    about.extend(t.assigned_to_user.as_deref().map(|u| format!("for {}", line(u))));
    let about = if about.is_empty() { String::new() } else { format!("  ({})", about.join(", ")) };
    format!("[{mark}] {}  {}{about}", t.id, brief(first))
}
