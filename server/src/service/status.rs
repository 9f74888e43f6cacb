//! The overview.

use coord_protocol::time::Millis;
use coord_protocol::wire::Status;

use super::claims::{self, LockFilter};
use super::messages::mailboxes;
use super::{Answer, Cx, fields, sessions};
use crate::store::View;

/// Rows of each kind in an overview.
const ROWS_MAX: usize = 100;
/// Decisions in an overview.
const DECISIONS: usize = 5;
/// Sessions silent for longer are left out.
const SESSIONS_WITHIN_MS: i64 = 24 * 3600 * 1000;

/// What is going on: of one project or all, with the mail of one session or the sum.
pub fn overview(
    view: &View<'_>,
    cx: &Cx<'_>,
    project: Option<&str>,
    session: Option<&str>,
) -> Answer<Status> {
    let unread_messages = match session {
        Some(s) => {
            fields::session("session_id", s)?;
            view.unread_count(&mailboxes(view, cx, s)?)?
        }
        None => view.unread_count_of_all(cx.now)?,
    };
    let since = Millis(cx.now.0.saturating_sub(SESSIONS_WITHIN_MS));
    Ok(Status {
        time: cx.now,
        active_locks: claims::list(
            view,
            cx,
            &LockFilter { project, ..LockFilter::default() },
            None,
            ROWS_MAX,
        )?
        .rows,
        recent_components: view.components_by_time(project, ROWS_MAX)?.rows,
        active_workflows: view.workflows(project, None, true, None, ROWS_MAX)?.rows,
        sessions: sessions::judged(
            view,
            cx,
            view.sessions(project, since, false, None, ROWS_MAX)?.rows,
        )?,
        unread_messages,
        open_todos: view.open_todos(project)?,
        lock_count: view.live_claim_count(cx.now, project)?,
        decision_count: view.decision_count(project)?,
        recent_decisions: view.decisions(project, None, (None, None), None, DECISIONS)?.rows,
    })
}
