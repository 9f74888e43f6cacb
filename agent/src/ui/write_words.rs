//! A write that waits, in words.

use coord_protocol::request::{Method, Request};
use coord_protocol::session::ALL_SESSIONS;
use serde_json::Value;

use super::neutral::{cut, line};

/// Of a text, this much.
const SHOWN_BYTES: usize = 60;

/// A write's body as an object; null when it is none.
pub fn body_of(r: &Request) -> Value {
    match &r.body {
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or(Value::Null),
        Some(body) => body.clone(),
        None => Value::Null,
    }
}

/// What a write is: "message to B/x: hi". Harmless on a terminal.
pub fn what(r: &Request) -> String {
    let body = body_of(r);
    let text = |field: &str| {
        let text = body.get(field).and_then(Value::as_str).unwrap_or_default();
        cut(text.lines().next().unwrap_or_default(), SHOWN_BYTES)
    };
    let many = || body.get("ids").and_then(Value::as_array).map_or(0, Vec::len);
    let path = r.path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path
        .strip_prefix("/api/coord/")
        .unwrap_or(path.trim_start_matches('/'))
        .split('/')
        .collect();
    let words = match (r.method, parts.as_slice()) {
        (Method::Post, ["messages"]) => message(&text),
        (Method::Post, ["messages", "read"]) => format!("read marks of {} messages", many()),
        (Method::Post, ["messages", "offered"]) => {
            format!("note that {} messages were shown", many())
        }
        (Method::Put, ["messages", id, "read"]) => format!("read mark of message {id}"),
        (Method::Post, ["todos"]) => format!("todo: {}", text("text")),
        (Method::Patch, ["todos", id]) => format!("change of todo {id}: {}", text("status")),
        (Method::Post, ["locks"]) => {
            format!("claim on {} in {}", text("resource"), text("project_key"))
        }
        (Method::Post, ["claims"]) => format!("claim on {} in {}", wished(r), text("repo")),
        (Method::Post, ["claims", "release"]) => "release of claims".to_owned(),
        (Method::Post, ["claims", id, "extend"]) => format!("extension of claim {id}"),
        (Method::Delete, ["claims", id]) => format!("release of claim {id}"),
        (Method::Post, ["sessions", id, "release"]) => format!("release of all that {id} holds"),
        (Method::Post, ["requests"]) => format!("request to release {}", text("claim_id")),
        (Method::Post, ["requests", id, "respond"]) => {
            format!("answer to request {id}: {}", text("decision"))
        }
        (Method::Delete, ["requests", id]) => format!("leave of the queue as {id}"),
        (Method::Post, ["config", "ownership"]) => "the ownership document".to_owned(),
        (Method::Post, ["metrics", "hotspots", "promote"]) => {
            format!("promotion of {}", text("pattern"))
        }
        (Method::Delete, ["locks"]) => "release of all locks".to_owned(),
        (Method::Delete, ["locks", id]) => format!("release of lock {id}"),
        (Method::Put, ["components"]) => {
            let name = format!("{}/{}", text("project_key"), text("component"));
            format!("component {name} is {}", text("state"))
        }
        (Method::Put, ["components", project, name]) => {
            format!("component {project}/{name} is {}", text("state"))
        }
        (Method::Post, ["workflows"]) => format!("workflow: {}", text("name")),
        (Method::Patch, ["workflows", id]) => {
            format!("change of workflow {id}: {}", text("status"))
        }
        (Method::Post, ["work-items"]) => format!("work item: {}", text("title")),
        (Method::Patch, ["work-items", id]) => {
            format!("change of work item {id}: {}", text("status"))
        }
        (Method::Post, ["sessions"]) => format!("registration of session {}", text("session_id")),
        (Method::Post, ["sessions", "heartbeat"]) => {
            format!("sign of life of {}", text("session_id"))
        }
        (Method::Post, ["sessions", "end"]) => format!("end of session {}", text("session_id")),
        (Method::Post, ["decisions"]) => format!("decision: {}", text("title")),
        _ => format!("{} {}", r.method.as_str(), r.path),
    };
    line(words.trim_end_matches([' ', ':']))
}

/// Patterns of team claims that are named; the others count.
const NAMED: usize = 3;

/// What a claim is on: a resource, or the patterns of team claims.
pub fn wished(r: &Request) -> String {
    let body = body_of(r);
    if let Some(items) = body.get("claims").and_then(Value::as_array) {
        let named = items.iter().filter_map(|i| i["pattern"].as_str());
        let mut named: Vec<_> = named.take(NAMED).map(|p| cut(p, SHOWN_BYTES).to_owned()).collect();
        if items.len() > NAMED {
            named.push(format!("{} more", items.len() - NAMED));
        }
        return named.join(", ");
    }
    body.get("resource").and_then(Value::as_str).unwrap_or("?").to_owned()
}

fn message<'a>(text: &dyn Fn(&str) -> &'a str) -> String {
    let to = match text("to_session") {
        "" | ALL_SESSIONS => "everybody",
        to => to,
    };
    let subject = [text("subject"), text("body")];
    let subject = subject.into_iter().find(|t| !t.is_empty()).unwrap_or_default();
    format!("message to {to}: {subject}")
}

#[cfg(test)]
mod tests {
    use crate::outbox::line::{Line, parse};

    use super::*;

    #[test]
    fn writes_in_words() {
        for (method, path, body, words) in [
            ("POST", "messages", r#"{"to_session":"B/x","subject":"hi"}"#, "message to B/x: hi"),
            ("POST", "messages", r#"{"body":"one\ntwo"}"#, "message to everybody: one"),
            ("POST", "messages/read", r#"{"ids":["a","b"]}"#, "read marks of 2 messages"),
            ("PUT", "messages/m1/read?session_id=x", "{}", "read mark of message m1"),
            ("POST", "todos", r#""{\"text\":\"a\\u001bb\"}""#, "todo: a\\u{1b}b"),
            ("PATCH", "todos/t1", r#"{"status":"done"}"#, "change of todo t1: done"),
            ("POST", "locks", r#"{"resource":"src/**","project_key":"p"}"#, "claim on src/** in p"),
            ("POST", "claims", r#"{"claims":[{"pattern":"a"}],"repo":"p"}"#, "claim on a in p"),
            ("DELETE", "locks/l1?session_id=x", "null", "release of lock l1"),
            ("PUT", "components/p/c", r#"{"state":"up"}"#, "component p/c is up"),
            ("POST", "sessions/end", r#"{"session_id":"B/x"}"#, "end of session B/x"),
            ("POST", "of-next-year", "{}", "POST /api/coord/of-next-year"),
        ] {
            let text =
                format!(r#"{{"method":"{method}","path":"/api/coord/{path}","body":{body}}}"#);
            match parse(text.as_bytes()) {
                Line::Entry(e) => assert_eq!(what(&e.request), words),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
