//! Whole commands, from start to end of the process.

use std::fs;
use std::process::Command;

use crate::MESSAGES;
use crate::desk::Desk;
use crate::table::{self, Row};

/// Nobody listens there.
const AWAY: &str = "http://127.0.0.1:9";
const START: &str = r#"{"hook_event_name":"SessionStart","source":"resume","session_id":"bench"}"#;
const OTHER: &str = r#"{"hook_event_name":"Stop","session_id":"bench"}"#;
const BODY: &str =
    r#"{"from_session":"DESK/other","to_session":"DESK/other","subject":"s","body":"b"}"#;

fn rows(desk: &Desk) -> Vec<Row> {
    // To a session of its own, so that the hook's mailbox stays empty.
    let send: &[&str] = &["msg", "send", "DESK/other", "s", "b", "--may-come-later"];
    let hook: &[&str] = &["hook", "claude"];
    let post = format!("{}/api/coord/messages", desk.url());
    let mut curl = Command::new("curl");
    curl.args(["-s", "-X", "POST", &post, "-d", BODY]);
    let mut python = Command::new("python3");
    python.arg("-c").arg(format!(
        "import urllib.request as u\n\
         u.urlopen(u.Request('{post}', data=rb'{BODY}', method='POST')).read()"
    ));
    vec![
        Row::new("/bin/true", Command::new("/bin/true"), ""),
        Row::new("coord --version", desk.coord(&["--version"], desk.url()), ""),
        Row::new("hook, nothing to say (1 round trip)", desk.coord(hook, desk.url()), START),
        Row::new("hook, other event (no network)", desk.coord(hook, desk.url()), OTHER),
        Row::new("hook, server away, breaker open", desk.coord(hook, AWAY), START),
        Row::new("msg send, online", desk.coord(send, desk.url()), ""),
        Row::new("msg send, queued", desk.coord(send, AWAY), ""),
        Row::new("curl POST, same message", curl, ""),
        Row::new("python3 urllib POST, same message", python, ""),
    ]
}

pub(crate) fn measure(desk: &Desk) {
    let title = format!("commands, {MESSAGES} read messages in the store");
    table::measure(&title, rows(desk), || {
        // Without this, online sends would go behind the queued ones.
        let _ = fs::remove_file(desk.queue());
    });
}
