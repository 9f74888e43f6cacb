//! A workstation for tests: a home of its own with an identity, a project, and the `coord` command
//! in an environment that holds nothing but what the test sets.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bins::bin;
pub use crate::command::{Ran, Run, Started, parsed};

/// User and group without rights, for tests of files that cannot be written.
const NOBODY: u32 = 65_534;

/// A home folder, a project in it, and variables.
pub struct Workstation {
    home: TempDir,
    program: PathBuf,
    env: Vec<(String, String)>,
    unprivileged: bool,
}

impl Workstation {
    /// With an identity that names the machine, the user and the server.
    pub fn new(machine: &str, user: &str, api: &str) -> Self {
        Self::bare().named(machine, user, api)
    }

    /// The same, its home below this folder instead of the system's temporary one.
    pub fn below(folder: &Path, machine: &str, user: &str, api: &str) -> Self {
        let home = tempfile::tempdir_in(folder).expect("a folder can be made");
        Self::at(home).named(machine, user, api)
    }

    fn named(self, machine: &str, user: &str, api: &str) -> Self {
        self.write_identity(&json!({"machine": machine, "user": user, "coord_api": api}));
        self
    }

    /// Without an identity: what `coord` makes of a fresh account.
    pub fn bare() -> Self {
        Self::at(tempfile::tempdir().expect("a temporary folder can be made"))
    }

    fn at(home: TempDir) -> Self {
        let station = Self { home, program: bin("coord"), env: Vec::new(), unprivileged: false };
        for folder in [station.outbox(), station.home().join(".claude")] {
            fs::create_dir_all(folder).expect("a folder can be made");
        }
        station
    }

    /// With one more variable for all its commands.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Commands run as a user whom file permissions bind: they do not bind root.
    pub fn bound_by_permissions(mut self) -> Self {
        if rustix::process::geteuid().is_root() {
            let copy = self.home().join("coord");
            // By a process of its own: a handle of ours, open for writing, would be inherited by
            // what other tests start at this moment, and the copy would be "busy".
            let cp = Command::new("cp").arg(&self.program).arg(&copy).status();
            assert!(cp.is_ok_and(|s| s.success()), "the program can be copied");
            self.program = copy;
            give_away(self.home()).expect("root can give files away");
            self.unprivileged = true;
        }
        self
    }

    /// The home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The project's root, where commands run.
    pub fn project(&self) -> PathBuf {
        self.home().join("app")
    }

    /// The folder of the project's queue.
    pub fn outbox(&self) -> PathBuf {
        self.project().join(".claude")
    }

    /// The queue file of the project.
    pub fn queue_file(&self) -> PathBuf {
        self.outbox().join("coord-queue.jsonl")
    }

    /// The agent's state folder.
    pub fn state(&self) -> PathBuf {
        self.home().join(".local/state/coord")
    }

    /// The identity file.
    pub fn identity_file(&self) -> PathBuf {
        self.home().join(".claude/identity.json")
    }

    /// Writes the identity file.
    pub fn write_identity(&self, identity: &Value) {
        fs::write(self.identity_file(), identity.to_string()).expect("the identity can be written");
    }

