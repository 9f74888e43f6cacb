//! The routes as plain functions from a parsed request to a reply. They know no server library:
//! each face turns its own request into a [`Call`] and a [`Reply`] into its own response. A route
//! parses, calls the service, renders; it decides nothing.

mod batch;
mod coord;
mod forms;
mod hotspots;
mod json;
mod ownership;
mod requests;
mod routes;
mod stream;
mod team;
mod watch;

use std::borrow::Cow;
use std::time::Duration;

use coord_protocol::id::Uuid;
use coord_protocol::limits::RETRY_AFTER_SECS;
use coord_protocol::session;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ErrorBody, HEADER_ENTRY, HEADER_INSTANCE, HEADER_REPLAYED, Health};
use percent_encoding::percent_decode_str;
use serde::Serialize;

use crate::checkout::Checkout;
use crate::parked::Hold;
use crate::service::claims::queue;
use crate::service::once::{Parked, Told, error_json, fingerprint, once, remember};
use crate::service::{Answer, Cx, Fail, Waits};
use crate::store::{Stored, Tx, View};

pub use routes::{
    DESCRIPTION, Handler, Resume, Route, Routed, StreamHandler, find, find_at, routes,
};
pub use stream::{Follow, Piece, go_on};

/// `Content-Type` of nearly all answers.
const JSON: &str = "application/json";

/// A request, parsed but not judged.
#[derive(Debug, Clone, Default)]
pub struct Call {
    /// As in the request line.
    pub method: String,
    /// Path with query, as in the request line.
    pub target: String,
    /// The body.
    pub body: Vec<u8>,
    /// `Idempotency-Key`, unquoted; not yet checked.
    pub key: Option<String>,
    /// Who asks: `Coord-Session`, or the entry's `session`.
    pub session: Option<String>,
    /// `Authorization`, as sent.
    pub authorization: Option<String>,
    /// `Host`, as sent.
    pub host: Option<String>,
    /// `Origin`, as sent.
    pub origin: Option<String>,
    /// `Last-Event-ID`, as sent: where a stream that broke off goes on.
    pub last_event: Option<String>,
    /// The wish is past its time (G13); only entries of a batch say so.
    pub past: bool,
    /// An entry of a batch: it may have waited for long.
    pub late: bool,
    /// For how long, as its sender says.
    pub waited_ms: Option<u64>,
    /// What a look at a checkout has shown of the claims that it asks for.
    pub examined: Option<Examined>,
}

/// What a look at a checkout has shown of claims.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// They cannot be: why, and what the asker can do.
    pub refusal: Option<(String, Vec<String>)>,
    /// What the asker should know.
    pub warnings: Vec<String>,
}

/// An answer, ready to be sent.
#[derive(Debug, Clone)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// `Retry-After`, seconds.
    pub retry_after: Option<u32>,
    /// `Allow`, on 405.
    pub allow: Option<Box<str>>,
    /// The answer comes from memory.
    pub replayed: bool,
    /// The request's key, repeated as proof (G12).
    pub key: Option<String>,
    /// The body goes on: this gives its next piece. A face that cannot go on says
    /// [`Reply::no_stream`] instead.
    pub follow: Option<Box<Follow>>,
    /// No answer yet: who keeps this gets it. A face that cannot wait says so by dropping it.
    pub hold: Option<Hold>,
    /// What the call waits as.
    pub parked: Option<Box<Parked>>,
}

impl Reply {
    /// A JSON reply.
    pub fn json(status: u16, body: String) -> Self {
        Self {
            status,
            body,
            content_type: JSON,
            retry_after: None,
            allow: None,
            replayed: false,
            key: None,
            follow: None,
            hold: None,
            parked: None,
        }
    }

    /// An error in one sentence.
    pub fn error(status: u16, detail: impl Into<String>) -> Self {
        Self::json(status, error_json(&ErrorBody::new(detail)))
    }

    /// 503 in the form of seed 000: come again in 30 seconds.
    pub fn unavailable(what: &str) -> Self {
        let detail = format!("{what} unavailable. Retry after {RETRY_AFTER_SECS} seconds.");
        let body = ErrorBody { retry_after: Some(RETRY_AFTER_SECS), ..ErrorBody::new(detail) };
        Self { retry_after: Some(RETRY_AFTER_SECS), ..Self::json(503, error_json(&body)) }
    }

    /// The description of all routes.
    pub fn description() -> Self {
        Self::json(200, DESCRIPTION.to_owned())
    }

    /// The health answer. 200 in both cases: the process is there to say so; `/readyz` answers 503.
    pub fn health(healthy: bool, instance: &str, time: Millis, as_readiness: bool) -> Self {
        let health = Health {
            status: if healthy { "ok" } else { "degraded" }.to_owned(),
            database: if healthy { "connected" } else { "disconnected" }.to_owned(),
            instance: instance.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            time,
        };
        let status = if as_readiness && !healthy { 503 } else { 200 };
        Self::json(status, to_json(&health))
    }

