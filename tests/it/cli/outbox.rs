//! `coord outbox`: what waits, what was refused, and what can be done about it.

use std::fs;

use serde_json::json;

use super::common::{all_messages, desk, rows, server, text, texts};

#[test]
fn waiting_writes_are_listed_shown_and_dropped() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["outbox", "list"]).exits(0).says("nothing waits");
    server.kill9();
    for subject in ["one", "two", "three"] {
        desk.coord(&["msg", "send", "ALL", subject, "b"]).exits(0).says("queued");
    }
    let listed = desk.json(&["outbox", "list"]);
    let ids = texts(rows(&listed, "waiting"), "id");
    assert_eq!(ids.len(), 3);
    desk.coord(&["outbox", "list"]).exits(0).says(&ids[0]).says("message to everybody: one");
    desk.coord(&["outbox", "show", &ids[1]]).exits(0).says("two");
    desk.coord(&["outbox", "drop", &ids[1]]).exits(0).says(&ids[1]);
    desk.coord(&["outbox", "show", &ids[1]]).exits(1).complains(&ids[1]);
    desk.coord(&["outbox", "drop", "no-such-id"]).exits(1);
    desk.coord(&["outbox", "drop"]).exits(2);
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 2 writes");
    assert_eq!(texts(&all_messages(&server), "subject"), ["one", "three"]);
}

#[test]
fn refused_writes_become_dead_letters_with_the_servers_words() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    desk.coord(&["msg", "send", "LATER", "wrong", "b"]).exits(0).says("queued");
    desk.coord(&["msg", "send", "ALL", "right", "b"]).exits(0).says("queued");
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 1 write").says("refused (404)").says("LATER");
    desk.coord(&["status"]).exits(0).says("dead letters: ");
    assert_eq!(texts(&all_messages(&server), "subject"), ["right"], "the others go on");
    desk.coord(&["outbox", "dead"]).exits(0).says("404").says("LATER/claude-main").says("wrong");
    desk.coord(&["outbox", "list"]).exits(0).complains("1 dead letters");
    let dead = desk.json(&["outbox", "dead"]);
    let id = text(&dead["dead"][0]["id"]).to_owned();
    assert!(text(&dead["dead"][0]["reason"]).contains("was ever heard of"), "{dead}");
    desk.coord(&["outbox", "show", &id]).exits(0).says("LATER");
    // The machine appears; the letter can be sent after all.
    desk.run(&["session", "register"]).session("LATER/claude-main").done().exits(0);
    desk.coord(&["outbox", "retry", "no-such-id"]).exits(1);
    desk.coord(&["outbox", "retry", &id]).exits(0).says("1 queued again");
    desk.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    assert_eq!(texts(&all_messages(&server), "subject"), ["right", "wrong"]);
}

#[test]
fn dead_letters_are_retried_and_dropped_together() {
    let server = server();
    let desk = desk(&server);
    let lines: String = ["A", "B", "C"]
        .iter()
        .map(|to| {
            let body = json!({"from_session": "DESK/x", "to_session": to, "subject": to});
            let entry = json!({"method": "POST", "path": "/api/coord/messages", "body": body});
            format!("{entry}\n")
        })
        .collect();
    desk.write_queue(format!("{lines}rubbish\n"));
    desk.coord(&["sync"]).exits(0);
    let dead = desk.json(&["outbox", "dead"]);
    assert_eq!(rows(&dead, "dead").len(), 4, "{dead}");
    let again = desk.json(&["outbox", "retry", "--all"]);
    assert_eq!((rows(&again, "queued").len(), &again["left"]), (3, &json!(1)), "rubbish stays");
    desk.coord(&["sync"]).exits(0);
    let one = text(&desk.json(&["outbox", "dead"])["dead"][1]["id"]).to_owned();
    desk.coord(&["outbox", "drop", &one]).exits(0);
    assert_eq!(rows(&desk.json(&["outbox", "dead"]), "dead").len(), 3);
    desk.coord(&["outbox", "drop", "--all-dead"]).exits(0).says("3 dead letters dropped");
    desk.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
}

#[test]
fn entries_are_appended_from_stdin_whole_and_with_ids() {
    let server = server();
    let desk = desk(&server);
    let entry = |text: &str| {
        json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": text}}).to_string()
    };
    let two = format!("{}\n\n{}", entry("one"), entry("two"));
    desk.run(&["outbox", "append"]).stdin(two).done().exits(0).says("2 queued");
    assert!(desk.queue().iter().all(|e| e["id"].is_string()), "{:?}", desk.queue());
    for bad in ["rubbish", "{\"method\":\"GET\",\"path\":\"/x\"}", "[]"] {
        desk.run(&["outbox", "append"]).stdin(bad).done().exits(2).complains("line 1");
    }
    desk.run(&["outbox", "append"]).stdin("").done().exits(0).says("0 queued");
    assert_eq!(desk.queue().len(), 2);
    desk.coord(&["sync"]).exits(0).says("sent 2 writes");
    let todos = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["one", "two"]);
}

