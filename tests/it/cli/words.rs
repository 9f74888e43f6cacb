//! Exit codes, `--json`, and configuration errors.

use std::fs;

use coord_tests::fault::refusing;
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{desk, home, rows, server, text};

#[test]
fn every_verb_prints_one_json_object() {
    let server = server();
    let desk = desk(&server);
    let sent = desk.json(&["msg", "send", "ALL", "s", "b"]);
    let todo = desk.json(&["todo", "add", "t"]);
    let lock = desk.json(&["lock", "claim", "p", "r", "d"]);
    let flow = desk.json(&["workflow", "create", "p", "n"]);
    let id = |made: &serde_json::Value| text(&made["result"]["id"]).to_owned();
    let work = desk.json(&["work", "add", &id(&flow), "t"]);
    let decision = desk.json(&["decision", "add", "api", "t"]);
    for made in [&sent, &todo, &lock, &flow, &work, &decision] {
        assert_eq!(made["outcome"], "done", "{made}");
        assert!(!text(&made["id"]).is_empty(), "{made}");
    }
    let (sent, todo, lock) = (id(&sent), id(&todo), id(&lock));
    let (flow, work, decision) = (id(&flow), id(&work), id(&decision));
    for verb in [
        "status",
        "msg inbox",
        "msg inbox --all",
        "msg read --all",
        "msg sent",
        "todo list",
        "lock list",
        "component list",
        "component set p c s",
        "component history p c",
        "workflow list",
        "work list",
        "session register",
        "session heartbeat",
        "session list",
        "session show",
        "decision list",
        "sync",
        "outbox list",
        "outbox dead",
        "outbox append",
        "outbox retry --all",
        "outbox drop --all-dead",
        "lock release --all",
        "session end",
        "stop",
        &format!("msg read {sent}"),
        &format!("todo done {todo}"),
        &format!("lock release {lock}"),
        &format!("workflow update {flow} --status active"),
        &format!("decision show {decision}"),
        &format!("work update {work} --status blocked"),
    ] {
        desk.json(&verb.split(' ').collect::<Vec<_>>());
    }
    // The option may stand in front as well.
    desk.coord(&["--json", "todo", "list"]).exits(0).json();
}

#[test]
fn exit_codes_are_as_documented() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["--version"]).exits(0);
    desk.coord(&["--help"]).exits(0).says("Exit status");
    desk.coord(&["lock", "claim", "p", "r", "d"]).exits(0);
    home.coord(&["lock", "claim", "p", "r", "d"]).exits(10);
    home.coord(&["todo", "done", "absent"]).exits(1);
    home.coord(&["msg", "send", "NOBODY", "s", "b"]).exits(1);
    for line in ["", "frobnicate", "msg", "msg send ALL", "lock claim p", "todo list --status x"] {
        let words: Vec<&str> = line.split(' ').filter(|w| !w.is_empty()).collect();
        home.coord(&words).exits(2);
    }
    let lonely = Workstation::new("DESK", "mike", &refusing());
    lonely.coord(&["todo", "list"]).exits(69).complains("not known");
    lonely.coord(&["status"]).exits(69);
    let away = lonely.coord(&["todo", "list", "--json"]).exits(69).json();
    assert_eq!(away["error"]["exit"], 69);
    // A write is safe in the queue, and says that it is no more than that.
    lonely.coord(&["todo", "add", "t"]).exits(0).says("queued: todo").complains("not sent yet");
    let queued = lonely.json(&["lock", "claim", "p", "r", "d"]);
    assert_eq!(queued["outcome"], "provisional");
    lonely.coord(&["lock", "claim", "p", "r", "d"]).exits(0).says("held provisionally");
    assert_eq!(lonely.queue().len(), 3);
    lonely.coord(&["lock", "claim", "p", "[", "d"]).exits(2);
    assert_eq!(lonely.queue().len(), 3, "what is bound to be refused is not queued");
}

#[test]
fn a_broken_identity_is_named() {
    let server = server();
    let desk = desk(&server);
    let file = desk.identity_file();
    let name = file.to_str().unwrap().to_owned();
    for broken in
        ["", "{", "[]", "null", "{\"user\": 7}", "{\"coord_api\": \"172.16.3.30:8001\"}", "\u{0}"]
    {
        fs::write(&file, broken).unwrap();
        desk.coord(&["status"]).exits(78).complains(&name);
        desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(78).complains(&name);
        let error = desk.coord(&["todo", "list", "--json"]).exits(78).json();
        assert!(text(&error["error"]["detail"]).contains(&name), "{error}");
    }
    // A hook never disturbs its host.
    let start = desk.event("SessionStart", "abc", &json!({}));
    assert_eq!(desk.hook(&start), json!({}));
    desk.write_identity(&json!({"coord_api": server.url()}));
    desk.coord(&["status"]).exits(0);
    desk.run(&["status"])
        .env("COORD_IDENTITY", "/no/such.json")
        .done()
        .exits(78)
        .complains("/no/such.json");
    desk.run(&["status"])
        .env("COORD_API_URL", "nonsense")
        .done()
        .exits(78)
        .complains("COORD_API_URL");
}

#[test]
fn identity_and_variables_are_found_in_their_order() {
    let server = server();
    let dead = refusing();
    let desk = Workstation::new("DESK", "mike", &dead);
    // The variable goes before the file.
    desk.run(&["status"]).env("COORD_API_URL", &server.url()).done().exits(0);
    // The project's identity goes before the home's, a named one before both.
    let in_project = json!({"coord_api": server.url(), "machine": "LAB"});
    fs::write(desk.outbox().join("identity.json"), in_project.to_string()).unwrap();
    desk.coord(&["status"]).exits(0).says("you are LAB/claude-main");
    let named = desk.home().join("named.json");
    fs::write(&named, json!({"machine": "NAMED", "coord_api": server.url()}).to_string()).unwrap();
    let named = named.to_str().unwrap();
    desk.run(&["status"]).env("COORD_IDENTITY", named).done().exits(0).says("NAMED/claude-main");
    // From a folder deep in the project it is the same project.
    let deep = desk.project().join("src/deep");
    fs::create_dir_all(&deep).unwrap();
    desk.run(&["status"]).cwd(&deep).done().exits(0).says("LAB/claude-main");
    // A folder without any project belongs to the home: its queue lies there.
    let away = tempfile::tempdir().unwrap();
    desk.run(&["todo", "add", "t"]).cwd(away.path()).done().exits(0).says("queued");
    assert!(desk.home().join(".claude/coord-queue.jsonl").exists());
    assert!(desk.queue().is_empty());
}

#[test]
fn a_closed_stdout_is_no_error_of_ours() {
    let server = server();
    let desk = desk(&server);
    let ran = desk.run(&["todo", "add", "t"]).start_unheard().wait();
    assert_eq!(ran.status.code(), Some(0), "{}", ran.told());
    assert_eq!(rows(&desk.json(&["todo", "list"]), "todos").len(), 1);
}
