//! Messages between two workstations: seed 001's `msg` verbs and their conventions.

use std::fs;

use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{all_messages, desk, home, rows, server, text, texts};

#[test]
fn the_words_for_everybody_reach_everybody() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    for word in ["ALL", "fleet", "broadcast", "Fleet", "ALL_SESSIONS"] {
        desk.coord(&["msg", "send", word, word, "hold merges"]).exits(0).says("sent to everybody");
    }
    let sent = all_messages(&server);
    assert_eq!(sent.len(), 5);
    assert!(sent.iter().all(|m| m["to_session"] == "ALL_SESSIONS"), "{sent:?}");
    assert!(sent.iter().all(|m| m["from_session"] == "DESK/claude-main"), "{sent:?}");
    let mut inbox = home.coord(&["msg", "inbox"]);
    for word in ["ALL", "fleet", "broadcast"] {
        inbox.exits(0).says(&format!("MESSAGE FROM DESK/claude-main \u{2014} {word}\n"));
    }
    // Another session of the same workstation has its own unread mail.
    let other = home.run(&["msg", "inbox", "--json"]).session("HOWARD-HOME/codex-1").done().json();
    assert_eq!(other["count"], 5);
}

#[test]
fn a_machine_name_is_its_main_session_and_the_rest_is_verbatim() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register"]).exits(0);
    let codex = "HOWARD-HOME/codex-1";
    home.run(&["session", "register"]).session(codex).done().exits(0);
    desk.coord(&["msg", "send", "HOWARD-HOME", "one", "to the machine"]).exits(0);
    desk.coord(&["msg", "send", "HOWARD-HOME/claude-main", "two", "to the session"]).exits(0);
    desk.coord(&["msg", "send", codex, "three", "to the other session"]).exits(0);
    desk.coord(&["msg", "send", "HOWARD-HOME/howard", "four", "to the person"]).exits(0);
    let to = texts(&all_messages(&server), "to_session");
    let main = "HOWARD-HOME/claude-main";
    assert_eq!(to, [main, main, codex, "HOWARD-HOME/howard"]);
    let main_mail = home.json(&["msg", "inbox"]);
    assert_eq!(texts(rows(&main_mail, "messages"), "subject"), ["one", "two", "four"]);
    let other = home.run(&["msg", "inbox", "--json"]).session(codex).done().json();
    assert!(texts(rows(&other, "messages"), "subject").contains(&"three".to_owned()), "{other}");
}

#[test]
fn bodies_come_from_an_argument_a_file_or_stdin() {
    let server = server();
    let desk = desk(&server);
    let long = "first\n\n  third: \"quoted\" $HOME `x` \\n\nlast \u{fc}";
    let file = desk.home().join("notes.md");
    fs::write(&file, format!("\u{feff}{long}\n")).unwrap();
    let file = file.to_str().unwrap();
    desk.coord(&["msg", "send", "ALL", "file", "--body-file", file]).exits(0);
    desk.run(&["msg", "send", "ALL", "stdin", "-"]).stdin(long).done().exits(0);
    desk.run(&["msg", "send", "ALL", "both", "--body-file", "-"]).stdin(long).done().exits(0);
    desk.coord(&["msg", "send", "ALL", "arg", long]).exits(0);
    let bodies = texts(&all_messages(&server), "body");
    assert_eq!(bodies, [long, long, long, long]);
    desk.coord(&["msg", "send", "ALL", "s", "arg", "--body-file", file])
        .exits(2)
        .complains("given twice");
    desk.coord(&["msg", "send", "ALL", "s"]).exits(2).complains("missing");
    desk.coord(&["msg", "send", "ALL", "s", "--body-file", "/no/such"])
        .exits(2)
        .complains("/no/such");
    fs::write(desk.home().join("binary"), b"\xff\xfe\0").unwrap();
    let binary = desk.home().join("binary");
    desk.coord(&["msg", "send", "ALL", "s", "--body-file", binary.to_str().unwrap()])
        .exits(2)
        .complains("UTF-8");
    assert_eq!(all_messages(&server).len(), 4, "a refused command sends nothing");
}

#[test]
fn the_inbox_shows_blocks_and_read_marks_are_each_sessions_own() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register"]).exits(0);
    let sent = desk.json(&[
        "msg",
        "send",
        "HOWARD-HOME",
        "Pipeline ready",
        "line 1\nline 2",
        "--project",
        "acme/app",
    ]);
    let id = text(&sent["result"]["id"]);
    let rule = "=".repeat(60);
    let block = format!(
        "{rule}\nMESSAGE FROM DESK/claude-main \u{2014} Pipeline ready\n{rule}\n\
         | line 1\n| line 2\n{rule}\nid {id}"
    );
    home.coord(&["msg", "inbox"]).exits(0).says(&block).complains("msg read");
    // Shown is not read.
    home.coord(&["msg", "inbox"]).exits(0).says(&block);
    home.coord(&["msg", "read", id]).exits(0).says(&format!("read: {id}"));
    home.coord(&["msg", "inbox"]).exits(0).says("no unread messages");
    home.coord(&["msg", "inbox", "--all"]).exits(0).says(&block);
    home.coord(&["msg", "read", id]).exits(0);

    desk.coord(&["msg", "send", "ALL", "to all", "b"]).exits(0);
    desk.coord(&["msg", "send", "ALL", "to all", "c"]).exits(0);
    home.coord(&["msg", "read", "--all"]).exits(0);
    home.coord(&["msg", "inbox"]).exits(0).says("no unread messages");
    let other = home.run(&["msg", "inbox", "--json"]).session("HOWARD-HOME/codex-1").done().json();
    assert_eq!(other["count"], 2, "read by one is not read by all");
    home.coord(&["msg", "read", "no-such-id"]).exits(1).complains("no-such-id");
}

