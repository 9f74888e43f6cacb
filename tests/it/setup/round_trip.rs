//! `coord init`, then `coord uninstall`: every byte, mode, link and folder is as it was, whatever
//! was there.

use std::fs;
use std::thread;
use std::time::Duration;

use coord_tests::workstation::{Workstation, chmod};

use super::common::{HOSTS, Picture, assert_same, picture, put, repository, text};

/// Files of a project into which coord writes, and into which users do.
fn files(host: &str) -> &'static [&'static str] {
    match host {
        "claude" => &[".claude/settings.json", ".mcp.json", "CLAUDE.md", ".gitignore"],
        "codex" => &[".codex/hooks.json", ".codex/config.toml", "AGENTS.md"],
        "copilot" => &[".github/hooks/coord.json", ".mcp.json", "AGENTS.md"],
        "cursor" => &[".cursor/hooks.json", ".cursor/mcp.json"],
        "gemini" => &[".gemini/settings.json", "GEMINI.md"],
        _ => &["opencode.json", "AGENTS.md"],
    }
}

/// The first only where the reader takes comments.
const JSON: &[&str] = &[
    "// mine\n{\n    \"a\": 1, // why\n    /* b */ \"mcp\": {},\n}",
    "",
    "{}",
    "{}\n",
    "{ }",
    "{\n}\n",
    "{\"a\":1,\"hooks\":{},\"mcpServers\":{}}",
    "{\n\t\"z\": [1,  2],\n\t\"hooks\": {\n\t\t\"Stop\": []\n\t}\n}\n",
    "{\r\n  \"version\": 1,\r\n  \"a\": \"b\"\r\n}\r\n",
    "\u{feff}{\"mcpServers\": {\"x\": {\"command\": \"y\"}}}\n\n\n",
    "{\"hooks\":{\"PreToolUse\":[{\"matcher\":\"Bash\",\"hooks\":[{\"type\":\"command\",\"command\":\"lint\"}]}]}}",
];
const TOML: &[&str] = &[
    "",
    "a = 1",
    "# mine\r\na = \"b\"\r\n\r\n[x]\r\ny = 1\r\n",
    "[mcp_servers.other]\ncommand = \"z\"\n\n\n",
    "[projects.\"/x\"]\ntrust_level = \"trusted\" # yes",
];
const MARKDOWN: &[&str] = &[
    "",
    "# Title",
    "# Title\n",
    "# Title\n\n\n",
    "a\r\nb\r\n",
    "\u{feff}x\n",
    "\n",
    "@AGENTS.md\n",
];
const IGNORE: &[&str] = &["", "target", "target\n", ".claude/coord-queue.*\r\nx\r\n", "\n\n"];

fn shapes(file: &str) -> &'static [&'static str] {
    let strict = [".claude/settings.json", ".mcp.json", ".codex/hooks.json"];
    match file.rsplit('.').next() {
        Some("json") if strict.contains(&file) => &JSON[1..],
        Some("json") => JSON,
        Some("toml") => TOML,
        Some("md") => MARKDOWN,
        _ => IGNORE,
    }
}

/// Wires twice and unwires; the picture must be the one from before.
#[track_caller]
fn there_and_back(desk: &Workstation, init: &[&str], uninstall: &[&str], what: &str) {
    let before = picture(desk.home());
    desk.coord(&[&["init"], init].concat()).exits(0);
    let wired = picture(desk.home());
    assert_ne!(before, wired, "{what}: nothing was written");
    desk.coord(&[&["init"], init].concat()).exits(0).says("wired already");
    assert_same(&wired, &picture(desk.home()), &format!("{what}: a second time"));
    desk.coord(&[&["uninstall"], uninstall].concat()).exits(0);
    assert_same(&before, &picture(desk.home()), what);
}

#[test]
fn every_host_over_every_shape_of_settings() {
    for host in HOSTS {
        let most = files(host).iter().map(|f| shapes(f).len()).max().unwrap();
        for n in 0..=most {
            let desk = repository();
            for file in files(host) {
                // The first round has no files at all; shorter lists begin anew.
                let all = shapes(file);
                if n > 0 {
                    let file = put(&desk, &format!("app/{file}"), all[(n - 1) % all.len()]);
                    chmod(&file, [0o644, 0o600, 0o664, 0o444][n % 4]);
                }
            }
            there_and_back(&desk, &["--tool", host], &[], &format!("{host}, shape {n}"));
        }
    }
}

#[test]
fn all_hosts_and_git_at_once() {
    for n in 0..JSON.len() {
        let desk = repository();
        for file in HOSTS.iter().flat_map(|h| files(h)) {
            put(&desk, &format!("app/{file}"), shapes(file)[n % shapes(file).len()]);
        }
        let hook = put(&desk, "app/.git/hooks/pre-push", "#!/bin/bash\nset -e\nexit 0");
        chmod(&hook, if n % 2 == 0 { 0o755 } else { 0o644 });
        there_and_back(&desk, &["--all", "--git-hooks"], &[], &format!("all, shape {n}"));
    }
}

#[test]
fn ones_own_settings() {
    let files = [
        ".claude/settings.json",
        ".claude.json",
        ".codex/hooks.json",
        ".codex/config.toml",
        ".copilot/settings.json",
        ".copilot/mcp-config.json",
        ".cursor/hooks.json",
        ".cursor/mcp.json",
        ".gemini/settings.json",
        ".config/opencode/opencode.json",
        ".claude/CLAUDE.md",
        ".codex/AGENTS.md",
    ];
    for n in 0..=JSON.len() {
        let desk = repository();
        for file in files.iter().filter(|_| n > 0) {
            put(&desk, file, shapes(file)[(n - 1) % shapes(file).len()]);
        }
        let project = picture(&desk.project());
        there_and_back(&desk, &["--user", "--all"], &["--user"], &format!("user, shape {n}"));
        desk.coord(&["init", "--user", "--all"]).exits(0);
        assert_same(
            &project,
            &picture(&desk.project()),
            "the project is none of --user's business",
        );
    }
}

