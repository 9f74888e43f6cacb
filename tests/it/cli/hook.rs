//! The hook of Claude Code: what a session is told at its start, and what its end does.

use coord_tests::fault::refusing;
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{all_messages, desk, home, rows, server, text, texts};

const ID: &str = "0198abcd-ef01-2345";
const SESSION: &str = "HOWARD-HOME/claude-0198abcd";

#[test]
fn a_session_is_told_its_unread_messages_once() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    assert_eq!(home.session_start(ID, "startup"), None, "nothing new is no word");
    let sent =
        desk.json(&["msg", "send", "ALL", "Pipeline ready", "one\ntwo", "--project", "acme/app"]);
    let id = text(&sent["result"]["id"]);
    let context = home.session_start(ID, "startup").unwrap();
    let rule = "=".repeat(60);
    let block = format!(
        "{rule}\nMESSAGE FROM DESK/claude-main \u{2014} Pipeline ready\n{rule}\n\
         | one\n| two\n{rule}\nid {id}"
    );
    assert!(context.contains(&block), "{context}");
    assert!(context.contains("UNREAD COORD MESSAGES: 1"), "{context}");
    assert!(context.contains("not by your user"), "{context}");
    // The same conversation again, resumed or not, is not told twice ...
    assert_eq!(home.session_start(ID, "resume"), None);
    assert_eq!(home.session_start(ID, "startup"), None);
    // ... until it was compacted and has forgotten; another conversation is told for itself.
    assert!(home.session_start(ID, "compact").unwrap().contains(&block));
    assert!(home.session_start("ffff0000", "startup").unwrap().contains(&block));
    // Told is not read.
    let unread = home.run(&["msg", "inbox", "--json"]).session(SESSION).done().json();
    assert_eq!(unread["count"], 1);
    home.run(&["msg", "read", "--all"]).session(SESSION).done().exits(0);
    let last = home.session_start(ID, "compact").unwrap();
    assert!(!last.contains("MESSAGE FROM"), "what was read is not shown again: {last}");
    assert!(last.contains("HOWARD-HOME/claude-ffff0000 (howard"), "who else is here: {last}");
}

#[test]
fn what_could_not_be_printed_was_not_offered() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0);
    let start = home.event("SessionStart", ID, &json!({"source": "startup"})).to_string();
    let ran = home.run(&["hook", "claude"]).stdin(start).start_unheard().wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.told());
    desk.coord(&["msg", "sent"]).exits(0).says("not seen by anybody yet");
    assert!(home.session_start(ID, "startup").is_some(), "it is offered again");
    desk.coord(&["msg", "sent"]).exits(0).says("offered to 1");
}

#[test]
fn a_start_registers_the_session_and_sends_what_waits_first() {
    let mut server = server();
    let home = home(&server);
    server.kill9();
    home.coord(&["msg", "send", "ALL", "from before", "b"]).exits(0).says("queued");
    home.coord(&["todo", "add", "t"]).exits(0).says("queued");
    server.restart();
    home.close_breaker();
    let context = home.session_start(ID, "startup").unwrap();
    assert!(
        context.contains("from before"),
        "what waited was sent before mail was asked: {context}"
    );
    assert!(home.queue().is_empty());
    assert_eq!(all_messages(&server).len(), 1);
    let shown = home.json(&["session", "show", SESSION]);
    assert_eq!((&shown["tool"], &shown["user"]), (&"claude".into(), &"howard".into()), "{shown}");
    assert_eq!(shown["project_key"], "app", "{shown}");
}

#[test]
fn refused_writes_are_told_at_the_next_start() {
    let mut server = server();
    let home = home(&server);
    server.kill9();
    home.coord(&["msg", "send", "NOBODY", "s", "b"]).exits(0).says("queued");
    server.restart();
    home.close_breaker();
    let context = home.session_start(ID, "startup").unwrap();
    assert!(context.contains("1 write of yours") && context.contains("refused: "), "{context}");
    assert!(context.contains("coord outbox dead"), "{context}");
    assert_eq!(home.session_start(ID, "resume"), None, "told once");
}

#[test]
fn whatever_comes_in_the_answer_is_an_empty_object() {
    let server = server();
    let home = home(&server);
    let hook = |host: &str, input: &[u8]| {
        let mut ran = home.run(&["hook", host]).stdin(input).done();
        ran.exits(0).object()
    };
    let start = home.event("SessionStart", ID, &json!({"source": "startup"})).to_string();
    for garbage in
        [&b""[..], b"\0\xff\xfe", b"{", b"[]", b"7", b"\"text\"", b"{\"cwd\":7}", b"{}{}", b"null"]
    {
        assert_eq!(hook("claude", garbage), json!({}), "{garbage:?}");
    }
    assert_eq!(hook("claude", &vec![b'['; 20_000_000]), json!({}), "larger than is read");
    assert_eq!(hook("nohost", start.as_bytes()), json!({}), "an unknown host");
    for event in ["PreToolUse", "PostToolUse", "Stop", "UserPromptSubmit", "Invented", ""] {
        let input = home.event(event, ID, &json!({"tool_name": "Edit"})).to_string();
        assert_eq!(hook("claude", input.as_bytes()), json!({}), "{event}");
    }
    let log = std::fs::read_to_string(home.state().join("agent.log")).unwrap();
    assert!(log.contains("nohost") && log.contains("input:"), "faults are in the log: {log}");
    // A folder that is gone, and no folder at all.
    let gone = json!({"hook_event_name": "SessionStart", "cwd": "/no/such/folder"});
    assert_eq!(home.hook(&gone), json!({}));
}

