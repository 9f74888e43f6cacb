//! Nobody waits for a server that is away: how long commands and hooks take, whatever answers.

use std::time::Duration;

use coord_tests::fault::{Fault, FaultServer, Mode, Proxy, Unreachable, refusing};
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{server, text};
use super::load::calm;

/// A write, whatever the server does.
const WRITE: Duration = Duration::from_millis(2_500);
/// A hook, whatever the server does.
const HOOK: Duration = Duration::from_secs(1);
/// Anything while the breaker is open, besides the start of the process.
const AT_REST: Duration = Duration::from_millis(100);
const REPEATS: usize = 20;

fn desk(base: &str) -> Workstation {
    Workstation::new("DESK", "mike", base)
}

/// How long a process takes that does nothing.
fn start_of_a_process(desk: &Workstation) -> Duration {
    let took = (0..10).map(|_| desk.coord(&["--version"]).exits(0).took).max();
    took.expect("there were ten")
}

/// Checks that writes, the hook and reads keep to their times against this address.
#[track_caller]
fn keeps_to_its_times(name: &str, base: &str) {
    let station = desk(base);
    let start = start_of_a_process(&station);
    let mut first = station.coord(&["msg", "send", "ALL", "s", "b"]);
    first.exits(0).says("queued");
    assert!(first.took < WRITE, "{name}: the first write took {:?}", first.took);
    let mut worst = Duration::ZERO;
    for _ in 0..REPEATS {
        let mut next = station.coord(&["msg", "send", "ALL", "s", "b"]);
        worst = worst.max(next.exits(0).took);
        assert!(next.out().starts_with("queued"), "{name}: {}", next.told());
    }
    assert!(worst < AT_REST + start, "{name}: a write at rest took {worst:?}");
    let mut read = station.coord(&["todo", "list"]);
    read.exits(69);
    assert!(read.took < AT_REST + start, "{name}: a read at rest took {:?}", read.took);
    assert_eq!(station.queue().len(), REPEATS + 1, "{name}: all are kept");

    let [fresh, loaded, end, hook_at_rest] = hooks(base);
    println!(
        "{name}: process {start:?}; first write {:?}; at rest write {worst:?}, hook \
         {hook_at_rest:?}; first hook {fresh:?}, with a queue {loaded:?}, at the end {end:?}",
        first.took
    );
    for took in [fresh, loaded, end] {
        assert!(took < HOOK, "{name}: a hook took {took:?}");
    }
    assert!(hook_at_rest < AT_REST + start, "{name}: a hook at rest took {hook_at_rest:?}");
}

/// Times of the hook: first contact, with a queue, at the end of a session, and while the breaker
/// is open.
fn hooks(base: &str) -> [Duration; 4] {
    let took = |station: &Workstation, event: &str| {
        let input = station.event(event, "0198abcd", &json!({"source": "startup"}));
        let mut ran = station.run(&["hook", "claude"]).stdin(input.to_string()).done();
        ran.exits(0).object();
        ran.took
    };
    let (fresh, loaded, ending) = (desk(base), desk(base), desk(base));
    let entry = json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": "t"}});
    loaded.write_queue(format!("{entry}\n").repeat(50));
    [
        took(&fresh, "SessionStart"),
        took(&loaded, "SessionStart"),
        took(&ending, "SessionEnd"),
        took(&fresh, "SessionStart"),
    ]
}

#[test]
fn nobody_listens() {
    let _calm = calm();
    keeps_to_its_times("refusing", &refusing());
}

#[test]
fn connection_attempts_are_dropped() {
    let _calm = calm();
    keeps_to_its_times("unreachable", &Unreachable::start().url());
}

#[test]
fn a_server_says_nothing() {
    let _calm = calm();
    keeps_to_its_times("silent", &FaultServer::start(Fault::Silent).url());
}

#[test]
fn a_server_drips() {
    let _calm = calm();
    keeps_to_its_times("dripping", &FaultServer::start(Fault::Drips).url());
}

#[test]
fn a_head_has_no_end() {
    let _calm = calm();
    keeps_to_its_times("endless head", &FaultServer::start(Fault::EndlessHead).url());
}

#[test]
fn a_body_has_no_end() {
    let _calm = calm();
    keeps_to_its_times("endless body", &FaultServer::start(Fault::EndlessBody).url());
}

#[test]
fn a_name_does_not_resolve() {
    let _calm = calm();
    keeps_to_its_times("no such name", "http://no-such-host.invalid:8080");
}

#[test]
fn a_stranger_answers() {
    let _calm = calm();
    for (name, fault) in [
        ("page", Fault::page("200 OK")),
        ("404", Fault::page("404 Not Found")),
        ("413", Fault::page("413 Content Too Large")),
        ("302", Fault::redirect("302 Found", "http://127.0.0.1:9/")),
        ("not HTTP", Fault::Says("SSH-2.0-OpenSSH_9.6\r\n".to_owned())),
        ("nothing", Fault::Says(String::new())),
        ("JSON", Fault::answer("200 OK", "Content-Type: application/json\r\n", "{\"id\":\"x\"}")),
    ] {
        keeps_to_its_times(name, &FaultServer::start(fault).url());
    }
}

#[test]
fn a_slow_server_holds_no_hook() {
    let _calm = calm();
    let server = server();
    for pause in [40, 90, 150, 250, 400].map(Duration::from_millis) {
        let proxy = Proxy::before(server.address());
        proxy.set(Mode::Slow(pause));
        let took = hooks(&proxy.url());
        println!("slow by {pause:?} each way: {took:?}");
        assert!(took.iter().all(|t| *t < HOOK), "slow by {pause:?}: {took:?}");
    }
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
        desk.coord(&["sync", "--force"]).exits(0).says("3 writes wait here");
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
    let rest = std::fs::read_dir(desk.state())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "json"))
        .expect("the breaker has a file");
    let good = std::fs::read_to_string(&rest).unwrap();
    for bad in
        [String::new(), "rubbish".to_owned(), good.replace("\"since_ms\":1", "\"since_ms\":9")]
    {
        assert_ne!(bad, good);
        std::fs::write(&rest, bad).unwrap();
        let before = away.connections();
        desk.run(&["todo", "list"]).env("COORD_API_URL", &away.url()).done().exits(69);
        assert_eq!(away.connections(), before + 1);
    }
}
