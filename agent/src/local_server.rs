//! The server of this workstation: its token, the record of where it runs, starting and stopping.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use coord_protocol::edge::Rng;
use coord_server::edge::OsRng;
use serde::{Deserialize, Serialize};

use crate::outbox::disk::Disk;
use crate::outbox::real_disk::RealDisk;

const TOKEN: &str = "token";
const RECORD: &str = "server.json";
/// Where a server in the background writes its log.
pub const LOG: &str = "server.log";
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a server gets to finish before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Where a server of this user runs, or ran.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// Its base address.
    pub url: String,
    /// Its process.
    pub pid: i32,
    /// When that process began, in the kernel's ticks: a pid alone may be somebody else's by now.
    pub started: u64,
    /// Its database.
    pub database: PathBuf,
}

impl Record {
    /// Of this process.
    pub fn of_this_process(url: String, database: PathBuf) -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        Self { url, pid, started: start_time(pid).unwrap_or(0), database }
    }

    /// Whether that very process is still there.
    pub fn is_running(&self) -> bool {
        start_time(self.pid).is_some_and(|s| s == self.started)
    }
}

/// Field 22 of `/proc/<pid>/stat`, counted behind the name (which may hold anything).
fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    // A zombie is gone, only not yet buried.
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

/// The record of the last server of this user, whether it still runs or not.
pub fn last_record(state: &RealDisk) -> Option<Record> {
    let bytes = state.read(RECORD, 0).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The record, when that server still runs.
pub fn record(state: &RealDisk) -> Option<Record> {
    last_record(state).filter(Record::is_running)
}

/// Leaves a record.
pub fn put_record(state: &RealDisk, record: &Record) -> io::Result<()> {
    state.put(RECORD, serde_json::to_string(record)?.as_bytes())
}

/// Whether a base address is this machine's own.
pub fn is_loopback(base: &str) -> bool {
    let host = base.split_once("://").map_or(base, |(_, h)| h);
    let name = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((v6, _)) => v6,
        None => host.rsplit_once(':').map_or(host, |(n, _)| n),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The token that a server on this machine made.
pub fn token(state: &RealDisk) -> Option<String> {
    let text = String::from_utf8(state.read(TOKEN, 0).ok()?).ok()?;
    Some(text.trim().to_owned()).filter(|t| !t.is_empty())
}

/// The token, for the base address at which this user's server runs right now, and for no other:
/// somebody else may listen on the port of one that has stopped.
pub fn token_for(state: &RealDisk, base: &str) -> Option<String> {
    let same = |a: &str| a.replace("://localhost:", "://127.0.0.1:");
    record(state).filter(|r| same(&r.url) == same(base)).and_then(|_| token(state))
}

/// The token, made (0600) when there is none.
pub fn token_or_new(state: &RealDisk) -> io::Result<String> {
    if let Some(t) = token(state) {
        return Ok(t);
    }
    let fresh: String = (0..4).map(|_| format!("{:016x}", OsRng.u64())).collect();
    match state.create(TOKEN, format!("{fresh}\n").as_bytes()) {
        Ok(()) => {
            state.sync(TOKEN)?;
            Ok(fresh)
        }
        // Another process was quicker, and may still be writing.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            let got = wait_for(Duration::from_secs(1), || token(state));
            got.ok_or_else(|| io::Error::other("the token file is empty; remove it"))
        }
        Err(e) => Err(e),
    }
}

/// Looks until there is an answer or the time is over.
pub fn wait_for<T>(within: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let until = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= until {
            return None;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Starts `coord serve` in a session of its own, its log in the state folder.
pub fn spawn(state: &RealDisk, args: &[String]) -> io::Result<Child> {
    state.make_dir("")?;
    let log = File::options().create(true).append(true).mode(0o600).open(state.root().join(LOG))?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("serve")
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0);
    command.spawn()
}

/// The last lines of the log, for an error message.
pub fn log_tail(state: &RealDisk) -> String {
    let mut text = String::new();
    if let Ok(mut f) = File::open(state.root().join(LOG)) {
        let _ = f.read_to_string(&mut text);
    }
    let lines: Vec<&str> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

/// Ends a server: SIGTERM, and SIGKILL when it does not go. True: it went by itself.
pub fn stop(record: &Record) -> io::Result<bool> {
    let Some(pid) = rustix::process::Pid::from_raw(record.pid) else { return Ok(true) };
    let gone = || (!record.is_running()).then_some(());
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    if wait_for(STOP_WITHIN, gone).is_some() {
        return Ok(true);
    }
    rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
    wait_for(STOP_WITHIN, gone);
    Ok(false)
}

/// Writes a line into the agent's log; hooks have no other place to complain. Bounded: a log over
/// 1 MiB begins anew.
pub fn log(state: &RealDisk, line: &str) {
    const NAME: &str = "agent.log";
    const BYTES_MAX: u64 = 1024 * 1024;
    // The first thing that goes wrong here may come before anything made the folder.
    let _ = state.make_dir("");
    let too_long = state.len(NAME).ok().flatten().unwrap_or(0) > BYTES_MAX;
    let file = File::options()
        .create(true)
        .write(true)
        .append(!too_long)
        .truncate(too_long)
        .mode(0o600)
        .open(state.root().join(NAME));
    if let Ok(mut f) = file {
        let _ = writeln!(f, "{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_addresses() {
        for yes in
            ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:9", "http://127.8.8.8:1"]
        {
            assert!(is_loopback(yes), "{yes}");
        }
        for no in [
            "http://10.0.0.1:80",
            "https://localhost.evil.example",
            "http://127.0.0.1.evil.example:80",
        ] {
            assert!(!is_loopback(no), "{no}");
        }
    }

    #[test]
    fn a_record_of_another_process_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::at(dir.path());
        let mine = Record::of_this_process("http://127.0.0.1:1".into(), "db".into());
        put_record(&state, &mine).unwrap();
        assert!(record(&state).is_some());
        put_record(&state, &Record { started: mine.started + 1, ..mine }).unwrap();
        assert!(record(&state).is_none());
    }

    #[test]
    fn the_token_is_made_once_and_private() {
        use std::os::unix::fs::MetadataExt;
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::at(&dir.path().join("s"));
        let a = token_or_new(&state).unwrap();
        assert_eq!(token_or_new(&state).unwrap(), a);
        assert_eq!(a.len(), 64);
        let mode = fs::metadata(dir.path().join("s/token")).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
