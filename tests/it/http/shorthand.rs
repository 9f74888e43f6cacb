//! What many of these tests do.

use coord_tests::raw::Answer;
use coord_tests::server::TestServer;
use serde_json::{Value, json};

/// The project of most tests.
pub(super) const PROJECT: &str = "p";

/// Asks for a lock with the default lease.
#[track_caller]
pub(super) fn claim(server: &TestServer, session: &str, resource: &str) -> Answer {
    server.post(
        "/api/coord/locks",
        &json!({"project_key": PROJECT, "session_id": session, "resource": resource}),
    )
}

/// Gives a lock back.
#[track_caller]
pub(super) fn release(server: &TestServer, session: &str, id: &str) -> Answer {
    server.delete(&format!("/api/coord/locks/{id}?session_id={session}"))
}

/// Sends a message; `None` is the broadcast.
#[track_caller]
pub(super) fn send(server: &TestServer, from: &str, to: Option<&str>, body: &str) -> Answer {
    let mut message = json!({"from_session": from, "subject": "s", "body": body});
    if let Some(to) = to {
        message["to_session"] = to.into();
    }
    server.post("/api/coord/messages", &message)
}

/// Makes a session known by a sign of life.
#[track_caller]
pub(super) fn greet(server: &TestServer, session: &str) {
    server.post("/api/coord/sessions/heartbeat", &json!({"session_id": session})).expect(200);
}

/// The text in a field.
#[track_caller]
pub(super) fn text(value: &Value, field: &str) -> String {
    let found = value[field].as_str();
    found.unwrap_or_else(|| panic!("no text in {field:?} of {value}")).to_owned()
}

/// The id in an answer.
#[track_caller]
pub(super) fn id(value: &Value) -> String {
    text(value, "id")
}

/// The field of each row of a list.
#[track_caller]
pub(super) fn column(list: &Value, rows: &str, field: &str) -> Vec<String> {
    let rows = list[rows].as_array();
    rows.unwrap_or_else(|| panic!("no list in {list}")).iter().map(|r| text(r, field)).collect()
}

/// A fresh UUID: the machine's random source, in version 4's form.
pub(super) fn uuid() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap().trim().to_owned()
}
