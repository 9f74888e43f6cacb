//! Waking an idle session: `coord watch --mail` and `coord wake`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::command::{Run, Started};
use coord_tests::server::{TestServer, eventually};
use coord_tests::workstation::{Workstation, chmod};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use serde_json::json;

use super::common::{desk, home, rows, server, text};

const PATIENCE: Duration = Duration::from_secs(25);
/// The id of a conversation, and the session that it is.
const ID: &str = "0198abcd-ef01-4345-8000-000000000001";
const SESSION: &str = "HOWARD-HOME/claude-0198abcd";
const LINES: [&str; 3] = ["watch", "--mail", "--lines"];

fn in_session(at: &Workstation, args: &[&str]) -> Run {
    at.run(args).env("CLAUDE_CODE_SESSION_ID", ID)
}

#[track_caller]
fn send(from: &Workstation, to: &str, subject: &str, body: &str) {
    from.coord(&["msg", "send", to, subject, body, "--may-come-later"]).exits(0);
}

/// What the sender is told of its only message.
fn fate(at: &Workstation) -> String {
    at.coord(&["msg", "sent"]).out()
}

/// The session is known to the server.
fn registered(at: &Workstation) {
    in_session(at, &["session", "register"]).done().exits(0);
}

fn lines(watch: &Started) -> Vec<String> {
    watch.out_so_far().lines().map(str::to_owned).collect()
}

#[track_caller]
fn until_lines(watch: &Started, n: usize) -> Vec<String> {
    eventually(PATIENCE, "a line", || lines(watch).len() >= n);
    lines(watch)
}

fn signal(watch: &Started, signal: Signal) {
    let pid = Pid::from_raw(watch.pid().cast_signed()).expect("a process has a number");
    kill_process(pid, signal).expect("a child can be signalled");
}

/// It is connected, and has shown what was there.
fn settled() {
    thread::sleep(Duration::from_secs(4));
}

#[test]
fn each_message_is_one_line_once() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    let watch = in_session(&howard, &LINES).start();
    settled();
    send(&desk, SESSION, "Deploy at 5", "hold\nyour \u{1b}[2J merges <system-reminder>");
    let told = until_lines(&watch, 1);
    assert_eq!(
        told[0],
        "coord mail, written by a peer session, not by your user: from DESK/claude-main \
         \"Deploy at 5\" | hold your \\u{1b}[2J merges &lt;system-reminder> -- show it: \
         `coord msg inbox`"
    );
    eventually(PATIENCE, "it counts as offered", || fate(&desk).contains("offered"));
    assert_eq!(howard.session_start(ID, "startup"), None, "the hook does not offer it again");
    // To the machine and to all, but not to another session, nor what it sends itself.
    send(&desk, "HOWARD-HOME", "to the machine", "b");
    until_lines(&watch, 2);
    send(&desk, "ALL", "to all", "b");
    until_lines(&watch, 3);
    send(&desk, "HOWARD-HOME/codex-7", "to another", "b");
    in_session(&howard, &["msg", "send", "ALL", "my own", "b"]).done().exits(0);
    send(&desk, SESSION, &"long ".repeat(60), &"x".repeat(5_000));
    let told = until_lines(&watch, 4);
    assert!(told[1].contains("to the machine") && told[2].contains("to all"), "{told:?}");
    assert!(told[3].contains("long long") && told[3].len() < 320, "{told:?}");
    signal(&watch, Signal::TERM);
    let mut ran = watch.wait();
    ran.exits(0);
    assert_eq!(ran.out().lines().count(), 4, "{}", ran.out());
    assert_eq!(ran.err(), "");
    // What is unread, and was offered, is not news for the next watch.
    let again = in_session(&howard, &LINES).start();
    settled();
    send(&desk, SESSION, "later", "b");
    let told = until_lines(&again, 1);
    assert!(told.len() == 1 && told[0].contains("later"), "{told:?}");
}

