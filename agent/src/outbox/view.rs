//! Looking at the outbox without changing it.

use std::collections::HashSet;
use std::io;

use super::append::LOCK_WAIT;
use super::disk::{Disk, Share};
use super::files::{LOCK, QUEUE};
use super::journal;
use super::line::{self, Entry, Line, complete_lines};
use super::rewrite::has_asides;

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

/// Whether any write may be waiting: then new ones go behind it (G4). Cheap, and when in doubt yes.
pub fn anything_waiting(disk: &dyn Disk) -> io::Result<bool> {
    let look = || Ok(disk.len(QUEUE)?.unwrap_or(0) > 0 || has_asides(disk)?);
    // Without the lock's file nothing was ever queued or rewritten here.
    if look()? {
        return Ok(true);
    }
    if disk.len(LOCK)?.is_none() {
        return Ok(false);
    }
    // A rewrite may have had the entries aside while the queue was looked at, and back in the queue
    // when the files aside were: only while there is none does "nothing" mean nothing.
    match disk.lock(LOCK, Share::Shared, LOCK_WAIT) {
        Ok(Some(_lock)) => look(),
        Ok(None) => Ok(true),
        // A folder that can only be read has no rewrites either.
        Err(_) => Ok(false),
    }
}
