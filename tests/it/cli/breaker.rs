//! The breaker: after a failure no process of the workstation calls the same server until its time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use coord_tests::fault::{Fault, FaultServer};
use coord_tests::server::eventually;
use coord_tests::workstation::{Workstation, parsed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::common::{server, text};

fn desk(base: &str) -> Workstation {
    Workstation::new("DESK", "mike", base)
}

/// The breaker's file, when there is one.
fn breaker_file(desk: &Workstation) -> Option<PathBuf> {
    let files = fs::read_dir(desk.state()).ok()?;
    let mut paths = files.filter_map(Result::ok).map(|e| e.path());
    paths.find(|p| p.extension().is_some_and(|e| e == "json"))
}

#[test]
fn what_retry_after_asks_for_is_kept_by_every_process() {
    let dated = "Fri, 20 Nov 2026 18:00:45 GMT\r\nDate: Fri, 20 Nov 2026 18:00:00 GMT";
    for (spelling, secs) in [
        ("30", 30),
        ("7", 7),
        ("0", 0),
        ("99999999999999999999", 3600),
        (dated, 45),
        ("Fri, 20 Nov 2037 18:00:45 GMT", 30),
        ("-5", 30),
        ("1.5", 30),
        ("", 30),
        ("soon", 30),
    ] {
        let away = FaultServer::start(Fault::unavailable(spelling));
        let desk = desk(&away.url());
        let first = desk.json(&["msg", "send", "ALL", "s", "b"]);
        assert_eq!(first["outcome"], "queued", "{spelling:?}: {first}");
        assert_eq!(first["retry_after"], secs, "{spelling:?}: {first}");
        assert!(text(&first["why"]).contains("503"), "{spelling:?}: {first}");
        assert_eq!(away.connections(), 1, "{spelling:?}");
        desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0).says("queued");
        desk.run(&["todo", "add", "t"]).session("DESK/other").done().exits(0).says("queued");
        desk.coord(&["status"]).exits(69);
        // A person's sync keeps to what the server asked for, too, unless it insists.
        desk.coord(&["sync"]).exits(0).says("3 writes wait here");
        assert!(desk.session_start("0198abcd", "startup").is_some());
        assert_eq!(away.connections(), 1, "{spelling:?}: it was called again");
        // The three, and that the session began.
        desk.coord(&["sync", "--force"]).exits(0).says("4 writes wait here");
        assert_eq!(away.connections(), 2, "{spelling:?}");
    }
}

#[test]
fn a_damaged_or_future_breaker_silences_nobody() {
    let server = server();
    let desk = desk(&server.url());
    let away = FaultServer::start(Fault::unavailable("30"));
    desk.run(&["todo", "add", "t"])
        .env("COORD_API_URL", &away.url())
        .done()
        .exits(0)
        .says("queued");
    // Another server's rest is not this one's.
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    let rest = breaker_file(&desk).expect("the breaker has a file");
    let good = fs::read_to_string(&rest).unwrap();
    for bad in
        [String::new(), "rubbish".to_owned(), good.replace("\"since_ms\":1", "\"since_ms\":9")]
    {
        assert_ne!(bad, good);
        fs::write(&rest, bad).unwrap();
        let before = away.connections();
        desk.run(&["todo", "list"]).env("COORD_API_URL", &away.url()).done().exits(69);
        assert_eq!(away.connections(), before + 1);
    }
}

#[test]
fn when_the_rest_is_over_one_process_tries() {
    let away = FaultServer::start(Fault::page("500 Internal Server Error"));
    let desk = desk(&away.url());
    desk.coord(&["todo", "list"]).exits(69);
    assert_eq!(away.connections(), 1);
    for round in 2..6 {
        // The rest began long ago.
        let file = breaker_file(&desk).expect("the breaker has a file");
        let mut state = parsed(&fs::read(&file).unwrap());
        state["since_ms"] = json!(state["since_ms"].as_i64().unwrap() - 1_000_000);
        fs::write(&file, state.to_string()).unwrap();
        let running: Vec<_> = (0..16).map(|_| desk.run(&["todo", "list"]).start()).collect();
        for ran in running {
            ran.wait().exits(69);
        }
        assert_eq!(away.connections(), round, "one process tries for all");
    }
}

#[test]
fn wait_keeps_to_the_servers_time_and_tries_once_more() {
    let away = FaultServer::start(Fault::unavailable("1"));
    let desk = desk(&away.url());
    let mut ran = desk.coord(&["todo", "add", "t", "--wait"]);
    ran.exits(0).says("queued").complains("trying again in");
    assert!(ran.took >= Duration::from_secs(1), "{:?}", ran.took);
    assert_eq!(away.connections(), 2, "{:?}", away.heads());
    assert_eq!(desk.queue().len(), 1, "queued once");
}

#[test]
fn an_interrupted_wait_loses_nothing() {
    let away = FaultServer::start(Fault::unavailable("30"));
    let desk = desk(&away.url());
    let waiting = desk.run(&["todo", "add", "t", "--wait"]).start();
    eventually(Duration::from_secs(10), "it is queued", || desk.queue_file().exists());
    let pid = Pid::from_raw(waiting.pid().cast_signed()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let ran = waiting.wait();
    assert!(!ran.status.success(), "{}", ran.told());
    assert_eq!(desk.queue().len(), 1);
    let server = server();
    desk.run(&["sync"]).env("COORD_API_URL", &server.url()).done().exits(0).says("sent 1 write");
}
