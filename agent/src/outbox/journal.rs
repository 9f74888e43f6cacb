//! The journal of settled ids: appended to by the drain, gone after a rewrite. A torn last record
//! is ignored; its entry is sent again and answered from the server's memory.

use std::collections::HashSet;
use std::io;

use serde::{Deserialize, Serialize};

use super::disk::Disk;
use super::files::JOURNAL;
use super::line::{complete_lines, trim};

#[derive(Serialize, Deserialize)]
struct Record {
    id: String,
    st: u16,
}

/// The ids that need not be sent any more.
pub fn settled(disk: &dyn Disk) -> io::Result<HashSet<String>> {
    let bytes = match disk.read(JOURNAL, 0) {
        Ok(b) => b,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(e),
    };
    let (lines, _) = complete_lines(&bytes);
    Ok(lines
        .iter()
        .filter_map(|(_, l)| serde_json::from_slice::<Record>(trim(l)).ok())
        .map(|r| r.id)
        .collect())
}

/// Notes what became of entries; synced once for all of them.
pub fn note(disk: &dyn Disk, settled: &[(String, u16)]) -> io::Result<()> {
    if settled.is_empty() {
        return Ok(());
    }
    let file = disk.open_append(JOURNAL)?;
    let end = file.end()?;
    let mut text = String::new();
    if end > 0 && file.read_at(end - 1, 1)? != b"\n" {
        text.push('\n');
    }
    for (id, st) in settled {
        text.push_str(&serde_json::to_string(&Record { id: id.clone(), st: *st })?);
        text.push('\n');
    }
    file.append(text.as_bytes())?;
    file.sync()
}

/// Whether anything is noted.
pub fn is_empty(disk: &dyn Disk) -> io::Result<bool> {
    Ok(disk.len(JOURNAL)?.unwrap_or(0) == 0)
}

/// Forgets everything: after a rewrite no line is left that it speaks of.
pub fn clear(disk: &dyn Disk) -> io::Result<()> {
    match disk.unlink(JOURNAL) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => Ok(()),
    }
}
