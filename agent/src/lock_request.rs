//! Requests about locks, as commands and hooks make them.

use std::io;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::{Method, Request};
use coord_protocol::time::Millis;
use coord_protocol::wire::{ABSENT, ClaimKind, ClaimLock, ExtendLock};
use serde_json::Value;

use crate::config::file::{self, ProjectFile};
use crate::context::Context;
use crate::remote::query::{Query, encode};

const LOCKS: &str = "/api/coord/locks";
/// Longest file that is read within a hook.
const SOON_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What is in a file now, as the engine keeps it: its SHA-256, or the word for none.
pub(crate) fn content_now(file: &ProjectFile) -> io::Result<String> {
    Ok(file::content(&file.real)?.unwrap_or_else(|| ABSENT.to_owned()))
}

/// The same for who has no time to read a large file: of one, nothing.
pub(crate) fn content_soon(file: &ProjectFile) -> io::Result<Option<String>> {
    let len = file.real.metadata().map_or(0, |m| m.len());
    if len > SOON_BYTES_MAX { Ok(None) } else { content_now(file).map(Some) }
}

/// The wish for one file with this content. `lasts` is the silence after which it ends; none: the
/// engine's own.
pub(crate) fn file_wish(
    cx: &Context,
    (file, project): (&ProjectFile, String),
    content: Option<String>,
    intent: Option<String>,
    lasts: Option<Duration>,
) -> ClaimLock {
    ClaimLock {
        project_key: project,
        session_id: cx.session.id.clone(),
        resource: file.resource.clone(),
        literal: true,
        description: intent.filter(|i| !i.is_empty()),
        ttl_hours: lasts.map(|l| l.as_secs_f64() / 3600.0),
        kind: ClaimKind::File,
        content,
        generation: None,
        two_step: false,
    }
}

/// Asks for a lock. What waits in a queue for longer than it is good for must not take it (G13).
pub(crate) fn claim(cx: &Context, wish: &ClaimLock, good_for: Duration) -> Request {
    let mut request = cx.request(Method::Post, LOCKS, Some(wish));
    request.not_after = Some(cx.clock.wall().plus(good_for).to_string());
    request
}

/// Goes on with a lock. What waits for longer than the lease lasts must not bring it back (G13).
pub(crate) fn extend(
    cx: &Context,
    id: &str,
    ask: &ExtendLock,
    not_after: Option<Millis>,
) -> Request {
    let mut request = cx.request(Method::Patch, &format!("{LOCKS}/{}", encode(id)), Some(ask));
    request.not_after = not_after.map(|t| t.to_string());
    request
}

/// Gives a lock back: the holder's own, or another's by force with a reason.
pub(crate) fn release(
    cx: &Context,
    id: &str,
    (force, reason): (bool, Option<&str>),
    generation: Option<i64>,
) -> Request {
    let generation = generation.map(|g| g.to_string());
    let query = Query::default()
        .and("session_id", Some(&cx.session.id))
        .and("force", force.then_some("true"))
        .and("reason", reason)
        .and("generation", generation.as_deref());
    let path = query.on(&format!("{LOCKS}/{}", encode(id)));
    cx.request(Method::Delete, &path, None::<&Value>)
}
