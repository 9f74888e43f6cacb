//! The hot paths, measured end to end with the real programs: prints percentiles and ratios, each
//! beside something run in the same minute. `cargo bench -p coord-tests`.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use coord_tests::bins::bin;
use coord_tests::raw::{Ask, Conn};
use coord_tests::server::TestServer;
use serde_json::json;

/// Starts of each program in the table of commands.
const STARTS: usize = 300;
/// Entries in the drain.
const ENTRIES: usize = 10_000;
/// Entries that the stand-in client sends one by one.
const ENTRIES_ONE_BY_ONE: usize = 1_000;
const CONNECTIONS: usize = 32;
const WRITING: Duration = Duration::from_secs(5);
/// Messages in the store while hooks are measured.
const MESSAGES: usize = 10_000;

fn main() {
    let server = TestServer::start("axum");
    let desk = Desk::new(&server.url());
    fill(server.address(), MESSAGES);
    desk.run(&["msg", "read", "--all"]);
    commands(&desk, &server);
    drains(&desk, &server);
    writes(server.address());
}

/// A workstation.
struct Desk {
    home: tempfile::TempDir,
    url: String,
}

impl Desk {
    fn new(url: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(home.path().join("p/.claude")).expect("a project");
        Self { home, url: url.to_owned() }
    }

    fn project(&self) -> PathBuf {
        self.home.path().join("p")
    }

    fn command(&self, program: &Path, args: &[&str], url: &str) -> Command {
        let mut c = Command::new(program);
        c.args(args)
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("COORD_SESSION_ID", "DESK/bench")
            .env("COORD_API_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        c
    }

    fn run(&self, args: &[&str]) {
        let status = self.command(&bin("coord"), args, &self.url).status().expect("coord runs");
        assert!(status.success(), "coord {args:?}: {status}");
    }

    fn clear_outbox(&self) {
        let _ = fs::remove_file(self.project().join(".claude/coord-queue.jsonl"));
    }
}

/// Puts broadcasts into the store, as another session.
fn fill(address: SocketAddr, n: usize) {
    let mut conn = Conn::open(address).expect("the server listens");
    for chunk in 0..n / 500 {
        let entries: Vec<_> = (0..500)
            .map(|k| {
                json!({"id": format!("fill-{chunk}-{k}"), "method": "POST",
                "path": "/api/coord/messages",
                "body": {"from_session": "OTHER/x", "to_session": "ALL_SESSIONS", "subject": "s", "body": "b"}})
            })
            .collect();
        let ask = Ask::new("POST", "/api/coord/batch").json(&json!({"entries": entries}));
        conn.ask(&ask).expect("an answer").expect(200);
    }
}

/// Sorted durations of a series.
struct Series(Vec<Duration>);

impl Series {
    fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((self.0.len() as f64 - 1.0) * share).round() as usize;
        self.0[at]
    }
}

fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// One row of the table: a name and what is started.
struct Row {
    name: &'static str,
    start: Box<dyn Fn() -> Command>,
    input: &'static str,
    /// Run before each start, outside of the measured time.
    before: Option<Box<dyn Fn()>>,
}

const HOOK_INPUT: &str =
    r#"{"hook_event_name":"SessionStart","source":"resume","session_id":"bench"}"#;

fn commands(desk: &Desk, server: &TestServer) {
    let coord = bin("coord");
    let url = server.url();
    let away = "http://127.0.0.1:9";
    let of = |args: &'static [&'static str], url: &str| -> Box<dyn Fn() -> Command> {
        let (coord, url) = (coord.clone(), url.to_owned());
        let (home, project) = (desk.home.path().to_owned(), desk.project());
        Box::new(move || {
            let mut c = Command::new(&coord);
            c.args(args).current_dir(&project).env_clear().env("HOME", &home);
            c.env("COORD_SESSION_ID", "DESK/bench").env("COORD_API_URL", &url);
            c
        })
    };
    let tool = |program: &'static str, args: Vec<String>| -> Box<dyn Fn() -> Command> {
        Box::new(move || {
            let mut c = Command::new(program);
            c.args(&args);
            c
        })
    };
    let post = format!("{url}/api/coord/messages");
    let body =
        r#"{"from_session":"DESK/curl","to_session":"ALL_SESSIONS","subject":"s","body":"b"}"#;
    let curl =
        vec!["-s".into(), "-X".into(), "POST".into(), post.clone(), "-d".into(), body.into()];
    let python = format!(
        "import urllib.request as u; u.urlopen(u.Request('{post}', data=b'''{body}''', method='POST')).read()"
    );
    let queue = desk.project().join(".claude/coord-queue.jsonl");
    let clear = move || drop(fs::remove_file(&queue));
    let send: &[&str] = &["msg", "send", "ALL", "s", "b"];
    let mut rows = vec![
        Row { name: "/bin/true", start: tool("/bin/true", vec![]), input: "", before: None },
        Row { name: "coord --version", start: of(&["--version"], &url), input: "", before: None },
        Row {
            name: "hook, nothing to say (1 round trip)",
            start: of(&["hook", "claude"], &url),
            input: HOOK_INPUT,
            before: None,
        },
        Row {
            name: "hook, other event (no network)",
            start: of(&["hook", "claude"], &url),
            input: r#"{"hook_event_name":"Stop","session_id":"bench"}"#,
            before: None,
        },
        Row {
            name: "hook, server away, breaker open",
            start: of(&["hook", "claude"], away),
            input: HOOK_INPUT,
            before: None,
        },
        Row {
            name: "msg send, online",
            start: of(send, &url),
            input: "",
            before: Some(Box::new(clear.clone())),
        },
        Row {
            name: "msg send, queued",
            start: of(send, away),
            input: "",
            before: Some(Box::new(clear)),
        },
        Row { name: "curl POST, same message", start: tool("curl", curl), input: "", before: None },
        Row {
            name: "python3 urllib POST, same message",
            start: tool("python3", vec!["-c".into(), python]),
            input: "",
            before: None,
        },
    ];
    rows.retain(|r| {
        (r.start)()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok()
    });
    let mut took: Vec<Vec<Duration>> = rows.iter().map(|_| Vec::new()).collect();
    // Interleaved, so that whatever else the machine does falls on all alike.
    for _ in 0..STARTS {
        for (row, took) in rows.iter().zip(&mut took) {
            if let Some(before) = &row.before {
                before();
            }
            took.push(run_once(row));
        }
    }
    println!("\ncommands, {STARTS} starts each, {MESSAGES} read messages in the store, ms");
    println!("{:40} {:>8} {:>8} {:>8} {:>10}", "", "min", "p50", "p99", "p50-true");
    let series: Vec<Series> = took.into_iter().map(Series::of).collect();
    let floor = ms(series[0].at(0.5));
    for (row, s) in rows.iter().zip(&series) {
        let p50 = ms(s.at(0.5));
        println!(
            "{:40} {:8.2} {p50:8.2} {:8.2} {:10.2}",
            row.name,
            ms(s.at(0.0)),
            ms(s.at(0.99)),
            p50 - floor
        );
    }
    desk.clear_outbox();
}