    /// The entries that wait, in order; none when there is no queue file.
    pub fn queue(&self) -> Vec<Value> {
        match fs::read_to_string(self.queue_file()) {
            Ok(text) => text.lines().map(|l| parsed(l.as_bytes())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(e) => panic!("the queue cannot be read: {e}"),
        }
    }

    /// Puts a queue file there.
    pub fn write_queue(&self, bytes: impl AsRef<[u8]>) {
        fs::write(self.queue_file(), bytes).expect("the queue can be written");
    }

    /// Forgets what commands learned about the server's absence.
    pub fn close_breaker(&self) {
        let Ok(files) = fs::read_dir(self.state()) else { return };
        for file in files.filter_map(Result::ok) {
            if file.file_name().to_string_lossy().starts_with("breaker-") {
                let _ = fs::remove_file(file.path());
            }
        }
    }

    /// A `coord` command, to be set up further.
    pub fn run<S: Into<OsString> + Clone>(&self, args: &[S]) -> Run {
        self.run_through(Command::new(&self.program), args)
    }

    /// Another program, in the same environment.
    pub fn run_program<S: Into<OsString> + Clone>(&self, program: &Path, args: &[S]) -> Run {
        self.run_through(Command::new(program), args)
    }

    /// A `coord` command through a shell that does something first (`umask 0`).
    pub fn run_after<S: Into<OsString> + Clone>(&self, commands: &str, args: &[S]) -> Run {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{commands}; exec \"$0\" \"$@\"")]).arg(&self.program);
        self.run_through(shell, args)
    }

    /// The same, to be started by the caller.
    pub fn command<S: Into<OsString> + Clone>(&self, program: &Path, args: &[S]) -> Command {
        self.prepared(Command::new(program), args)
    }

    fn run_through<S: Into<OsString> + Clone>(&self, command: Command, args: &[S]) -> Run {
        Run::new(self.prepared(command, args))
    }

    fn prepared<S: Into<OsString> + Clone>(&self, mut command: Command, args: &[S]) -> Command {
        command
            .args(args.iter().cloned().map(Into::into))
            .current_dir(self.project())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home())
            .envs(self.env.iter().map(|(n, v)| (n, v)));
        if self.unprivileged {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Runs a `coord` command to its end.
    #[track_caller]
    pub fn coord<S: Into<OsString> + Clone>(&self, args: &[S]) -> Ran {
        self.run(args).done()
    }

    /// Runs it with `--json`; it must succeed.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        let mut ran = self.coord(&[args, &["--json"]].concat());
        ran.exits(0).json()
    }

    /// Hands an input to the hook of Claude Code and returns what it answered.
    #[track_caller]
    pub fn hook(&self, input: &Value) -> Value {
        let mut ran = self.run(&["hook", "claude"]).stdin(input.to_string()).done();
        ran.exits(0).object()
    }

    /// `SessionStart` of the conversation `id`: the context it puts before the model, if any.
    #[track_caller]
    pub fn session_start(&self, id: &str, source: &str) -> Option<String> {
        let answer = self.hook(&self.event("SessionStart", id, &json!({"source": source})));
        let context = &answer["hookSpecificOutput"]["additionalContext"];
        context.as_str().map(str::to_owned)
    }

    /// What a host sends for an event of the conversation `id`.
    pub fn event(&self, name: &str, id: &str, more: &Value) -> Value {
        let mut input = json!({"hook_event_name": name, "session_id": id, "cwd": self.project()});
        if let (Some(all), Some(more)) = (input.as_object_mut(), more.as_object()) {
            all.extend(more.clone());
        }
        input
    }
}

impl Drop for Workstation {
    fn drop(&mut self) {
        // A server in the background would outlive the test.
        if self.state().join("server.json").exists() {
            let _ = self.coord(&["stop"]);
        }
    }
}

fn give_away(folder: &Path) -> io::Result<()> {
    chown(folder, Some(NOBODY), Some(NOBODY))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            give_away(&entry.path())?;
        } else {
            chown(entry.path(), Some(NOBODY), Some(NOBODY))?;
        }
    }
    Ok(())
}

/// Sets a file's or folder's permission bits.
pub fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions can be set");
}

/// A file's permission bits.
pub fn mode_of(path: &Path) -> u32 {
    let meta = fs::symlink_metadata(path)
        .unwrap_or_else(|e| panic!("{} cannot be looked at: {e}", path.display()));
    meta.permissions().mode() & 0o7777
}

/// All regular files below a folder.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok) {
        match entry.file_type() {
            Ok(t) if t.is_dir() => found.extend(files_below(&entry.path())),
            Ok(t) if t.is_file() => found.push(entry.path()),
            Ok(_) | Err(_) => {}
        }
    }
    found
}

/// Whether a file holds these bytes.
pub fn holds(path: &Path, needle: &str) -> bool {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.windows(needle.len()).any(|w| w == needle.as_bytes())
}

/// Whether a program that a test needs is there. In CI it must be.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn has_tool(test: &str, tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|dir| dir.join(tool).is_file());
    assert!(found || std::env::var_os("CI").is_none(), "{test} needs {tool}");
    if !found {
        eprintln!("SKIPPED {test}: no {tool}");
    }
    found
}