#[test]
fn an_unknown_recipient_is_an_error_that_names_the_known_ones() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register"]).exits(0);
    let send = ["msg", "send", "HOWARD-HOEM", "typo", "b"];
    desk.coord(&send)
        .exits(1)
        .complains("HOWARD-HOEM/claude-main")
        .complains("known sessions: ")
        .complains("HOWARD-HOME/claude-main");
    let facts = desk.coord(&[&send[..], &["--json"]].concat()).exits(1).json();
    let known = &facts["error"]["facts"]["known_sessions"];
    assert!(known.as_array().unwrap().contains(&json!("HOWARD-HOME/claude-main")), "{facts}");
    assert!(desk.queue().is_empty(), "a refusal is an answer and is not queued");
    assert!(all_messages(&server).is_empty());
    desk.coord(&[&send[..], &["--may-come-later"]].concat()).exits(0);
    let late = Workstation::new("HOWARD-HOEM", "mike", &server.url());
    late.coord(&["msg", "inbox"]).exits(0).says("typo");
    desk.coord(&["msg", "send", "", "s", "b"]).exits(2).complains("recipient");
}

#[test]
fn sent_tells_what_is_known_of_delivery() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["msg", "sent"]).exits(0).says("nothing sent");
    let sent = desk.json(&["msg", "send", "ALL", "news", "b"]);
    desk.coord(&["msg", "sent"]).exits(0).says("not seen by anybody yet");
    home.coord(&["msg", "inbox"]).exits(0).says("news");
    desk.coord(&["msg", "sent"]).exits(0).says("offered to 1").says("news");
    home.coord(&["msg", "read", text(&sent["result"]["id"])]).exits(0);
    desk.coord(&["msg", "sent"]).exits(0).says("read by 1");
    let rows = desk.json(&["msg", "sent"]);
    assert_eq!(rows["sent"][0]["recipients"][0]["session_id"], "HOWARD-HOME/claude-main", "{rows}");
}

#[test]
fn sent_knows_what_waits_here_and_what_was_refused() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register"]).exits(0);
    let seen = desk.json(&["msg", "send", "HOWARD-HOME", "seen", "b"]);
    home.coord(&["msg", "read", text(&seen["result"]["id"])]).exits(0);
    let codex = "HOWARD-HOME/codex-1";
    home.run(&["session", "register"]).session(codex).done().exits(0);
    desk.coord(&["msg", "send", codex, "too late", "b"]).exits(0);
    home.run(&["session", "end"]).session(codex).done().exits(0);
    desk.coord(&["msg", "send", "HOWARD-HOME", "flash", "b", "--expires", "0.00001"]).exits(0);
    desk.coord(&["msg", "send", "ALL", "s", "b", "--expires", "-1"]).exits(2);
    desk.coord(&["msg", "send", "ALL", "s", "b", "--expires", "1000"]).exits(2).complains("720");
    server.kill9();
    desk.coord(&["msg", "send", "NOBODY/x", "to nobody", "b"]).exits(0).says("queued");
    desk.run(&["msg", "send", "ALL", "of another session", "b"])
        .session("DESK/other")
        .done()
        .exits(0);
    let away = desk.json(&["msg", "sent"]);
    assert_eq!((&away["server_asked"], rows(&away, "sent").len()), (&json!(false), 1), "{away}");
    desk.coord(&["msg", "sent"])
        .exits(0)
        .says("to NOBODY/x: to nobody  queued here, not sent yet")
        .complains("cannot ask the server");
    let listed = desk.json(&["outbox", "list"]);
    assert_eq!(rows(&listed, "waiting")[0]["what"], "message to NOBODY/x: to nobody", "{listed}");
    server.restart();
    desk.close_breaker();
    desk.coord(&["sync"]).exits(0);
    let told = desk.json(&["msg", "sent"]);
    let states: Vec<_> = rows(&told, "sent").iter().map(|r| text(&r["state"])).collect();
    assert_eq!(states, ["refused", "accepted", "accepted", "accepted"], "{told}");
    let mut shown = desk.coord(&["msg", "sent"]);
    shown
        .exits(0)
        .says("to NOBODY/x: to nobody  refused (404): no session")
        .says("flash  expired, seen by nobody")
        .says("too late  undeliverable: its session has ended")
        .says("seen  read by 1");
    home.run(&["session", "register"]).session(codex).done().exits(0);
    desk.coord(&["msg", "sent"]).exits(0).says("too late  accepted, not seen by anybody yet");
}

#[test]
fn the_same_intent_id_has_its_effect_once() {
    let server = server();
    let desk = desk(&server);
    let id = "0198c7a2-5b7e-7000-8000-00000000abcd";
    let send = ["msg", "send", "ALL", "once", "b", "--id", id];
    assert_eq!(desk.json(&send)["replayed"], false);
    assert_eq!(desk.json(&send)["replayed"], true);
    assert_eq!(all_messages(&server).len(), 1);
    desk.coord(&["msg", "send", "ALL", "another", "b", "--id", id]).exits(1).complains(id);
    desk.coord(&["msg", "send", "ALL", "s", "b", "--id", "no uuid"]).exits(2);
    assert_eq!(all_messages(&server).len(), 1);
}
