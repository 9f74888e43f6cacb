//! A Claude Code session and a Codex session of two people on two machines, through one server.

use std::fs;

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};

use super::common::{let_a_look_be_due, locks, rows, server};

#[test]
fn each_sees_what_the_other_holds_and_writes() {
    let Some(hosts) = Hosts::installed("each_sees_what_the_other_holds_and_writes") else { return };
    let server = server();
    let ann = hosts.desk("DESK", "ann", &server.url(), &[Host::Claude]);
    let ben = hosts.desk("LAPTOP", "ben", &server.url(), &[Host::Codex]);
    fs::write(ben.project().join("a.rs"), "one\n").unwrap();

    // Ann's model makes a file, and stays.
    let claude = Model::start([
        Host::Claude.creates(&ann, "a.rs", "fn a() {}"),
        Host::Claude.runs("git status --short").held(),
        Turn::say("done").held(),
    ]);
    let ann_runs = hosts.run(Host::Claude, &ann, &claude, "please do the work").start();
    claude.holds();
    let held = locks(&ben);
    assert_eq!(held.len(), 1, "{held:?}");
    let (file, claudes) = held[0].clone();
    assert_eq!(file, "a.rs");

    // Ben's wants to change it, is told who has it, and writes to the holder.
    let mut script = Host::Codex.changes(&ben, "a.rs", "one", "two");
    let send = format!("coord msg send {claudes} 'a.rs please' 'I need the parser'");
    script.extend([
        Host::Codex.runs(&send),
        Host::Codex.creates(&ben, "b.rs", "fn b() {}"),
        Turn::say("done").held(),
    ]);
    let codex = Model::start(script);
    let ben_runs = hosts.run(Host::Codex, &ben, &codex, "please do the work").start();
    codex.holds().shows(&claudes).shows("Nothing was changed");
    assert_eq!(fs::read_to_string(ben.project().join("a.rs")).unwrap(), "one\n");

    // What waited in the work tree of the sandbox has been sent, and reaches Ann's model at its next
    // tool call.
    let sent = rows(&server.get("/api/coord/messages").expect(200), "messages");
    assert!(sent.iter().any(|m| m["subject"] == "a.rs please"), "{sent:?}");
    let_a_look_be_due();
    claude.go();
    claude.holds().shows("MESSAGE FROM LAPTOP/codex-").shows("I need the parser");
    claude.go();
    ann_runs.wait().exits(0);
    codex.go();
    ben_runs.wait().exits(0);
    assert_eq!(locks(&ben), []);
}
