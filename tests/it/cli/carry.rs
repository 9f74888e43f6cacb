//! First no server, then one: what is open is carried over on request.

use coord_tests::server::TestServer;
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{rows, server, texts};

fn to_server(at: &Workstation, server: &TestServer) {
    at.write_identity(&json!({"machine": "BOX", "user": "ann", "coord_api": server.url()}));
}

#[test]
fn without_any_configuration_this_workstation_is_its_own_authority() {
    let desk = Workstation::bare();
    desk.coord(&["todo", "add", "one"]).exits(0).says("added");
    desk.coord(&["todo", "list"]).exits(0).says("one");
    let lock = desk.json(&["lock", "claim", "p", "src/**"]);
    assert!(lock["result"]["fence"].is_i64(), "{lock}");
    assert!(!desk.queue_file().exists());
    desk.coord(&["sync", "--from-local"]).exits(2).complains("no server");
}

#[test]
fn open_todos_decisions_and_unread_mail_are_carried_over_once() {
    let desk = Workstation::new("BOX", "ann", "local");
    let by = |session: &str, args: &[&str]| desk.run(args).session(session).done();
    let parent = desk.json(&["todo", "add", "parent"]);
    let id = parent["result"]["id"].as_str().unwrap();
    desk.coord(&["todo", "add", "child", "--parent", id]).exits(0);
    let done = desk.json(&["todo", "add", "done already"]);
    desk.coord(&["todo", "done", done["result"]["id"].as_str().unwrap()]).exits(0);
    desk.coord(&["decision", "add", "api", "One shape", "--rationale", "because"]).exits(0);
    by("BOX/a", &["msg", "send", "BOX/b", "unknown", "x", "--may-come-later"]).exits(0);
    by("BOX/b", &["msg", "send", "BOX/a", "read already", "x"]).exits(0);
    by("BOX/a", &["msg", "read", "--all"]).exits(0);
    by("BOX/a", &["msg", "send", "ALL", "to all", "x"]).exits(0);
    let server = server();
    to_server(&desk, &server);
    desk.coord(&["sync", "--from-local"])
        .exits(0)
        .says("2 open todos, 1 decisions, 2 unread messages")
        .says("sent 5 writes");
    let get = |path: &str| server.get(path).expect(200);
    let todos = get("/api/coord/todos?status=all");
    assert_eq!(texts(rows(&todos, "todos"), "text"), ["parent", "child"]);
    let decisions = get("/api/coord/decisions");
    assert_eq!(texts(rows(&decisions, "decisions"), "rationale"), ["because"]);
    let mail = get("/api/coord/messages");
    assert_eq!(texts(rows(&mail, "messages"), "subject"), ["unknown", "to all"]);
    // Again: nothing new, nothing twice.
    desk.coord(&["sync", "--from-local"]).exits(0).says("0 open todos").says("nothing was waiting");
    std::fs::remove_file(
        std::fs::read_dir(desk.state())
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.to_string_lossy().contains("carried-"))
            .expect("a note"),
    )
    .unwrap();
    desk.coord(&["sync", "--from-local"]).exits(0).says("had been applied before");
    assert_eq!(get("/api/coord/todos?status=all")["count"], 2);
}
