//! Waiting for a claim: others go on meanwhile, progress is reported, and who gives up leaves the queue.

use std::time::{Duration, Instant};

use coord_tests::fault::{Fault, FaultServer};
use coord_tests::mcp::Client;
use coord_tests::proxy::{Mode, Proxy};
use coord_tests::server::{TestServer, eventually};
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::{desk, home, program_of, said, server, text};

const SOON: Duration = Duration::from_secs(10);

fn wish(seconds: u32, meta: &Value) -> Value {
    json!({"name": "coord_claim", "arguments": {"files": ["src/a.rs"], "wait_seconds": seconds},
        "_meta": meta})
}

fn waiting(server: &TestServer) -> usize {
    let list = server.get("/requests?queued=true").expect(200);
    list["requests"].as_array().map_or(0, Vec::len)
}

fn held(at: &Workstation) {
    at.run(&["claim", "src/a.rs"]).session("HOME/b").done().exits(0);
}

fn let_go(at: &Workstation) {
    at.run(&["release", "--all"]).session("HOME/b").done().exits(0).says("released");
}

#[test]
fn a_wait_ends_with_the_claim_and_keeps_nobody_from_anything() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    held(&home);
    for modern in [false, true] {
        let program = program_of(&desk, "DESK/a");
        let mut a = if modern { Client::modern(program) } else { Client::start(program) };
        let token = json!({"progressToken": "p1"});
        let id = a.begin("tools/call", &wish(60, &token));
        eventually(SOON, "it waits", || waiting(&server) == 1);
        let began = Instant::now();
        assert_eq!(said(&mut a, "coord_status", &json!({}))["session"], "DESK/a");
        assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
        let note = a.hear(SOON).expect("progress");
        assert_eq!(note["method"], "notifications/progress", "{note}");
        assert_eq!(note["params"]["progressToken"], "p1", "{note}");
        assert!(
            text(&note["params"]["message"]).contains("waiting up to 60 s for HOME/b"),
            "{note}"
        );
        let next = a.hear(SOON).expect("progress goes on");
        assert!(
            next["params"]["progress"].as_f64() > note["params"]["progress"].as_f64(),
            "{next}"
        );
        let_go(&home);
        let answer = a.answer(id);
        assert_eq!(answer["result"]["structuredContent"]["outcome"], "done", "{answer}");
        said(&mut a, "coord_release", &json!({"all": true}));
        held(&home);
    }
}

#[test]
fn nobody_is_told_of_progress_who_did_not_ask() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    held(&home);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let answer = a.exchange("tools/call", &wish(7, &json!({})));
    let said = &answer["result"];
    assert_eq!(
        (&said["isError"], &said["structuredContent"]["outcome"]),
        (&json!(true), &json!("held"))
    );
    assert!(a.heard().is_empty(), "{:?}", a.heard());
}

#[test]
fn who_cancels_leaves_the_queue_and_hears_no_more() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    held(&home);
    for modern in [false, true] {
        let program = program_of(&desk, "DESK/a");
        let mut a = if modern { Client::modern(program) } else { Client::start(program) };
        let id = a.begin("tools/call", &wish(300, &json!({"progressToken": 7})));
        eventually(SOON, "it waits", || waiting(&server) == 1);
        a.notify("notifications/cancelled", &json!({"requestId": id, "reason": "enough"}));
        eventually(SOON, "it waits no more", || waiting(&server) == 0);
        let_go(&home);
        let claims = server.get("/claims").expect(200);
        assert_eq!(claims["claims"], json!([]), "nothing was granted to who left: {claims}");
        a.ask("tools/list", &json!({}));
        assert!(
            a.heard().iter().all(|m| m["method"] == "notifications/progress"),
            "{:?}",
            a.heard()
        );
        held(&home);
    }
}

#[test]
fn what_is_granted_to_who_has_cancelled_is_given_back() {
    let server = server();
    let proxy = Proxy::before(server.address());
    let desk = Workstation::new("DESK", "mike", &proxy.url());
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    // The grant is on its way back when the word of the cancelling client arrives.
    proxy.once("POST /claims", Mode::Slow(Duration::from_secs(2)));
    let id = a.begin("tools/call", &wish(60, &json!({})));
    let claims = || server.get("/claims").expect(200)["claims"].as_array().map_or(0, Vec::len);
    eventually(SOON, "it is granted", || claims() == 1);
    a.notify("notifications/cancelled", &json!({"requestId": id}));
    eventually(SOON, "it is given back", || claims() == 0);
    a.ask("tools/list", &json!({}));
    assert!(a.heard().is_empty(), "{:?}", a.heard());
}

#[test]
fn the_end_of_the_input_ends_waits_too() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    held(&home);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    a.begin("tools/call", &wish(300, &json!({})));
    eventually(SOON, "it waits", || waiting(&server) == 1);
    let began = Instant::now();
    a.close();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    eventually(SOON, "it waits no more", || waiting(&server) == 0);
}

#[test]
fn a_server_that_hangs_keeps_nobody_beyond_the_end() {
    let hangs = FaultServer::start(Fault::Silent);
    let desk = Workstation::new("DESK", "mike", &hangs.url());
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    a.begin("tools/call", &wish(300, &json!({})));
    eventually(SOON, "it is asked", || hangs.connections() > 0);
    let began = Instant::now();
    a.close();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_wait_in_the_store_of_this_workstation_can_be_cancelled_too() {
    let at = Workstation::new("BOX", "ann", "local");
    at.run(&["claim", "src/a.rs"]).session("BOX/b").done().exits(0);
    let mut a = Client::start(program_of(&at, "BOX/a"));
    let id = a.begin("tools/call", &wish(300, &json!({})));
    let waits = || at.run(&["queue"]).session("BOX/b").done().out().contains("BOX/a");
    eventually(SOON, "it waits", waits);
    a.notify("notifications/cancelled", &json!({"requestId": id}));
    eventually(SOON, "it waits no more", || !waits());
}