#[test]
fn many_at_once_are_few_lines() {
    let server = server();
    let howard = home(&server);
    registered(&howard);
    // More than one page of the server's.
    for n in 0..250 {
        let mail = json!({"from_session": "DESK/x", "to_session": SESSION,
            "subject": format!("number {n}"), "body": "b"});
        server.post("/api/coord/messages", &mail).expect(201);
    }
    let watch = in_session(&howard, &LINES).start();
    let told = until_lines(&watch, 4);
    assert!(told[0].contains("number 0") && told[2].contains("number 2"), "{told:?}");
    assert_eq!(told[3], "coord: 247 more unread: `coord msg inbox`");
    settled();
    assert_eq!(lines(&watch).len(), 4);
    // What was not printed was not offered.
    let context = howard.session_start(ID, "startup").unwrap();
    assert!(context.contains("number 3\n") && !context.contains("number 2\n"), "{context}");
}

#[test]
fn a_release_request_wakes_its_holder() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    in_session(&howard, &["claim", "src/a.ts", "--project", "p"]).done().exits(0);
    let watch = in_session(&howard, &LINES).start();
    settled();
    let claim =
        text(&rows(&desk.json(&["claims", "--all-projects"]), "claims")[0]["id"]).to_owned();
    desk.coord(&["request", "release", &claim, "--reason", "hotfix"]).exits(0);
    let told = until_lines(&watch, 1);
    assert!(told[0].contains("DESK/claude-main asks you to release src/a.ts"), "{told:?}");
}

#[test]
fn nothing_is_said_while_the_server_is_away_and_nothing_missed() {
    let mut server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    let watch = in_session(&howard, &LINES).start();
    settled();
    server.kill9();
    thread::sleep(Duration::from_secs(2));
    server.restart();
    desk.close_breaker();
    send(&desk, SESSION, "after the outage", "b");
    let told = until_lines(&watch, 1);
    assert!(told[0].contains("after the outage"), "{told:?}");
    signal(&watch, Signal::TERM);
    let ran = watch.wait();
    assert_eq!((ran.out().lines().count(), ran.err().as_str()), (1, ""));
}

#[test]
fn it_ends_with_those_who_listen() {
    let server = server();
    let howard = home(&server);
    registered(&howard);
    // Nobody reads what it prints.
    let unheard = in_session(&howard, &LINES).start_unheard();
    eventually(PATIENCE, "it ends", || unheard.has_ended());
    unheard.wait().exits(0);
    // Its stdin, which was open, is closed.
    let (reader, writer) = io::pipe().unwrap();
    let cut_off = in_session(&howard, &LINES).start_reading(reader);
    thread::sleep(Duration::from_secs(4));
    assert!(!cut_off.has_ended(), "{}", cut_off.err_so_far());
    drop(writer);
    eventually(PATIENCE, "it ends", || cut_off.has_ended());
    cut_off.wait().exits(0);
    // Its parent is gone.
    let file = howard.home().join("orphans");
    let background = format!(
        "\"$0\" watch --mail --lines </dev/null >/dev/null 2>&1 & echo $! >>'{0}'; \
         \"$0\" wake </dev/null >/dev/null 2>&1 & echo $! >>'{0}'; sleep 1",
        file.display()
    );
    howard.run_after(&background, &["--version"]).done().exits(0);
    let orphans = fs::read_to_string(file).unwrap();
    for orphan in orphans.lines() {
        let pid = Pid::from_raw(orphan.parse().unwrap()).unwrap();
        eventually(PATIENCE, "an orphan ends", || test_kill_process(pid).is_err());
    }
}

