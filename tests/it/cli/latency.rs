//! Nobody waits for a server that is away: how long commands and hooks take, whatever answers.

use std::time::Duration;

use coord_tests::fault::{Fault, FaultServer, Unreachable, refusing};
use coord_tests::proxy::{Mode, Proxy};
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{all_messages, server, text, texts};
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

/// How long a command usually takes: what nine of ten keep to, because other tests and programs
/// use this machine at the same time.
fn usually(mut run: impl FnMut() -> Duration) -> Duration {
    let mut took: Vec<_> = (0..REPEATS).map(|_| run()).collect();
    took.sort();
    took[REPEATS * 9 / 10 - 1]
}

/// Puts measured times into the test's output.
fn report(line: &str) {
    println!("{line}");
}

/// Checks that writes, reads and the hook keep to their times against this address.
#[track_caller]
fn keeps_to_its_times(name: &str, base: &str) {
    let station = desk(base);
    let process = usually(|| station.coord(&["--version"]).exits(0).took);
    let send = ["msg", "send", "ALL", "s", "b"];
    let first = station.coord(&send).exits(0).says("queued").took;
    assert!(first < WRITE, "{name}: the first write took {first:?}");
    let write = usually(|| station.coord(&send).exits(0).says("queued").took);
    let read = usually(|| station.coord(&["todo", "list"]).exits(69).took);
    assert_eq!(station.queue().len(), REPEATS + 1, "{name}: all are kept");
    let hook = usually(|| hook(&station, "SessionStart"));
    report(&format!(
        "{name}: a process {process:?}; first write {first:?}; at rest a write {write:?}, a read \
         {read:?}, a hook {hook:?}"
    ));
    for took in [write, read, hook] {
        assert!(took < AT_REST + process, "{name}: at rest {took:?}");
    }
    hooks_end_in_time(name, base);
}

fn hook(station: &Workstation, event: &str) -> Duration {
    let input = station.event(event, "0198abcd", &json!({"source": "startup"}));
    let mut ran = station.run(&["hook", "claude"]).stdin(input.to_string()).done();
    ran.exits(0).object();
    ran.took
}

/// Checks the hook at its first contact with the server: at a start, with a queue, and at an end.
#[track_caller]
fn hooks_end_in_time(name: &str, base: &str) {
    let (fresh, loaded, ending) = (desk(base), desk(base), desk(base));
    loaded.write_queue(long_queue(50));
    let start = hook(&fresh, "SessionStart");
    let drain = hook(&loaded, "SessionStart");
    let end = hook(&ending, "SessionEnd");
    report(&format!("{name}: hooks: start {start:?}, with a queue {drain:?}, end {end:?}"));
    for took in [start, drain, end] {
        assert!(took < HOOK, "{name}: a hook took {took:?}");
    }
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
        hooks_end_in_time(&format!("slow by {pause:?} each way"), &proxy.url());
    }
}

/// Entries as a day without a server leaves them.
fn long_queue(entries: usize) -> String {
    let note = "x".repeat(100);
    let line = |n| {
        let body = json!({"from_session": "DESK/x", "subject": format!("{n}"), "body": note});
        let entry = json!({"method": "POST", "path": "/api/coord/messages", "body": body});
        format!("{entry}\n")
    };
    (0..entries).map(line).collect()
}

#[test]
fn a_queue_that_a_hook_cannot_send_in_time_does_not_hide_the_server() {
    let _calm = calm();
    let server = server();
    let proxy = Proxy::before(server.address());
    let desk = desk(&proxy.url());
    Workstation::new("LAB", "ann", &server.url())
        .coord(&["msg", "send", "DESK/claude-main", "s", "b", "--may-come-later"])
        .exits(0);
    desk.write_queue(long_queue(1_500));
    // Each call takes a good part of the hook's time, so that the last is cut short by its end.
    proxy.set(Mode::Slow(Duration::from_millis(60)));
    let context = desk.session_start("0198abcd", "startup").expect("there is mail");
    assert!(context.contains("UNREAD COORD MESSAGES"), "{context}");
    proxy.set(Mode::Pass);
    desk.coord(&["todo", "list"]).exits(0);
    desk.coord(&["sync"]).exits(0);
    assert_eq!(all_messages(&server).len(), 1_501);
}

#[test]
fn a_very_long_queue_holds_nobody() {
    let _calm = calm();
    let server = server();
    let desk = desk(&server.url());
    desk.write_queue(long_queue(12_000));
    let start = desk.event("SessionStart", "0198abcd", &json!({"source": "startup"}));
    let mut hook = desk.run(&["hook", "claude"]).stdin(start.to_string()).done();
    let said = hook.exits(0).object();
    let context = text(&said["hookSpecificOutput"]["additionalContext"]);
    assert!(context.contains("coord sync"), "what is left is said: {context}");
    let mut write = desk.coord(&["msg", "send", "ALL", "last", "b"]);
    write.exits(0).says("queued");
    let end = desk.event("SessionEnd", "0198abcd", &json!({"reason": "exit"}));
    let ending = desk.run(&["hook", "claude"]).stdin(end.to_string()).done();
    report(&format!(
        "12,000 wait: hooks {:?} and {:?}, a write {:?}",
        hook.took, ending.took, write.took
    ));
    assert!(hook.took < HOOK && ending.took < HOOK, "{:?} {:?}", hook.took, ending.took);
    assert!(write.took < WRITE, "{:?}", write.took);
    desk.coord(&["sync"]).exits(0);
    let subjects = texts(&all_messages(&server), "subject");
    let want: Vec<_> = (0..12_000).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert!(subjects == want, "{} arrived, or in another order", subjects.len());
}
