//! The plugin for `OpenCode`, run by node as its host would, with inputs that were recorded there.

use std::fs;
use std::path::Path;
use std::process::Command;

use coord_tests::workstation::{Workstation, chmod, has_tool};
use serde_json::{Value, json};

use super::common::{put, repository};

/// Calls the plugin's hooks in order and prints what they did.
const DRIVER: &str = r#"
import { Coord } from "./app/.opencode/plugin/coord.mjs"
const hooks = await Coord({ directory: process.cwd() })
const sessionID = "ses_de006a22bffeiTHHTVu09Yb0rp"
const done = {}
const at = { sessionID, callID: "toolu_01" }
await hooks["chat.message"]({ sessionID }, { parts: [{ type: "text", text: "do it" }] })
const system = { system: ["base"] }
await hooks["experimental.chat.system.transform"]({ sessionID }, system)
done.system = system.system
try {
  await hooks["tool.execute.before"]({ tool: "write", ...at }, { args: { filePath: "held.rs" } })
  done.held = "passed"
} catch (e) {
  done.held = e.message
}
await hooks["tool.execute.before"]({ tool: "write", ...at }, { args: { filePath: "free.rs" } })
const output = { title: "t", output: "Wrote file." }
await hooks["tool.execute.after"]({ tool: "write", args: { filePath: "free.rs" }, ...at }, output)
done.output = output.output
const shell = { env: {} }
await hooks["shell.env"]({ cwd: ".", ...at }, shell)
done.env = shell.env
await hooks.event({ event: { type: "session.idle", properties: { sessionID } } })
const later = { system: [] }
await hooks["experimental.chat.system.transform"]({ sessionID }, later)
done.later = later.system
await hooks.event({ event: { type: "session.deleted", properties: { info: { id: sessionID } } } })
console.log(JSON.stringify(done))
"#;

/// A `coord hook opencode` that notes its input and answers by it.
const STUB: &str = r#"#!/bin/sh
[ "$1 $2" = "hook opencode" ] || exit 9
input=$(cat)
printf '%s\n' "$input" >> "$HOME/asked"
case "$input" in
  *SessionStart*) echo '{"context":"at the start"}' ;;
  *UserPromptSubmit*) echo '{"context":"at the prompt"}' ;;
  *PreToolUse*held.rs*) echo '{"permission":"deny","reason":"held by X"}' ;;
  *PostToolUse*) echo '{"context":"mail"}' ;;
  *) echo '{}' ;;
esac
"#;

fn driven(desk: &Workstation, bin: &Path) -> Value {
    // Node takes a file for a module by its name; OpenCode's runtime does so anyway.
    let plugin = desk.project().join(".opencode/plugin");
    fs::copy(plugin.join("coord.js"), plugin.join("coord.mjs")).unwrap();
    put(desk, "driver.mjs", DRIVER);
    let path = std::env::var("PATH").unwrap();
    let path = std::env::split_paths(&path).filter(|d| !d.join("coord").exists());
    let path = std::env::join_paths(std::iter::once(bin.to_owned()).chain(path)).unwrap();
    let done = Command::new("node")
        .arg("driver.mjs")
        .current_dir(desk.home())
        .env("HOME", desk.home())
        .env("PATH", path)
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn refusals_context_and_the_name_of_the_session_reach_opencode() {
    if !has_tool("refusals_context_and_the_name_of_the_session_reach_opencode", "node") {
        return;
    }
    let desk = repository();
    desk.coord(&["init", "--tool", "opencode"]).exits(0);
    let bin = desk.home().join("bin");
    chmod(&put(&desk, "bin/coord", STUB), 0o755);
    let done = driven(&desk, &bin);
    assert_eq!(
        done,
        json!({
            "system": ["base", "at the start", "at the prompt"],
            "held": "held by X",
            "output": "Wrote file.\n\nmail",
            "env": {"COORD_SESSION_ID": "opencode-u09Yb0rp"},
            "later": [],
        })
    );
    let asked = fs::read_to_string(desk.home().join("asked")).unwrap();
    let asked: Vec<Value> = asked.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let events: Vec<_> = asked.iter().map(|a| a["hook_event_name"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "SessionStart",
            "UserPromptSubmit",
            "PreToolUse",
            "PreToolUse",
            "PostToolUse",
            "Stop",
            "SessionEnd"
        ]
    );
    assert!(asked.iter().all(|a| a["session_id"] == "ses_de006a22bffeiTHHTVu09Yb0rp"));
    let edit = &asked[2];
    assert_eq!((&edit["tool_name"], &edit["tool_use_id"]), (&json!("write"), &json!("toolu_01")));
    assert_eq!(edit["tool_input"], json!({"filePath": "held.rs"}));
}

#[test]
fn without_coord_or_with_a_broken_one_opencode_goes_on() {
    if !has_tool("without_coord_or_with_a_broken_one_opencode_goes_on", "node") {
        return;
    }
    let desk = repository();
    desk.coord(&["init", "--tool", "opencode"]).exits(0);
    let bin = desk.home().join("bin");
    for broken in [None, Some("#!/bin/sh\necho rubbish\nexit 2\n"), Some("#!/bin/sh\necho null\n")]
    {
        if let Some(script) = broken {
            chmod(&put(&desk, "bin/coord", script), 0o755);
        }
        let done = driven(&desk, &bin);
        assert_eq!((&done["held"], &done["output"]), (&json!("passed"), &json!("Wrote file.")));
        assert_eq!(done["system"], json!(["base"]));
    }
}
