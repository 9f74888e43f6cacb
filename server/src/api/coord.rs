//! The routes of `/api/coord` (seed 000, and what belongs beside it).

use coord_protocol::limits::{PAGE_DEFAULT, PAGE_MAX};
use coord_protocol::time::Millis;
use coord_protocol::wire::{
    Change, ChangeDecision, ClaimLock, CleanUp, ComponentHistory, Components, Decisions,
    EndSession, ExtendLock, Heartbeat, Locks, Messages, Offered, ReadMessages, RegisterSession,
    SentMessages, Sessions, SetComponent, SetComponentAt, Todos, WorkItems, Workflows,
};
use serde_json::{Value, json};

use super::routes::decode_segment;
use super::{Matched, Piece, created, json as from_json, ok, to_json};
use crate::service::claims::{self, Claimed, End, LockFilter, Release};
use crate::service::messages::{self, MessageFilter};
use crate::service::once::Told;
use crate::service::{
    Answer, Cx, Refusal, components, decisions, feed, files, reaping, receipts, sessions,
    status as overview, todos, work,
};
use crate::store::{Scope, Tx, View};

impl Matched<'_> {
    /// How many rows are wanted.
    fn limit(&self) -> Result<usize, Refusal> {
        self.limit_or(PAGE_DEFAULT)
    }

    fn limit_or(&self, default: usize) -> Result<usize, Refusal> {
        let Some(text) = self.query("limit") else { return Ok(default) };
        match text.parse::<usize>() {
            Ok(n) if (1..=PAGE_MAX).contains(&n) => Ok(n),
            Ok(_) | Err(_) => {
                Err(Refusal::new(422, format!("limit must be 1 to {PAGE_MAX}, not {text:?}")))
            }
        }
    }

    /// The place behind which to go on.
    fn after(&self) -> Result<i64, Refusal> {
        self.query("after").map_or(Ok(0), |t| {
            t.parse().map_err(|_| Refusal::new(422, format!("after must be a number, not {t:?}")))
        })
    }

    /// A list of names, divided by commas; each percent-encoded once more when it holds one.
    fn list(&self, name: &str) -> Option<Vec<String>> {
        Some(self.query(name)?.split(',').map(decode_segment).collect())
    }

    /// What of the feed is wanted.
    fn scope(&self) -> Scope {
        Scope { projects: self.list("project_key"), machines: self.list("machine") }
    }

    /// Which conversation of the session asks.
    fn generation(&self) -> Result<Option<i64>, Refusal> {
        let read = |t: String| {
            t.parse()
                .map_err(|_| Refusal::new(422, format!("generation must be a number, not {t:?}")))
        };
        self.query("generation").map(read).transpose()
    }

    fn time(&self, name: &str) -> Result<Option<Millis>, Refusal> {
        let read =
            |t: String| Millis::parse(&t).map_err(|e| Refusal::new(422, format!("{name}: {e}")));
        self.query(name).map(read).transpose()
    }

    fn needed(&self, name: &str) -> Result<String, Refusal> {
        self.query(name).ok_or_else(|| Refusal::new(422, format!("{name} is missing in the query")))
    }
}

pub(super) fn status(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, session) = (m.query("project_key"), m.query("session_id"));
    ok(&overview::overview(v, cx, project.as_deref(), session.as_deref())?)
}

pub(super) fn changes(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let scope = m.scope();
    ok(&feed::changes(v, cx, m.query("since").as_deref(), &scope, m.limit_or(PAGE_MAX)?)?)
}

/// Changes in one piece of a stream at most.
const STREAM_PIECE: usize = 64;

/// Server-sent events: each change with its own cursor as the event's id.
pub(super) fn events(
    v: &View<'_>,
    _: &Cx<'_>,
    m: &Matched<'_>,
    place: Option<&str>,
) -> Answer<Piece> {
    // A browser that reconnects repeats the address it began with: its header is newer.
    let asked = || m.call.last_event.clone().or_else(|| m.query("since"));
    let since = place.map(str::to_owned).or_else(asked);
    let page = feed::events(v, since.as_deref(), &m.scope(), STREAM_PIECE)?;
    let reset = if page.reset { "event: reset\ndata: {}\n\n" } else { "" };
    // JSON text has no line break in it.
    let event = |(cursor, change): &(String, Change)| {
        format!("id: {cursor}\nevent: change\ndata: {}\n\n", to_json(change))
    };
    let changes: String = page.events.iter().map(event).collect();
    // At once, so that a reader of a quiet feed knows its place, and that it is heard.
    let place = place.map_or_else(|| format!(":\nid: {}\n\n", page.cursor), |_| String::new());
    let text = format!("{reset}{changes}{place}");
    Ok(Piece { text, place: page.cursor, more: page.more })
}

// Locks

pub(super) fn list_locks(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, resource) = (m.query("project_key"), m.query("resource"));
    let (session, after) = (m.query("session_id"), m.query("after"));
    let filter = LockFilter {
        project: project.as_deref(),
        resource: resource.as_deref(),
        session: session.as_deref(),
        literal: m.call.flag("literal"),
    };
    let most = m.limit()?;
    let page = claims::list(v, cx, &filter, after.as_deref(), most)?;
    let next = page.next(|l| l.id.clone());
    ok(&Locks { count: page.rows.len(), locks: page.rows, next })
}

