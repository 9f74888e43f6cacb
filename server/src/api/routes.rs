//! The table of routes.

use super::{
    Call, Matched, Piece, batch, coord, decode, hotspots, ownership, requests, team, watch,
};
use crate::service::once::Told;
use crate::service::{Answer, Cx};
use crate::store::{Tx, View};

/// Gives the piece of a stream that lies behind a place; behind no place: the first one.
pub type StreamHandler = fn(&View<'_>, &Cx<'_>, &Matched<'_>, Option<&str>) -> Answer<Piece>;

/// Gives the answer of a parked call, if it has one now; its time may be over.
pub type Resume = fn(&Tx<'_>, &Cx<'_>, &Matched<'_>, &str, bool) -> Answer<Option<Told>>;

/// How a route is run.
#[derive(Clone, Copy)]
pub enum Handler {
    /// On a reading connection.
    Read(fn(&View<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>),
    /// In the writer's transaction.
    Write(fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>),
    /// In the writer's transaction; it may be answered later.
    Park {
        /// Begins.
        start: fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
        /// Goes on.
        resume: Resume,
    },
    /// On a reading connection, piece by piece, as things are committed.
    Stream(StreamHandler),
    /// Is the database there? Answered without a token.
    Health,
    /// Can work be done? 503 when not. Answered without a token.
    Ready,
    /// The description of all routes. Answered without a token.
    Description,
    /// What server is this? Answered without a token.
    Meta,
    /// What the server counts; this reads the part of it that the database knows. Answered without a
    /// token.
    Metrics(fn(&View<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>),
}

/// One route: a segment in braces is variable.
pub struct Route {
    /// Request method.
    pub method: &'static str,
    /// Path.
    pub path: &'static str,
    /// How it is run.
    pub handler: Handler,
}

const fn read(
    path: &'static str,
    handler: fn(&View<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
) -> Route {
    Route { method: "GET", path, handler: Handler::Read(handler) }
}

const fn write(
    method: &'static str,
    path: &'static str,
    handler: fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
) -> Route {
    Route { method, path, handler: Handler::Write(handler) }
}

const fn park(
    path: &'static str,
    start: fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>,
    resume: Resume,
) -> Route {
    Route { method: "POST", path, handler: Handler::Park { start, resume } }
}

/// All routes as an `OpenAPI` document; a test holds it against the table.
pub const DESCRIPTION: &str = include_str!("../../../docs/openapi.json");

static ROUTES: &[Route] = &[
    Route { method: "GET", path: "/health", handler: Handler::Health },
    Route { method: "GET", path: "/readyz", handler: Handler::Ready },
    Route { method: "GET", path: "/openapi.json", handler: Handler::Description },
    Route { method: "GET", path: "/meta", handler: Handler::Meta },
    Route { method: "GET", path: "/metrics", handler: Handler::Metrics(watch::gauges) },
    read("/api/coord/status", coord::status),
    read("/api/coord/changes", coord::changes),
    Route { method: "GET", path: "/api/coord/events", handler: Handler::Stream(coord::events) },
    read("/api/coord/locks", coord::list_locks),
    read("/api/coord/locks/{id}", coord::show_lock),
    write("POST", "/api/coord/locks", coord::claim_lock),
    write("PATCH", "/api/coord/locks/{id}", coord::extend_lock),
    write("DELETE", "/api/coord/locks/{id}", coord::release_lock),
    write("DELETE", "/api/coord/locks", coord::release_locks),
    read("/api/coord/file", coord::file_state),
    read("/api/coord/components", coord::list_components),
    read("/api/coord/components/{project}/{component}", coord::show_component),
    read("/api/coord/components/{project}/{component}/history", coord::component_history),
    write("PUT", "/api/coord/components", coord::set_component),
    write("PUT", "/api/coord/components/{project}/{component}", coord::set_component_at),
    read("/api/coord/workflows", coord::list_workflows),
    read("/api/coord/workflows/{id}", coord::show_workflow),
    write("POST", "/api/coord/workflows", coord::create_workflow),
    write("PATCH", "/api/coord/workflows/{id}", coord::change_workflow),
    read("/api/coord/work-items", coord::list_work_items),
    read("/api/coord/work-items/{id}", coord::show_work_item),
    write("POST", "/api/coord/work-items", coord::add_work_item),
    write("PATCH", "/api/coord/work-items/{id}", coord::change_work_item),
    read("/api/coord/messages", coord::list_messages),
    read("/api/coord/messages/{id}", coord::show_message),
    read("/api/coord/messages/{id}/receipts", coord::message_receipts),
    write("POST", "/api/coord/messages", coord::send_message),
    write("POST", "/api/coord/messages/offered", coord::messages_offered),
    write("POST", "/api/coord/messages/read", coord::read_messages),
    write("PUT", "/api/coord/messages/{id}/read", coord::read_message),
    read("/api/coord/todos", coord::list_todos),
    read("/api/coord/todos/{id}", coord::show_todo),
    write("POST", "/api/coord/todos", coord::add_todo),
    write("PATCH", "/api/coord/todos/{id}", coord::change_todo),
    read("/api/coord/sessions", coord::list_sessions),
    read("/api/coord/sessions/{id}", coord::show_session),
    write("POST", "/api/coord/sessions", coord::register_session),
    write("POST", "/api/coord/sessions/heartbeat", coord::heartbeat),
    write("POST", "/api/coord/sessions/end", coord::end_session),
    write("POST", "/api/coord/sessions/cleanup", coord::clean_up),
    read("/api/coord/decisions", coord::list_decisions),
    read("/api/coord/decisions/{id}", coord::show_decision),
    write("POST", "/api/coord/decisions", coord::add_decision),
    write("PATCH", "/api/coord/decisions/{id}", coord::change_decision),
    write("POST", "/api/coord/batch", batch::run),
    park("/claims", team::claim, team::claim_resumed),
    read("/claims", team::list),
    write("POST", "/claims/release", team::release),
    write("DELETE", "/claims/{claim_id}", team::release_one),
    write("POST", "/claims/{claim_id}/extend", team::extend),
    read("/conflicts", team::conflicts),
    read("/repos", team::repos),
    write("POST", "/sessions/{session_id}/release", team::release_session),
    write("GET", "/sessions/{session_id}/pending_requests", team::pending),
    park("/requests", requests::file, requests::filed_resumed),
    read("/requests", requests::list),
    read("/requests/{request_id}", requests::show),
    read("/requests/{request_id}/events", requests::events),
    write("POST", "/requests/{request_id}/respond", requests::respond),
    write("DELETE", "/requests/{request_id}", requests::cancel),
    read("/config/ownership", ownership::show),
    write("POST", "/config/ownership", ownership::set),
    read("/metrics/hotspots", hotspots::list),
    write("POST", "/metrics/hotspots/promote", hotspots::promote),
    read("/metrics/auto-resolutions", hotspots::auto_resolutions),
];

/// All routes.
pub fn routes() -> &'static [Route] {
    ROUTES
}

/// Where a call leads.
pub enum Routed {
    /// To this handler, with the decoded path variables.
    To(Handler, Vec<String>),
    /// The path exists, but not with this method; these it has.
    WrongMethod(Vec<&'static str>),
    /// Nowhere.
    Nowhere,
}

/// Finds the route of a call. `HEAD` is answered like `GET`; faces leave out the body.
pub fn find(call: &Call) -> Routed {
    find_at(call).0
}

/// Finds the route of a call, and its place in the table; without this method there: the place of the
/// first route with the path.
pub fn find_at(call: &Call) -> (Routed, Option<usize>) {
    let method = if call.method == "HEAD" { "GET" } else { &call.method };
    let (mut others, mut first) = (Vec::new(), None);
    for (at, route) in ROUTES.iter().enumerate() {
        if let Some(params) = matches(route.path, call.path()) {
            if route.method == method {
                return (Routed::To(route.handler, params), Some(at));
            }
            others.push(route.method);
            first = first.or(Some(at));
        }
    }
    (if others.is_empty() { Routed::Nowhere } else { Routed::WrongMethod(others) }, first)
}

fn matches(pattern: &str, path: &str) -> Option<Vec<String>> {
    let mut params = Vec::new();
    let mut parts = path.split('/');
    for want in pattern.split('/') {
        let part = parts.next()?;
        if want.starts_with('{') {
            if part.is_empty() {
                return None;
            }
            params.push(decode_segment(part));
        } else if want != part {
            return None;
        }
    }
    parts.next().is_none().then_some(params)
}

/// In a path a `+` is a plus.
pub(super) fn decode_segment(part: &str) -> String {
    decode(&part.replace('+', "%2B")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, target: &str) -> Call {
        Call { method: method.into(), target: target.into(), ..Call::default() }
    }

    #[test]
    fn finds_routes_and_says_what_is_wrong() {
        let Routed::To(_, p) = find(&call("PUT", "/api/coord/components/a%20b/c+d?x=1")) else {
            panic!("not found");
        };
        assert_eq!(p, ["a b", "c+d"]);
        assert!(matches!(find(&call("HEAD", "/health")), Routed::To(Handler::Health, _)));
        assert!(matches!(find(&call("GET", "/api/coord/")), Routed::Nowhere));
        assert!(matches!(find(&call("GET", "/api/coord/locks/")), Routed::Nowhere));
        match find(&call("PATCH", "/api/coord/locks")) {
            Routed::WrongMethod(m) => assert_eq!(m, ["GET", "POST", "DELETE"]),
            Routed::To(..) | Routed::Nowhere => panic!("not 405"),
        }
    }

    #[test]
    fn fixed_paths_come_before_variables_of_the_same_method() {
        let Routed::To(Handler::Write(h), _) = find(&call("POST", "/api/coord/messages/offered"))
        else {
            panic!("not found");
        };
        assert!(std::ptr::fn_addr_eq(
            h,
            coord::messages_offered as fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>
        ));
    }
}
