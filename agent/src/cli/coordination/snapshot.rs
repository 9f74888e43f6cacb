//! What a project holds at a moment, read page by page.

use coord_protocol::wire::{ClaimKind, Decision, Decisions, Lock, Locks, Session, Sessions};
use serde::de::DeserializeOwned;

use crate::cli::reading::{Query, read};
use crate::context::Context;
use crate::ui::report::CliError;

/// Registered sessions, live locks on files, decisions.
pub(super) struct Snapshot {
    /// Latest sign of life first.
    pub(super) sessions: Vec<Session>,
    /// Oldest first.
    pub(super) locks: Vec<Lock>,
    /// Oldest first.
    pub(super) decisions: Vec<Decision>,
}

pub(super) fn take(cx: &Context, key: &str) -> Result<Snapshot, CliError> {
    let mut decisions = decisions(cx, key, None, usize::MAX)?;
    decisions.reverse();
    Ok(Snapshot { sessions: sessions(cx, key)?, locks: locks(cx, key)?, decisions })
}

/// Sessions that registered, and are not over.
pub(super) fn sessions(cx: &Context, key: &str) -> Result<Vec<Session>, CliError> {
    let base = || Query::default().and("project_key", Some(key));
    let all =
        pages(cx, "/api/coord/sessions", base, usize::MAX, |p: Sessions| (p.sessions, p.next))?;
    Ok(all.into_iter().filter(is_registered).collect())
}

/// Whether a session registered and has not ended since.
pub(super) fn is_registered(s: &Session) -> bool {
    s.began_at.is_some() && s.end_reason.is_none() && s.ended_at.is_none()
}

/// Live locks on files.
pub(super) fn locks(cx: &Context, key: &str) -> Result<Vec<Lock>, CliError> {
    let base = || Query::default().and("project_key", Some(key));
    let all = pages(cx, "/api/coord/locks", base, usize::MAX, |p: Locks| (p.locks, p.next))?;
    Ok(all.into_iter().filter(|l| l.kind == ClaimKind::File).collect())
}

/// Decisions, newest first.
pub(super) fn decisions(
    cx: &Context,
    key: &str,
    category: Option<&str>,
    most: usize,
) -> Result<Vec<Decision>, CliError> {
    let base = || Query::default().and("project_key", Some(key)).and("category", category);
    pages(cx, "/api/coord/decisions", base, most, |p: Decisions| (p.decisions, p.next))
}

fn pages<P: DeserializeOwned, T>(
    cx: &Context,
    path: &str,
    base: impl Fn() -> Query,
    most: usize,
    parts: impl Fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, CliError> {
    let (mut all, mut after) = (Vec::new(), None::<String>);
    loop {
        let query = base().and("limit", Some("500")).and("after", after.as_deref());
        let (page, _) = read(cx, &query.on(path))?;
        let (rows, next) = parts(page);
        all.extend(rows);
        after = next;
        if after.is_none() || all.len() >= most {
            all.truncate(most);
            return Ok(all);
        }
    }
}