pub(super) fn show_lock(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&claims::show(v, m.param(0))?)
}

pub(super) fn claim_lock(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: ClaimLock = from_json::body(&m.call.body)?;
    if ask.two_step {
        let cleared = files::clear_lapsed(tx, cx, &ask)?;
        if !cleared.is_empty() {
            return ok(&json!({"outcome": "cleared", "ended": cleared}));
        }
    }
    match claims::claim(tx, cx, &ask)? {
        Claimed::Granted(lock) if lock.renewed => ok(&*lock),
        Claimed::Granted(lock) => created(&*lock),
        Claimed::Past(id) => ok(&json!({
            "id": id,
            "outcome": "past",
            "detail": "the claim came after its time; it is on record and nothing was granted",
        })),
    }
}

pub(super) fn extend_lock(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: ExtendLock = from_json::body(&m.call.body)?;
    match files::extend(tx, cx, m.param(0), &ask)? {
        Some(lock) => ok(&lock),
        None => ok(&json!({
            "id": m.param(0),
            "outcome": "past",
            "detail": "the extension came after its time; the lock stands as it is",
        })),
    }
}

pub(super) fn file_state(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, file) = (m.needed("project_key")?, m.needed("resource")?);
    let session = m.query("session_id").unwrap_or_default();
    ok(&files::state(v, cx, &project, &file, &session)?)
}

pub(super) fn release_lock(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (session, reason) = (m.needed("session_id")?, m.query("reason"));
    let ask = Release {
        session: &session,
        force: m.call.flag("force"),
        reason: reason.as_deref(),
        generation: m.generation()?,
    };
    ok(&claims::release(tx, cx, m.param(0), &ask)?)
}

pub(super) fn release_locks(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let session = m.needed("session_id")?;
    if !m.call.flag("release_all") {
        let why = "add release_all=true to release all locks of the session";
        return Err(Refusal::new(422, why).into());
    }
    ok(&claims::release_all(tx, cx, &session, End::Released)?)
}

// Components

pub(super) fn list_components(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let after = m.query("after").map(|a| component_place(&a)).transpose()?;
    let page = v.components(m.query("project_key").as_deref(), after, m.limit()?)?;
    let next = page.next(|c| format!("{}/{}", encode(&c.project_key), encode(&c.component)));
    ok(&Components { count: page.rows.len(), components: page.rows, next })
}

/// `<project>/<component>`, each percent-encoded: where a list of components goes on.
fn component_place(after: &str) -> Result<(String, String), Refusal> {
    let (project, name) = after.split_once('/').ok_or_else(|| {
        Refusal::new(422, format!("after must be what `next` said, not {after:?}"))
    })?;
    Ok((decode_segment(project), decode_segment(name)))
}

fn encode(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

pub(super) fn show_component(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&components::show(v, m.param(0), m.param(1))?)
}

pub(super) fn component_history(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let before = if m.query("after").is_some() { m.after()? } else { i64::MAX };
    let page = components::history(v, m.param(0), m.param(1), before, m.limit()?)?;
    let next = page.next(|c| c.seq);
    ok(&ComponentHistory { count: page.rows.len(), history: page.rows, next })
}

pub(super) fn set_component(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&components::set(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn set_component_at(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let at: SetComponentAt = from_json::body(&m.call.body)?;
    let ask = SetComponent {
        project_key: m.param(0).to_owned(),
        component: m.param(1).to_owned(),
        state: at.state,
        version: at.version,
        notes: at.notes,
        updated_by: at.updated_by,
    };
    ok(&components::set(tx, cx, ask)?)
}

// Workflows and work items

pub(super) fn list_workflows(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, status) = (m.query("project_key"), m.query("status"));
    let after = m.query("after");
    let page =
        v.workflows(project.as_deref(), status.as_deref(), false, after.as_deref(), m.limit()?)?;
    let next = page.next(|w| w.id.clone());
    ok(&Workflows { count: page.rows.len(), workflows: page.rows, next })
}

pub(super) fn show_workflow(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&work::workflow(v, m.param(0))?)
}

