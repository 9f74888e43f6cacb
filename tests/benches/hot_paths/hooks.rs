//! Hooks, as a host starts them, with a thousand live claims and ten thousand messages in the store.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use coord_tests::raw::{Ask, Conn};
use serde_json::json;

use crate::MESSAGES;
use crate::desk::Desk;
use crate::table::{self, Row};

/// Live claims of others.
const CLAIMS: usize = 1_000;

const TOOL: &str = r#"{"hook_event_name":"PostToolUse","session_id":"bench","tool_name":"Read","tool_input":{"file_path":"x"}}"#;
const SHELL: &str = r#"{"hook_event_name":"PreToolUse","session_id":"bench","tool_name":"Bash","tool_input":{"command":"cargo test && git status"}}"#;
const OWN: &str = r#"{"hook_event_name":"PreToolUse","session_id":"bench","tool_name":"Edit","tool_input":{"file_path":"src/mine.rs"}}"#;
const FOREIGN: &str = r#"{"hook_event_name":"PreToolUse","session_id":"bench","tool_name":"Edit","tool_input":{"file_path":"src/file-7.rs"}}"#;

pub(crate) fn measure(desk: &Desk, server: SocketAddr) {
    claim(server);
    // A conversation that looks at the server at each of its events: its marks are taken away before.
    let looking = desk.state("looking");
    let hook = || desk.coord(&["hook", "claude"], desk.url());
    let mut look = hook();
    look.env("COORD_STATE_DIR", &looking);
    let mut quiet = hook();
    quiet.env("COORD_DISABLE", "1");
    let rows = vec![
        Row::new("/bin/true", Command::new("/bin/true"), ""),
        Row::new("hook switched off: program and input", quiet, TOOL),
        Row::new("after a tool, nothing to say", hook(), TOOL),
        Row::new("before a command, nothing to say", hook(), SHELL),
        Row::new("before an edit, own live claim", hook(), OWN),
        Row::new("before an edit, refused (1 round trip)", hook(), FOREIGN),
        Row::new("after a tool, look for mail (1 round trip)", look, TOOL),
    ];
    let title = format!("hooks, {CLAIMS} live claims and {MESSAGES} messages in the store");
    table::measure(&title, rows, || forget_looks(&looking));
}

fn forget_looks(state: &std::path::Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("looked-") {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn claim(server: SocketAddr) {
    let mut conn = Conn::open(server).expect("the server listens");
    for n in 0..CLAIMS {
        let body = json!({"project_key": "p", "session_id": format!("OTHER/s{}", n % 50),
            "kind": "file", "resource": format!("src/file-{n}.rs"), "literal": true,
            "content": "absent", "ttl_hours": 2});
        conn.ask(&Ask::new("POST", "/api/coord/locks").json(&body)).expect("an answer").expect(201);
    }
}
