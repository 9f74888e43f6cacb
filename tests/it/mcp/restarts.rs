//! The server comes and goes while the tools stay.

use coord_tests::mcp::Client;
use serde_json::json;

use super::{desk, home, program_of, said, server};

#[test]
fn a_restart_of_the_server_is_not_noticed() {
    let mut server = server();
    let desk = desk(&server);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    for n in 0..3 {
        let claim = json!({"files": [format!("src/{n}.rs")]});
        assert_eq!(said(&mut a, "coord_claim", &claim)["outcome"], "done");
        server.kill9();
        server.restart();
        desk.close_breaker();
        let ids = said(&mut a, "coord_claims", &json!({}));
        assert_eq!(ids["ids"].as_array().map(Vec::len), Some(n + 1), "{ids}");
    }
}

#[test]
fn a_wait_goes_on_over_a_restart() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.run(&["claim", "src/a.rs"]).session("HOME/b").done().exits(0);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let token = json!({"progressToken": 1});
    let id = a.begin(
        "tools/call",
        &json!({"name": "coord_claim", "_meta": token,
        "arguments": {"files": ["src/a.rs"], "wait_seconds": 60}}),
    );
    // Once it has said for whom it waits, it keeps its place.
    let note = a.hear(std::time::Duration::from_secs(20)).expect("progress");
    assert_eq!(note["method"], "notifications/progress", "{note}");
    server.kill9();
    server.restart();
    home.close_breaker();
    home.run(&["release", "--all"]).session("HOME/b").done().exits(0);
    let answer = a.answer(id);
    assert_eq!(answer["result"]["structuredContent"]["outcome"], "done", "{answer}");
    assert!(a.is_running());
}
