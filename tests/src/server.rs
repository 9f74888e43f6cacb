//! A real server process for tests.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::bins::bin;
use crate::raw::{Answer, Ask, Conn};

/// Longest wait for a server to listen or to end.
const STARTED_WITHIN: Duration = Duration::from_secs(20);
/// Tries to get the old port back at a restart; a passing connection may sit on it.
const RESTART_TRIES: usize = 20;
/// Lines of the server's log that a failed test shows.
const LOG_SHOWN: usize = 40;

/// The HTTP faces that are built in.
pub fn faces() -> &'static [&'static str] {
    if cfg!(feature = "tiny-http") { &["axum", "tiny-http"] } else { &["axum"] }
}

/// Runs a check against a fresh server of each face.
pub fn on_each_face(check: impl Fn(&TestServer)) {
    for face in faces() {
        check(&TestServer::start(face));
    }
}

/// Polls until `done`, or fails the test.
#[track_caller]
pub fn eventually(within: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// How a server is to be started.
#[derive(Debug, Clone)]
pub struct Setup {
    face: String,
    env: Vec<(String, String)>,
    shell: Option<String>,
    database: Option<PathBuf>,
}

impl Setup {
    /// With this face, without a token.
    pub fn new(face: &str) -> Self {
        Self { face: face.to_owned(), env: Vec::new(), shell: None, database: None }
    }

    /// With one more variable; an empty value takes a default away.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// After a shell has run this (`ulimit -n 64`).
    pub fn shell(mut self, commands: &str) -> Self {
        self.shell = Some(commands.to_owned());
        self
    }

    /// On this database instead of one of its own.
    pub fn database(mut self, path: &Path) -> Self {
        self.database = Some(path.to_owned());
        self
    }

    /// Starts it; it must come up.
    #[track_caller]
    pub fn start(self) -> TestServer {
        self.try_start().unwrap_or_else(|r| panic!("the server did not start: {r:?}"))
    }

    /// Starts it, or says how it refused.
    pub fn try_start(self) -> Result<TestServer, Refused> {
        let dir = tempfile::tempdir().expect("a temporary folder can be made");
        let running = Running::start(&self, dir.path(), 0)?;
        Ok(TestServer { setup: self, dir, running })
    }

    fn command(&self, dir: &Path, port: u16) -> Command {
        let program = bin("coord-server");
        let mut command = match &self.shell {
            Some(commands) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{commands}; exec \"$0\"")]).arg(program);
                shell
            }
            None => Command::new(program),
        };
        let database = self.database.clone().unwrap_or_else(|| dir.join("coordination.db"));
        command
            .current_dir(dir)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COORD_ALLOW_INSECURE_NO_AUTH", "1")
            .env("COORD_DATABASE_PATH", database)
            .env("COORD_PORT", port.to_string())
            .env("COORD_HTTP", &self.face)
            .envs(self.env.iter().map(|(n, v)| (n, v)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }
}

/// A server that ended instead of listening.
#[derive(Debug)]
pub struct Refused {
    /// How it ended.
    pub status: ExitStatus,
    /// What it said.
    pub log: String,
}

/// The process and what it says.
struct Running {
    child: Child,
    address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(setup: &Setup, dir: &Path, port: u16) -> Result<Self, Refused> {
        let mut child = setup.command(dir, port).spawn().expect("the server can be started");
        let log = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = channel();
        let stderr = child.stderr.take().expect("stderr is a pipe");
        let lines = Arc::clone(&log);
        let reader = thread::spawn(move || drain(BufReader::new(stderr), &lines, &tell));
        if let Ok(address) = told.recv_timeout(STARTED_WITHIN) {
            return Ok(Self { child, address, log });
        }
        // Either it has ended, or it hangs.
        let _ = child.kill();
        let status = child.wait().expect("a child can be waited for");
        let _ = reader.join();
        Err(Refused { status, log: joined(&log, usize::MAX) })
    }
}

/// Keeps all lines and tells the address once it stands in one.
fn drain(stderr: impl BufRead, lines: &Mutex<Vec<String>>, tell: &Sender<SocketAddr>) {
    for line in stderr.lines().map_while(Result::ok) {
        if let Some((_, url)) = line.split_once("listening on http://")
            && let Ok(address) = url.trim().parse()
        {
            let _ = tell.send(address);
        }
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }
}

