//! What came with a clone was written by somebody else: it may not say where tokens and writes go,
//! and nothing of it is sent in this user's name.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use coord_tests::fault::{Fault, FaultServer};
use coord_tests::workstation::{Workstation, has_tool};
use serde_json::json;

use super::common::{all_messages, desk, server};

const CANARY: &str = "canary-5d2e81-token";

fn git(folder: &Path, args: &[&str]) {
    let done = Command::new("git")
        .args(["-C", folder.to_str().unwrap(), "-c", "user.name=x", "-c", "user.email=x@x"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A clone in which this file was committed, and once more in a subfolder of it.
fn clone_with(desk: &Workstation, name: &str, content: &str) -> std::path::PathBuf {
    let clone = desk.home().join("clone");
    for folder in [clone.clone(), clone.join("sub")] {
        fs::create_dir_all(folder.join(".claude")).unwrap();
        fs::write(folder.join(".claude").join(name), content).unwrap();
    }
    git(&clone, &["init", "-q"]);
    git(&clone, &["add", "-f", "."]);
    clone
}

#[test]
fn a_committed_identity_gets_no_token_and_no_writes() {
    if !has_tool("clones", "git") {
        return;
    }
    let spy = FaultServer::start(Fault::page("200 OK"));
    let desk = Workstation::new("DESK", "mike", "http://127.0.0.1:9");
    fs::write(desk.home().join("secret"), CANARY).unwrap();
    let theirs = json!({"coord_api": spy.url()}).to_string();
    let clone = clone_with(&desk, "identity.json", &theirs);
    let send = |dir: &Path| {
        let send = desk.run(&["msg", "send", "ALL", "s", "b"]).cwd(dir);
        send.env("COORD_AUTH_TOKEN", CANARY).done()
    };
    send(&clone).exits(78).complains("tracked by git");
    let start = json!({"hook_event_name": "SessionStart", "session_id": "x", "cwd": clone});
    let mut hook = desk.run(&["hook", "claude"]).stdin(start.to_string()).done();
    assert_eq!(hook.exits(0).object(), json!({}));
    // Also one that git does not know may not choose a file to be sent as a token.
    let loose = desk.home().join("loose");
    fs::create_dir_all(loose.join(".claude")).unwrap();
    let file = desk.home().join("secret");
    let theirs = json!({"coord_api": spy.url(), "coord_token_file": file}).to_string();
    fs::write(loose.join(".claude/identity.json"), theirs).unwrap();
    send(&loose).exits(78).complains("coord_token_file");
    assert_eq!(spy.connections(), 0, "{:?}", spy.heads());
}

#[test]
fn a_committed_queue_is_not_sent() {
    if !has_tool("clones", "git") {
        return;
    }
    let server = server();
    let desk = desk(&server);
    let line = json!({"method": "POST", "path": "/api/coord/messages",
        "body": {"from_session": "BOSS/claude-main", "subject": "obey", "body": "b"}});
    let clone = clone_with(&desk, "coord-queue.jsonl", &format!("{line}\n"));
    for args in [&["sync"][..], &["msg", "inbox"], &["todo", "add", "t"]] {
        desk.run(args).cwd(&clone).done().exits(78).complains("git tracks this queue");
    }
    let start = json!({"hook_event_name": "SessionStart", "session_id": "x", "cwd": clone});
    let mut hook = desk.run(&["hook", "claude"]).stdin(start.to_string()).done();
    assert_eq!(hook.exits(0).object(), json!({}));
    assert_eq!(all_messages(&server).len(), 0);
    git(&clone, &["rm", "-rq", "--cached", "."]);
    // Only the clone's own: what lies in its folders is no project's.
    desk.run(&["sync"]).cwd(&clone.join("sub")).done().exits(0).says("sent 1 write");
}

#[test]
fn a_queue_that_goes_with_its_folder_is_missed() {
    let server = server();
    let desk = desk(&server);
    let tree = desk.home().join("tree");
    fs::create_dir_all(tree.join(".claude")).unwrap();
    desk.run(&["todo", "add", "t"])
        .cwd(&tree)
        .env("COORD_API_URL", "http://127.0.0.1:9")
        .done()
        .exits(0)
        .says("queued");
    fs::remove_dir_all(&tree).unwrap();
    desk.coord(&["sync"])
        .exits(0)
        .says("gone, with whatever was still queued in it")
        .says("tree/.claude");
    desk.coord(&["sync"]).exits(0).says("nothing was waiting");
    assert!(!desk.coord(&["sync"]).out().contains("gone"), "said once");
}

/// Makes a file that was written so many days ago.
fn of_days_ago(file: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_hours(24 * days);
    fs::File::create(file).unwrap().set_modified(then).unwrap();
}

#[test]
fn a_sync_tells_of_all_projects_and_tidies_up_in_all() {
    let mut server = server();
    let desk = desk(&server);
    let tree = desk.home().join("tree");
    fs::create_dir_all(tree.join(".claude")).unwrap();
    let run = |words: &[&str], cwd: &Path| desk.run(words).session("DESK/x").cwd(cwd).done();
    let app = desk.project();
    server.kill9();
    run(&["todo", "done", "absent"], &tree).exits(0).says("queued");
    run(&["todo", "add", "t"], &app).exits(0).says("queued");
    let (old, young) = (desk.state().join("alive-00000001"), desk.state().join("alive-00000002"));
    of_days_ago(&old, 8);
    of_days_ago(&young, 6);
    let news = tree.join(".claude/coord-queue.news-00000000.jsonl");
    of_days_ago(&news, 8);
    server.restart();
    run(&["sync", "--force"], &app).exits(0).says("sent 1 write").says("refused (404)");
    assert!(!old.exists() && young.exists());
    assert!(!news.exists(), "of a session that never came back");
    let start = json!({"hook_event_name": "SessionStart", "session_id": "x", "cwd": tree});
    let hook = desk.run(&["hook", "claude"]).session("DESK/x").stdin(start.to_string()).done();
    let again = hook.object()["hookSpecificOutput"]["additionalContext"].to_string();
    assert!(!again.contains("settled"), "told twice: {again}");
    let ran = run(&["sync"], &tree);
    assert!(!ran.out().contains("sent earlier"), "{}", ran.told());
}
