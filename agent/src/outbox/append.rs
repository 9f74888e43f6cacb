//! Appending an entry so that it is durable before anybody says "queued" (reliability 5.2).

use std::io;
use std::time::Duration;

use coord_protocol::limits::{QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX};
use coord_protocol::request::Request;

use super::disk::{Appender, Disk, Share};
use super::files::{LOCK, QUEUE};
use super::line::{LINE_BYTES_MAX, complete_lines};

/// How long an appender waits for a rewrite to end. Safety does not need the lock, only promptness.
pub(super) const LOCK_WAIT: Duration = Duration::from_millis(200);
/// How often a line is written again when a foreign writer fell into it, or the file was replaced.
const TRIES: usize = 5;
/// A queue with fewer bytes than this cannot hold too many entries, so they are not counted.
const COUNT_FROM_BYTES: u64 = 4 * 1024 * 1024;

/// Why an entry was not queued. It is *not* acknowledged (G2).
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Longer than a line may be.
    #[error("the entry is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// The queue is at its bound (G14).
    #[error("the queue is full ({0}): let `coord sync` send it, or drop entries")]
    Full(String),
    /// The disk could not.
    #[error("cannot write the queue durably: {0}")]
    Disk(#[from] io::Error),
    /// Foreign writers fell into every try.
    #[error("other programs write into the queue all the time; the line could not be kept whole")]
    Torn,
    /// The queue was another file after every try.
    #[error("other programs replace the queue all the time; the line could not be kept")]
    Replaced,
}

/// Appends an entry with its id, and returns when it will survive a power cut.
pub fn append(disk: &dyn Disk, entry: &Request) -> Result<(), AppendError> {
    let text = serde_json::to_string(entry).map_err(io::Error::from)?;
    append_line(disk, &text)
}

/// Appends one line of text (without newline).
pub fn append_line(disk: &dyn Disk, text: &str) -> Result<(), AppendError> {
    if text.len() >= LINE_BYTES_MAX {
        return Err(AppendError::TooLong);
    }
    let mut lock = None;
    for _ in 0..TRIES {
        // Not got in time: go on without, see reliability 5.6. Where the file was replaced meanwhile, it
        // was probably a rewrite of ours, and the lock is what keeps the next one away.
        if lock.is_none() {
            lock = disk.lock(LOCK, Share::Shared, LOCK_WAIT)?;
        }
        let file = disk.open_append(QUEUE)?;
        check_bounds(disk, file.as_ref(), text.len() as u64)?;
        write_whole(file.as_ref(), text)?;
        file.sync()?;
        // Always, not only when this made the file: whoever made it may have synced nothing.
        disk.sync_dir("")?;
        // An editor may have put another file in its place: then the line is nowhere. Or a rewrite
        // moved it aside while this went without the lock: then the line would be late (G4).
        if file.is_in_place()? {
            return Ok(());
        }
    }
    Err(AppendError::Replaced)
}

fn check_bounds(disk: &dyn Disk, file: &dyn Appender, more: u64) -> Result<(), AppendError> {
    let len = file.end()?;
    if len + more + 2 > QUEUE_BYTES_MAX {
        return Err(AppendError::Full(format!("{QUEUE_BYTES_MAX} bytes")));
    }
    if len >= COUNT_FROM_BYTES {
        let bytes = disk.read(QUEUE, 0)?;
        if complete_lines(&bytes).0.len() >= QUEUE_ENTRIES_MAX {
            return Err(AppendError::Full(format!("{QUEUE_ENTRIES_MAX} entries")));
        }
    }
    Ok(())
}

/// Writes the line and looks whether it stands whole: a writer that takes no lock may have written
/// between our look at the end and our write. Twins of a second try have the same id.
fn write_whole(file: &dyn Appender, text: &str) -> Result<(), AppendError> {
    for _ in 0..TRIES {
        let end = file.end()?;
        let open_line = end > 0 && file.read_at(end - 1, 1)? != b"\n";
        let line = if open_line { format!("\n{text}\n") } else { format!("{text}\n") };
        let at = file.append(line.as_bytes())?;
        let begins_line = open_line || at == 0 || file.read_at(at - 1, 1)? == b"\n";
        if begins_line && file.read_at(at, line.len())? == line.as_bytes() {
            return Ok(());
        }
    }
    Err(AppendError::Torn)
}