    /// The path exists, but not with this method. A verdict on the entry: it carries the key.
    pub fn wrong_method(call: &Call, allowed: &[&str]) -> Self {
        let allow = allowed.join(", ");
        let detail = format!("{} is not for {}; use {allow}", call.method, call.path());
        Self { allow: Some(allow.into()), key: call.key.clone(), ..Self::error(405, detail) }
    }

    /// There is no such path. A verdict on the entry: it carries the key.
    pub fn nowhere(call: &Call) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let detail = format!("no such path: {} (coord {version})", call.path());
        Self { key: call.key.clone(), ..Self::error(404, detail) }
    }

    /// The headers that go with it, of a server with this instance name.
    pub fn headers(&self, instance: &str) -> Vec<(&'static str, String)> {
        let mut all = vec![
            ("content-type", self.content_type.to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            (HEADER_INSTANCE, instance.to_owned()),
        ];
        all.extend(self.key.clone().map(|k| (HEADER_ENTRY, k)));
        all.extend(self.replayed.then(|| (HEADER_REPLAYED, "true".to_owned())));
        all.extend(self.retry_after.map(|s| ("retry-after", s.to_string())));
        all.extend(self.allow.as_deref().map(|a| ("allow", a.to_owned())));
        all
    }

    /// A piece of a stream of server-sent events.
    pub fn stream(text: String, follow: Option<Box<Follow>>) -> Self {
        Self { content_type: "text/event-stream", follow, ..Self::json(200, text) }
    }

    /// Here nothing is streamed.
    pub fn no_stream() -> Self {
        Self::error(501, "nothing is streamed here; ask GET /api/coord/changes again and again")
    }

    fn told(told: Told, key: Option<&str>) -> Self {
        Self {
            replayed: told.replayed,
            key: key.map(str::to_owned),
            parked: told.parked.map(Box::new),
            content_type: told.content_type.unwrap_or(JSON),
            ..Self::json(told.status, told.body)
        }
    }
}

/// A body as JSON text.
fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("wire types are plain JSON")
}

/// A successful answer.
#[expect(clippy::unnecessary_wraps, reason = "every route ends in it")]
fn ok(value: &impl Serialize) -> Answer<Told> {
    Ok(Told::new(200, to_json(value)))
}

/// Something was created.
#[expect(clippy::unnecessary_wraps, reason = "every route ends in it")]
fn created(value: &impl Serialize) -> Answer<Told> {
    Ok(Told::new(201, to_json(value)))
}

impl Call {
    /// Path without query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The first value of a query parameter that is neither absent nor empty.
    pub fn query(&self, name: &str) -> Option<String> {
        self.values(name).find(|v| !v.is_empty())
    }

    /// All values of a query parameter.
    pub fn queries(&self, name: &str) -> Vec<String> {
        self.values(name).collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = String> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter_map(move |pair| {
            let (k, v) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(k) == name).then(|| decode(v).into_owned())
        })
    }

    /// What of the query says yes: `true`, `1`, `yes`, `on` in any case.
    pub fn flag(&self, name: &str) -> bool {
        self.query(name)
            .is_some_and(|v| ["true", "1", "yes", "on"].iter().any(|y| v.eq_ignore_ascii_case(y)))
    }
}

/// Percent-decodes a piece of a URL, `+` being a blank as in forms.
fn decode(text: &str) -> Cow<'_, str> {
    if text.contains('+') {
        let blanks = text.replace('+', " ");
        return Cow::Owned(percent_decode_str(&blanks).decode_utf8_lossy().into_owned());
    }
    percent_decode_str(text).decode_utf8_lossy()
}

/// Runs a read route.
pub fn read(
    view: &View<'_>,
    cx: &Cx<'_>,
    call: &Call,
    handler: fn(&View<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
    params: &[String],
) -> Stored<Reply> {
    match handler(view, cx, &Matched { call, params }) {
        Ok(told) => Ok(Reply::told(told, None)),
        Err(Fail::Refused(r)) => Ok(Reply::told(r.into(), None)),
        Err(Fail::Store(e)) => Err(e),
    }
}

/// Runs a write route inside the open transaction: once per idempotency key.
pub fn write(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    call: &Call,
    handler: fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
    params: &[String],
) -> Stored<Reply> {
    let cx = of_call(cx, call);
    // A sign of life, whatever becomes of the wish.
    if let Some(session) = call.session.as_deref().filter(|s| session::check(s).is_ok()) {
        cx.touch(tx, session)?;
    }
    let key = print_of(call);
    let told = once(tx, &cx, key.as_ref(), |waits_as| {
        handler(tx, &Cx { waits_as, ..cx }, &Matched { call, params })
    })?;
    Ok(Reply::told(told, call.key.as_deref()))
}

fn of_call<'a>(cx: &Cx<'a>, call: &Call) -> Cx<'a> {
    Cx {
        id: call.key.as_deref().and_then(|k| Uuid::try_parse(k).ok()),
        past: call.past,
        late: call.late,
        waited: Duration::from_millis(call.waited_ms.unwrap_or(0)),
        waits: if call.late { Waits::Never } else { cx.waits },
        ..*cx
    }
}