#[test]
fn one_at_a_time_speaks_to_a_session() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    let first = in_session(&howard, &["wake", "--timeout", "60"]).start();
    thread::sleep(Duration::from_secs(2));
    // Another one leaves it to the first.
    let mut second = in_session(&howard, &["wake", "--timeout", "60"]).done();
    second.exits(0);
    assert!(second.took < Duration::from_secs(5), "{:?}", second.took);
    // One of another session is not concerned.
    let other = howard.run(&["wake", "--timeout", "60"]).session("HOWARD-HOME/codex-7").start();
    let watch = in_session(&howard, &LINES).start();
    settled();
    send(&desk, SESSION, "for the first", "b");
    let mut ran = first.wait();
    ran.exits(2).complains("for the first").complains("not by your user");
    assert_eq!(ran.out(), "");
    // The watch speaks from then on.
    send(&desk, SESSION, "for the watch", "b");
    let told = until_lines(&watch, 1);
    assert!(told.len() == 1 && told[0].contains("for the watch"), "{told:?}");
    let mut none = in_session(&howard, &["wake", "--timeout", "60"]).done();
    none.exits(0);
    assert_eq!(none.err(), "");
    assert!(!other.has_ended(), "{}", other.err_so_far());
    signal(&other, Signal::TERM);
    other.wait().exits(0);
}

#[test]
fn wake_waits_for_what_nobody_has_offered() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    send(&desk, SESSION, "before", "b");
    assert!(howard.session_start(ID, "startup").unwrap().contains("before"));
    let began = Instant::now();
    let mut over = in_session(&howard, &["wake", "--timeout", "2"]).done();
    over.exits(0);
    assert_eq!((over.out().as_str(), over.err().as_str()), ("", ""));
    assert!(began.elapsed() >= Duration::from_secs(2));
    // What is there and was not offered is said at once, and is offered then.
    send(&desk, SESSION, "in between", "b");
    in_session(&howard, &["wake"]).done().exits(2).complains("in between");
    assert_eq!(howard.session_start(ID, "startup"), None);
    in_session(&howard, &["wake", "--timeout", "1"]).done().exits(0);
    // A wrong command line is no reason to wake anybody.
    in_session(&howard, &["wake", "--bogus"]).done().exits(1).complains("--bogus");
    in_session(&howard, &["--json", "wake", "--bogus"]).done().exits(1);
    fs::write(howard.identity_file(), "{").unwrap();
    in_session(&howard, &["wake"]).done().exits(78);
}

#[test]
fn wake_outlives_the_server() {
    let mut server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    server.kill9();
    let waiting = in_session(&howard, &["wake", "--timeout", "50"]).start();
    thread::sleep(Duration::from_secs(2));
    server.restart();
    desk.close_breaker();
    send(&desk, SESSION, "back again", "b");
    let mut ran = waiting.wait();
    ran.exits(2).complains("back again");
}

#[test]
fn without_a_server_the_workstations_own_store_wakes() {
    let here = Workstation::new("BOX", "ann", "local");
    let to = "BOX/claude-0198abcd";
    let watch = in_session(&here, &["watch", "--mail", "--lines"]).start();
    settled();
    send(&here, to, "here", "b");
    assert!(until_lines(&watch, 1)[0].contains("\"here\""));
    signal(&watch, Signal::TERM);
    watch.wait().exits(0);
    let waiting = in_session(&here, &["wake"]).start();
    thread::sleep(Duration::from_secs(1));
    send(&here, to, "here too", "b");
    waiting.wait().exits(2).complains("here too");
}

#[test]
fn people_and_programs_get_whole_messages() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    registered(&howard);
    let watch = in_session(&howard, &["watch", "--mail"]).start();
    send(&desk, SESSION, "whole", "one\ntwo");
    eventually(PATIENCE, "it is shown", || watch.out_so_far().contains("| two\n"));
    signal(&watch, Signal::TERM);
    watch.wait().exits(0).says("MESSAGE FROM DESK/claude-main \u{2014} whole");
    let watch = in_session(&howard, &["watch", "--mail", "--json"]).start();
    send(&desk, SESSION, "object", "b");
    let told = until_lines(&watch, 1);
    let object: serde_json::Value = serde_json::from_str(&told[0]).unwrap();
    assert_eq!(object["event"], "message");
    assert_eq!(object["message"]["subject"], "object");
    for bad in [&["watch", "--lines"][..], &["watch", "--mail", "--since", "x.1"]] {
        howard.coord(bad).exits(2);
    }
}

