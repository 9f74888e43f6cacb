//! The workstation's own engine in place of a server: sessions here coordinate through one database
//! file, with the same rules, and no process has to run (design 2, "local authority").

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::Rng;
use coord_server::api::Call;
use coord_server::edge::{OsRng, SystemClock};
use coord_server::local::Local;
use coord_server::service::Rules;

use super::{Incoming, Net, NetError, Outgoing};

/// What `coord_api` says for "no server, this workstation alone".
pub const LOCAL: &str = "local";

/// The engine behind the same face as a server.
pub struct LocalNet {
    path: PathBuf,
    rules: Rules,
}

impl LocalNet {
    /// Over this file, made when it is missing.
    pub fn new(path: &Path, rules: Rules) -> Self {
        Self { path: path.to_owned(), rules }
    }

    /// Whether anything was ever written to it.
    pub fn exists(&self) -> bool {
        self.path.exists()
    }
}

/// Names this run of the machine. Where the system has no name for it, every call counts as a run of
/// its own and goes by the wall clock: times since boot of different runs cannot be compared.
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| format!("{:016x}", OsRng.u64()), |id| id.trim().to_owned())
}

impl Net for LocalNet {
    /// Nobody else's program is waited for, only those that write into the same file.
    fn call(&self, out: &Outgoing, budget: Duration) -> Result<Incoming, NetError> {
        let failed = |e: &dyn std::error::Error| {
            NetError::Unreachable(format!("the local store {}", self.path.display()), e.to_string())
        };
        let local = Local::open(&self.path, self.rules, &SystemClock, &OsRng, boot_id())
            .map_err(|e| failed(&e))?
            .within(budget);
        let call = Call {
            method: out.method.map_or("GET", coord_protocol::request::Method::as_str).to_owned(),
            target: out.path.clone(),
            body: out.body.clone(),
            key: out.key.clone(),
            session: out.session.clone(),
            ..Call::default()
        };
        let reply = local.call(&call).map_err(|e| failed(&e))?;
        Ok(Incoming {
            status: reply.status,
            instance: Some(local.instance().map_err(|e| failed(&e))?),
            entry: reply.key,
            replayed: reply.replayed,
            retry_after: None,
            body: reply.body.into_bytes(),
        })
    }
}
