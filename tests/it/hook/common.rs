//! What several topics need.

use coord_tests::server::{TestServer, faces};
use coord_tests::workstation::{Ran, Workstation};
use serde_json::{Value, json};

/// A conversation of Claude Code, and the session that it is.
pub(super) const ID: &str = "0198abcd-ef01-2345";
pub(super) const SESSION: &str = "DESK/claude-0198abcd";
/// Another one.
pub(super) const OTHER_ID: &str = "0298abcd-ef01-2345";
pub(super) const OTHER: &str = "DESK/claude-0298abcd";

/// A server that needs no token.
#[track_caller]
pub(super) fn server() -> TestServer {
    TestServer::start(faces()[0])
}

/// A workstation whose project is a clone.
pub(super) fn desk(api: &str) -> Workstation {
    clone_on("DESK", "mike", api)
}

/// Another workstation with the same project.
pub(super) fn clone_on(machine: &str, user: &str, api: &str) -> Workstation {
    let station = Workstation::new(machine, user, api);
    git(&station, &["init", "-q", "-b", "main"]);
    git(&station, &["remote", "add", "origin", "git@example.com:acme/app.git"]);
    station
}

/// Runs git in a workstation's project.
#[track_caller]
pub(super) fn git(station: &Workstation, args: &[&str]) {
    let done = std::process::Command::new("git")
        .current_dir(station.project())
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(done.status.success(), "{args:?}: {done:?}");
}

/// Writes a file of the project.
pub(super) fn write(station: &Workstation, file: &str, text: &str) {
    let path = station.project().join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Before an edit of a file by Claude Code.
pub(super) fn before(station: &Workstation, id: &str, file: &str) -> Value {
    let input = json!({"tool_name": "Write", "tool_use_id": "t",
        "tool_input": {"file_path": station.project().join(file)}});
    station.event("PreToolUse", id, &input)
}

/// After it.
pub(super) fn after(station: &Workstation, id: &str, file: &str) -> Value {
    let input = json!({"tool_name": "Write", "tool_use_id": "t",
        "tool_input": {"file_path": station.project().join(file)}, "tool_response": {}});
    station.event("PostToolUse", id, &input)
}

/// A command that the model is about to run.
pub(super) fn shell(station: &Workstation, id: &str, command: &str) -> Value {
    let input = json!({"tool_name": "Bash", "tool_input": {"command": command}});
    station.event("PreToolUse", id, &input)
}

/// Why it is refused; `None` when it goes ahead.
pub(super) fn denied(answer: &Value) -> Option<&str> {
    let said = &answer["hookSpecificOutput"];
    match said["permissionDecision"].as_str() {
        Some("deny") => said["permissionDecisionReason"].as_str(),
        other => {
            assert_eq!(other, None, "a hook never allows or asks: {answer}");
            None
        }
    }
}

/// What it puts before the model.
pub(super) fn context(answer: &Value) -> &str {
    answer["hookSpecificOutput"]["additionalContext"].as_str().unwrap_or_default()
}

/// The files that a session holds.
#[track_caller]
pub(super) fn held(station: &Workstation, session: &str) -> Vec<String> {
    let list = station.json(&["lock", "list", "--session", session]);
    let rows = list["locks"].as_array().unwrap_or_else(|| panic!("no locks in {list}"));
    rows.iter().map(|l| l["resource"].as_str().unwrap().to_owned()).collect()
}

/// A call of the hook of some host.
pub(super) fn hook(station: &Workstation, host: &str, input: &str) -> Ran {
    station.run(&["hook", host]).stdin(input.to_owned()).done()
}
