//! The registry: a session registers, gives signs of life, ends.

use coord_protocol::limits::PAGE_DEFAULT;
use coord_protocol::session::machine_of;
use coord_protocol::time::Millis;
use coord_protocol::wire::{
    CheckedIn, EndSession, Heartbeat, RegisterSession, ReleasedAll, Session, SessionStatus,
};
use serde_json::json;

use super::claims::{End, release_all};
use super::messages::mailboxes;
use super::reaping::{self, STALE};
use super::{Answer, Cx, Refusal, fields, files};
use crate::store::{ENDED, Page, Stored, Tx, View};

/// Registers a session, or adds to what is known of it, and hands over its unread mail: the one
/// round trip of a session-start hook. One that comes late begins nothing anew in a session that was
/// heard of since.
pub fn register(tx: &Tx<'_>, cx: &Cx<'_>, ask: RegisterSession) -> Answer<CheckedIn> {
    fields::session("session_id", &ask.session_id)?;
    for (field, value) in [
        ("machine", &ask.machine),
        ("user", &ask.user),
        ("tool", &ask.tool),
        ("project_key", &ask.project_key),
        ("branch", &ask.branch),
        ("role", &ask.role),
    ] {
        fields::maybe_name(field, value.as_deref())?;
    }
    fields::text("task", ask.task.as_deref())?;
    fields::text("worktree", ask.worktree.as_deref())?;
    files::end_lapsed(tx, cx, &ask.session_id)?;
    let (fresh, again) = (ask.fresh, ask.again);
    let old = tx.session(&ask.session_id)?;
    let new = begun(cx, ask);
    let session = match old {
        None => new,
        Some(old) if cx.is_history(old.last_seen) => {
            let now = old.clone();
            told(old, new, now)
        }
        Some(old) => {
            let began = old.began_at.filter(|_| !fresh && old.end_reason.is_none());
            let now = Session {
                began_at: began.or(Some(cx.made())),
                end_reason: None,
                generation: old.generation + i64::from(fresh),
                last_seen: old.last_seen.max(cx.made()),
                ended_at: None,
                ..old.clone()
            };
            told(new, old, now)
        }
    };
    tx.put_session(&session)?;
    reaping::in_passing(tx, cx)?;
    let boxes = mailboxes(tx, cx, &session.session_id)?;
    let page = Page { most: PAGE_DEFAULT, not_offered: !again, ..Page::default() };
    let unread = tx.unread(&boxes, page)?.rows;
    let unread_count = usize::try_from(tx.unread_count(&boxes)?).unwrap_or(unread.len());
    Ok(CheckedIn { session, unread, unread_count })
}

/// A session that was not known before.
fn begun(cx: &Cx<'_>, ask: RegisterSession) -> Session {
    Session {
        machine: ask.machine.or_else(|| machine_of(&ask.session_id).map(str::to_owned)),
        session_id: ask.session_id,
        user: ask.user,
        tool: ask.tool,
        project_key: ask.project_key,
        branch: ask.branch,
        task: ask.task,
        role: ask.role,
        worktree: ask.worktree,
        pid: ask.pid,
        status: SessionStatus::Active,
        began_at: Some(cx.made()),
        end_reason: None,
        generation: 1,
        first_seen: cx.made(),
        last_seen: cx.made(),
        ended_at: None,
    }
}

/// What a session says of itself, first of all in `first`; how it stands is in `now`.
fn told(first: Session, second: Session, now: Session) -> Session {
    Session {
        machine: first.machine.or(second.machine),
        user: first.user.or(second.user),
        tool: first.tool.or(second.tool),
        project_key: first.project_key.or(second.project_key),
        branch: first.branch.or(second.branch),
        task: first.task.or(second.task),
        role: first.role.or(second.role),
        worktree: first.worktree.or(second.worktree),
        pid: first.pid.or(second.pid),
        ..now
    }
}

/// A sign of life. A strict one is for sessions that registered and were not ended since.
pub fn heartbeat(tx: &Tx<'_>, cx: &Cx<'_>, ask: &Heartbeat) -> Answer<Session> {
    let session = &ask.session_id;
    fields::session("session_id", session)?;
    newest(tx, session, ask.generation)?;
    if ask.strict {
        // Whoever was reaped stays so until it registers, whatever else it said meanwhile.
        let known = tx.session(session)?;
        match known.as_ref().map(|s| (s.end_reason.as_deref(), s.began_at)) {
            Some((Some(STALE), _)) => {
                let why =
                    format!("session {session:?} was silent for too long and ended; register");
                return Err(Refusal::new(410, why).with("end_reason", json!(STALE)).into());
            }
            Some((None, Some(_))) => {}
            Some(_) | None => {
                let why = format!("session {session:?} is not registered");
                return Err(Refusal::new(404, why).into());
            }
        }
    }
    cx.touch(tx, session)?;
    show(tx, cx, session)
}

/// Only the newest conversation of a session acts in its name.
pub(super) fn newest(view: &View<'_>, session: &str, generation: Option<i64>) -> Answer<()> {
    let Some(asks) = generation else { return Ok(()) };
    match view.generation(session)? {
        Some(now) if now > asks => {
            let why = format!(
                "a newer conversation has begun under this name: {session:?} is at {now}, \
                 this is {asks}"
            );
            Err(Refusal::new(409, why).with("generation", json!(now)).into())
        }
        Some(_) | None => Ok(()),
    }
}

/// Sessions that were last heard of before this moment are stale; none while nobody could be heard.
pub(super) fn silence_limit(view: &View<'_>, cx: &Cx<'_>) -> Stored<Option<Millis>> {
    let most = cx.rules.session_stale_after;
    let silent = cx.now.since(view.heard_since()?) > most;
    let most = i64::try_from(most.as_millis()).unwrap_or(i64::MAX);
    Ok(silent.then(|| Millis(cx.now.0.saturating_sub(most))))
}

/// Says of sessions how they stand now.
pub fn judged(view: &View<'_>, cx: &Cx<'_>, mut all: Vec<Session>) -> Stored<Vec<Session>> {
    let limit = silence_limit(view, cx)?;
    for s in &mut all {
        s.status = if s.ended_at.is_some() {
            SessionStatus::Ended
        } else if limit.is_some_and(|then| s.last_seen < then) {
            SessionStatus::Stale
        } else {
            SessionStatus::Active
        };
    }
    Ok(all)
}

/// One session.
pub fn show(view: &View<'_>, cx: &Cx<'_>, session: &str) -> Answer<Session> {
    let found = judged(view, cx, view.session(session)?.into_iter().collect())?;
    Ok(found.into_iter().next().ok_or_else(|| Refusal::not_found("session", session))?)
}

/// A session says that it is done: what it holds is released. One that said so long ago and was heard
/// of since goes on.
pub fn finish(tx: &Tx<'_>, cx: &Cx<'_>, ask: &EndSession) -> Answer<ReleasedAll> {
    fields::session("session_id", &ask.session_id)?;
    fields::text("reason", ask.reason.as_deref())?;
    let known = tx.session(&ask.session_id)?;
    if known.as_ref().is_some_and(|s| cx.is_history(s.last_seen)) {
        return Ok(ReleasedAll { released: 0, ids: Vec::new(), past: true });
    }
    let released = release_all(tx, cx, &ask.session_id, End::SessionEnd)?;
    if let Some(s) = known {
        tx.put_session(&Session {
            last_seen: s.last_seen.max(cx.made()),
            ended_at: Some(cx.now),
            end_reason: Some(ENDED.to_owned()),
            ..s
        })?;
    }
    Ok(released)
}
