//! No server: locks on files, status and signs of life over the workstation's own store, beside the
//! figures that seed 003 gives for its own (10, 20 and 5 ms).

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::desk::Desk;
use crate::table::{self, Row};

const LOCAL: &str = "local";
/// Sessions, and as many locks, in the store.
const SIZES: [usize; 2] = [1, 500];

pub(crate) fn measure() {
    for size in SIZES {
        let desk = Desk::new(LOCAL);
        fill(&desk, size);
        let coord = |args: &[&str]| desk.coord(args, LOCAL);
        let rows = vec![
            Row::new("/bin/true", Command::new("/bin/true"), ""),
            Row::new("lock acquire (seed: 10)", coord(&["lock", "acquire", "mine.rs"]), ""),
            Row::new("lock check", coord(&["lock", "check", "mine.rs"]), ""),
            Row::new("lock release", coord(&["lock", "release", "mine.rs"]), ""),
            Row::new("session heartbeat (seed: 5)", coord(&["session", "heartbeat"]), ""),
            Row::new("status (seed: 20)", coord(&["status"]), ""),
        ];
        table::measure(&format!("no server, {size} sessions and locks"), rows, || {});
    }
}

/// Puts sessions with a lock each into the store: through the outbox, as one batch after the other.
fn fill(desk: &Desk, size: usize) {
    let entry = |id: String, path: &str, body: Value| {
        json!({"id": id, "method": "POST", "path": path, "body": body}).to_string() + "\n"
    };
    let mut queue = String::new();
    for n in 0..size {
        let session = format!("DESK/s{n}");
        let who = json!({"session_id": session, "project_key": "p", "task": "bench"});
        queue += &entry(format!("session-{n}"), "/api/coord/sessions", who);
        let what = json!({"project_key": "p", "session_id": session, "kind": "file",
            "resource": format!("src/file-{n}.rs"), "literal": true, "content": "absent"});
        queue += &entry(format!("lock-{n}"), "/api/coord/locks", what);
    }
    fs::write(desk.queue(), queue).expect("a queue");
    desk.run(&["sync"]);
}
