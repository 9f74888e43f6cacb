//! Todos and locks between two workstations: seed 001's verbs.

use std::fs;

use serde_json::{Value, json};

use super::common::{desk, home, rows, server, text, texts};

#[test]
fn a_todo_is_attributed_listed_and_done() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let parent = desk.json(&["todo", "add", "Roll out"]);
    let parent = text(&parent["result"]["id"]).to_owned();
    let made = desk.json(&[
        "todo",
        "add",
        "Update the runbook",
        "--user",
        "howard",
        "--project",
        "acme/app",
        "--parent",
        &parent,
        "--source",
        "retro",
        "--auto",
    ]);
    let todo = &made["result"];
    let want = json!({
        "text": "Update the runbook", "assigned_to_user": "howard", "project_key": "acme/app",
        "parent_id": parent, "source": "retro", "auto": true, "status": "pending",
        "created_by_user": "mike", "created_by_machine": "DESK",
    });
    for (field, value) in want.as_object().unwrap() {
        assert_eq!(&todo[field], value, "{field} in {todo}");
    }
    let id = text(&todo["id"]);
    home.coord(&["todo", "list", "--user", "howard"])
        .exits(0)
        .says(id)
        .says("[ ]")
        .says("acme/app");
    home.coord(&["todo", "done", id]).exits(0).says(id);
    let done = home.json(&["todo", "list", "--status", "done"]);
    assert_eq!(done["todos"][0]["completed_by"], "howard");
    assert!(!done["todos"][0]["completed_at"].is_null());
    home.coord(&["todo", "list", "--status", "all"]).exits(0).says("[x]").says("[ ]");
    home.coord(&["todo", "done", "no-such-todo"]).exits(1).complains("no-such-todo");
}

#[test]
fn todos_are_listed_by_user_project_and_status() {
    let server = server();
    let desk = desk(&server);
    for (what, user, project) in [("a", "mike", "p1"), ("b", "howard", "p1"), ("c", "mike", "p2")] {
        desk.coord(&["todo", "add", what, "--user", user, "--project", project]).exits(0);
    }
    let first = text(&desk.json(&["todo", "list"])["todos"][0]["id"]).to_owned();
    desk.coord(&["todo", "done", &first]).exits(0);
    let listed = |more: &[&str]| {
        let answer = desk.json(&[&["todo", "list"], more].concat());
        texts(rows(&answer, "todos"), "text")
    };
    assert_eq!(listed(&[]), ["b", "c"], "pending is what is listed by default");
    assert_eq!(listed(&["--status", "pending"]), ["b", "c"]);
    assert_eq!(listed(&["--status", "done"]), ["a"]);
    assert_eq!(listed(&["--status", "all"]), ["a", "b", "c"]);
    assert_eq!(listed(&["--status", "all", "--user", "mike"]), ["a", "c"]);
    assert_eq!(listed(&["--status", "all", "--project", "p1"]), ["a", "b"]);
    assert_eq!(listed(&["--user", "mike", "--project", "p2"]), ["c"]);
    desk.coord(&["todo", "list", "--status", "open"]).exits(2).complains("open");
    desk.coord(&["todo", "list", "--user", "nobody"]).exits(0).says("no todos");
}

#[test]
fn long_todos_come_from_a_file_or_stdin() {
    let server = server();
    let desk = desk(&server);
    let plan = "1. drain\n2. upgrade\n3. \"verify\"";
    fs::write(desk.project().join("plan.md"), plan).unwrap();
    desk.coord(&["todo", "add", "--text-file", "plan.md"]).exits(0);
    desk.run(&["todo", "add", "-"]).stdin(plan).done().exits(0);
    let answer = desk.json(&["todo", "list"]);
    assert_eq!(texts(rows(&answer, "todos"), "text"), [plan, plan]);
    desk.coord(&["todo", "add", "x", "--text-file", "plan.md"]).exits(2).complains("given twice");
    desk.coord(&["todo", "add"]).exits(2).complains("missing");
    desk.coord(&["todo", "add", "--text-file", "absent.md"]).exits(2).complains("absent.md");
}

