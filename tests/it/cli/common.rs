//! What several topics need.

use coord_tests::server::{TestServer, faces};
use coord_tests::workstation::Workstation;
use serde_json::Value;

/// A server that needs no token.
#[track_caller]
pub(super) fn server() -> TestServer {
    TestServer::start(faces()[0])
}

/// Mike's workstation.
pub(super) fn desk(server: &TestServer) -> Workstation {
    Workstation::new("DESK", "mike", &server.url())
}

/// Howard's workstation.
pub(super) fn home(server: &TestServer) -> Workstation {
    Workstation::new("HOWARD-HOME", "howard", &server.url())
}

/// All messages that the server holds, in its order, page by page.
#[track_caller]
pub(super) fn all_messages(server: &TestServer) -> Vec<Value> {
    let mut all = Vec::new();
    let mut after = 0;
    loop {
        let page = server.get(&format!("/api/coord/messages?limit=500&after={after}")).expect(200);
        all.extend(page["messages"].as_array().cloned().unwrap_or_default());
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return all,
        }
    }
}

/// The texts of a field, in order.
pub(super) fn texts(rows: &[Value], field: &str) -> Vec<String> {
    rows.iter().map(|r| text(&r[field]).to_owned()).collect()
}

/// The rows of a list.
#[track_caller]
pub(super) fn rows<'a>(answer: &'a Value, name: &str) -> &'a [Value] {
    answer[name].as_array().unwrap_or_else(|| panic!("no {name} in {answer}"))
}

/// A JSON text; empty when it is none.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
