//! A hook that keeps what a client hands to it, and says nothing.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Host, wiring};
use crate::workstation::{Workstation, parsed};

/// Events that clients name alike.
const EVENTS: [&str; 6] =
    ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "SessionEnd"];

/// Where inputs are kept.
fn folder(desk: &Workstation) -> PathBuf {
    desk.home().join("recorded")
}

/// Has a client hand its hooks' inputs to the recorder.
pub(super) fn wire(host: Host, desk: &Workstation) {
    let folder = folder(desk);
    fs::create_dir_all(&folder).expect("a folder can be made");
    let command = format!("cat > '{}'/$(date +%s%N); echo '{{}}'", folder.display());
    let handler = match host {
        Host::Claude | Host::Codex => json!({"hooks": [{"type": "command", "command": command}]}),
        Host::Copilot => json!({"type": "command", "bash": command}),
    };
    let hooks = EVENTS.iter().map(|event| ((*event).to_owned(), json!([handler])));
    let mut settings = json!({"hooks": Value::Object(hooks.collect())});
    if host == Host::Copilot {
        // Codex drops a file with a field that it does not know.
        settings["version"] = json!(1);
    }
    let file = desk.project().join(match host {
        Host::Claude => ".claude/settings.json",
        Host::Codex => ".codex/hooks.json",
        Host::Copilot => ".github/hooks/recorder.json",
    });
    let parent = file.parent().expect("it lies in a folder");
    fs::create_dir_all(parent).expect("a folder can be made");
    fs::write(&file, settings.to_string()).expect("it can be written");
    wiring::trust(host, desk);
}

/// What was handed over, in order.
#[track_caller]
pub fn recorded(desk: &Workstation) -> Vec<Value> {
    let files = fs::read_dir(folder(desk)).expect("the folder is there");
    let mut files: Vec<PathBuf> = files.filter_map(Result::ok).map(|f| f.path()).collect();
    files.sort();
    files.iter().map(|f| parsed(&fs::read(f).expect("it can be read"))).collect()
}