fn run_once(row: &Row) -> Duration {
    let mut command = (row.start)();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().expect("starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A program that reads no input may be gone already.
    let _ = stdin.write_all(row.input.as_bytes());
    drop(stdin);
    child.wait().expect("ends");
    began.elapsed()
}

fn drains(desk: &Desk, server: &TestServer) {
    let mut text = String::new();
    for n in 0..ENTRIES {
        let _ = writeln!(
            text,
            r#"{{"ts":"2026-05-12T15:30:00Z","method":"POST","path":"/api/coord/messages","body":{{"from_session":"DESK/bench","to_session":"ALL_SESSIONS","subject":"n {n}","body":"text"}},"id":"bench-drain-{n}","session":"DESK/bench"}}"#
        );
    }
    fs::write(desk.project().join(".claude/coord-queue.jsonl"), text).expect("a queue");
    let began = Instant::now();
    desk.run(&["sync"]);
    let took = began.elapsed();
    println!("\ndrain, entries per second");
    report_rate("coord sync, batches, one process", ENTRIES, took);
    let host = server.address();
    let script = format!(
        "import http.client\nc=http.client.HTTPConnection('{}',{})\nfor n in range({ENTRIES_ONE_BY_ONE}):\n c.request('POST','/api/coord/messages','{{\"from_session\":\"PY/x\",\"to_session\":\"ALL_SESSIONS\",\"subject\":\"%d\",\"body\":\"b\"}}'%n)\n c.getresponse().read()\n",
        host.ip(),
        host.port()
    );
    let began = Instant::now();
    let python = Command::new("python3").arg("-c").arg(script).status();
    if python.is_ok_and(|s| s.success()) {
        report_rate("python3, one by one, one connection", ENTRIES_ONE_BY_ONE, began.elapsed());
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn report_rate(name: &str, n: usize, took: Duration) {
    println!(
        "{name:40} {:8.0}/s  ({n} in {:.2} s)",
        n as f64 / took.as_secs_f64(),
        took.as_secs_f64()
    );
}

fn writes(address: SocketAddr) {
    println!(
        "\ndurable writes (POST /api/coord/messages), keep-alive, {} s each",
        WRITING.as_secs()
    );
    println!("{:40} {:>10} {:>8} {:>8}", "", "per second", "p50 ms", "p99 ms");
    for connections in [1, 8, CONNECTIONS] {
        let stop = AtomicBool::new(false);
        let all: Vec<Duration> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..connections).map(|_| scope.spawn(|| write_until(address, &stop))).collect();
            std::thread::sleep(WRITING);
            stop.store(true, Ordering::Relaxed);
            threads.into_iter().flat_map(|t| t.join().expect("a writer")).collect()
        });
        let n = all.len();
        let s = Series::of(all);
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let rate = n as f64 / WRITING.as_secs_f64();
        println!(
            "{:40} {rate:10.0} {:8.2} {:8.2}",
            format!("{connections} connections"),
            ms(s.at(0.5)),
            ms(s.at(0.99))
        );
    }
}

fn write_until(address: SocketAddr, stop: &AtomicBool) -> Vec<Duration> {
    use std::io::Read as _;
    let body = r#"{"from_session":"LOAD/x","to_session":"ALL_SESSIONS","subject":"s","body":"some text of usual length"}"#;
    let request = format!(
        "POST /api/coord/messages HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = std::net::TcpStream::connect(address).expect("the server listens");
    socket.set_nodelay(true).expect("a socket");
    let mut buf = [0u8; 4096];
    let mut took = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        socket.write_all(request.as_bytes()).expect("sent");
        // Answers to this request are far smaller than the buffer and end with '}'.
        let mut got = 0;
        while got == 0 || buf[got - 1] != b'}' {
            got += socket.read(&mut buf[got..]).expect("an answer");
        }
        assert!(buf.starts_with(b"HTTP/1.1 201"), "{}", String::from_utf8_lossy(&buf[..got]));
        took.push(began.elapsed());
    }
    took
}
