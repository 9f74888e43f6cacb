//! What the hosts really send, and to the byte what they are told: a field too many makes one of them
//! drop a refusal.

use std::fs;
use std::path::PathBuf;

use coord_tests::workstation::Workstation;

use super::common::*;

/// Recorded by the tests of real hosts.
fn recorded(host: &str) -> Vec<(String, String)> {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("it/hosts/recorded").join(host);
    let mut all: Vec<_> = fs::read_dir(&dir)
        .unwrap_or_else(|e| panic!("{}: {e}", dir.display()))
        .map(|e| e.unwrap().path())
        .map(|p| {
            (p.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(p).unwrap())
        })
        .collect();
    all.sort();
    assert!(all.len() > 5, "{host} has {}", all.len());
    all
}

/// As if it had happened in this workstation's project.
fn here(station: &Workstation, input: &str) -> String {
    input.replace("/home/ann/app", station.project().to_str().unwrap())
}

/// Who has what the recorded calls are about to change.
fn hold(lab: &Workstation) {
    for file in ["a.rs", "new.rs", "n.ipynb", "sub/new.rs", "sub/moved.rs"] {
        lab.coord(&["lock", "acquire", file, "mine"]).exits(0);
    }
}

fn why(answer: &str) -> String {
    let from = answer.find("coord: ").unwrap_or_else(|| panic!("{answer}"));
    let end = answer[from..].find("blocks you.").unwrap() + "blocks you.".len();
    answer[from..from + end].to_owned()
}

#[test]
fn refusals_to_the_byte() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    hold(&lab);
    let mut refused = Vec::new();
    for host in ["claude", "codex", "copilot", "copilot-camelcase", "gemini"] {
        for (name, input) in recorded(host) {
            let flag = host.split('-').next().unwrap();
            let mut ran = hook(&desk, flag, &here(&desk, &input));
            let said = ran.exits(0).out().trim_end().to_owned();
            let named = format!("{host}/{name}");
            if !said.contains("is held by LAB/claude-main")
                || name.starts_with("SessionStart")
                || name.starts_with("sessionStart")
            {
                let start = name.to_lowercase().starts_with("sessionstart");
                assert!(said == "{}" || start, "{named}: {said}");
                continue;
            }
            let why = why(&said);
            let event = if host == "gemini" { "BeforeTool" } else { "PreToolUse" };
            let expected = match host {
                "claude" | "codex" => format!(
                    r#"{{"hookSpecificOutput":{{"hookEventName":"{event}","permissionDecision":"deny","permissionDecisionReason":"{why}"}}}}"#
                ),
                "gemini" => format!(r#"{{"decision":"deny","reason":"{why}"}}"#),
                _ => {
                    format!(r#"{{"permissionDecision":"deny","permissionDecisionReason":"{why}"}}"#)
                }
            };
            assert_eq!(said, expected, "{named}");
            refused.push(named);
        }
    }
    for must in [
        "claude/PreToolUse-Edit",
        "claude/PreToolUse-Write",
        "claude/PreToolUse-NotebookEdit",
        "codex/PreToolUse-apply_patch",
        "codex/PreToolUse-Bash-heredoc",
        "copilot/PreToolUse-Edit",
        "copilot/PreToolUse-Write",
        "gemini/BeforeTool-replace",
        "gemini/BeforeTool-write_file",
    ] {
        assert!(refused.iter().any(|r| r == must), "{must} is not among {refused:?}");
    }
    let edits = |r: &&String| r.starts_with("copilot-camelcase/");
    assert_eq!(refused.iter().filter(edits).count(), 2, "{refused:?}");
}

/// The plugin calls us by one name in all hosts that load it.
#[test]
fn a_conversation_of_codex_is_one_session_whoever_wired_it() {
    let server = server();
    let desk = desk(&server.url());
    for (name, input) in recorded("codex") {
        if name.starts_with("SessionEnd") {
            continue;
        }
        hook(&desk, "claude", &here(&desk, &input)).exits(0).object();
    }
    let all = desk.json(&["session", "list", "--all"]);
    let ids: Vec<&str> = all["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["session_id"].as_str().unwrap())
        .collect();
    assert!(ids.contains(&"DESK/codex-ccddeeff"), "{ids:?}");
    assert!(!ids.iter().any(|id| id.contains("/claude-ccddeeff")), "{ids:?}");
}

#[test]
fn every_recorded_session_is_one_session() {
    let server = server();
    let desk = desk(&server.url());
    for (host, session) in [
        ("claude", "DESK/claude-ccddeeff"),
        ("codex", "DESK/codex-ccddeeff"),
        ("copilot", "DESK/copilot-0198abcd"),
        ("gemini", "DESK/gemini-0198abcd"),
    ] {
        for (_, input) in recorded(host).into_iter().filter(|(n, _)| !n.starts_with("SessionEnd")) {
            hook(&desk, host, &here(&desk, &input)).exits(0).object();
        }
        let held = held(&desk, session);
        assert!(held.contains(&"a.rs".to_owned()), "{host}: {held:?}");
        for (_, input) in recorded(host).into_iter().filter(|(n, _)| n.starts_with("SessionEnd")) {
            hook(&desk, host, &here(&desk, &input)).exits(0).object();
        }
        assert!(super::common::held(&desk, session).is_empty(), "{host}");
    }
}