/// A call's key, and what the request under it is.
pub type Print = Option<(String, Vec<u8>)>;

/// The same for a call that is parked: its body is not needed any more.
pub fn print_to_keep(call: &Call) -> Print {
    print_of(call).map(|(key, print)| (key.to_owned(), print))
}

fn print_of(call: &Call) -> Option<(&str, Vec<u8>)> {
    let print = |k| (k, fingerprint(&call.method, &call.target, &call.body));
    call.key.as_deref().map(print)
}

/// The answer of a parked call, if it has one now; then it is remembered like any other.
pub fn resume(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    call: &Call,
    handler: Resume,
    params: &[String],
    (parked, print): (&Parked, &Print),
) -> Stored<Option<Reply>> {
    let cx = of_call(cx, call);
    let is_over = parked.until <= cx.now;
    let told = match handler(tx, &cx, &Matched { call, params }, &parked.id, is_over) {
        Ok(None) => return Ok(None),
        Ok(Some(told)) => told,
        Err(Fail::Refused(r)) => r.into(),
        Err(Fail::Store(e)) => return Err(e),
    };
    let print = print.as_ref().map(|(key, print)| (key.as_str(), print.clone()));
    remember(tx, cx.now, print.as_ref(), &told)?;
    queue::serve(tx, &cx)?;
    Ok(Some(Reply::told(told, call.key.as_deref())))
}

/// Whether a look at a checkout says something of what this call asks for.
pub fn concerns_checkout(call: &Call) -> bool {
    call.method == "POST" && call.path() == "/claims"
}

/// What that look says. It may take seconds: never inside a transaction.
pub fn examine(checkout: &Checkout, call: &mut Call, now: Millis) {
    call.examined = team::examine(checkout, call, now);
}

/// The caller of a parked call is gone.
pub fn caller_left(tx: &Tx<'_>, cx: &Cx<'_>, id: &str) -> Stored<()> {
    team::left(tx, cx, id)
}

/// Looks after everybody who waits: what is over by time ends, and waiters are served.
pub fn look_after_waiters(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<()> {
    queue::look(tx, cx)
}

/// Runs a call of either kind inside an open transaction: for engines without threads of their own
/// (the simulation, the local authority).
pub fn perform(tx: &Tx<'_>, cx: &Cx<'_>, call: &Call) -> Stored<Reply> {
    match find(call) {
        Routed::To(Handler::Read(h), params) => read(tx, cx, call, h, &params),
        Routed::To(Handler::Write(h) | Handler::Park { start: h, .. }, params) => {
            write(tx, cx, call, h, &params)
        }
        Routed::To(Handler::Stream(_), _) => Ok(Reply::no_stream()),
        Routed::To(Handler::Description, _) => Ok(Reply::description()),
        Routed::To(Handler::Health | Handler::Ready, _) => {
            tx.probe()?;
            Ok(Reply::health(true, &tx.instance()?.unwrap_or_default(), cx.now, false))
        }
        Routed::WrongMethod(allowed) => Ok(Reply::wrong_method(call, &allowed)),
        // Nobody watches an engine without a process of its own.
        Routed::To(Handler::Meta | Handler::Metrics(_), _) | Routed::Nowhere => {
            Ok(Reply::nowhere(call))
        }
    }
}

/// A call and what its path held in the places of the route's variables.
pub struct Matched<'a> {
    /// The call.
    pub call: &'a Call,
    /// Decoded path variables, in order.
    pub params: &'a [String],
}

impl Matched<'_> {
    fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }

    fn query(&self, name: &str) -> Option<String> {
        self.call.query(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_route_is_refused_with_proof() {
        let c = Call { target: "/x".into(), key: Some("k".into()), ..Call::default() };
        for (reply, status) in [(Reply::nowhere(&c), 404), (Reply::wrong_method(&c, &[]), 405)] {
            assert_eq!((reply.status, reply.key.as_deref()), (status, Some("k")));
        }
    }

    #[test]
    fn query_parameters() {
        let c = Call { target: "/x?a=1&b=A%2Fb+c&e=&f=yes".into(), ..Call::default() };
        assert_eq!(c.path(), "/x");
        assert_eq!(c.query("a").as_deref(), Some("1"));
        assert_eq!(c.query("b").as_deref(), Some("A/b c"));
        assert_eq!((c.query("e"), c.query("z")), (None, None));
        assert!(c.flag("f") && !c.flag("a2"));
    }
}
