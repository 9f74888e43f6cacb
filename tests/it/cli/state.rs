//! Components, workflows, decisions, sessions and the overview.

use super::common::{desk, home, rows, server, text, texts};

#[test]
fn a_components_state_is_set_attributed_and_remembered() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["component", "set", "gururmm", "dashboard", "building"]).exits(0);
    let set = home.json(&[
        "component",
        "set",
        "gururmm",
        "dashboard",
        "deployed",
        "--version",
        "0.2.39",
        "--notes",
        "live",
    ]);
    let state = &set["result"];
    assert_eq!(state["updated_by"], "HOWARD-HOME/claude-main");
    assert_eq!((&state["version"], &state["notes"]), (&"0.2.39".into(), &"live".into()));
    desk.coord(&["component", "list", "--project", "gururmm"])
        .exits(0)
        .says("gururmm/dashboard  deployed  0.2.39  live  (by HOWARD-HOME/claude-main)");
    desk.coord(&["component", "list", "--project", "other"]).exits(0).says("no components");
    let history = desk.json(&["component", "history", "gururmm", "dashboard"]);
    let mut states = texts(rows(&history, "history"), "state");
    states.sort();
    assert_eq!(states, ["building", "deployed"]);
    desk.coord(&["component", "set", "gururmm", "dashboard"]).exits(2);
    desk.coord(&["component", "history", "gururmm", "absent"]).exits(1);
}

#[test]
fn the_overview_shows_what_both_workstations_did() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register", "--task", "migrations"]).exits(0);
    desk.coord(&["lock", "claim", "acme/app", "a.rs", "editing"]).exits(0);
    desk.coord(&["component", "set", "acme/app", "server", "deployed"]).exits(0);
    desk.coord(&["workflow", "create", "acme/app", "Discovery"]).exits(0);
    desk.coord(&["todo", "add", "t"]).exits(0);
    desk.coord(&["msg", "send", "HOWARD-HOME", "s", "b"]).exits(0);
    home.coord(&["status"])
        .exits(0)
        .says("you are HOWARD-HOME/claude-main")
        .says("unread messages: 1")
        .says("open todos: 1")
        .says("a.rs  DESK/claude-main")
        .says("acme/app/server  deployed")
        .says("Discovery")
        .says("doing migrations");
    let status = home.json(&["status"]);
    assert_eq!(status["status"]["active_locks"][0]["resource"], "a.rs", "{status}");
    assert_eq!(status["waiting"], 0);
    let other = home.json(&["status", "--project", "acme/other"]);
    assert_eq!(rows(&other["status"], "active_locks").len(), 0, "{other}");
}

#[test]
fn workflows_and_work_items_go_through_their_states() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let made = desk.json(&[
        "workflow",
        "create",
        "gururmm",
        "Discovery",
        "all of it",
        "--status",
        "planning",
    ]);
    let flow = text(&made["result"]["id"]).to_owned();
    assert_eq!(made["result"]["created_by"], "DESK/claude-main");
    let item = home.json(&["work", "add", &flow, "Write migrations", "--priority", "10"]);
    let item = text(&item["result"]["id"]).to_owned();
    home.coord(&["work", "update", &item, "--status", "in_progress", "--assign", "HOWARD-HOME/x"])
        .exits(0);
    desk.coord(&["work", "list", "--workflow", &flow])
        .exits(0)
        .says("in_progress  Write migrations  (HOWARD-HOME/x)");
    desk.coord(&["workflow", "update", &flow, "--status", "completed"]).exits(0);
    desk.coord(&["workflow", "list", "--status", "completed"]).exits(0).says("Discovery");
    desk.coord(&["workflow", "update", &flow, "--status", "someday"]).exits(1).complains("someday");
    desk.coord(&["work", "add", "no-such-workflow", "t"]).exits(1).complains("no-such-workflow");
}

#[test]
fn decisions_are_on_record_and_can_be_superseded() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let first = desk.json(&["decision", "add", "api", "Errors are text", "--rationale", "simple"]);
    let id = text(&first["result"]["id"]).to_owned();
    home.coord(&["decision", "add", "api", "Errors are JSON", "--supersedes", &id]).exits(0);
    let shown = text(&first["result"]["display_id"]).to_owned();
    assert!(shown.starts_with("DEC-"), "{shown}");
    home.coord(&["decision", "show", &shown]).exits(0).says("simple").says("(superseded)");
    home.coord(&["decision", "list", "--category", "api"]).exits(0).says("Errors are JSON");
    home.coord(&["decision", "list", "--category", "database"]).exits(0).says("no decisions");
    home.coord(&["decision", "show", "DEC-19700101-0001"]).exits(1);
}

#[test]
fn sessions_are_known_by_name_and_end() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    desk.coord(&["session", "register", "--task", "api"]).exits(0).says("DESK/claude-main");
    desk.coord(&["session", "heartbeat"]).exits(0).says("alive");
    // Names: as the variable says; a host's own id shortened; the machine in front when it lacks.
    for (variable, value, name) in [
        ("COORD_SESSION_ID", "OTHER/x", "OTHER/x"),
        ("COORD_SESSION_ID", "x", "DESK/x"),
        ("CLAUDE_CODE_SESSION_ID", "0198abcd-ef01-2345", "DESK/claude-0198abcd"),
        ("CODEX_THREAD_ID", "77aa", "DESK/codex-77aa"),
    ] {
        desk.run(&["session", "register"]).env(variable, value).done().exits(0).says(name);
    }
    home.coord(&["session", "show", "DESK/claude-main"]).exits(0).says("doing api");
    desk.coord(&["lock", "claim", "p", "a.rs", "d"]).exits(0);
    desk.coord(&["session", "end"]).exits(0).says("released 1 locks");
    home.coord(&["lock", "list"]).exits(0).says("no locks");
    let live = home.json(&["session", "list"]);
    assert!(!texts(rows(&live, "sessions"), "session_id").contains(&"DESK/claude-main".to_owned()));
    home.coord(&["session", "list", "--all"]).exits(0).says("DESK/claude-main").says("ended");
    home.coord(&["session", "show", "NOBODY/x"]).exits(1);
}
