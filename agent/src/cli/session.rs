//! `coord session`.

use std::fmt::Write as _;

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::wire::{EndSession, Heartbeat, RegisterSession, Session, Sessions};
use serde_json::Value;

use super::file_lock;
use super::generation::generation;
use super::reading::{Query, encode, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Register this session, or say more about it
    Register {
        /// What you are doing
        #[arg(long, value_name = "TEXT")]
        task: Option<String>,
        /// What you work as: main, reviewer ...
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Give a sign of life
    Heartbeat {
        /// Only when registered: status 1 when not, 13 when ended for its silence
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// End this session: releases what it holds
    End {
        #[command(flatten)]
        write: WriteArgs,
    },
    /// End silent sessions with their files, and all locks whose time is over
    Cleanup {
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List sessions
    List {
        /// Also those that ended
        #[arg(long)]
        all: bool,
        /// Only this project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
    },
    /// Show one session (yours when none is named)
    Show {
        /// Its id
        id: Option<String>,
    },
}

/// What a session says about itself.
pub(crate) fn registration(cx: &Context, task: Option<String>, fresh: bool) -> RegisterSession {
    RegisterSession {
        session_id: cx.session.id.clone(),
        machine: Some(cx.machine.clone()),
        user: Some(cx.user.clone()),
        tool: Some(cx.session.tool.clone()),
        project_key: cx.project.key.clone(),
        branch: cx.project.branch.clone(),
        task,
        role: None,
        worktree: Some(cx.project.root.display().to_string()),
        // The shell or the host: this process is gone at once.
        pid: rustix::process::getppid().map(|p| i64::from(p.as_raw_nonzero().get())),
        fresh,
        again: false,
    }
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    let me = line(&cx.session.id);
    match verb {
        Verb::Register { task, role, write } => {
            let ask = RegisterSession { role, ..registration(cx, task, false) };
            let request = cx.request(Method::Post, "/api/coord/sessions", Some(&ask));
            send(cx, &write, request, "registration", |a| {
                let unread = a.get("unread_count").and_then(Value::as_u64).unwrap_or(0);
                format!("registered {me}; unread messages: {unread}")
            })
        }
        Verb::Cleanup { write } => file_lock::cleanup(cx, &write),
        Verb::Heartbeat { strict, write } => {
            let ask = Heartbeat {
                session_id: cx.session.id.clone(),
                strict,
                generation: generation(cx)?,
            };
            let mut request = cx.request(Method::Post, "/api/coord/sessions/heartbeat", Some(&ask));
            // Who asks whether it is still there must not be revived by asking.
            request.session = request.session.filter(|_| !strict);
            send(cx, &write, request, "heartbeat", |_| format!("alive: {me}"))
        }
        Verb::End { write } => {
            let ask = EndSession { session_id: cx.session.id.clone(), reason: None };
            let request = cx.request(Method::Post, "/api/coord/sessions/end", Some(&ask));
            send(cx, &write, request, "end of session", |a| {
                let n = a.get("released").and_then(Value::as_u64).unwrap_or(0);
                format!("ended {me}; released {n} locks")
            })
        }
        Verb::List { all, project } => {
            let query = Query::default()
                .and("project_key", project.as_deref())
                .and("all", all.then_some("true"))
                .and("limit", Some("500"));
            let (s, raw): (Sessions, _) = read(cx, &query.on("/api/coord/sessions"))?;
            let rows: Vec<_> =
                s.sessions.iter().map(|s| format!("{}  ({})", row(s), s.status.as_str())).collect();
            Ok(listed(&rows, "no sessions", raw))
        }
        Verb::Show { id } => {
            let id = id.unwrap_or_else(|| cx.session.id.clone());
            let path = format!("/api/coord/sessions/{}", encode(&id));
            let (s, raw): (Session, _) = read(cx, &path)?;
            Ok(Report::new(full(&s), raw))
        }
    }
}

pub(super) fn row(s: &Session) -> String {
    let mut out = format!("{}  last seen {}", line(&s.session_id), s.last_seen);
    for (label, value) in
        [("", &s.project_key), ("on ", &s.branch), ("as ", &s.role), ("doing ", &s.task)]
    {
        if let Some(v) = value {
            let _ = write!(out, "  {label}{}", line(v));
        }
    }
    if let Some(t) = s.ended_at {
        let _ = write!(out, "  ended {t}");
        if s.end_reason.as_deref() == Some("stale") {
            out.push_str(" (it was silent for too long)");
        }
    }
    out
}

fn full(s: &Session) -> String {
    let mut out = format!("{}\n  status: {}", row(s), s.status.as_str());
    let pid = s.pid.map(|p| p.to_string());
    let began = s.began_at.map(|t| t.to_string());
    for (label, value) in [
        ("role", &s.role),
        ("tool", &s.tool),
        ("machine", &s.machine),
        ("user", &s.user),
        ("worktree", &s.worktree),
        ("pid", &pid),
        ("since", &began),
    ] {
        if let Some(v) = value {
            let _ = write!(out, "\n  {label}: {}", line(v));
        }
    }
    let _ = write!(out, "\n  generation: {}", s.generation);
    out
}
