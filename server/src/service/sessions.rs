//! The registry: a session registers, gives signs of life, ends.

use coord_protocol::limits::PAGE_DEFAULT;
use coord_protocol::session::machine_of;
use coord_protocol::wire::{CheckedIn, EndSession, RegisterSession, ReleasedAll, Session};

use super::claims::{End, release_all};
use super::messages::mailboxes;
use super::{Answer, Cx, Refusal, fields};
use crate::store::{Page, Tx, View};

/// Registers a session, or adds to what is known of it, and hands over its unread mail: the one
/// round trip of a session-start hook.
pub fn register(tx: &Tx<'_>, cx: &Cx<'_>, ask: RegisterSession) -> Answer<CheckedIn> {
    fields::session("session_id", &ask.session_id)?;
    for (field, value) in [
        ("machine", &ask.machine),
        ("user", &ask.user),
        ("tool", &ask.tool),
        ("project_key", &ask.project_key),
        ("branch", &ask.branch),
    ] {
        fields::maybe_name(field, value.as_deref())?;
    }
    fields::text("task", ask.task.as_deref())?;
    let old = tx.session(&ask.session_id)?;
    let machine = ask.machine.or_else(|| machine_of(&ask.session_id).map(str::to_owned));
    let session = match old {
        None => Session {
            session_id: ask.session_id,
            machine,
            user: ask.user,
            tool: ask.tool,
            project_key: ask.project_key,
            branch: ask.branch,
            task: ask.task,
            generation: 1,
            first_seen: cx.now,
            last_seen: cx.now,
            ended_at: None,
        },
        Some(old) => Session {
            machine: machine.or(old.machine),
            user: ask.user.or(old.user),
            tool: ask.tool.or(old.tool),
            project_key: ask.project_key.or(old.project_key),
            branch: ask.branch.or(old.branch),
            task: ask.task.or(old.task),
            generation: old.generation + i64::from(ask.fresh),
            last_seen: cx.now,
            ended_at: None,
            ..old
        },
    };
    tx.put_session(&session)?;
    let boxes = mailboxes(tx, cx, &session.session_id)?;
    let page = Page { most: PAGE_DEFAULT, not_offered: !ask.again, ..Page::default() };
    let unread = tx.unread(&boxes, page)?.rows;
    let unread_count = usize::try_from(tx.unread_count(&boxes)?).unwrap_or(unread.len());
    Ok(CheckedIn { session, unread, unread_count })
}

/// A sign of life.
pub fn heartbeat(tx: &Tx<'_>, cx: &Cx<'_>, session: &str) -> Answer<Session> {
    fields::session("session_id", session)?;
    cx.touch(tx, session)?;
    show(tx, session)
}

/// One session.
pub fn show(view: &View<'_>, session: &str) -> Answer<Session> {
    Ok(view.session(session)?.ok_or_else(|| Refusal::not_found("session", session))?)
}

/// A session says that it is done: what it holds is released.
pub fn finish(tx: &Tx<'_>, cx: &Cx<'_>, ask: &EndSession) -> Answer<ReleasedAll> {
    fields::session("session_id", &ask.session_id)?;
    fields::text("reason", ask.reason.as_deref())?;
    let released = release_all(tx, cx, &ask.session_id, End::SessionEnd)?;
    if let Some(s) = tx.session(&ask.session_id)? {
        tx.put_session(&Session { last_seen: cx.now, ended_at: Some(cx.now), ..s })?;
    }
    Ok(released)
}
