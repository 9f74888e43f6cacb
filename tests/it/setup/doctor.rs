//! `coord doctor`: what it finds, and that it finds it only where it is.

use std::fs;

use coord_tests::bins::bin;
use coord_tests::fault::{Fault, FaultServer, refusing};
use coord_tests::server::{Setup, TestServer, faces};
use coord_tests::workstation::{Workstation, chmod};
use serde_json::Value;

use super::common::{git, put, repository};

/// The PATH of a person who has installed coord, and no host tool.
fn installed() -> String {
    format!("{}:/usr/bin:/bin", bin("coord").parent().unwrap().display())
}

fn healthy() -> Workstation {
    repository().env("PATH", &installed())
}

/// State and words of the checks of a name.
#[track_caller]
fn checks(desk: &Workstation, name: &str) -> Vec<(String, String)> {
    let ran = desk.coord(&["doctor", "--json"]);
    let told = ran.json();
    let failed = told["failed"].as_u64().unwrap();
    assert_eq!(ran.status.code(), Some(i32::from(failed > 0)), "{}", ran.told());
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let all = told["checks"].as_array().unwrap().clone();
    for check in &all {
        assert_eq!(
            check["state"] == "ok",
            check["fix"].is_null(),
            "each finding has a fix: {check}"
        );
    }
    let named = all.iter().filter(|c| c["name"] == name);
    named.map(|c| (text(&c["state"]), text(&c["detail"]))).collect()
}

#[track_caller]
fn check(desk: &Workstation, name: &str, state: &str, words: &str) {
    let found = checks(desk, name);
    assert!(
        found.iter().any(|(s, d)| s == state && d.contains(words)),
        "no {state} {words:?} in {found:?}"
    );
}

#[test]
fn a_fresh_account_has_nothing_wrong() {
    let desk = healthy();
    let mut ran = desk.coord(&["doctor"]);
    ran.exits(0).says("ok    program").says("ok    identity").says("ok    outbox");
    assert!(!ran.out().contains("warn") && !ran.out().contains("fail"), "{}", ran.told());
    // It only looks.
    assert!(!desk.home().join(".local").exists() && !desk.outbox().exists());
}

#[test]
fn wired_hosts_are_fine_and_found_ones_are_named() {
    let desk = healthy();
    fs::create_dir(desk.home().join(".codex")).unwrap();
    check(&desk, "codex", "warn", "found, and not wired");
    desk.coord(&["init", "--all", "--git-hooks"]).exits(0);
    for host in ["claude", "codex", "copilot", "cursor", "gemini", "opencode"] {
        check(&desk, host, "ok", "wired in this project");
    }
    check(&desk, "git hooks", "ok", "are wired");
    check(&desk, "codex trust", "warn", "is not trusted");
    let root = fs::canonicalize(desk.project()).unwrap();
    let trusted = format!("[projects.\"{}\"]\ntrust_level = \"trusted\"\n", root.display());
    put(&desk, ".codex/config.toml", trusted);
    check(&desk, "codex trust", "warn", "no hook of this project was ever trusted");
}

#[test]
fn broken_missing_and_doubled_wiring_is_named() {
    let desk = healthy();
    desk.coord(&["init", "--all"]).exits(0);
    put(&desk, "app/.gemini/settings.json", "{\n,");
    check(&desk, "gemini", "fail", "line 2");
    fs::remove_file(desk.project().join(".cursor/mcp.json")).unwrap();
    check(&desk, "cursor", "warn", "MCP server missing");
    put(
        &desk,
        "app/.github/hooks/coord.json",
        "{\"version\":1,\"hooks\":{\"Stop\":[{\"bash\":\"coord hook copilot\"}]}}",
    );
    check(&desk, "copilot", "warn", "of another version");
    desk.coord(&["init", "--user", "--tool", "codex"]).exits(0);
    check(&desk, "codex", "warn", "more than once: this project, your settings");
    put(&desk, ".claude/settings.json", "{\"enabledPlugins\": {\"coord@coord\": true}}");
    check(&desk, "claude", "warn", "this project, the plugin");
    put(&desk, "app/.claude/settings.local.json", "{\"disableAllHooks\": true}");
    check(&desk, "claude", "fail", "disableAllHooks");
}

#[test]
fn the_program_that_hosts_would_start() {
    let desk = repository().env("PATH", "/usr/bin:/bin");
    check(&desk, "program", "fail", "no `coord` is on the PATH");
    for (says, state, words) in [
        ("pycoord 3.1", "fail", "is another program"),
        ("coord 0.0.1", "warn", "is coord 0.0.1"),
        ("coord, the coordinator", "fail", "is another program"),
    ] {
        let desk = repository();
        let script = format!("#!/bin/sh\necho '{says}'\n");
        chmod(&put(&desk, "bin/coord", script), 0o755);
        let path = format!("{}:{}", desk.home().join("bin").display(), installed());
        check(&desk.env("PATH", &path), "program", state, words);
    }
    let desk = repository();
    chmod(&put(&desk, "bin/coord", "#!/bin/sh\nsleep 60\n"), 0o755);
    let path = format!("{}:{}", desk.home().join("bin").display(), installed());
    check(&desk.env("PATH", &path), "program", "fail", "is another program");
}

#[test]
fn the_server_its_token_and_what_waits_for_it() {
    let setup = Setup::new(faces()[0]).env("COORD_ALLOW_INSECURE_NO_AUTH", "");
    let mut server: TestServer = setup.env("COORD_AUTH_TOKEN", "s3cret-word").start();
    let desk = healthy().env("COORD_API_URL", &server.url());
    check(&desk, "server", "ok", "version");
    check(&desk, "token", "fail", "token");
    let desk = desk.env("COORD_AUTH_TOKEN", "s3cret-word");
    check(&desk, "token", "ok", "lets us in");
    check(&desk, "clock", "ok", "agrees");
    check(&desk, "copy", "ok", "none yet");
    desk.coord(&["status"]).exits(0);
    check(&desk, "copy", "ok", "was heard");
    server.kill9();
    desk.coord(&["todo", "add", "x"]).exits(0);
    check(&desk, "server", "warn", "cannot be reached");
    check(&desk, "breaker", "warn", "rests for");
    check(&desk, "outbox", "warn", "1 writes wait");
    assert!(!desk.coord(&["doctor"]).told().contains("s3cret-word"));
}

#[test]
fn an_address_where_something_else_answers() {
    let other = FaultServer::start(Fault::page("200 OK"));
    let desk = healthy().env("COORD_API_URL", &other.url());
    check(&desk, "server", "fail", "not a coord server");
    let desk = healthy().env("COORD_API_URL", &refusing());
    check(&desk, "server", "warn", "cannot be reached");
    let desk = healthy().env("COORD_API_URL", "nonsense");
    check(&desk, "identity", "fail", "COORD_API_URL");
    let desk = healthy();
    put(&desk, ".claude/identity.json", "{");
    check(&desk, "identity", "fail", "identity.json");
}

#[test]
fn a_queue_that_git_tracks_and_letters_that_came_back() {
    let desk = healthy();
    put(
        &desk,
        "app/.claude/coord-queue.dead.jsonl",
        "{\"at\":\"2026-01-01T00:00:00Z\",\"reason\":\"no\",\"id\":\"x\"}\n",
    );
    check(&desk, "outbox", "warn", "1 writes were refused");
    git(&desk.project(), &["add", "-f", ".claude/coord-queue.dead.jsonl"]);
    check(&desk, "outbox", "fail", "git tracks");
}
