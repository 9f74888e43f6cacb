//! `coord start`, `coord stop` and `coord serve`.

use std::fs;
use std::net::SocketAddr;

use coord_tests::raw::{Ask, Conn};
use coord_tests::server::eventually;
use coord_tests::workstation::{Workstation, mode_of, parsed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::time::Duration;

use super::common::{rows, text};

const PATIENCE: Duration = Duration::from_secs(20);

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("an own process can be signalled");
}

fn pid_of(started: &Value) -> u32 {
    started["pid"].as_u64().and_then(|p| u32::try_from(p).ok()).expect("a process id")
}

/// Whether the process runs (a zombie does not).
fn runs(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "))
}

/// The record that a server leaves once it can be reached.
fn record(station: &Workstation, pid: u32) -> Value {
    let mut found = Value::Null;
    eventually(PATIENCE, "the server leaves its record", || {
        let text = fs::read(station.state().join("server.json")).unwrap_or_default();
        found = serde_json::from_slice(&text).unwrap_or_default();
        found["pid"] == pid
    });
    found
}

fn address(url: &Value) -> SocketAddr {
    let url = text(url).trim_start_matches("http://").to_owned();
    url.parse().unwrap_or_else(|e| panic!("{url}: {e}"))
}

#[test]
fn a_server_in_the_background_is_found_without_being_told() {
    let desk = Workstation::bare();
    desk.coord(&["stop"]).exits(0).says("no server of yours is running");
    let started = desk.json(&["start", "--background", "--port", "0"]);
    let pid = pid_of(&started);
    assert!(runs(pid));
    desk.coord(&["todo", "add", "first"]).exits(0).says("added");
    desk.coord(&["start", "--background", "--port", "0"])
        .exits(0)
        .says("running already")
        .says(text(&started["url"]));
    assert_eq!(desk.json(&["start"])["pid"], started["pid"], "there is one server");
    // Its token is private, and it is asked for.
    let token = desk.state().join("token");
    assert_eq!(mode_of(&token), 0o600);
    assert_eq!(fs::read_to_string(&token).unwrap().trim().len(), 64);
    let argv = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!argv.contains(fs::read_to_string(&token).unwrap().trim()), "{argv}");
    let mut stranger = Conn::open(address(&started["url"])).unwrap();
    stranger.ask(&Ask::new("GET", "/api/coord/status").closing()).unwrap().refused(401);
    desk.coord(&["stop"]).exits(0).says("stopped");
    assert!(!runs(pid));
    desk.coord(&["stop"]).exits(0).says("no server of yours is running");
    desk.coord(&["todo", "list"]).exits(69).complains("coord start --background");
    // What is written now is kept, and the next server gets it.
    desk.coord(&["todo", "add", "second"]).exits(0).says("queued");
    desk.coord(&["start", "--background", "--port", "0"]).exits(0).says("coord serves http://");
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    assert_eq!(rows(&desk.json(&["todo", "list"]), "todos").len(), 2, "the same database");
}

#[test]
fn a_killed_server_starts_again_with_its_data() {
    let desk = Workstation::bare();
    let first = desk.json(&["start", "--background", "--port", "0"]);
    let token = fs::read(desk.state().join("token")).unwrap();
    for n in 0..20 {
        desk.coord(&["todo", "add", &format!("todo {n}")]).exits(0).says("added");
    }
    signal(pid_of(&first), Signal::KILL);
    eventually(PATIENCE, "the killed server is gone", || !runs(pid_of(&first)));
    let second = desk.json(&["start", "--background", "--port", "0"]);
    assert_ne!(first["pid"], second["pid"]);
    assert_eq!(rows(&desk.json(&["todo", "list"]), "todos").len(), 20);
    assert_eq!(fs::read(desk.state().join("token")).unwrap(), token, "the token stays");
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let (desk, home) = (Workstation::bare(), Workstation::bare());
    let started = desk.json(&["start", "--background", "--port", "0"]);
    let port = address(&started["url"]).port().to_string();
    for verb in [&["serve"][..], &["start"], &["start", "--background"]] {
        home.coord(&[verb, &["--port", &port]].concat())
            .exits(78)
            .complains(&format!("cannot listen on 127.0.0.1:{port}"))
            .complains("--port");
    }
    for (option, value, code) in
        [("--host", "not-an-address", 78), ("--database", "/proc/no", 65), ("--port", "70000", 2)]
    {
        home.run(&["serve", option, value])
            .env("COORD_PORT", if option == "--port" { "" } else { "0" })
            .done()
            .exits(code)
            .complains(value);
    }
    home.run(&["serve"]).env("COORD_PORT", "many").done().exits(78).complains("COORD_PORT");
}

#[test]
fn serve_ends_cleanly_when_asked_to() {
    for how in [Signal::TERM, Signal::INT] {
        let desk = Workstation::bare();
        let serving = desk.run(&["serve", "--port", "0"]).start();
        let found = record(&desk, serving.pid());
        desk.coord(&["todo", "add", "t"]).exits(0).says("added");
        signal(serving.pid(), how);
        let mut ended = serving.wait();
        ended.exits(0);
        assert_eq!(ended.out(), "", "a server has no answer to give");
        assert!(Conn::open(address(&found["url"])).is_err());
    }
}

