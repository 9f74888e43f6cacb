//! `coord lock`.

use std::fmt::Write as _;
use std::time::Duration;

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::id::Uuid;
use coord_protocol::lease::{FILE_TTL_DEFAULT, TTL_DEFAULT, Ttl};
use coord_protocol::request::Method;
use coord_protocol::resource::Resource;
use coord_protocol::wire::{ClaimKind, ClaimLock, Lock, Locks};
use serde_json::Value;

use super::file_lock::{self, AcquireArgs, FileArgs};
use super::generation::generation;
use super::reading::{Query, listed, read};
use super::writing::{WriteArgs, send};
use crate::context::Context;
use crate::lock_request;
use crate::ui::claim_words;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Claim a lock; refused with status 10 while somebody else holds it
    #[command(after_help = "\
Examples:
  coord lock claim acme/app src/api/credentials.rs \"Adding endpoints\"
  coord lock claim acme/app 'src/api/**' \"Refactoring\" --ttl 4
  coord lock claim acme/app 'app/[id]/page.tsx' --literal
  coord lock claim acme/app deploy:prod \"Release 0.3\"")]
    Claim {
        /// The project
        project: String,
        /// A path, a glob, or any name
        resource: String,
        /// What for
        description: Option<String>,
        /// The resource means exactly itself, whatever characters it holds
        #[arg(long)]
        literal: bool,
        /// Hours until it ends by itself; 0 never [default: 2]
        #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
        ttl: Option<f64>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Lock a file: status 10 while somebody else holds it; any command of yours keeps it
    #[command(after_help = "\
Examples:
  coord lock acquire src/api.rs \"Adding endpoints\"
  coord lock acquire src/api.rs --ttl 60

All locks on one file are one lock, whatever spelling, link or folder the path comes through, also in
the other work trees of the clone.")]
    Acquire(AcquireArgs),
    /// Say whether a file is free: status 10 when somebody else holds it
    Check(FileArgs),
    /// Go on with a lock of yours on a file: status 11 when it is over
    Renew {
        #[command(flatten)]
        at: FileArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Note that you changed a file that you hold
    Edited {
        #[command(flatten)]
        at: FileArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Compare a file with what its holder left there: status 12 when somebody else changed it
    Detect(FileArgs),
    /// End silent sessions with their files, and all locks whose time is over
    Cleanup {
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Release a lock
    Release {
        /// Its id, or the file
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All locks of this session
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Though somebody else holds it; needs --reason
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why, on record
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// List live locks
    List {
        /// Only this project
        #[arg(long, value_name = "KEY")]
        project: Option<String>,
        /// Only what would be in the way of this resource (needs --project)
        #[arg(long, value_name = "RESOURCE", requires = "project")]
        resource: Option<String>,
        /// Only this session's
        #[arg(long, value_name = "SESSION")]
        session: Option<String>,
    },
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Claim { project, resource, description, literal, ttl, write } => {
            let ask = ClaimLock {
                project_key: project,
                session_id: cx.session.id.clone(),
                resource,
                literal,
                description,
                ttl_hours: ttl,
                generation: generation(cx)?,
                ..ClaimLock::default()
            };
            claim(cx, &ask, &write)
        }
        Verb::Acquire(a) => file_lock::acquire(cx, a),
        Verb::Check(a) => file_lock::check(cx, &a),
        Verb::Renew { at, write } => file_lock::renew(cx, &at, &write),
        Verb::Edited { at, write } => file_lock::edited(cx, &at, &write),
        Verb::Detect(a) => file_lock::detect(cx, &a),
        Verb::Cleanup { write } => file_lock::cleanup(cx, &write),
        Verb::Release { id: Some(id), force, reason, write, .. } => {
            let how = (force, reason.as_deref());
            if Uuid::try_parse(&id).is_ok() {
                release_one(cx, &id, how, &write)
            } else {
                file_lock::release(cx, id.as_ref(), how, &write)
            }
        }
        Verb::Release { write, .. } => {
            let query = Query::default()
                .and("session_id", Some(&cx.session.id))
                .and("release_all", Some("true"));
            let request = cx.request(Method::Delete, &query.on("/api/coord/locks"), None::<&Value>);
            send(cx, &write, request, "release of all locks", |answer| {
                let n = answer.get("released").and_then(Value::as_u64).unwrap_or(0);
                format!("released {n} locks")
            })
        }
        Verb::List { project, resource, session } => {
            let query = Query::default()
                .and("project_key", project.as_deref())
                .and("resource", resource.as_deref())
                .and("session_id", session.as_deref())
                .and("limit", Some("500"));
            let (locks, raw): (Locks, _) = read(cx, &query.on("/api/coord/locks"))?;
            let rows: Vec<_> = locks.locks.iter().map(row).collect();
            Ok(listed(&rows, "no locks", raw))
        }
    }
}

/// Releases one lock by its id.
pub(super) fn release_one(
    cx: &Context,
    id: &str,
    (force, reason): (bool, Option<&str>),
    write: &WriteArgs,
) -> Result<Report, CliError> {
    let request = lock_request::release(cx, id, (force, reason), generation(cx)?);
    let what = format!("release of {}", line(id));
    send(cx, write, request, &what, |answer| {
        if answer.get("released").and_then(Value::as_bool) == Some(false) {
            let why = answer.get("reason").and_then(Value::as_str).unwrap_or("over");
            return format!("was not held any more ({})", line(why));
        }
        format!("released {}", line(id))
    })
}

pub(super) fn claim(cx: &Context, ask: &ClaimLock, write: &WriteArgs) -> Result<Report, CliError> {
    // Checked here too, so that nothing is queued that the server is bound to refuse.
    let read = if ask.literal { Resource::literal } else { Resource::parse };
    read(&ask.resource).map_err(|e| {
        CliError::new(exit::USAGE, e.to_string())
            .hint("if the name is meant to the letter, add --literal")
    })?;
    let default = match ask.kind {
        ClaimKind::Lock | ClaimKind::Claim => TTL_DEFAULT,
        ClaimKind::File => FILE_TTL_DEFAULT,
    };
    let lease = Ttl::from_hours(ask.ttl_hours, default)
        .map_err(|e| CliError::new(exit::USAGE, e.to_string()))?;
    let good_for = match lease {
        Ttl::None => TTL_DEFAULT,
        Ttl::For(d) => d.max(Duration::from_secs(1)),
    };
    let request = lock_request::claim(cx, ask, good_for);
    let what = format!("claim on {}", line(&ask.resource));
    let report = send(cx, write, request, &what, granted)?;
    if report.json["outcome"] == "queued" {
        return Ok(report
            .note("  the lock is NOT held: only the server grants it, when the queue gets there"));
    }
    Ok(report)
}

pub(super) fn granted(answer: &Value) -> String {
    let text = |name: &str| line(answer.get(name).and_then(Value::as_str).unwrap_or("?"));
    if answer.get("outcome").and_then(Value::as_str) == Some("past") {
        return format!("too late: {}", text("detail"));
    }
    let until = match answer.get("expires_at").and_then(Value::as_str) {
        Some(t) => format!("until {}", line(t)),
        None => "until released".to_owned(),
    };
    let verb = if answer["renewed"] == true { "renewed" } else { "locked" };
    let mut out = format!(
        "{verb} {} {until} (fence {})\nrelease it with: coord lock release {}",
        text("resource"),
        answer.get("fence").and_then(Value::as_i64).unwrap_or(0),
        text("id"),
    );
    for old in answer["released_stale"].as_array().into_iter().flatten() {
        let by = line(old["session_id"].as_str().unwrap_or("?"));
        let _ = write!(out, "\nnote: the abandoned lock of {by} was released for this");
    }
    for other in answer["overlapped"].as_array().into_iter().flatten() {
        let by = line(other["session_id"].as_str().unwrap_or("?"));
        let what = line(other["resource"].as_str().unwrap_or("?"));
        let _ = write!(out, "\nnote: {by} held {what} meanwhile: look at what it changed");
    }
    out
}

pub(super) fn row(l: &Lock) -> String {
    let until = l.expires_at.map_or("until released".to_owned(), |t| format!("until {t}"));
    let why = l.description.as_deref().map(|d| format!("  {}", brief(d))).unwrap_or_default();
    let half = if l.provisional { "  (provisional)" } else { "" };
    format!(
        "{}  {}  {}  {}  {until}{why}{half}",
        l.id,
        line(&l.project_key),
        claim_words::name(l),
        line(l.team.as_deref().map_or(&l.session_id, |t| &t.engineer))
    )
}