fn joined(log: &Mutex<Vec<String>>, most: usize) -> String {
    let lines = log.lock().unwrap_or_else(PoisonError::into_inner);
    lines[lines.len().saturating_sub(most)..].join("\n")
}

/// A server of its own in a folder of its own; ends with its owner.
pub struct TestServer {
    setup: Setup,
    dir: TempDir,
    running: Running,
}

impl TestServer {
    /// Starts one with this face, without a token.
    #[track_caller]
    pub fn start(face: &str) -> Self {
        Setup::new(face).start()
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.running.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.running.address
    }

    /// Which face speaks.
    pub fn face(&self) -> &str {
        &self.setup.face
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its database file.
    pub fn database(&self) -> PathBuf {
        self.setup.database.clone().unwrap_or_else(|| self.dir().join("coordination.db"))
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        joined(&self.running.log, usize::MAX)
    }

    /// Whether the process still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.running.child.try_wait(), Ok(None))
    }

    /// Ends it as a power cut would.
    pub fn kill9(&mut self) {
        let _ = self.running.child.kill();
        let _ = self.running.child.wait();
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.running.child);
        kill_process(pid, signal).expect("a child can be signalled");
    }

    /// Asks it to end (SIGTERM) and waits until it has.
    #[track_caller]
    pub fn term(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Waits until it has ended.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        eventually(STARTED_WITHIN, "the server ends", || {
            status = self.running.child.try_wait().expect("a child can be asked");
            status.is_some()
        });
        status.expect("just looked at")
    }

    /// Starts it again, after it has ended, on the same port and database.
    #[track_caller]
    pub fn restart(&mut self) {
        let port = self.running.address.port();
        for _ in 0..RESTART_TRIES {
            match Running::start(&self.setup, self.dir.path(), port) {
                Ok(running) => return self.running = running,
                Err(r) if r.log.contains("cannot listen") => {
                    thread::sleep(Duration::from_millis(50));
                }
                Err(r) => panic!("the server did not start again: {r:?}"),
            }
        }
        panic!("port {port} did not get free again");
    }

    /// A connection that stays.
    #[track_caller]
    pub fn conn(&self) -> Conn {
        Conn::open(self.address()).expect("the server takes connections")
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn ask(&self, ask: Ask) -> Answer {
        self.conn().ask(&ask.closing()).expect("the server answers")
    }

    /// GET.
    #[track_caller]
    pub fn get(&self, target: &str) -> Answer {
        self.ask(Ask::new("GET", target))
    }

    /// POST of a JSON body.
    #[track_caller]
    pub fn post(&self, target: &str, body: &Value) -> Answer {
        self.ask(Ask::new("POST", target).json(body))
    }

    /// PUT of a JSON body.
    #[track_caller]
    pub fn put(&self, target: &str, body: &Value) -> Answer {
        self.ask(Ask::new("PUT", target).json(body))
    }

    /// PATCH with a JSON body.
    #[track_caller]
    pub fn patch(&self, target: &str, body: &Value) -> Answer {
        self.ask(Ask::new("PATCH", target).json(body))
    }

    /// DELETE.
    #[track_caller]
    pub fn delete(&self, target: &str) -> Answer {
        self.ask(Ask::new("DELETE", target))
    }

    /// How many threads it has.
    pub fn threads(&self) -> usize {
        self.count("task")
    }

    /// How many descriptors it has open.
    pub fn descriptors(&self) -> usize {
        self.count("fd")
    }

    fn count(&self, what: &str) -> usize {
        fs::read_dir(format!("/proc/{}/{what}", self.pid())).map_or(0, Iterator::count)
    }

    /// Its resident memory in bytes.
    pub fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()));
        let status = status.expect("the server's status can be read");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.parse().ok());
        kib.map_or(0, |n: usize| n * 1024)
    }
}

impl Drop for TestServer {
    #[expect(clippy::print_stderr, reason = "a failed test shows what the server said")]
    fn drop(&mut self) {
        self.kill9();
        if thread::panicking() {
            let log = joined(&self.running.log, LOG_SHOWN);
            eprintln!("--- the {} server's last words:\n{log}\n---", self.setup.face);
        }
    }
}
