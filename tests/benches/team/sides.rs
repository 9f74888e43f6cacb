//! The two servers.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use coord_tests::peer::{Service, TOKEN};
use coord_tests::raw::{Ask, Conn};
use coord_tests::server::{Setup, TestServer};

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Ours,
    Theirs,
}

enum Server {
    Ours(TestServer),
    Theirs(Service),
}

/// A server on a new database.
pub(crate) struct Side {
    server: Server,
    pub(crate) kind: Kind,
    /// From its start to its first answer.
    pub(crate) started: Duration,
}

impl Side {
    pub(crate) fn start(kind: Kind, programs: &Path) -> Self {
        let began = Instant::now();
        let server = match kind {
            Kind::Theirs => Server::Theirs(Service::start(programs, &[])),
            Kind::Ours => {
                let setup = Setup::new("axum").env("COORD_ALLOW_INSECURE_NO_AUTH", "");
                Server::Ours(setup.env("COORD_AUTH_TOKEN", TOKEN).start())
            }
        };
        let side = Self { server, kind, started: began.elapsed() };
        side.conn().ask(&Ask::new("GET", "/readyz")).expect("an answer").expect(200);
        Self { started: began.elapsed(), ..side }
    }

    fn address(&self) -> SocketAddr {
        match &self.server {
            Server::Ours(s) => s.address(),
            Server::Theirs(s) => s.address(),
        }
    }

    /// A connection that stays.
    pub(crate) fn conn(&self) -> Conn {
        let conn = Conn::open(self.address()).expect("the server listens");
        // Thousands of claims in one request take the other side minutes.
        conn.socket().set_read_timeout(None).expect("a socket");
        conn
    }

    /// Its resident memory in MiB.
    pub(crate) fn memory(&self) -> usize {
        let pid = match &self.server {
            Server::Ours(s) => s.pid(),
            Server::Theirs(s) => s.pid(),
        };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.trim().strip_suffix(" kB")).and_then(|n| n.parse().ok());
        kib.map_or(0, |n: usize| n / 1024)
    }
}
