//! What several topics need.

use std::thread;
use std::time::Duration;

use coord_tests::model::Turn;
use coord_tests::server::TestServer;
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

/// A server that needs no token.
#[track_caller]
pub(super) fn server() -> TestServer {
    TestServer::start("axum")
}

/// Somebody elsewhere writes.
#[track_caller]
pub(super) fn mail(server: &TestServer, to: &str, subject: &str, body: &str) {
    let mail = json!({"from_session": "ELSEWHERE/x", "to_session": to,
        "subject": subject, "body": body});
    server.post("/api/coord/messages", &mail).expect(201);
}

/// The rows of a list.
#[track_caller]
pub(super) fn rows(answer: &Value, name: &str) -> Vec<Value> {
    answer[name].as_array().unwrap_or_else(|| panic!("no {name} in {answer}")).clone()
}

/// The live locks as this workstation sees them: what, and who holds it.
#[track_caller]
pub(super) fn locks(desk: &Workstation) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let list = rows(&desk.json(&["lock", "list"]), "locks");
    list.iter().map(|l| (text(&l["resource"]), text(&l["session_id"]))).collect()
}

/// The turns, the last of them held.
pub(super) fn last_held(mut turns: Vec<Turn>) -> Vec<Turn> {
    let last = turns.pop().expect("there is one");
    turns.push(last.held());
    turns
}

/// Hooks ask the server at most every two seconds whether somebody elsewhere has written.
pub(super) fn let_a_look_be_due() {
    thread::sleep(Duration::from_millis(2_100));
}