/// The picture without coord's own records.
fn without_records(desk: &Workstation) -> Picture {
    let mut all = picture(desk.home());
    all.retain(|path, _| !path.starts_with(desk.home().join(".local")));
    all
}

#[test]
fn hosts_come_and_go_in_any_order() {
    let desk = repository();
    put(&desk, "app/AGENTS.md", "# no newline");
    put(&desk, "app/.mcp.json", "{\"mcpServers\":{}}");
    let before = picture(desk.home());
    let mut pictures = vec![without_records(&desk)];
    for host in HOSTS {
        desk.coord(&["init", "--tool", host]).exits(0);
        pictures.push(without_records(&desk));
    }
    for (n, host) in HOSTS.iter().enumerate().rev() {
        desk.coord(&["uninstall", "--tool", host]).exits(0);
        assert_same(&pictures[n], &without_records(&desk), &format!("without {host}"));
    }
    assert_same(&before, &picture(desk.home()), "all gone");
    // The first in is the first out.
    for host in HOSTS {
        desk.coord(&["init", "--tool", host]).exits(0);
    }
    for host in HOSTS {
        desk.coord(&["uninstall", "--tool", host]).exits(0);
    }
    assert_same(&before, &picture(desk.home()), "all gone, the other way round");
}

#[test]
fn what_was_changed_since_stays_and_only_ours_goes() {
    let desk = repository();
    put(&desk, "app/.claude/settings.json", "{\n  \"hooks\": {},\n  \"a\": 1\n}\n");
    put(&desk, "app/CLAUDE.md", "# Mine\n");
    desk.coord(&["init", "--tool", "claude"]).exits(0);
    let settings = text(&desk, ".claude/settings.json").replace("\"a\": 1", "\"a\": 2, \"b\": 3");
    put(&desk, "app/.claude/settings.json", settings);
    put(&desk, "app/CLAUDE.md", format!("{}\nmore of mine\n", text(&desk, "CLAUDE.md")));
    put(&desk, "app/.claude/skills/coord/mine.md", "x");
    let edited = text(&desk, ".claude/skills/sync/SKILL.md") + "\nmy own line\n";
    put(&desk, "app/.claude/skills/sync/SKILL.md", &edited);
    // A later init respects it all, and so does the end.
    desk.coord(&["init", "--tool", "claude"]).exits(0).complains("sync/SKILL.md");
    desk.coord(&["uninstall"]).exits(0).complains("sync/SKILL.md");
    let settings = text(&desk, ".claude/settings.json");
    assert!(!settings.contains("coord"), "{settings}");
    for kept in ["\"hooks\": {", "\"a\": 2, \"b\": 3"] {
        assert!(settings.contains(kept), "{kept} in {settings}");
    }
    assert_eq!(text(&desk, "CLAUDE.md"), "# Mine\n\nmore of mine\n");
    assert_eq!(text(&desk, ".claude/skills/coord/mine.md"), "x");
    assert_eq!(text(&desk, ".claude/skills/sync/SKILL.md"), edited);
    assert!(!desk.project().join(".mcp.json").exists());
}

#[test]
fn a_clone_that_somebody_else_wired_is_unwired_without_a_record() {
    let desk = repository();
    put(&desk, "app/AGENTS.md", "# Team\n");
    put(&desk, "app/.gemini/settings.json", "{\n  \"theme\": \"x\"\n}\n");
    let before = picture(&desk.project());
    desk.coord(&["init", "--all", "--git-hooks"]).exits(0);
    // Another person's home: the files came with the clone, the record did not.
    fs::remove_dir_all(desk.home().join(".local")).unwrap();
    desk.coord(&["init", "--all"]).exits(0).says("wired already");
    desk.coord(&["uninstall", "--tool", "gemini"]).exits(0);
    assert!(!text(&desk, ".gemini/settings.json").contains("coord"));
    assert!(text(&desk, "AGENTS.md").contains("coord:begin"), "others need it");
    desk.coord(&["uninstall"]).exits(0);
    assert_same(&before, &picture(&desk.project()), "what coord wrote is gone, and only that");
    desk.coord(&["uninstall"]).exits(0).says("nothing of coord's is here");
}

#[test]
fn killed_at_any_moment_it_can_be_undone() {
    for round in 0_u64..40 {
        let desk = repository();
        put(&desk, "app/CLAUDE.md", "# x");
        put(&desk, "app/.codex/config.toml", "a = 1");
        let before = picture(desk.home());
        let mut init = desk.run(&["init", "--all"]).start();
        thread::sleep(Duration::from_micros(round * 700));
        init.kill9();
        init.wait();
        desk.coord(&["uninstall"]).exits(0);
        let mut after = picture(desk.home());
        // Killed while it made its own folder, nothing else has happened.
        if after.len() <= before.len() + 4 {
            after.retain(|path, _| !path.starts_with(desk.home().join(".local")));
        }
        assert_same(&before, &after, &format!("round {round}"));
    }
}

#[test]
fn many_at_once_wire_once() {
    let desk = repository();
    let before = picture(desk.home());
    let all: Vec<_> = (0..8).map(|_| desk.run(&["init", "--all"]).start()).collect();
    for init in all {
        init.wait().exits(0);
    }
    let settings = text(&desk, ".claude/settings.json");
    assert_eq!(settings.matches("coord hook claude").count(), 8, "{settings}");
    desk.coord(&["uninstall"]).exits(0);
    assert_same(&before, &picture(desk.home()), "undone");
}
