//! `coord status`.

use std::fmt::Write as _;

use coord_protocol::wire::{ClaimKind, Lock, Session, Status};
use serde_json::{Value, json};

use super::reading::{Query, count, count_of, in_queue, read};
use super::writing::waiting_here;
use crate::context::Context;
use crate::outbox::dead;
use crate::ui::claim_words;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Also each lock with holder, purpose and end, and the last five decisions
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    let query = Query::default()
        .and("project_key", a.project.as_deref())
        .and("session_id", Some(&cx.session.id));
    let (s, raw): (Status, _) = read(cx, &query.on("/api/coord/status"))?;
    let mut out = vec![format!("you are {} ({})", line(&cx.session.id), line(&cx.base))];
    out.push(format!("unread messages: {}", s.unread_messages));
    out.push(format!("open todos: {}", s.open_todos));
    let locks = (&s.active_locks[..], &raw["active_locks"]);
    section(&mut out, "locks", locks, |l| {
        if a.verbose { lock_in_full(l) } else { super::lock::row(l) }
    });
    if let Some(asked) = asked_for(cx, &s.active_locks) {
        out.push(asked);
    }
    let components = (&s.recent_components[..], &raw["recent_components"]);
    section(&mut out, "components", components, super::component::row);
    let workflows = (&s.active_workflows[..], &raw["active_workflows"]);
    section(&mut out, "workflows", workflows, super::workflow::row);
    let sessions = (&s.sessions[..], &Value::Null);
    section(&mut out, "sessions", sessions, |one| with_files(one, &s.active_locks));
    out.push(format!("locks in all: {}, decisions: {}", s.lock_count, s.decision_count));
    if a.verbose {
        let decisions = (&s.recent_decisions[..], &raw["recent_decisions"]);
        section(&mut out, "last decisions", decisions, super::decision::row);
    }
    let waiting = waiting_here(cx);
    if waiting > 0 {
        out.push(format!("{} here: `coord outbox list`", count(waiting, "write")));
    }
    let elsewhere = cx.other_outboxes().len();
    if elsewhere > 0 {
        out.push(format!("writes wait in {elsewhere} other projects too; `coord sync` sends them"));
    }
    let dead = dead::list(&cx.outbox).map_or(0, |l| l.len());
    if dead > 0 {
        out.push(format!("dead letters: {dead}, see `coord outbox dead`"));
    }
    let json = json!({"session": cx.session.id, "server": cx.base, "waiting": waiting, "dead": dead, "status": raw});
    Ok(Report::new(out.join("\n"), json))
}

/// Open requests for claims of this session; `None`: there are none, or nothing is known of them.
fn asked_for(cx: &Context, held: &[Lock]) -> Option<String> {
    let mine = |l: &&Lock| l.team.as_deref().is_some_and(|t| t.engineer == cx.session.id);
    let cut =
        held.iter().filter(mine).filter(|l| l.team.as_deref().is_some_and(|t| t.ttl_shortened));
    match cut.count() {
        0 => None,
        n => Some(format!(
            "the release of {} of yours is asked for: `coord request inbox`",
            count_of(n, "claim")
        )),
    }
}

/// Rows under a title. `raw` is the same list as it came: it says which of them only wait here.
fn section<T>(
    out: &mut Vec<String>,
    title: &str,
    (rows, raw): (&[T], &Value),
    row: impl Fn(&T) -> String,
) {
    out.push(
        format!("{title}: {}", if rows.is_empty() { "none".to_owned() } else { String::new() })
            .trim_end()
            .to_owned(),
    );
    for (n, one) in rows.iter().enumerate() {
        let text = row(one);
        let text = if raw[n]["queued"] == true { in_queue(&text) } else { text };
        out.push(format!("  {text}"));
    }
}

/// A session, and the files that it holds.
fn with_files(session: &Session, locks: &[Lock]) -> String {
    let held: Vec<_> = locks
        .iter()
        .filter(|l| l.kind == ClaimKind::File && l.session_id == session.session_id)
        .collect();
    let mut out = format!("{}  ({})", super::session::row(session), session.status.as_str());
    if !held.is_empty() {
        let _ = write!(out, "\n    files: {}", held.len());
    }
    for lock in held {
        let _ = write!(out, "\n      - {}", line(&lock.resource));
    }
    out
}

fn lock_in_full(l: &Lock) -> String {
    let until = l.expires_at.map_or("when released".to_owned(), |t| t.to_string());
    format!(
        "{}  {}\n    holder: {}\n    for: {}\n    ends: {until}",
        line(&l.project_key),
        claim_words::name(l),
        line(l.team.as_deref().map_or(&l.session_id, |t| &t.engineer)),
        brief(l.description.as_deref().unwrap_or("(not said)")),
    )
}
