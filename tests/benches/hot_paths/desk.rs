//! A workstation for the benches.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use coord_tests::bins::bin;
use coord_tests::raw::{Ask, Conn};
use serde_json::json;

/// A home, a project, and the address of a server.
pub(crate) struct Desk {
    home: tempfile::TempDir,
    url: String,
}

impl Desk {
    pub(crate) fn new(url: &str) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(home.path().join("p/.claude")).expect("a project");
        Self { home, url: url.to_owned() }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn queue(&self) -> PathBuf {
        self.home.path().join("p/.claude/coord-queue.jsonl")
    }

    /// A state folder beside the usual one.
    pub(crate) fn state(&self, name: &str) -> PathBuf {
        let folder = self.home.path().join(name);
        fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// `coord` with these arguments, of this workstation, for a server at `url`.
    pub(crate) fn coord(&self, args: &[&str], url: &str) -> Command {
        let mut c = Command::new(bin("coord"));
        c.args(args)
            .current_dir(self.home.path().join("p"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("COORD_SESSION_ID", "DESK/bench")
            .env("COORD_API_URL", url);
        c
    }

    /// Runs `coord` and insists that it succeeds.
    pub(crate) fn run(&self, args: &[&str]) {
        let status = self.coord(args, &self.url).stdout(Stdio::null()).status().expect("starts");
        assert!(status.success(), "coord {args:?}: {status}");
    }
}

/// Puts broadcasts into the store, as another session.
pub(crate) fn fill(address: SocketAddr, n: usize) {
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
