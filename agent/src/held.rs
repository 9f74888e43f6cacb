//! What a session was told that it holds: its next edit of the same file costs one look at this small
//! file, and neither the network nor a database. It is only ever trusted for less than the lease itself
//! lasts, and goes as soon as anything is heard that could have ended a claim.
//!
//! A line each: run of the machine and server, until when (ms since its start), id, project, file; by tabs.

use std::io;
use std::time::Duration;

use coord_protocol::time::Millis;

use crate::outbox::disk::Disk;
use crate::outbox::real_disk::RealDisk;
use crate::remote::breaker::short_hash;
use crate::remote::local::boot_id;

/// The record begins anew when it is longer.
const BYTES_MAX: u64 = 64 * 1024;

/// Beginning of the names of these records.
pub(crate) const PREFIX: &str = "held-";

/// A file of a project.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    /// The project.
    pub(crate) project: &'a str,
    /// Its name as a resource.
    pub(crate) file: &'a str,
}

fn name(session: &str) -> String {
    format!("{PREFIX}{:08x}", short_hash(session))
}

/// The moment, on the clock of this run of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now<'a> {
    /// Names the run, see [`run_of`].
    pub(crate) run: &'a str,
    /// Since its start.
    pub(crate) boot: Millis,
}

/// Names the run of the machine, and the server whose word the record is.
pub(crate) fn run_of(base: &str) -> String {
    format!("{} {:08x}", boot_id(), short_hash(base))
}

/// The id of the session's claim on a file, if it surely holds it.
pub(crate) fn find(state: &RealDisk, session: &str, key: Key<'_>, now: Now<'_>) -> Option<String> {
    let bytes = state.read(&name(session), 0).ok()?;
    let text = std::str::from_utf8(&bytes).ok()?;
    text.lines().rev().find_map(|line| {
        let mut parts = line.splitn(5, '\t');
        let run = parts.next()?;
        let until = parts.next()?.parse().ok().map(Millis)?;
        let id = parts.next()?;
        let is_it = parts.next()? == key.project && parts.next()? == key.file;
        (is_it && run == now.run && now.boot < until).then(|| id.to_owned())
    })
}

/// Notes a claim that holds for so long from now.
pub(crate) fn note(
    state: &RealDisk,
    session: &str,
    key: Key<'_>,
    id: &str,
    now: Now<'_>,
    lasts: Duration,
) -> io::Result<()> {
    let name = name(session);
    if [key.project, key.file, id].iter().any(|t| t.contains(['\t', '\n'])) {
        return Ok(());
    }
    if state.len(&name)?.is_some_and(|n| n > BYTES_MAX) {
        forget(state, session);
    }
    let until = now.boot.plus(lasts).0;
    let line = format!("{}\t{until}\t{id}\t{}\t{}\n", now.run, key.project, key.file);
    state.open_append(&name)?.append(line.as_bytes()).map(drop)
}

/// Something may have ended a claim of the session.
pub(crate) fn forget(state: &RealDisk, session: &str) {
    // One that is not there is forgotten, too.
    let _ = state.unlink(&name(session));
}

/// Something may have ended a claim of any session.
pub(crate) fn forget_all(state: &RealDisk) {
    for entry in state.list("").unwrap_or_default() {
        if entry.name.starts_with(PREFIX) {
            let _ = state.unlink(&entry.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LASTS: Duration = Duration::from_secs(10);

    #[test]
    fn a_claim_is_known_while_it_surely_holds() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::at(dir.path());
        let key = Key { project: "p", file: "a b" };
        let at = |run, ms| Now { run, boot: Millis(ms) };
        assert_eq!(find(&state, "s", key, at("r", 0)), None);
        note(&state, "s", key, "id", at("r", 1000), LASTS).unwrap();
        assert_eq!(find(&state, "s", key, at("r", 10_999)).as_deref(), Some("id"));
        for (session, key, now) in [
            ("s", key, at("r", 11_000)),
            ("s", key, at("another run", 2000)),
            ("other", key, at("r", 2000)),
            ("s", Key { project: "q", ..key }, at("r", 2000)),
            ("s", Key { file: "a", ..key }, at("r", 2000)),
        ] {
            assert_eq!(find(&state, session, key, now), None, "{session} {key:?} {now:?}");
        }
        note(&state, "s", key, "later", at("r", 20_000), LASTS).unwrap();
        assert_eq!(find(&state, "s", key, at("r", 21_000)).as_deref(), Some("later"));
        note(&state, "t", key, "x", at("r", 0), LASTS).unwrap();
        forget(&state, "s");
        assert_eq!(find(&state, "s", key, at("r", 21_000)), None);
        forget_all(&state);
        assert_eq!(find(&state, "t", key, at("r", 1)), None);
    }

    #[test]
    fn garbage_is_no_claim() {
        let dir = tempfile::tempdir().unwrap();
        let state = RealDisk::at(dir.path());
        let key = Key { project: "p", file: "f" };
        let now = Now { run: "r", boot: Millis(0) };
        for text in ["", "\n\n", "r", "r\tx\tid\tp\tf\n", "r\t9\tid\tp\n", "\u{fffd}"] {
            state.put(&name("s"), text.as_bytes()).unwrap();
            assert_eq!(find(&state, "s", key, now), None, "{text:?}");
        }
        let tabs = Key { project: "p\tq", file: "f" };
        note(&state, "s", tabs, "id", now, LASTS).unwrap();
        assert_eq!(find(&state, "s", tabs, now), None);
    }
}
