//! Moving from the workstation's own store to a server, on request: what is open there goes into the
//! outbox under the ids that it has already, so doing it twice does it once.

use std::collections::HashSet;
use std::time::Duration;

use coord_protocol::request::{Method, Request};
use coord_protocol::session::ALL_SESSIONS;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Change, ChangeFeed};
use serde_json::{Map, Value, json};

use crate::outbox::append::{AppendError, append};
use crate::outbox::disk::Disk;
use crate::remote::{Net, NetError, Outgoing};

/// Broadcasts that are older are nobody's news any more.
const BROADCASTS_WITHIN: Duration = Duration::from_hours(168);

const PENDING: &str = "pending";

/// Why nothing was carried over.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// The local store could not be read.
    #[error("{0}")]
    Local(#[from] NetError),
    /// Its answer could not be read.
    #[error("the local store gave no usable answer: {0}")]
    Answer(String),
    /// The outbox could not take it.
    #[error("the outbox: {0}")]
    Outbox(#[from] AppendError),
}

/// What is carried over, by kind.
#[derive(Debug, Default, Clone, Copy)]
pub struct Carried {
    /// Open todos.
    pub todos: usize,
    /// Decisions.
    pub decisions: usize,
    /// Unread messages.
    pub messages: usize,
}

/// Everything that is open in the local store behind `since`, as writes for a server, and where the
/// next look begins.
pub fn open_in(
    local: &dyn Net,
    since: &str,
    now: Millis,
) -> Result<(Vec<Request>, String), CarryError> {
    let mut rows = Vec::new();
    let mut cursor = since.to_owned();
    loop {
        let path = format!("/api/coord/changes?limit=500&since={cursor}");
        let answer = local.call(&Outgoing::get(&path), Duration::from_secs(2))?;
        let feed: ChangeFeed = serde_json::from_slice(&answer.body)
            .map_err(|e| CarryError::Answer(format!("{}: {e}", answer.status)))?;
        rows.extend(feed.changes);
        cursor = feed.cursor;
        if !feed.more {
            break;
        }
    }
    // The order in which they were made, not in which they last changed.
    rows.sort_by_key(|c| c.row.get("seq").and_then(Value::as_i64));
    let is_open = |c: &&Change| c.kind == "todo" && text(&c.row, "status") == Some(PENDING);
    let open: HashSet<&str> =
        rows.iter().filter(is_open).filter_map(|c| text(&c.row, "id")).collect();
    let writes = rows.iter().filter_map(|c| write_for(c, &open, now)).collect();
    Ok((writes, cursor))
}

/// Puts the writes into an outbox.
pub fn into_outbox(outbox: &dyn Disk, writes: &[Request]) -> Result<Carried, CarryError> {
    let mut carried = Carried::default();
    for write in writes {
        append(outbox, write)?;
        match write.path.rsplit('/').next() {
            Some("todos") => carried.todos += 1,
            Some("decisions") => carried.decisions += 1,
            _ => carried.messages += 1,
        }
    }
    Ok(carried)
}

fn text<'a>(row: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    row.get(name).and_then(Value::as_str)
}

fn write_for(c: &Change, open: &HashSet<&str>, now: Millis) -> Option<Request> {
    let row = &c.row;
    let (what, body) = match c.kind.as_str() {
        "todo" if text(row, "status") == Some(PENDING) => ("todos", todo(row, open)),
        "decision" => ("decisions", decision(row)),
        "message" if is_unread(row, now) => ("messages", message(row)),
        _ => return None,
    };
    let made = ["created_at", "decided_at"].iter().find_map(|n| row.get(*n)?.as_i64());
    Some(Request {
        ts: made.map(|t| Millis(t).to_string()),
        id: text(row, "id").map(str::to_owned),
        ..Request::new(Method::Post, format!("/api/coord/{what}"), Some(body))
    })
}

/// The named columns that hold anything.
fn of(row: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let column = |n: &&str| Some(((*n).to_owned(), row.get(*n)?.clone()));
    names.iter().filter_map(column).filter(|(_, v)| !v.is_null()).collect()
}

fn todo(row: &Map<String, Value>, open: &HashSet<&str>) -> Value {
    let columns = [
        "text",
        "assigned_to_user",
        "project_key",
        "source",
        "created_by_user",
        "created_by_machine",
    ];
    let mut body = of(row, &columns);
    body.insert("auto".into(), json!(row.get("auto").and_then(Value::as_i64) == Some(1)));
    // A parent that is done stays where it is.
    if let Some(parent) = text(row, "parent_id").filter(|p| open.contains(p)) {
        body.insert("parent_id".into(), json!(parent));
    }
    Value::Object(body)
}

fn decision(row: &Map<String, Value>) -> Value {
    let columns = [
        "project_key",
        "category",
        "title",
        "description",
        "rationale",
        "scope",
        "decided_by",
        "supersedes",
        "display_id",
    ];
    let mut body = of(row, &columns);
    for list in ["alternatives", "files", "depends_on"] {
        let read = text(row, list).and_then(|t| serde_json::from_str::<Value>(t).ok());
        body.extend(read.map(|v| (list.to_owned(), v)));
    }
    if let Some(at) = row.get("decided_at").and_then(Value::as_i64) {
        body.insert("decided_at".into(), json!(Millis(at).to_string()));
    }
    Value::Object(body)
}

fn is_unread(row: &Map<String, Value>, now: Millis) -> bool {
    let time = |name: &str| row.get(name).and_then(Value::as_i64).map(Millis);
    let fresh = time("created_at").is_some_and(|t| now.since(t) < BROADCASTS_WITHIN);
    let over = time("expires_at").is_some_and(|t| t <= now);
    !over && time("read_at").is_none() && (text(row, "to_session") != Some(ALL_SESSIONS) || fresh)
}

fn message(row: &Map<String, Value>) -> Value {
    let mut body = of(row, &["from_session", "to_session", "project_key", "subject", "body"]);
    // Its recipient may not have spoken to this server yet.
    body.insert("may_come_later".into(), json!(true));
    Value::Object(body)
}
