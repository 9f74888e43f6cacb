//! What the processes of this workstation know of each other: the outboxes of its projects, in a file
//! of the state folder, and when each session was last heard here.

use std::io;
use std::path::Path;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_server::edge::SystemClock;

use crate::config::project;
use crate::outbox::disk::{Disk, Guard, Share};
use crate::outbox::real_disk::RealDisk;
use crate::outbox::view::anything_waiting;
use crate::remote::breaker::short_hash;
use crate::remote::local::boot_id;
use crate::replica::Neighbours;

/// Names the outboxes, each behind the address of its server.
const OUTBOXES: &str = "outboxes";
/// Kernel lock of those who change the list.
const LOCK: &str = "outboxes.lock";
const LOCK_WAIT: Duration = Duration::from_millis(500);
const OUTBOXES_MAX: usize = 200;

/// The registry, as one command for one server in one project sees it.
pub struct Registry {
    state: RealDisk,
    own: RealDisk,
    base: String,
}

impl Registry {
    /// Of this state folder, for this server, seen from this outbox.
    pub fn new(state: &RealDisk, own: &RealDisk, base: &str) -> Self {
        Self { state: state.clone(), own: own.clone(), base: base.to_owned() }
    }

    fn lock(&self) -> io::Result<Box<dyn Guard>> {
        let lock = self.state.lock(LOCK, Share::Exclusive, LOCK_WAIT)?;
        lock.ok_or_else(|| io::Error::other("the list of outboxes is busy"))
    }

    fn lines(&self) -> Vec<String> {
        let bytes = self.state.read(OUTBOXES, 0).unwrap_or_default();
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }

    fn known(&self) -> Vec<String> {
        let of_base = |l: &String| {
            let (base, folder) = l.split_once(' ')?;
            (base == self.base).then(|| folder.to_owned())
        };
        self.lines().iter().filter_map(of_base).collect()
    }

    /// Something is queued here: other processes of the workstation look here too, and git is told to
    /// leave the queue alone.
    pub fn remember_own(&self) -> io::Result<()> {
        let here = self.own.root().display().to_string();
        if here.contains('\n') {
            return Err(io::Error::other("the project's path holds a line break"));
        }
        if self.known().contains(&here) {
            return Ok(());
        }
        let _lock = self.lock()?;
        let known = self.lines();
        if known.len() >= OUTBOXES_MAX {
            return Err(io::Error::other(
                "too many outboxes; `coord sync` forgets those done with",
            ));
        }
        project::exclude_from_git(self.own.root(), "coord-queue.*");
        let file = self.state.open_append(OUTBOXES)?;
        file.append(format!("{} {here}\n", self.base).as_bytes())?;
        file.sync()
    }

    /// Outboxes of other projects in which something waits for this server. What waits for another
    /// server is not for this one to have.
    pub fn others(&self) -> Vec<RealDisk> {
        let here = self.own.root().display().to_string();
        let others = self.known().into_iter().filter(|k| *k != here);
        others
            .map(|k| RealDisk::at(Path::new(&k)))
            .filter(|d| anything_waiting(d).unwrap_or(false))
            .collect()
    }

    /// All outboxes of this workstation in which something waits, for whatever server.
    pub fn waiting_anywhere(&self) -> Vec<String> {
        let lines = self.lines();
        let folders = lines.iter().filter_map(|l| l.split_once(' ')).map(|(_, f)| f.to_owned());
        let own = self.own.root().display().to_string();
        let mut all: Vec<String> = folders.chain([own]).collect();
        all.sort();
        all.dedup();
        all.retain(|f| anything_waiting(&RealDisk::at(Path::new(f))).unwrap_or(true));
        all
    }

    /// Forgets outboxes in which nothing waits any more, and gives those that are gone, with a work
    /// tree that was removed, say: what had not been sent from there by then is gone, too.
    pub fn forget_done(&self) -> Vec<String> {
        // Busy: the next sync does it.
        let Ok(_lock) = self.lock() else { return Vec::new() };
        let (mut kept, mut gone) = (String::new(), Vec::new());
        let lines = self.lines();
        for known in &lines {
            let folder = known.split_once(' ').map_or(known.as_str(), |(_, folder)| folder);
            if !Path::new(folder).is_dir() {
                gone.push(folder.to_owned());
            } else if anything_waiting(&RealDisk::at(Path::new(folder))).unwrap_or(true) {
                kept.push_str(known);
                kept.push('\n');
            }
        }
        if kept.lines().count() != lines.len() {
            // Best effort: an outbox that is forgotten by mistake is found by who works there.
            let _ = self.state.put(OUTBOXES, kept.as_bytes());
        }
        gone
    }
}

impl Neighbours for Registry {
    fn remember(&self) -> io::Result<()> {
        self.remember_own()
    }

    fn outboxes(&self) -> Vec<Box<dyn Disk + '_>> {
        let mut all: Vec<Box<dyn Disk>> = vec![Box::new(self.own.clone())];
        for other in self.others() {
            all.push(Box::new(other));
        }
        all
    }

    fn heard(&self, session: &str) -> Option<Duration> {
        heard(&self.state, session)
    }
}

fn alive_name(session: &str) -> String {
    format!("seen-{:08x}", short_hash(session))
}

/// A session of this workstation does something.
pub fn note_heard(state: &RealDisk, session: &str) {
    let text = format!("{} {}", boot_id(), SystemClock.boot().0);
    // Where it cannot be noted (a sandbox), nobody here stands in for the server either.
    let _ = state.put(&alive_name(session), text.as_bytes());
}

/// How long ago a session was last heard here, in this run of the machine.
fn heard(state: &RealDisk, session: &str) -> Option<Duration> {
    let bytes = state.read(&alive_name(session), 0).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (run, at) = text.split_once(' ')?;
    let at = coord_protocol::time::Millis(at.trim().parse().ok()?);
    (run == boot_id()).then(|| SystemClock.boot().since(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_while_others_forget_stays() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::open(&dir.path().join("state")).unwrap();
        let own = |n: usize| {
            let root = dir.path().join(format!("p{n}"));
            std::fs::create_dir_all(&root).unwrap();
            std::fs::write(root.join("coord-queue.jsonl"), "{}\n").unwrap();
            RealDisk::at(&root)
        };
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (state, own) = (&state, own(n));
                scope.spawn(move || {
                    let registry = Registry::new(state, &own, "base");
                    registry.remember_own().unwrap();
                    registry.forget_done();
                });
            }
        });
        let registry = Registry::new(&state, &own(8), "base");
        assert_eq!(registry.others().len(), 8);
        assert!(Registry::new(&state, &own(8), "another").others().is_empty());
    }

    #[test]
    fn a_session_is_heard() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::open(dir.path()).unwrap();
        assert_eq!(heard(&state, "A/x"), None);
        note_heard(&state, "A/x");
        assert!(heard(&state, "A/x").is_some_and(|ago| ago < Duration::from_mins(1)));
        assert_eq!(heard(&state, "A/y"), None);
    }
}
