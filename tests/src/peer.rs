//! `coord-mcp-server` 0.27.1, unmodified: its programs judge our server, its service is the yardstick.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::bins::target;
use crate::raw::{Answer, Ask, Conn};
use crate::server::eventually;

/// The token of the services in these tests.
pub const TOKEN: &str = "s3cret-t0ken";
/// Longest wait for the service; a busy machine takes two seconds.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// Where its programs are (`coord`, `coord-api`, `coord-mcp`). `None`, with a word about it, where
/// they cannot be had; in CI they must.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub fn programs(test: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/peer.sh");
    let made = Command::new(script).env("CARGO_TARGET_DIR", target()).output();
    let made = made.expect("tools/peer.sh can be run");
    if made.status.success() {
        let venv = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        return Some(Path::new(&venv).join("bin"));
    }
    let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
    assert!(std::env::var_os("CI").is_none(), "{test}: {why}");
    assert_eq!(made.status.code(), Some(3), "tools/peer.sh: {why}");
    eprintln!("SKIPPED {test}: {why}");
    None
}

/// One of its programs, with nothing of our environment but the way to git, curl and jq.
pub fn program(programs: &Path, name: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
    let mut command = Command::new(programs.join(name));
    command
        .env_clear()
        .env("PATH", std::env::join_paths(path).expect("folders without colons"))
        .env("COORD_NO_UPDATE_CHECK", "1");
    command
}

/// Its service, in a folder of its own; ends with its owner.
pub struct Service {
    child: Child,
    address: SocketAddr,
    dir: TempDir,
}

impl Service {
    /// Starts it on a new database, without its background loops, and waits until it answers.
    #[track_caller]
    pub fn start(programs: &Path, env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let address = free_address().expect("a free port");
        let log = fs::File::create(dir.path().join("log")).expect("a log file");
        let child = program(programs, "coord-api")
            .current_dir(dir.path())
            .env("COORD_HOST", "127.0.0.1")
            .env("COORD_PORT", address.port().to_string())
            .env("COORD_AUTH_TOKEN", TOKEN)
            .env("COORD_DATABASE_PATH", dir.path().join("coordination.db"))
            .env("COORD_DISABLE_BACKGROUND_CLEANUP", "1")
            .env("COORD_LOG_LEVEL", "warning")
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("coord-api can be started");
        let service = Self { child, address, dir };
        eventually(STARTED_WITHIN, "coord-api answers", || {
            service.ask(Ask::new("GET", "/readyz")).is_ok_and(|a| a.status == 200)
        });
        service
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// One request on a connection of its own.
    pub fn ask(&self, ask: Ask) -> io::Result<Answer> {
        Conn::open(self.address)?.ask(&ask.closing())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago and was given to no other service of this process: it cannot
/// be asked to choose one and tell it.
fn free_address() -> io::Result<SocketAddr> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        if given.insert(address.port()) {
            return Ok(address);
        }
    }
}
