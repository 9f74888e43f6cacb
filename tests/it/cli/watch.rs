//! `coord watch`: what changes, live.

use std::time::Duration;

use coord_tests::command::{Ran, Started};
use coord_tests::fault::{Fault, FaultServer};
use coord_tests::server::eventually;
use coord_tests::workstation::Workstation;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::common::{desk, home, server};

const PATIENCE: Duration = Duration::from_secs(25);

fn interrupt(watch: &Started, signal: Signal) {
    let pid = Pid::from_raw(watch.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("a child can be signalled");
}

/// Does something until the watch shows it: nobody is told when a watch has begun.
#[track_caller]
fn until_shown(watch: &Started, words: &str, mut again: impl FnMut()) {
    eventually(PATIENCE, words, || {
        let shown = || watch.out_so_far().contains(words);
        if !shown() {
            again();
            std::thread::sleep(Duration::from_millis(300));
        }
        shown()
    });
}

fn ended(watch: Started) -> Ran {
    interrupt(&watch, Signal::INT);
    let mut ran = watch.wait();
    ran.exits(0);
    ran
}

#[test]
fn changes_are_shown_as_they_come() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["todo", "add", "before the watch"]).exits(0);
    let watch = desk.run(&["watch"]).start();
    until_shown(&watch, "todo added: first", || {
        home.coord(&["todo", "add", "first"]).exits(0);
    });
    let lock = home.json(&["lock", "claim", "acme/app", "src/**", "api \u{1b}[2J"]);
    home.coord(&["lock", "claim", "acme/app", "src/**"]).exits(0);
    home.coord(&["msg", "send", "ALL", "Deploy at 5", "hold"]).exits(0);
    home.coord(&["msg", "send", "HOWARD-HOME", "to myself", "b"]).exits(0);
    home.coord(&["msg", "send", "DESK/x", "for you", "b", "--may-come-later"]).exits(0);
    home.coord(&["component", "set", "acme/app", "api", "deployed", "--version", "1.2"]).exits(0);
    home.coord(&["decision", "add", "api", "use REST"]).exits(0);
    home.run(&["session", "register"]).session("HOWARD-HOME/new").done().exits(0);
    home.coord(&["lock", "release", lock["result"]["id"].as_str().unwrap()]).exits(0);
    until_shown(&watch, "HOWARD-HOME/claude-main released src/** in acme/app", || {});
    let mut ran = ended(watch);
    ran.says("HOWARD-HOME/claude-main claimed src/** in acme/app \u{2014} api \\u{1b}[2J")
        .says("message HOWARD-HOME/claude-main to ALL_SESSIONS: Deploy at 5")
        .says("message HOWARD-HOME/claude-main to DESK/x: for you")
        .says("component acme/app/api is deployed 1.2")
        .says("use REST")
        .says("session HOWARD-HOME/new is new");
    let out = ran.out();
    for absent in ["before the watch", "to myself", "\u{1b}"] {
        assert!(!out.contains(absent), "{absent:?} in {out}");
    }
    assert_eq!(out.matches("claimed").count(), 1, "a renewal is no news: {out}");
    assert_eq!(ran.err(), "");
}

/// The objects of a watch with `--json`.
fn objects(ran: &Ran) -> Vec<Value> {
    ran.out().lines().map(|l| serde_json::from_str(l).expect("a line is an object")).collect()
}

fn todos(objects: &[Value]) -> Vec<String> {
    let of_todos = objects.iter().filter(|o| o["kind"] == "todo");
    of_todos.map(|o| o["row"]["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_watch_outlives_the_server_and_goes_on_where_it_was() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    let watch = desk.run(&["watch", "--json"]).start();
    until_shown(&watch, "first", || {
        home.coord(&["todo", "add", "first"]).exits(0);
    });
    server.kill9();
    eventually(PATIENCE, "the outage is noted", || watch.err_so_far().contains("trying again"));
    server.restart();
    home.close_breaker();
    for text in ["second", "third"] {
        home.coord(&["todo", "add", text]).exits(0).says("added");
    }
    until_shown(&watch, "third", || {});
    let mut ran = ended(watch);
    ran.complains("connected again");
    let told = objects(&ran);
    let mut texts = todos(&told);
    texts.retain(|t| t != "first");
    assert_eq!(texts, ["second", "third"], "nothing missed, nothing twice");
    // From a cursor, the rest again.
    let second = told.iter().find(|o| o["row"]["text"] == "second").unwrap();
    let since = second["cursor"].as_str().unwrap();
    let again = desk.run(&["watch", "--json", "--since", since]).start();
    until_shown(&again, "third", || {});
    assert_eq!(todos(&objects(&ended(again))), ["third"]);
}

#[test]
fn a_place_that_the_server_does_not_know_is_a_gap_and_said_so() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["todo", "add", "long ago"]).exits(0);
    let watch = desk.run(&["watch", "--json", "--since", "elsewhere.7"]).start();
    until_shown(&watch, "since then", || {
        home.coord(&["todo", "add", "since then"]).exits(0);
    });
    let mut ran = ended(watch);
    ran.complains("does not know this place");
    let told = objects(&ran);
    assert_eq!(told[0]["event"], "reset");
    assert!(!todos(&told).contains(&"long ago".to_owned()));
}

#[test]
fn a_watch_that_nobody_reads_ends_quietly() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let watch = desk.run(&["watch"]).start_unheard();
    eventually(PATIENCE, "it ends", || {
        home.coord(&["todo", "add", "unheard"]).exits(0);
        watch.has_ended()
    });
    watch.wait().exits(0);
}

#[test]
fn only_the_wanted_project() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let watch = desk.run(&["watch", "--project", "p"]).start();
    until_shown(&watch, "todo added: mine", || {
        home.coord(&["todo", "add", "others", "--project", "q"]).exits(0);
        home.coord(&["todo", "add", "mine", "--project", "p"]).exits(0);
    });
    assert!(!ended(watch).out().contains("others"));
}

#[test]
fn without_a_server_the_workstations_own_store_is_watched() {
    let desk = Workstation::new("BOX", "ann", "local");
    let watch = desk.run(&["watch"]).start();
    until_shown(&watch, "todo added: here", || {
        desk.coord(&["todo", "add", "here"]).exits(0);
    });
    let mut ran = ended(watch);
    assert_eq!(ran.err(), "");
    ran.exits(0);
}

#[test]
fn an_event_without_end_ends_the_connection_and_not_the_memory() {
    let server = FaultServer::start(Fault::EndlessEvent);
    let desk = Workstation::new("DESK", "mike", &server.url());
    let watch = desk.run(&["watch"]).start();
    eventually(PATIENCE, "a second connection", || server.connections() > 1);
    let status = std::fs::read_to_string(format!("/proc/{}/status", watch.pid())).unwrap();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap();
    let kib: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(kib < 100_000, "{kib} KiB");
    ended(watch).complains("an event without end; trying again");
}
