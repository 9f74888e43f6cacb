//! What a session is told at its start about what goes on around it: who else works on the project and
//! what they hold, its person's todos, decisions.

use std::fmt::Write as _;

use coord_protocol::edge::Clock;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Decision, Lock, Session, SessionStatus, Status, Todo, Todos};
use coord_server::api::Call;
use serde::de::DeserializeOwned;

use super::ask;
use super::digest::inert;
use crate::context::Context;
use crate::remote::Outgoing;
use crate::remote::breaker::Leave;
use crate::remote::query::Query;
use crate::ui::claim_words;
use crate::ui::neutral::{line, short};

/// Of each kind so many are named.
const SESSIONS_MAX: usize = 8;
const FILES_MAX: usize = 5;
const TODOS_MAX: usize = 5;
const DECISIONS_MAX: usize = 3;
/// Of one text among others.
const TEXT_BYTES: usize = 120;

/// Reads several things as they stand, with one question to the server.
pub(super) struct Look<'a> {
    cx: &'a Context,
    standin: Option<crate::replica::Standin<'static>>,
    unheard: bool,
    until: Millis,
}

impl<'a> Look<'a> {
    pub(super) fn begin(cx: &'a Context, until: Millis) -> Self {
        let standin = cx.standin();
        let left = until.since(cx.clock.boot());
        let pulled = standin.as_ref().map(|s| cx.pull(s, left, Leave::Anybody));
        Self { cx, unheard: !matches!(pulled, Some(Ok(()))), standin, until }
    }

    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let call = Call { method: "GET".into(), target: path.to_owned(), ..Call::default() };
        let known = self.standin.as_ref().and_then(|s| s.read(&call, self.unheard).ok().flatten());
        if let Some(known) = known.filter(|k| k.reply.status == 200) {
            return serde_json::from_str(&known.reply.body).ok();
        }
        self.of_server(path)
    }

    /// Where there is no copy: the engine of this workstation, or a server whose feed is not read yet.
    fn of_server<T: DeserializeOwned>(&self, path: &str) -> Option<T> {
        let cx = self.cx;
        let left = self.until.since(cx.clock.boot());
        if left.is_zero() {
            return None;
        }
        let answer = ask::ask(cx, &Outgoing::get(path), left).ok().filter(|a| a.status == 200)?;
        serde_json::from_slice(&answer.body).ok()
    }
}

/// What goes on in a project.
pub(super) fn status(look: &Look<'_>, project: Option<&str>) -> Option<Status> {
    look.get(&Query::default().and("project_key", project).on("/api/coord/status"))
}

/// All of it, in words; `None`: there is nothing to tell.
pub(super) fn words(cx: &Context, until: Millis) -> Option<String> {
    let project = cx.project.key.as_deref()?;
    let look = Look::begin(cx, until);
    let status = status(&look, Some(project))?;
    let todos = Query::default()
        .and("assigned_to_user", Some(&cx.user))
        .and("status", Some("pending"))
        .and("limit", Some("50"))
        .on("/api/coord/todos");
    let todos = look.get::<Todos>(&todos).map(|t| t.todos).unwrap_or_default();
    let parts = [
        sessions(&cx.session.id, &status),
        own(&cx.session.id, &status.active_locks),
        todo_words(&todos),
        decisions(&status.recent_decisions, status.time),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join("\n"))
}

