//! What `coord init` does with what is there, and what it says.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use coord_tests::bins::bin;
use coord_tests::workstation::{Workstation, files_below, has_tool, mode_of};
use serde_json::{Value, json};

use super::common::{HOSTS, assert_same, picture, put, repository, text};

#[test]
fn damaged_files_are_named_and_nothing_is_written() {
    for (file, broken, place) in [
        (".claude/settings.json", "{\n  \"a\": 1,\n  oops\n}", "line 3"),
        (".mcp.json", "[]", "not an object"),
        (".codex/config.toml", "a = 1\nb = = 2\n", "line 2"),
        (
            ".gemini/settings.json",
            "{\"hooks\": {\"BeforeTool\": 7}}",
            "hooks.BeforeTool is not a list",
        ),
        (".claude/settings.json", "{\n  // mine\n}", "line 2: Claude Code reads no comments"),
        (".claude/settings.json", "{\n  \"a\": 1,\n}", "Claude Code reads no trailing commas"),
        (".mcp.json", "{} /* x */\n", "line 1: Claude Code reads no comments"),
        (".codex/hooks.json", "{\n\n} // x\n", "line 3: Codex CLI reads no comments"),
        ("AGENTS.md", "x\n<!-- coord:begin v1 -->\n", "line 2"),
        ("opencode.json", "{\"mcp\": {}, \"mcp\": {}}", "twice"),
        (".cursor/hooks.json", "\u{0}\u{1}", "line 1"),
    ] {
        let desk = repository();
        put(&desk, &format!("app/{file}"), broken);
        let before = picture(desk.home());
        desk.coord(&["init", "--all"]).exits(1).complains(file).complains(place);
        assert_same(&before, &picture(desk.home()), file);
        let refused = desk.coord(&["init", "--all", "--json"]).exits(1).json();
        let problems = refused["error"]["facts"]["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 1, "{problems:?}");
    }
    let desk = repository();
    put(&desk, "app/CLAUDE.md", b"\xff\xfe");
    desk.coord(&["init", "--tool", "claude"]).exits(1).complains("not UTF-8");
    // Uninstalling needs only what is ours to be readable.
    desk.coord(&["uninstall"]).exits(0);
}

#[test]
fn comments_that_came_later_are_a_fault_where_their_reader_takes_none() {
    let desk = repository();
    desk.coord(&["init", "--tool", "claude", "--tool", "gemini"]).exits(0);
    for file in [".claude/settings.json", ".gemini/settings.json"] {
        put(&desk, &format!("app/{file}"), format!("// mine\n{}", text(&desk, file)));
    }
    desk.coord(&["doctor"])
        .exits(1)
        .says("fail  claude")
        .says(".claude/settings.json: line 1: Claude Code reads no comments here")
        .says("mend the file")
        .says("ok    gemini");
    // Taking ours out does no harm.
    desk.coord(&["uninstall"]).exits(0);
    assert_eq!(text(&desk, ".claude/settings.json").matches("coord").count(), 0);
    // In the user's own settings, too.
    put(&desk, ".claude/settings.json", "{} // mine\n");
    desk.coord(&["init", "--tool", "claude", "--user"]).exits(1).complains("reads no comments");
}

#[test]
fn somebody_elses_entries_keep_their_names() {
    let desk = repository();
    let servers = "{\"mcpServers\": {\"coord\": {\"command\": \"other\"}}}";
    put(&desk, "app/.mcp.json", servers);
    put(&desk, "app/.claude/skills/coord/SKILL.md", "another skill\n");
    let mut ran = desk.coord(&["init", "--tool", "claude"]);
    ran.exits(0)
        .complains("mcpServers.coord is somebody else's")
        .complains("skills/coord/SKILL.md");
    assert_eq!(text(&desk, ".mcp.json"), servers);
    assert_eq!(text(&desk, ".claude/skills/coord/SKILL.md"), "another skill\n");
    desk.coord(&["doctor"]).says("somebody else's");
    desk.coord(&["uninstall"]).exits(0);
    assert_eq!(text(&desk, ".mcp.json"), servers);
    assert_eq!(text(&desk, ".claude/skills/coord/SKILL.md"), "another skill\n");
}

#[test]
fn ours_go_behind_the_others_and_keep_their_places() {
    let desk = repository();
    let theirs =
        json!({"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "theirs"}]}]}});
    put(&desk, "app/.codex/hooks.json", theirs.to_string());
    desk.coord(&["init", "--tool", "codex"]).exits(0);
    let hooks = |desk: &Workstation| -> Value {
        serde_json::from_str(&text(desk, ".codex/hooks.json")).unwrap()
    };
    let commands = |all: &Value| -> Vec<String> {
        let groups = all["hooks"]["Stop"].as_array().unwrap();
        groups.iter().map(|g| g["hooks"][0]["command"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(commands(&hooks(&desk)), ["theirs", "coord hook codex || true"]);
    // Somebody adds theirs behind ours, and ours is of an older version: each stays where it is.
    let mut all = hooks(&desk);
    let stop = all["hooks"]["Stop"].as_array_mut().unwrap();
    stop[1]["hooks"][0] = json!({"type": "command", "command": "coord hook codex"});
    stop.push(json!({"hooks": [{"type": "command", "command": "last"}]}));
    put(&desk, "app/.codex/hooks.json", all.to_string());
    desk.coord(&["doctor"]).says("of another version");
    desk.coord(&["init", "--tool", "codex"]).exits(0);
    assert_eq!(commands(&hooks(&desk)), ["theirs", "coord hook codex || true", "last"]);
}

#[test]
fn a_dry_run_shows_the_lines_and_writes_nothing() {
    let desk = repository();
    put(&desk, "app/CLAUDE.md", "# secret words\n");
    let before = picture(desk.home());
    let mut ran = desk.coord(&["init", "--all", "--git-hooks", "--dry-run"]);
    ran.exits(0)
        .says("create  .codex/hooks.json")
        .says("change  CLAUDE.md")
        .says("coord guard commit");
    assert!(!ran.out().contains("secret words"), "what stays is not shown");
    assert_same(&before, &picture(desk.home()), "a dry run");
    let plan = desk.json(&["init", "--all", "--dry-run"]);
    assert_eq!(
        (plan["dry_run"].as_bool(), plan["changes"].as_array().unwrap().len()),
        (Some(true), 19)
    );
    desk.coord(&["init", "--all"]).exits(0);
    let wired = picture(desk.home());
    desk.coord(&["uninstall", "--dry-run"]).exits(0).says("remove  .codex/hooks.json");
    assert_same(&wired, &picture(desk.home()), "a dry run");
}

#[test]
fn hosts_are_found_by_their_traces_and_the_user_is_told_what_is_left() {
    let desk = repository().env("PATH", "/usr/bin:/bin");
    desk.coord(&["init"]).exits(1).complains("no host tool is found").complains("--all");
    fs::create_dir(desk.project().join(".cursor")).unwrap();
    put(&desk, ".codex/config.toml", "");
    let told = desk.json(&["init"]);
    assert_eq!(told["tools"], json!(["codex", "cursor"]));
    assert!(told["left_to_do"]["codex"].as_str().unwrap().contains("/hooks"));
    let config = fs::read_to_string(desk.home().join(".codex/config.toml")).unwrap();
    assert_eq!(config, "", "trust is not ours to give");
    desk.coord(&["init"]).exits(0).says("Left for you to do").says("/hooks");
    desk.coord(&["init", "--tool", "emacs"]).exits(2);
}

#[test]
fn outside_of_any_project_only_ones_own_settings_can_be_wired() {
    let desk = repository();
    // Above a temporary folder others may have left a repository.
    let run = |args: &[&str]| desk.run(args).cwd(Path::new("/")).done();
    run(&["init", "--all"]).exits(1).complains("in no project").complains("--user");
    run(&["init", "--all", "--user"]).exits(0);
    assert!(desk.home().join(".codex/hooks.json").exists());
    run(&["uninstall", "--user"]).exits(0);
    // Below the root, the root is wired.
    let deep = desk.project().join("src/deep");
    fs::create_dir_all(&deep).unwrap();
    desk.run(&["init", "--tool", "codex"]).cwd(&deep).done().exits(0);
    assert!(desk.project().join(".codex/hooks.json").exists());
}

#[test]
fn one_copy_of_the_instructions_is_enough() {
    let desk = repository();
    put(&desk, "app/CLAUDE.md", "@AGENTS.md\n");
    desk.coord(&["init", "--tool", "claude", "--tool", "codex"]).exits(0);
    assert_eq!(text(&desk, "CLAUDE.md"), "@AGENTS.md\n");
    assert_eq!(text(&desk, "AGENTS.md").matches("coord:begin").count(), 1);
    desk.coord(&["doctor"]).says("ok    claude");
    // One file under two names.
    let desk = repository();
    put(&desk, "app/AGENTS.md", "# A\n");
    symlink("AGENTS.md", desk.project().join("CLAUDE.md")).unwrap();
    desk.coord(&["init", "--tool", "claude", "--tool", "codex"]).exits(0);
    assert_eq!(text(&desk, "AGENTS.md").matches("coord:begin").count(), 1);
    assert!(fs::symlink_metadata(desk.project().join("CLAUDE.md")).unwrap().is_symlink());
}

#[test]
fn no_file_holds_a_secret_and_the_record_is_closed_to_others() {
    let canary = "canary-5d1e-token";
    let desk =
        repository().env("COORD_AUTH_TOKEN", canary).env("COORD_API_URL", "http://127.0.0.1:9");
    put(&desk, "app/.claude/settings.json", "{\"env\": {\"KEY\": \"private\"}}");
    desk.coord(&["init", "--all", "--git-hooks"]).exits(0);
    for (path, (kind, _, bytes)) in picture(desk.home()) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(canary), "{}", path.display());
        if kind == 'f' && text.contains("private") && !path.ends_with("settings.json") {
            assert!(path.starts_with(desk.state()), "{}", path.display());
            assert_eq!(mode_of(&path), 0o600);
        }
    }
    let git = ".claude/coord-queue.*\n.claude/coordination/\n.claude/identity.json\n";
    assert!(text(&desk, ".gitignore").contains(git));
}

#[test]
fn purging_removes_the_state_but_no_write_that_waits() {
    let desk = repository();
    desk.coord(&["init", "--all"]).exits(0);
    let away = |args: &[&str]| desk.run(args).env("COORD_API_URL", "http://127.0.0.1:9").done();
    away(&["todo", "add", "x"]).exits(0).says("queued");
    desk.coord(&["uninstall", "--purge"]).exits(1).complains("writes wait");
    assert!(desk.queue_file().exists() && desk.state().exists());
    let id = desk.queue()[0]["id"].as_str().unwrap().to_owned();
    away(&["outbox", "drop", &id]).exits(0);
    // What commands and hooks have left there is all known by name.
    for event in
        ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "PreCompact"]
    {
        desk.hook(&desk.event(
            event,
            "abc",
            &json!({"tool_name": "Write", "tool_use_id": "t",
            "tool_input": {"file_path": desk.project().join("a.rs")}}),
        ));
    }
    desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0);
    assert!(desk.state().exists());
    desk.coord(&["uninstall", "--purge"]).exits(0).complains("databases");
    assert!(!desk.state().exists(), "{:?}", files_below(&desk.state()));
    assert!(
        !desk.queue_file().exists() && desk.home().join(".local/share/coord/local.db").exists()
    );
    for host in HOSTS {
        desk.coord(&["uninstall", "--tool", host]).exits(0).says("nothing of coord's");
    }
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    if !has_tool("a_person_at_a_terminal_is_asked", "script") {
        return;
    }
    let desk = repository();
    let before = picture(desk.home());
    let coord = bin("coord");
    let line = format!("{} init --tool codex", coord.display());
    let at_a_terminal = |answer: &str| {
        let script = desk.run_program(Path::new("script"), &["-qec", &line, "/dev/null"]);
        script.stdin(answer).done()
    };
    let mut ran = at_a_terminal("n\n");
    ran.exits(1).says("create  .codex/hooks.json").says("[y/N]").says("nothing was changed");
    assert_same(&before, &picture(desk.home()), "a no");
    at_a_terminal("\n").exits(1);
    assert_same(&before, &picture(desk.home()), "no yes");
    at_a_terminal("y\n").exits(0).says("Left for you to do");
    assert!(desk.project().join(".codex/hooks.json").exists());
    let line = format!("{} uninstall --yes", coord.display());
    let script = desk.run_program(Path::new("script"), &["-qec", &line, "/dev/null"]);
    script.stdin("").done().exits(0);
    assert_same(&before, &picture(desk.home()), "undone without a question");
}

#[test]
fn purging_touches_nothing_else_wherever_the_state_folder_is() {
    let desk = repository();
    let desk = {
        let home = desk.home().display().to_string();
        desk.env("COORD_HOME", &home)
    };
    let precious = put(&desk, "precious", "x");
    desk.coord(&["init", "--tool", "codex"]).exits(0);
    desk.coord(&["todo", "add", "x"]).exits(0);
    let database = desk.home().join("data/local.db");
    assert!(database.exists());
    desk.coord(&["uninstall", "--purge"]).exits(0).complains("holds more and stays");
    assert!(precious.exists() && database.exists());
}