#[test]
fn a_write_goes_behind_those_that_wait() {
    let server = server();
    let desk = desk(&server);
    let body = json!({"from_session": "DESK/x", "subject": "first"});
    let entry = json!({"method": "POST", "path": "/api/coord/messages", "body": body});
    desk.write_queue(entry.to_string());
    // The server is there: all go out, and the new one last.
    desk.coord(&["msg", "send", "ALL", "second", "b"]).exits(0).says("sent to everybody");
    assert_eq!(texts(&all_messages(&server), "subject"), ["first", "second"]);
    assert!(!desk.queue_file().exists());
    // A read shows one's own writes: what waits goes out before it.
    desk.write_queue(entry.to_string().replace("first", "third"));
    assert_eq!(rows(&desk.json(&["msg", "sent"]), "sent").len(), 1);
    assert_eq!(all_messages(&server).len(), 3);
}

#[test]
fn sync_in_another_project_sends_what_was_queued_here() {
    let mut server = server();
    let desk = desk(&server);
    let other = desk.home().join("other");
    fs::create_dir_all(other.join(".claude")).unwrap();
    server.kill9();
    desk.coord(&["todo", "add", "in app"]).exits(0).says("queued");
    desk.run(&["todo", "add", "in other"]).cwd(&other).done().exits(0).says("queued");
    assert!(other.join(".claude/coord-queue.jsonl").exists());
    server.restart();
    desk.run(&["sync"]).cwd(&other).done().exits(0).says("sent 2 writes");
    assert!(!desk.queue_file().exists() && !other.join(".claude/coord-queue.jsonl").exists());
    assert_eq!(rows(&desk.json(&["todo", "list"]), "todos").len(), 2);
}

#[test]
fn what_waits_for_another_server_is_not_sent_to_this_one() {
    let (mut one, two) = (server(), server());
    let desk = desk(&one);
    let other = desk.home().join("other");
    fs::create_dir_all(other.join(".claude")).unwrap();
    one.kill9();
    desk.coord(&["todo", "add", "for one"]).exits(0).says("queued");
    let at_two = |args: &[&str]| desk.run(args).cwd(&other).env("COORD_API_URL", &two.url()).done();
    at_two(&["sync"]).exits(0).says("nothing was waiting");
    assert_eq!(desk.queue().len(), 1);
    at_two(&["todo", "list"]).exits(0).says("no todos");
    one.restart();
    desk.run(&["sync"]).cwd(&other).done().exits(0).says("sent 1 write");
}

#[test]
fn wait_sends_in_the_foreground_when_the_server_is_back() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    desk.coord(&["todo", "add", "before"]).exits(0).says("queued");
    let waiting = desk.run(&["todo", "add", "patient", "--wait"]).start();
    server.restart();
    waiting.wait().exits(0).says("added").complains("trying again in");
    let todos = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["before", "patient"]);
    assert!(desk.queue().is_empty());
}

#[test]
fn many_refusals_in_a_row_stop_a_sync() {
    let server = server();
    let desk = desk(&server);
    let lines: String = (0..30)
        .map(|n| {
            let body =
                json!({"from_session": "DESK/x", "to_session": "NOBODY", "subject": n.to_string()});
            format!("{}\n", json!({"method": "POST", "path": "/api/coord/messages", "body": body}))
        })
        .collect();
    desk.write_queue(lines);
    desk.coord(&["sync"]).exits(0).says("9 writes wait here").says("coord outbox dead");
    assert_eq!(rows(&desk.json(&["outbox", "dead"]), "dead").len(), 21);
    assert_eq!(desk.queue().len(), 9);
    desk.coord(&["sync"]).exits(0);
    assert_eq!(rows(&desk.json(&["outbox", "dead"]), "dead").len(), 30);
    assert!(desk.queue().is_empty());
}

#[test]
fn answers_that_are_too_large_together_are_asked_for_in_smaller_batches() {
    let server = server();
    let desk = desk(&server);
    // Each registration hands over this mail: 0.9 MB, and all of them more than is read.
    let mail = json!({"from_session": "X/x", "body": "\u{1}".repeat(150_000)});
    server.post("/api/coord/messages", &mail).expect(201);
    let lines: String = (0..14)
        .map(|n| {
            let body = json!({"session_id": format!("DESK/s{n}"), "task": "t"});
            let entry = json!({"method": "POST", "path": "/api/coord/sessions", "body": body});
            format!("{entry}\n")
        })
        .collect();
    desk.write_queue(lines);
    let report = desk.json(&["sync"]);
    assert_eq!((rows(&report, "applied").len(), &report["waiting"]), (14, &json!(0)));
    for n in 0..14 {
        assert_eq!(
            server.get(&format!("/api/coord/sessions/DESK%2Fs{n}")).expect(200)["task"],
            "t"
        );
    }
}