pub(super) fn create_workflow(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    created(&work::create_workflow(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn change_workflow(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&work::change_workflow(tx, cx, m.param(0), from_json::body(&m.call.body)?)?)
}

pub(super) fn list_work_items(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (workflow, project) = (m.query("workflow_id"), m.query("project_key"));
    let (status, after) = (m.query("status"), m.query("after"));
    let page = v.work_items(
        workflow.as_deref(),
        project.as_deref(),
        status.as_deref(),
        after.as_deref(),
        m.limit()?,
    )?;
    let next = page.next(|w| w.id.clone());
    ok(&WorkItems { count: page.rows.len(), work_items: page.rows, next })
}

pub(super) fn show_work_item(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&work::item(v, m.param(0))?)
}

pub(super) fn add_work_item(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    created(&work::add_item(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn change_work_item(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&work::change_item(tx, cx, m.param(0), from_json::body(&m.call.body)?)?)
}

// Messages

/// Messages with their receipts in one answer at most: a broadcast may have hundreds.
const WITH_RECEIPTS_MAX: usize = 50;

pub(super) fn list_messages(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (to, from) = (m.query("to_session"), m.query("from_session"));
    let project = m.query("project_key");
    let filter = MessageFilter {
        to: to.as_deref(),
        unread_only: m.call.flag("unread_only"),
        not_offered: m.call.flag("not_offered"),
        from: from.as_deref(),
        project: project.as_deref(),
        newest_first: m.call.flag("newest_first"),
    };
    if m.query("with").as_deref() == Some("receipts") {
        let most = m.limit()?.min(WITH_RECEIPTS_MAX);
        let page = receipts::with(v, cx, messages::list(v, cx, &filter, m.after()?, most)?)?;
        let next = page.next(|s| s.message.seq);
        return ok(&SentMessages { count: page.rows.len(), messages: page.rows, next });
    }
    let page = messages::list(v, cx, &filter, m.after()?, m.limit()?)?;
    let next = page.next(|m| m.seq);
    ok(&Messages { count: page.rows.len(), messages: page.rows, next })
}

pub(super) fn show_message(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&messages::show(v, m.param(0), &m.query("session_id").unwrap_or_default())?)
}

pub(super) fn message_receipts(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (receipts, recipients) = receipts::of(v, cx, m.param(0))?;
    ok(&json!({"count": receipts.len(), "receipts": receipts, "recipients": recipients}))
}

pub(super) fn send_message(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    created(&messages::send(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn messages_offered(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: Offered = from_json::body(&m.call.body)?;
    ok(&json!({"noted": messages::mark_offered(tx, cx, &ask)?}))
}

pub(super) fn read_message(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let in_body = || {
        let v: Value = serde_json::from_slice(&m.call.body).ok()?;
        v.get("session_id")?.as_str().map(str::to_owned)
    };
    let session = m.query("session_id").or_else(in_body);
    ok(&messages::mark_read(tx, cx, m.param(0), session.as_deref())?)
}

pub(super) fn read_messages(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: ReadMessages = from_json::body(&m.call.body)?;
    ok(&json!({"read": messages::mark_all_read(tx, cx, &ask)?}))
}

// Todos

pub(super) fn list_todos(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (user, project) = (m.query("assigned_to_user"), m.query("project_key"));
    let status = m.query("status").filter(|s| s != "all");
    let page =
        v.todos(user.as_deref(), project.as_deref(), status.as_deref(), m.after()?, m.limit()?)?;
    let next = page.next(|(seq, _)| *seq);
    let todos: Vec<_> = page.rows.into_iter().map(|(_, t)| t).collect();
    ok(&Todos { count: todos.len(), todos, next })
}

pub(super) fn show_todo(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&todos::show(v, m.param(0))?)
}

pub(super) fn add_todo(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    created(&todos::add(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn change_todo(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&todos::change(tx, cx, m.param(0), from_json::body(&m.call.body)?)?)
}

// Sessions

pub(super) fn list_sessions(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, after) = (m.query("project_key"), m.query("after"));
    let all = m.call.flag("all");
    let page = v.sessions(project.as_deref(), Millis(0), all, after.as_deref(), m.limit()?)?;
    let next = page.next(|s| s.session_id.clone());
    let sessions = sessions::judged(v, cx, page.rows)?;
    ok(&Sessions { count: sessions.len(), sessions, next })
}

pub(super) fn show_session(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&sessions::show(v, cx, m.param(0))?)
}

pub(super) fn register_session(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: RegisterSession = from_json::body(&m.call.body)?;
    ok(&sessions::register(tx, cx, ask)?)
}

pub(super) fn heartbeat(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: Heartbeat = from_json::body(&m.call.body)?;
    ok(&sessions::heartbeat(tx, cx, &ask)?)
}

pub(super) fn clean_up(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: CleanUp = from_json::body(&m.call.body)?;
    ok(&reaping::clean_up(tx, cx, &ask)?)
}

pub(super) fn end_session(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: EndSession = from_json::body(&m.call.body)?;
    ok(&sessions::finish(tx, cx, &ask)?)
}

// Decisions

pub(super) fn list_decisions(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let (project, category) = (m.query("project_key"), m.query("category"));
    let times = (m.time("since")?, m.time("until")?);
    let after = m.query("after");
    let page =
        v.decisions(project.as_deref(), category.as_deref(), times, after.as_deref(), m.limit()?)?;
    let next = page.next(|d| d.id.clone());
    ok(&Decisions { count: page.rows.len(), decisions: page.rows, next })
}

pub(super) fn show_decision(v: &View<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&decisions::show(v, m.param(0))?)
}

pub(super) fn add_decision(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    created(&decisions::add(tx, cx, from_json::body(&m.call.body)?)?)
}

pub(super) fn change_decision(tx: &Tx<'_>, _: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask: ChangeDecision = from_json::body(&m.call.body)?;
    ok(&decisions::change(tx, m.param(0), &ask)?)
}
