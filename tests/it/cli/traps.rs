//! Places where nothing can or may be written: a refusal is spoken, and the write given back.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use coord_tests::fault::refusing;
use coord_tests::workstation::{Ran, Workstation, chmod, files_below, mode_of, parsed};
use serde_json::json;

use super::common::{desk, rows, server, text, texts};

/// Checks that a write was refused with status 74 and given back as one JSON line on stderr.
#[track_caller]
fn given_back(mut ran: Ran, what: &str) {
    ran.exits(74).complains("not queued");
    assert_eq!(ran.out(), "", "no word of success");
    let line = ran.err().lines().map(str::trim).find(|l| l.starts_with('{')).map(str::to_owned);
    let line = line.unwrap_or_else(|| panic!("no JSON line on stderr: {}", ran.told()));
    let entry = parsed(line.as_bytes());
    assert_eq!(text(&entry["body"]["text"]), what, "{entry}");
    assert_eq!((&entry["method"], &entry["path"]), (&json!("POST"), &json!("/api/coord/todos")));
    assert!(entry["id"].is_string(), "{entry}");
}

#[test]
fn links_pipes_and_folders_in_the_queues_place_are_refused() {
    let desk = Workstation::new("DESK", "mike", &refusing());
    let victim = desk.home().join("victim");
    fs::write(&victim, "precious\n").unwrap();
    let queue = desk.queue_file();

    symlink(&victim, &queue).unwrap();
    given_back(desk.coord(&["todo", "add", "through a link"]), "through a link");
    desk.coord(&["sync"]).exits(74).complains("coord-queue.jsonl");
    desk.coord(&["outbox", "list"]).exits(74);
    let append = json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": "mine"}});
    given_back(desk.run(&["outbox", "append"]).stdin(append.to_string()).done(), "mine");
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious\n");
    fs::remove_file(&queue).unwrap();
    symlink(desk.home().join("absent"), &queue).unwrap();
    given_back(desk.coord(&["todo", "add", "dangling"]), "dangling");
    assert!(!desk.home().join("absent").exists(), "nothing is made through a link");
    fs::remove_file(&queue).unwrap();

    assert!(Command::new("mkfifo").arg(&queue).status().unwrap().success());
    given_back(desk.coord(&["todo", "add", "into a pipe"]), "into a pipe");
    fs::remove_file(&queue).unwrap();
    fs::create_dir(&queue).unwrap();
    given_back(desk.coord(&["todo", "add", "into a folder"]), "into a folder");
    fs::remove_dir(&queue).unwrap();
    desk.coord(&["todo", "add", "at last"]).exits(0).says("queued");
}

#[test]
fn a_trap_disturbs_no_hook() {
    let server = server();
    let desk = desk(&server);
    symlink("/etc/passwd", desk.queue_file()).unwrap();
    assert_eq!(desk.session_start("0198abcd", "startup"), None);
    let end = desk.event("SessionEnd", "0198abcd", &json!({"reason": "exit"}));
    assert_eq!(desk.hook(&end), json!({}));
}

#[test]
fn a_folder_that_cannot_be_written_keeps_nothing_and_says_so() {
    let server = server();
    let away = desk(&server).bound_by_permissions();
    chmod(&away.outbox(), 0o555);
    let base = refusing();
    let add = |words: &str| away.run(&["todo", "add", words]).env("COORD_API_URL", &base).done();
    given_back(add("read-only"), "read-only");
    // With the server there, nothing has to be kept, and everything works.
    away.coord(&["todo", "add", "direct"]).exits(0).says("added");
    assert_eq!(texts(rows(&away.json(&["todo", "list"]), "todos"), "text"), ["direct"]);
    chmod(&away.outbox(), 0o755);
    add("now").exits(0).says("queued");
    // What cannot be remembered of the server's absence is found out again.
    chmod(&away.outbox(), 0o755);
    chmod(&away.state(), 0o555);
    add("no state").exits(0).says("queued");
    away.coord(&["sync"]).exits(0).says("sent 2 writes");
    chmod(&away.state(), 0o755);
}

#[test]
fn without_a_home_the_state_folder_must_be_named() {
    let server = server();
    let desk = desk(&server);
    desk.run(&["status"]).env("HOME", "").done().exits(78).complains("COORD_STATE_DIR");
    let state = desk.home().join("elsewhere");
    desk.run(&["status"])
        .env("HOME", "")
        .env("COORD_STATE_DIR", state.to_str().unwrap())
        .env("COORD_API_URL", &server.url())
        .done()
        .exits(0);
}

#[test]
fn too_long_for_the_queue_is_refused() {
    let desk = Workstation::new("DESK", "mike", &refusing());
    let file = desk.home().join("long.txt");
    fs::write(&file, "x".repeat(300 * 1024)).unwrap();
    let send = ["msg", "send", "ALL", "s", "--body-file", file.to_str().unwrap()];
    desk.coord(&send).exits(2).complains("longer than");
    // Within the bound for texts, but every character needs six in JSON.
    fs::write(&file, "\u{1}".repeat(250 * 1024)).unwrap();
    let mut ran = desk.coord(&send);
    ran.exits(74).complains("longer than");
    assert!(desk.queue().is_empty());
}

#[test]
fn all_files_are_closed_to_others_whatever_the_umask() {
    let mut server = server();
    let desk = desk(&server);
    // The folder is not there yet, so it is made as well.
    fs::remove_dir_all(desk.outbox()).unwrap();
    fs::create_dir(desk.project().join(".git")).unwrap();
    server.kill9();
    for words in [["todo", "add", "one"], ["todo", "done", "absent"]] {
        desk.run_after("umask 0", &words).done().exits(0).says("queued");
    }
    assert_eq!(mode_of(&desk.outbox()), 0o700);
    private(&desk);
    chmod(&desk.queue_file(), 0o666);
    server.restart();
    desk.run_after("umask 0", &["sync"]).done().exits(0).says("sent 1 write").says("refused");
    desk.run_after("umask 0", &["hook", "claude"]).stdin("rubbish").done().exits(0);
    private(&desk);
    assert!(desk.outbox().join("coord-queue.dead.jsonl").exists());
    assert!(desk.state().join("agent.log").exists());
}

/// Checks all that was written in the outbox and in the state folder.
#[track_caller]
fn private(desk: &Workstation) {
    assert_eq!(mode_of(&desk.state()), 0o700);
    let files = [files_below(&desk.outbox()), files_below(&desk.state())].concat();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(mode_of(&file), 0o600, "{}", file.display());
    }
}
