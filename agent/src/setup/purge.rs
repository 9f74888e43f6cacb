//! What `coord uninstall --purge` removes besides: the project's queue, and coord's own files in the state
//! folder, by name, since a variable may put that folder anywhere. Never a write that waits, a database,
//! or what other projects need.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::site::Site;
use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::local_server;
use crate::outbox::real_disk::RealDisk;
use crate::registry::Registry;

/// How names in the state folder begin.
const STATE: [&str; 17] = [
    "agent.log",
    "alive-",
    "began-",
    "breaker-",
    "call-",
    "carried-",
    "forgot-",
    "held-",
    "kept-",
    "looked-",
    "mail-sent",
    "outboxes",
    "replica-",
    "seen-",
    "server.json",
    "server.log",
    "token",
];
const QUEUE: [&str; 1] = ["coord-queue."];

/// The files and folders that go; why they must not.
pub fn find(site: &Site) -> Result<Vec<PathBuf>, String> {
    let outbox = RealDisk::at(&site.root().join(".claude"));
    let state = RealDisk::at(&site.state);
    let waits = Registry::new(&state, &outbox, "").waiting_anywhere();
    if let Some(folder) = waits.first() {
        return Err(format!(
            "writes wait in {folder}: `coord sync`, or `coord outbox drop`, first"
        ));
    }
    if let Some(server) = local_server::record(&state) {
        return Err(format!("a server of yours runs at {}: `coord stop` first", server.url));
    }
    Ok([named(outbox.root(), &QUEUE), named(&site.state, &STATE)].concat())
}

/// What in a folder has a name that begins like one of these.
fn named(folder: &Path, beginnings: &[&str]) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let is_ours = |e: &fs::DirEntry| {
        let name = e.file_name();
        let name = name.to_string_lossy();
        beginnings.iter().any(|b| name.starts_with(b))
    };
    let mut all: Vec<PathBuf> = entries.filter(is_ours).map(|e| e.path()).collect();
    all.sort();
    all
}

/// Removes them, and the state folder where nothing else is in it; says whether it is gone.
pub fn remove(all: &[PathBuf], state: &Path) -> io::Result<bool> {
    for path in all {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?;
    }
    Ok(fs::remove_dir(state).is_ok() || !state.exists())
}

/// The folder of databases, which stays.
pub fn databases(env: &Env) -> Option<PathBuf> {
    Paths::find(env).ok().map(|p| p.data).filter(|d| d.is_dir())
}