#[test]
fn start_in_the_foreground_says_what_comes_next() {
    let desk = Workstation::bare();
    let serving = desk.run(&["start", "--port", "0", "--database", "here.db"]).start();
    record(&desk, serving.pid());
    desk.coord(&["status"]).exits(0);
    desk.coord(&["stop"]).exits(0).says("stopped");
    serving.wait().exits(0).says("coord serves http://127.0.0.1:").says("here.db").says("todo add");
    assert!(desk.project().join("here.db").exists());
}

#[test]
fn beyond_this_machine_a_token_is_needed_unless_said_otherwise() {
    let desk = Workstation::bare();
    let serving = desk.run(&["serve", "--host", "0.0.0.0", "--port", "0"]).start();
    let found = record(&desk, serving.pid());
    let port = address(&found["url"]).port();
    let local = SocketAddr::from(([127, 0, 0, 1], port));
    let status =
        || Conn::open(local).unwrap().ask(&Ask::new("GET", "/api/coord/status").closing()).unwrap();
    status().refused(401);
    signal(serving.pid(), Signal::TERM);
    serving.wait().exits(0);

    let open = Workstation::bare().env("COORD_ALLOW_INSECURE_NO_AUTH", "1");
    let serving = open.run(&["serve", "--port", "0"]).start();
    let found = record(&open, serving.pid());
    let mut stranger = Conn::open(address(&found["url"])).unwrap();
    stranger.ask(&Ask::new("GET", "/api/coord/status").closing()).unwrap().expect(200);
    assert!(!open.state().join("token").exists(), "no token is made that nobody needs");
    signal(serving.pid(), Signal::TERM);
    serving.wait().exits(0);
}

#[test]
fn two_starts_at_once_leave_one_server() {
    let desk = Workstation::bare();
    let database = desk.home().join("one.db");
    let start = [
        "start",
        "--background",
        "--port",
        "0",
        "--database",
        database.to_str().unwrap(),
        "--json",
    ];
    let running: Vec<_> = (0..4).map(|_| desk.run(&start).start()).collect();
    let ended: Vec<_> = running.into_iter().map(|r| r.wait()).collect();
    let up: Vec<_> =
        ended.iter().filter(|r| r.status.success()).map(|r| pid_of(&parsed(&r.stdout))).collect();
    assert!(!up.is_empty(), "{ended:?}");
    assert!(up.iter().all(|p| *p == up[0]), "{up:?}");
    desk.coord(&["status"]).exits(0);
    desk.coord(&["stop"]).exits(0).says("stopped");
    assert!(!runs(up[0]));
}

#[test]
fn a_start_ends_the_rest_that_its_absence_began() {
    let desk = Workstation::bare();
    let started = desk.json(&["start", "--background", "--port", "0"]);
    desk.coord(&["stop"]).exits(0);
    desk.coord(&["status"]).exits(69).complains("start --background");
    // Without options it is as it was: others know its address.
    let again = desk.json(&["start", "--background"]);
    assert_eq!(again["url"], started["url"]);
    desk.coord(&["status"]).exits(0).says("you are");
    desk.coord(&["start", "--port", "1"]).exits(78).complains("set up otherwise");
    let same = desk.json(&["start"]);
    assert_eq!(same["already_running"], true);
}

#[test]
fn after_a_clean_stop_one_file_is_everything() {
    let desk = Workstation::bare();
    let started = desk.json(&["start", "--background", "--port", "0"]);
    desk.coord(&["todo", "add", "keep me"]).exits(0);
    desk.coord(&["stop"]).exits(0);
    let copy = desk.home().join("copy.db");
    fs::copy(text(&started["database"]), &copy).unwrap();
    let db = rusqlite::Connection::open(&copy).unwrap();
    let n: i64 = db.query_row("SELECT COUNT(*) FROM todo", [], |r| r.get(0)).unwrap();
    assert_eq!(n, 1);
}

#[test]
fn the_token_of_a_stopped_server_goes_to_nobody_on_its_port() {
    let desk = Workstation::bare();
    let started = desk.json(&["start", "--background", "--port", "0"]);
    let token = fs::read_to_string(desk.state().join("token")).unwrap();
    desk.coord(&["stop"]).exits(0);
    let address = text(&started["url"]).trim_start_matches("http://").to_owned();
    let listener = std::net::TcpListener::bind(&address).unwrap();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = vec![0; 4096];
        let n = std::io::Read::read(&mut stream, &mut head).unwrap();
        String::from_utf8_lossy(&head[..n]).into_owned()
    });
    desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0).says("queued");
    let head = heard.join().unwrap();
    assert!(head.starts_with("POST ") && !head.contains(token.trim()), "{head}");
}