#[test]
fn a_lock_keeps_others_out_until_it_is_released() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let path = "server/src/api.rs";
    let claim = ["lock", "claim", "acme/app", path, "Adding endpoints"];
    let got = desk.json(&claim);
    let lock = &got["result"];
    assert_eq!(lock["session_id"], "DESK/claude-main");
    assert_eq!(lock["ttl_hours"], 2.0, "the seed's default");
    let id = text(&lock["id"]).to_owned();
    home.coord(&claim).exits(10).complains("DESK/claude-main").complains(path);
    home.coord(&["lock", "claim", "acme/app", "server/**", "all of it"]).exits(10);
    let refused = home.coord(&[&claim[..], &["--json"]].concat()).exits(10).json();
    assert_eq!(refused["error"]["exit"], 10);
    assert_eq!(
        refused["error"]["facts"]["conflicts"][0]["lock"]["session_id"], "DESK/claude-main",
        "{refused}"
    );
    // Another project's file of the same name is another thing.
    home.coord(&["lock", "claim", "acme/other", path, "d"]).exits(0);
    home.coord(&["lock", "release", &id]).exits(1).complains("DESK/claude-main");
    desk.coord(&claim).exits(0).says("renewed");
    desk.coord(&["lock", "release", &id]).exits(0).says("released");
    desk.coord(&["lock", "release", &id]).exits(0).says("not held any more");
    home.coord(&claim).exits(0).says("locked");
    assert!(home.queue().is_empty(), "a lock that is held is an answer, not an outage");
}

#[test]
fn locks_are_listed_and_released_together() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["lock", "claim", "p1", "a.rs", "one", "--ttl", "0.5"]).exits(0);
    desk.coord(&["lock", "claim", "p1", "deploy:prod"]).exits(0);
    home.coord(&["lock", "claim", "p2", "b.rs", "three", "--ttl", "0"])
        .exits(0)
        .says("until released");
    let listed = |more: &[&str]| -> Vec<Value> {
        rows(&desk.json(&[&["lock", "list"], more].concat()), "locks").to_vec()
    };
    assert_eq!(texts(&listed(&[]), "resource"), ["a.rs", "deploy:prod", "b.rs"]);
    assert_eq!(texts(&listed(&["--project", "p1"]), "resource"), ["a.rs", "deploy:prod"]);
    assert_eq!(listed(&["--session", "HOWARD-HOME/claude-main"])[0]["ttl_hours"], 0.0);
    assert_eq!(listed(&[])[0]["ttl_hours"], 0.5);
    assert_eq!(texts(&listed(&["--project", "p1", "--resource", "*.rs"]), "resource"), ["a.rs"]);
    home.coord(&["lock", "list"]).exits(0).says("a.rs").says("DESK/claude-main").says("one");
    desk.coord(&["lock", "release", "--all"]).exits(0).says("released 2 locks");
    assert_eq!(texts(&listed(&[]), "resource"), ["b.rs"]);
    let id = text(&listed(&[])[0]["id"]).to_owned();
    desk.coord(&["lock", "release", &id, "--force"]).exits(2).complains("--reason");
    desk.coord(&["lock", "release", &id, "--force", "--reason", "gone home"]).exits(0);
    home.coord(&["lock", "list"]).exits(0).says("no locks");
    desk.coord(&["lock", "release"]).exits(2);
    for bad in ["../x", "[", ""] {
        desk.coord(&["lock", "claim", "p1", bad, "d"]).exits(2);
    }
    desk.coord(&["lock", "claim", "p1", "c.rs", "d", "--ttl", "-1"]).exits(2);
    desk.coord(&["lock", "claim", "p1", "c.rs", "d", "--ttl", "soon"]).exits(2);
    home.coord(&["lock", "list"]).exits(0).says("no locks");
}