/// Who else is here, and what they hold. Names and texts in it are other people's.
fn sessions(own: &str, status: &Status) -> Option<String> {
    let live = |s: &&Session| s.status == SessionStatus::Active && s.session_id != own;
    let others: Vec<&Session> = status.sessions.iter().filter(live).collect();
    let silent = holders_else(own, &others, &status.active_locks);
    if others.is_empty() && silent.is_empty() {
        return None;
    }
    let mut out = "coord: other sessions at work on this project:".to_owned();
    for s in others.iter().take(SESSIONS_MAX) {
        let held = |l: &&Lock| l.session_id == s.session_id;
        let held: Vec<&Lock> = status.active_locks.iter().filter(held).collect();
        let about = [("", &s.user), ("on ", &s.branch), ("doing ", &s.task)];
        let about = about.iter().filter_map(|(w, v)| Some(format!("{w}{}", text(v.as_ref()?))));
        let about = about.collect::<Vec<_>>().join(", ");
        let _ = write!(out, "\n- {} ({about})", text(&s.session_id));
        if !held.is_empty() {
            let _ = write!(out, " holds {}", names(&held));
        }
    }
    let room = SESSIONS_MAX.saturating_sub(others.len());
    for (holder, held) in silent.iter().take(room) {
        let _ = write!(out, "\n- {} holds {}", text(holder), names(held));
    }
    let all = others.len() + silent.len();
    if all > SESSIONS_MAX {
        let _ = write!(out, "\n- and {} more: `coord status`", all - SESSIONS_MAX);
    }
    Some(out)
}

/// Who holds something here and is not among the sessions at work: not registered, silent, or elsewhere.
fn holders_else<'a>(
    own: &str,
    others: &[&Session],
    locks: &'a [Lock],
) -> Vec<(&'a str, Vec<&'a Lock>)> {
    let mut found: Vec<(&str, Vec<&Lock>)> = Vec::new();
    for lock in locks {
        let holder = lock.team.as_deref().map_or(lock.session_id.as_str(), |t| &t.engineer);
        let named = |s: &str| s == holder || s == lock.session_id;
        if named(own) || others.iter().any(|s| named(&s.session_id)) {
            continue;
        }
        match found.iter_mut().find(|(h, _)| *h == holder) {
            Some((_, held)) => held.push(lock),
            None => found.push((holder, vec![lock])),
        }
    }
    found
}

/// What the session itself holds: one that goes on may have forgotten it.
fn own(own: &str, locks: &[Lock]) -> Option<String> {
    let held: Vec<&Lock> = locks.iter().filter(|l| l.session_id == own).collect();
    (!held.is_empty()).then(|| format!("coord: you hold {}", names(&held)))
}

fn names(held: &[&Lock]) -> String {
    let shown: Vec<String> =
        held.iter().take(FILES_MAX).map(|l| inert(&claim_words::name(l))).collect();
    let more = held.len().saturating_sub(FILES_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn todo_words(todos: &[Todo]) -> Option<String> {
    if todos.is_empty() {
        return None;
    }
    let mut out = format!("coord: your user's open todos: {}", todos.len());
    for t in todos.iter().take(TODOS_MAX) {
        let first = t.text.lines().next().unwrap_or_default();
        let by =
            t.created_by_user.as_deref().filter(|by| t.assigned_to_user.as_deref() != Some(by));
        let by = by.map(|by| format!(", added by {}", text(by))).unwrap_or_default();
        let _ = write!(out, "\n- {} ({}{by})", text(first), line(&t.id));
    }
    if todos.len() > TODOS_MAX {
        out.push_str("\n- the others: `coord todo list`");
    }
    Some(out)
}

/// Decisions are news for so long.
const DECISION_DAYS: i64 = 30;

fn decisions(recent: &[Decision], now: Millis) -> Option<String> {
    let stands = |d: &&Decision| !matches!(d.status.as_str(), "deprecated" | "superseded");
    let is_news = |d: &&Decision| now.0 - d.decided_at.0 < DECISION_DAYS * 24 * 3_600_000;
    let standing: Vec<_> = recent.iter().filter(stands).filter(is_news).collect();
    if standing.is_empty() {
        return None;
    }
    let mut out = "coord: latest decisions (`coord decision show <id>`):".to_owned();
    for d in standing.iter().take(DECISIONS_MAX) {
        let _ = write!(out, "\n- {} {} ({})", line(&d.display_id), text(&d.title), text(&d.status));
    }
    Some(out)
}

fn text(of_others: &str) -> String {
    inert(&short(of_others, TEXT_BYTES))
}
