//! Whole commands, from start to end of the process.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::MESSAGES;
use crate::desk::Desk;
use crate::series::{Series, ms};

/// Starts of each program.
const STARTS: usize = 300;
/// Nobody listens there.
const AWAY: &str = "http://127.0.0.1:9";
const START: &str = r#"{"hook_event_name":"SessionStart","source":"resume","session_id":"bench"}"#;
const OTHER: &str = r#"{"hook_event_name":"Stop","session_id":"bench"}"#;
const BODY: &str =
    r#"{"from_session":"DESK/other","to_session":"DESK/other","subject":"s","body":"b"}"#;

/// One row of the table: a name and what is started.
struct Row {
    name: &'static str,
    command: Command,
    input: &'static str,
    took: Vec<Duration>,
}

impl Row {
    fn new(name: &'static str, command: Command, input: &'static str) -> Self {
        Self { name, command, input, took: Vec::with_capacity(STARTS) }
    }
}

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
    let mut rows = rows(desk);
    rows.retain_mut(|r| run_once(r).is_some());
    // Interleaved, so that whatever else the machine does falls on all alike.
    for _ in 0..STARTS {
        for row in &mut rows {
            // Without this, online sends would go behind the queued ones.
            let _ = fs::remove_file(desk.queue());
            let took = run_once(row).expect("it started before");
            row.took.push(took);
        }
    }
    let _ = fs::remove_file(desk.queue());
    println!("\ncommands, {STARTS} starts each, {MESSAGES} read messages in the store, ms");
    println!("{:40} {:>8} {:>8} {:>8} {:>10}", "", "min", "p50", "p99", "p50-true");
    let mut floor = 0.0;
    for row in rows {
        let s = Series::of(row.took);
        let (min, p50, p99) = (ms(s.at(0.0)), ms(s.at(0.5)), ms(s.at(0.99)));
        if row.name == "/bin/true" {
            floor = p50;
        }
        println!("{:40} {min:8.2} {p50:8.2} {p99:8.2} {:10.2}", row.name, p50 - floor);
    }
}

/// `None` when there is no such program.
fn run_once(row: &mut Row) -> Option<Duration> {
    row.command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = row.command.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    // A program that reads no input may be gone already.
    let _ = stdin.write_all(row.input.as_bytes());
    drop(stdin);
    child.wait().ok()?;
    Some(began.elapsed())
}
