//! Looking at the outbox without changing it.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use coord_protocol::edge::Clock;

use super::disk::{Disk, Share};
use super::files::{LOCK, QUEUE};
use super::journal;
use super::line::{self, Entry, Line, complete_lines};
use super::rewrite::{has_asides, lying_aside};

/// What the public file holds at this moment.
#[derive(Debug, Default)]
pub struct Pending {
    /// Entries that are not settled, in order, each id once.
    pub entries: Vec<Entry>,
    /// Whether a rewrite has anything to do: lines without id, settled or broken ones, or a file
    /// with nothing in it.
    pub untidy: bool,
}

/// Reads the public file.
pub fn pending(disk: &dyn Disk) -> io::Result<Pending> {
    let bytes = match disk.read(QUEUE, 0) {
        Ok(b) => b,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Pending::default()),
        Err(e) => return Err(e),
    };
    let settled = journal::settled(disk)?;
    let (mut lines, end) = complete_lines(&bytes);
    let rest = &bytes[usize::try_from(end).unwrap_or(bytes.len())..];
    let mut found = Pending { untidy: !rest.is_empty(), ..Pending::default() };
    lines.push((end, rest));
    let mut seen = HashSet::new();
    for (_, raw) in lines {
        match line::parse(raw) {
            Line::Blank => {}
            Line::Broken(_) => found.untidy = true,
            Line::Entry(e) => match &e.request.id {
                Some(id) if settled.contains(id) || !seen.insert(id.clone()) => found.untidy = true,
                Some(_) => found.entries.push(*e),
                None => {
                    found.untidy = true;
                    found.entries.push(*e);
                }
            },
        }
    }
    found.untidy |= found.entries.is_empty();
    Ok(found)
}

/// Everything that waits, also what a rewrite has moved aside and not brought back; each id once.
pub fn all_waiting(disk: &dyn Disk, clock: &dyn Clock) -> io::Result<Vec<Entry>> {
    // Not got in time: an entry may be seen in neither of its two places this once.
    let _lock = match disk.len(LOCK)? {
        Some(_) => disk.lock(LOCK, Share::Shared, LOOK_WAIT).unwrap_or(None),
        None => None,
    };
    let mut all = if has_asides(disk)? { lying_aside(disk, clock)? } else { Vec::new() };
    let aside: HashSet<String> = all.iter().filter_map(|e| e.request.id.clone()).collect();
    let public = pending(disk)?.entries.into_iter();
    all.extend(public.filter(|e| e.request.id.as_ref().is_none_or(|id| !aside.contains(id))));
    Ok(all)
}

/// How long a look waits for a rewrite to end; after that, something may be waiting.
const LOOK_WAIT: Duration = Duration::from_millis(200);

/// Whether any write may be waiting: then new ones go behind it (G4). Cheap, and when in doubt yes.
pub fn anything_waiting(disk: &dyn Disk) -> io::Result<bool> {
    let look = || Ok(disk.len(QUEUE)?.unwrap_or(0) > 0 || has_asides(disk)?);
    if look()? {
        return Ok(true);
    }
    // Without the lock file no rewrite ever began.
    if disk.len(LOCK)?.is_none() {
        return Ok(false);
    }
    // A rewrite moves entries from one place to the other: between our two looks they can have been
    // in each place when we looked at the other one. Where the lock cannot be had (a folder that is
    // read-only) no rewrite is at work either.
    match disk.lock(LOCK, Share::Shared, LOOK_WAIT) {
        Ok(Some(_lock)) => look(),
        Ok(None) => Ok(true),
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use coord_server::edge::{OsRng, SystemClock};

    use super::super::real_disk::RealDisk;
    use super::super::rewrite::rewrite;
    use super::*;

    #[test]
    fn what_waits_is_seen_through_every_rewrite() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(QUEUE), "{\"method\":\"POST\",\"path\":\"/a\"}\n").unwrap();
        let over = AtomicBool::new(false);
        let missed = thread::scope(|scope| {
            let looks: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let mut missed = 0;
                        while !over.load(Ordering::SeqCst) {
                            missed += usize::from(!anything_waiting(&disk).unwrap());
                        }
                        missed
                    })
                })
                .collect();
            for _ in 0..300 {
                rewrite(&disk, &SystemClock, &OsRng, Duration::from_secs(2)).unwrap();
            }
            over.store(true, Ordering::SeqCst);
            looks.into_iter().map(|l| l.join().unwrap()).sum::<usize>()
        });
        assert_eq!(missed, 0, "a write would have gone before one that waits");
    }
}
