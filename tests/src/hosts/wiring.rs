//! Hooks of a workstation, as each host wants them described.

use std::fs;

use serde_json::{Value, json};

use super::Host;
use crate::workstation::Workstation;

/// Seconds that a host gives a hook; at its end a session has less.
const TIMEOUT: u64 = 5;
const TIMEOUT_AT_END: u64 = 3;

/// The events that `coord hook` knows, with the tools of which it wants to hear.
const CLAUDE: &[(&str, Option<&str>)] = &[
    ("SessionStart", None),
    ("UserPromptSubmit", None),
    ("PreToolUse", Some("Write|Edit|NotebookEdit|Bash")),
    ("PostToolUse", None),
    ("Stop", None),
    ("PreCompact", None),
    ("SessionEnd", None),
];
const CODEX: &[(&str, Option<&str>)] = &[
    ("SessionStart", None),
    ("UserPromptSubmit", None),
    ("PreToolUse", None),
    ("PostToolUse", None),
    ("Stop", None),
    ("PreCompact", None),
    ("SessionEnd", None),
];

/// Wires the hooks of one host, and has it trust the project.
pub(super) fn wire(host: Host, desk: &Workstation) {
    let project = desk.project();
    match host {
        Host::Claude => write(desk, ".claude/settings.json", &nested(host, CLAUDE)),
        Host::Codex => {
            write(desk, ".codex/hooks.json", &nested(host, CODEX));
            trust_of_codex(desk);
        }
        Host::Copilot => {
            write(desk, ".github/hooks/coord.json", &flat(host));
            let home = desk.home().join(".copilot");
            fs::create_dir_all(&home).expect("a folder can be made");
            let trusted = json!({"trusted_folders": [project]});
            fs::write(home.join("config.json"), trusted.to_string()).expect("it can be written");
        }
    }
}

fn trust_of_codex(desk: &Workstation) {
    let home = desk.home().join(".codex");
    fs::create_dir_all(&home).expect("a folder can be made");
    let project = desk.project();
    let config = format!("[projects.\"{}\"]\ntrust_level = \"trusted\"\n", project.display());
    fs::write(home.join("config.toml"), config).expect("it can be written");
}

fn write(desk: &Workstation, file: &str, content: &Value) {
    let path = desk.project().join(file);
    let folder = path.parent().expect("a file lies in a folder");
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(path, content.to_string()).expect("it can be written");
}

fn command(host: Host) -> String {
    format!("coord hook {} || true", host.name())
}

fn nested(host: Host, events: &[(&str, Option<&str>)]) -> Value {
    let mut hooks = json!({});
    for (event, matcher) in events {
        let timeout = if *event == "SessionEnd" { TIMEOUT_AT_END } else { TIMEOUT };
        let handler = json!({"type": "command", "command": command(host), "timeout": timeout});
        let mut group = json!({"hooks": [handler]});
        if let Some(matcher) = matcher {
            group["matcher"] = json!(matcher);
        }
        hooks[event] = json!([group]);
    }
    json!({"hooks": hooks})
}

fn flat(host: Host) -> Value {
    let mut hooks = json!({});
    for (event, _) in CLAUDE {
        hooks[event] = json!([{"type": "command", "bash": command(host), "timeoutSec": TIMEOUT}]);
    }
    json!({"version": 1, "hooks": hooks})
}