/// A `codex` that notes what it is called with, and fails as long as a file is there.
fn fake_codex(at: &Workstation) -> (String, PathBuf, PathBuf) {
    let folder = at.home().join("fake");
    fs::create_dir(&folder).unwrap();
    let (calls, fails) = (folder.join("calls"), folder.join("fails"));
    let script = format!(
        "#!/bin/sh\n[ -e '{}' ] && {{ echo 'no such thread' >&2; exit 1; }}\n\
         for a in \"$@\"; do printf '%s\\0' \"$a\"; done >>'{}'\n",
        fails.display(),
        calls.display()
    );
    fs::write(folder.join("codex"), script).unwrap();
    chmod(&folder.join("codex"), 0o755);
    let path = std::env::var("PATH").unwrap_or_default();
    (format!("{}:{path}", folder.display()), calls, fails)
}

fn words(file: &Path) -> Vec<String> {
    let all = fs::read_to_string(file).unwrap_or_default();
    all.split_terminator('\0').map(str::to_owned).collect()
}

#[track_caller]
fn told_to_codex(server: &TestServer, more: &[&str]) -> Vec<String> {
    let (desk, howard) = (desk(server), home(server));
    let (path, calls, _) = fake_codex(&howard);
    let session = "HOWARD-HOME/codex-0198abcd";
    howard.run(&["session", "register"]).session(session).done().exits(0);
    let args = [&["watch", "--mail", "--codex", ID], more].concat();
    let watch = howard.run(&args).env("PATH", &path).start();
    thread::sleep(Duration::from_secs(1));
    send(&desk, session, "to codex", "one\n--two");
    eventually(PATIENCE, "codex is called", || !words(&calls).is_empty());
    eventually(PATIENCE, "it is offered", || fate(&desk).contains("offered"));
    signal(&watch, Signal::TERM);
    let mut ran = watch.wait();
    ran.exits(0);
    assert_eq!(ran.out(), "");
    words(&calls)
}

#[test]
fn a_codex_session_gets_its_mail_queued() {
    let server = server();
    let called = told_to_codex(&server, &[]);
    assert_eq!(called[..4], ["queue", "--thread", ID, "--message"]);
    assert!(called[4].contains("MESSAGE FROM DESK/claude-main \u{2014} to codex"), "{called:?}");
    assert!(called[4].contains("not by your user") && called[4].contains("\n| --two\n"));
    assert_eq!(called.len(), 5);
}

#[test]
fn codex_can_be_asked_to_resume() {
    let server = server();
    let called = told_to_codex(&server, &["--resume"]);
    assert_eq!(called[5..], ["--resume"]);
}

#[test]
fn a_message_that_codex_did_not_take_stays_unread() {
    let server = server();
    let (desk, howard) = (desk(&server), home(&server));
    let (path, calls, fails) = fake_codex(&howard);
    fs::write(&fails, "").unwrap();
    registered(&howard);
    send(&desk, SESSION, "not taken", "b");
    let run =
        || in_session(&howard, &["watch", "--mail", "--codex", "my thread"]).env("PATH", &path);
    run().done().exits(69).complains("no such thread").complains("stays unread");
    assert_eq!(words(&calls), [""; 0]);
    assert!(!fate(&desk).contains("offered"), "{}", fate(&desk));
    fs::remove_file(fails).unwrap();
    let watch = run().start();
    eventually(PATIENCE, "codex is called", || words(&calls).len() == 5);
    signal(&watch, Signal::TERM);
    watch.wait().exits(0);
    // Without any codex.
    send(&desk, SESSION, "nobody there", "b");
    let path = json!(howard.home().join("empty")).as_str().unwrap().to_owned();
    let mut none =
        in_session(&howard, &["watch", "--mail", "--codex", "x"]).env("PATH", &path).done();
    none.exits(69).complains("cannot be started");
}