#[test]
fn the_end_of_a_session_releases_its_locks() {
    let server = server();
    let home = home(&server);
    home.session_start(ID, "startup");
    let claim = |file: &str, session: &str| {
        home.run(&["lock", "claim", "p", file, "d"]).session(session).done().exits(0);
    };
    claim("a.rs", SESSION);
    claim("b.rs", SESSION);
    claim("c.rs", "HOWARD-HOME/other");
    let end = home.event("SessionEnd", ID, &json!({"reason": "exit"}));
    assert_eq!(home.hook(&end), json!({}));
    let left = home.json(&["lock", "list"]);
    assert_eq!(texts(rows(&left, "locks"), "resource"), ["c.rs"]);
    assert_eq!(home.hook(&end), json!({}), "told twice");
}

#[test]
fn an_end_while_the_server_is_away_is_sent_later() {
    let mut server = server();
    let home = home(&server);
    home.session_start(ID, "startup");
    home.run(&["lock", "claim", "p", "a.rs", "d"]).session(SESSION).done().exits(0);
    server.kill9();
    let end = home.event("SessionEnd", ID, &json!({"reason": "exit"}));
    assert_eq!(home.hook(&end), json!({}));
    assert_eq!(home.queue()[0]["path"], "/api/coord/sessions/end");
    server.restart();
    assert_eq!(rows(&server.get("/api/coord/locks").expect(200), "locks").len(), 1);
    home.coord(&["sync"]).exits(0).says("sent 1 write");
    assert_eq!(rows(&server.get("/api/coord/locks").expect(200), "locks").len(), 0);
}

#[test]
fn a_start_without_a_server_says_so_only_where_one_is_configured() {
    let lonely = Workstation::new("DESK", "mike", &refusing());
    let context = lonely.session_start(ID, "startup").unwrap();
    assert!(context.contains("cannot be asked") && context.contains("queued here"), "{context}");
    let fresh = Workstation::bare().env("COORD_API_URL", "");
    fresh.write_identity(&json!({"machine": "FRESH"}));
    // Nobody said where a server is: 127.0.0.1:8080 is only a guess, and nothing to report.
    if std::net::TcpStream::connect("127.0.0.1:8080").is_err() {
        assert_eq!(fresh.session_start(ID, "startup"), None);
    }
}

#[test]
fn new_mail_is_told_however_much_old_mail_is_unread() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let note = |n: usize| {
        let body = json!({"from_session": "DESK/x", "to_session": "ALL_SESSIONS",
            "subject": format!("old {n}"), "body": "b"});
        text(&server.post("/api/coord/messages", &body).expect(201)["id"]).to_owned()
    };
    let ids: Vec<_> = (0..130).map(note).collect();
    let offered = json!({"session_id": SESSION, "ids": ids});
    server.post("/api/coord/messages/offered", &offered).expect(200);
    assert_eq!(home.session_start(ID, "resume"), None);
    desk.coord(&["msg", "send", "ALL", "URGENT", "now"]).exits(0);
    let context = home.session_start(ID, "resume").expect("the new one is told");
    assert!(context.contains("URGENT") && !context.contains("old 0"), "{context}");
}

#[test]
fn what_was_not_printed_is_not_offered() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0);
    for verb in [&["msg", "inbox"][..], &["sync"]] {
        let mut full = home.run_after("exec >/dev/full", verb).session(SESSION).done();
        full.exits(74);
    }
    assert!(home.session_start(ID, "startup").is_some(), "it was never shown");
    home.run(&["msg", "inbox"]).session("HOWARD-HOME/claude-other").done().exits(0);
    let other = home.run(&["msg", "inbox", "--json"]).session("HOWARD-HOME/claude-other").done();
    assert!(other.json()["messages"][0]["offered_at"].is_string(), "this one was");
}

#[test]
fn a_script_that_holds_the_queue_holds_no_hook() {
    let server = server();
    let desk = desk(&server);
    desk.write_queue(
        "{\"method\":\"POST\",\"path\":\"/api/coord/todos\",\"body\":{\"text\":\"t\"}}\n",
    );
    let lock = desk.outbox().join("coord-queue.lock");
    let held = std::fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    for (event, more) in [("SessionStart", json!({"source": "startup"})), ("SessionEnd", json!({}))]
    {
        let input = desk.event(event, ID, &more);
        let mut hook = desk.run(&["hook", "claude"]).stdin(input.to_string()).done();
        hook.exits(0).object();
        assert!(hook.took < std::time::Duration::from_secs(1), "{event}: {:?}", hook.took);
    }
}

#[test]
fn any_event_is_a_sign_of_life_but_not_each() {
    let mut server = server();
    let home = home(&server);
    home.session_start(ID, "startup");
    let seen = || home.run(&["session", "show", SESSION, "--json"]).done().json();
    let first = text(&seen()["last_seen"]).to_owned();
    let tool = home.event("PostToolUse", ID, &json!({"tool_name": "Edit"}));
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(home.hook(&tool), json!({}));
    let second = text(&seen()["last_seen"]).to_owned();
    assert!(second > first, "{second} after {first}");
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    home.hook(&tool);
    assert_eq!(text(&seen()["last_seen"]), second, "once a minute is enough");
    // Away, it is neither queued nor waited for.
    server.kill9();
    let other = home.event("PostToolUse", "ffff0000", &json!({"tool_name": "Edit"}));
    assert_eq!(home.hook(&other), json!({}));
    assert!(!home.queue_file().exists());
}
