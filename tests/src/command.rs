//! A `coord` command: how it is started, while it runs, and what came of it.

use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

/// No command of any test runs longer.
const ENDS_WITHIN: Duration = Duration::from_mins(1);

/// A command that is not started yet.
pub struct Run {
    command: Command,
    stdin: Option<Vec<u8>>,
}

impl Run {
    pub(crate) fn new(command: Command) -> Self {
        Self { command, stdin: None }
    }

    /// As this session.
    pub fn session(self, id: &str) -> Self {
        self.env("COORD_SESSION_ID", id)
    }

    /// With one more variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// In another folder.
    pub fn cwd(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// With this on stdin.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// The command itself, for clients that speak with it.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts it with stdin from there.
    pub fn start_reading(mut self, from: impl Into<Stdio>) -> Started {
        self.command.stdin(from);
        self.begin(false)
    }

    /// Starts it.
    pub fn start(mut self) -> Started {
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        self.begin(false)
    }

    /// Starts it with a stdout that nobody reads any more.
    pub fn start_unheard(mut self) -> Started {
        self.command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        self.begin(true)
    }

    fn begin(mut self, unheard: bool) -> Started {
        let began = Instant::now();
        let (reader, writer) = io::pipe().expect("a pipe can be made");
        if unheard {
            drop(reader);
            self.command.stdout(writer);
        } else {
            drop((reader, writer));
            self.command.stdout(Stdio::piped());
        }
        let mut child = self.command.stderr(Stdio::piped()).spawn().expect("coord can be started");
        if let (Some(bytes), Some(mut pipe)) = (self.stdin, child.stdin.take()) {
            // It may end without reading everything.
            let _ = pipe.write_all(&bytes);
        }
        let stdout = child.stdout.take().map(Heard::of);
        let stderr = child.stderr.take().map(Heard::of);
        Started { child, began, stdout, stderr }
    }

    /// Runs it to its end.
    #[track_caller]
    pub fn done(self) -> Ran {
        self.start().wait()
    }
}

/// What a pipe has brought so far.
struct Heard {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Heard {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(n @ 1..) = pipe.read(&mut piece) {
                all.lock().unwrap_or_else(PoisonError::into_inner).extend(&piece[..n]);
            }
        });
        Self { bytes, reader }
    }

    fn so_far(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn all(self) -> Vec<u8> {
        self.reader.join().expect("reading a pipe does not panic");
        std::mem::take(&mut self.bytes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A command that runs.
pub struct Started {
    child: Child,
    began: Instant,
    stdout: Option<Heard>,
    stderr: Option<Heard>,
}

impl Started {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its answer up to now.
    pub fn out_so_far(&self) -> String {
        let bytes = self.stdout.as_ref().map(Heard::so_far).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What it has said besides, up to now.
    pub fn err_so_far(&self) -> String {
        let bytes = self.stderr.as_ref().map(Heard::so_far).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Whether it has ended (and was not waited for).
    pub fn has_ended(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid()));
        stat.map_or(true, |s| s.contains(") Z "))
    }

    /// Ends it with SIGKILL, if it still runs.
    pub fn kill9(&mut self) {
        let _ = self.child.kill();
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(mut self) -> Ran {
        let status = self.ended();
        let took = self.began.elapsed();
        let text = |h: Option<Heard>| h.map(Heard::all).unwrap_or_default();
        Ran { status, stdout: text(self.stdout.take()), stderr: text(self.stderr.take()), took }
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            if self.began.elapsed() > ENDS_WITHIN {
                self.kill9();
                panic!("a command did not end within {ENDS_WITHIN:?}");
            }
            // Commands take milliseconds, and their time is measured.
            thread::sleep(Duration::from_micros(200));
        }
    }
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    /// How it ended.
    pub status: ExitStatus,
    /// Its answer.
    pub stdout: Vec<u8>,
    /// What it said besides.
    pub stderr: Vec<u8>,
    /// From start to end.
    pub took: Duration,
}

impl Ran {
    /// The answer as text; it must be UTF-8.
    #[track_caller]
    pub fn out(&self) -> String {
        String::from_utf8(self.stdout.clone()).expect("stdout is UTF-8")
    }

    /// What it said besides, as text.
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Everything about it, for a failed test.
    pub fn told(&self) -> String {
        let out = String::from_utf8_lossy(&self.stdout);
        format!("{}\nstdout: {out}\nstderr: {}", self.status, self.err())
    }

    /// Checks the exit status.
    #[track_caller]
    pub fn exits(&mut self, code: i32) -> &mut Self {
        assert_eq!(self.status.code(), Some(code), "{}", self.told());
        self
    }

    /// Checks that the answer holds this.
    #[track_caller]
    pub fn says(&mut self, words: &str) -> &mut Self {
        assert!(self.out().contains(words), "no {words:?} in stdout: {}", self.told());
        self
    }

    /// Checks that stderr holds this.
    #[track_caller]
    pub fn complains(&mut self, words: &str) -> &mut Self {
        assert!(self.err().contains(words), "no {words:?} in stderr: {}", self.told());
        self
    }

    /// The one JSON object on stdout.
    #[track_caller]
    pub fn object(&self) -> Value {
        let value = parsed(&self.stdout);
        assert!(value.is_object(), "stdout is no JSON object: {}", self.told());
        assert!(self.stdout.ends_with(b"\n"), "stdout ends within a line: {}", self.told());
        value
    }

    /// The object of `--json`: versioned, and in accord with the exit status.
    #[track_caller]
    pub fn json(&self) -> Value {
        let value = self.object();
        assert_eq!(value["v"], 1, "{}", self.told());
        assert_eq!(value["ok"], self.status.success(), "{}", self.told());
        value
    }
}

/// The one JSON value in this text.
#[track_caller]
pub fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|e| panic!("not JSON ({e}): {}", String::from_utf8_lossy(bytes)))
}
