//! What `coord uninstall --purge` removes besides: the project's queue and the state folder. Never a
//! write that waits, and never a database.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::site::Site;
use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::local_server;
use crate::outbox::real_disk::RealDisk;
use crate::outbox::view::anything_waiting;

/// The files and folders that go; why they must not.
pub fn find(site: &Site) -> Result<Vec<PathBuf>, String> {
    let outbox = RealDisk::at(&site.root().join(".claude"));
    let waits = anything_waiting(&outbox).map_err(|e| e.to_string())?;
    if waits {
        let folder = outbox.root().display();
        return Err(format!(
            "writes wait in {folder}: `coord sync`, or `coord outbox drop`, first"
        ));
    }
    let state = RealDisk::at(&site.state);
    if let Some(server) = local_server::record(&state) {
        return Err(format!("a server of yours runs at {}: `coord stop` first", server.url));
    }
    let queue = fs::read_dir(outbox.root()).into_iter().flatten().filter_map(Result::ok);
    let queue = queue.filter(|e| e.file_name().to_string_lossy().starts_with("coord-queue."));
    let mut all: Vec<PathBuf> = queue.map(|e| e.path()).collect();
    all.sort();
    if site.state.is_dir() {
        all.push(site.state.clone());
    }
    Ok(all)
}

/// Removes them.
pub fn remove(all: &[PathBuf]) -> io::Result<()> {
    for path in all {
        let meta = match fs::symlink_metadata(path) {
            Ok(meta) => meta,
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(e),
        };
        if meta.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?;
    }
    Ok(())
}

/// The folder of databases, which stays.
pub fn databases(env: &Env) -> Option<PathBuf> {
    Paths::find(env).ok().map(|p| p.data).filter(|d| d.is_dir())
}
