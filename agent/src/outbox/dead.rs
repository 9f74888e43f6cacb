//! Dead letters: what will not be sent again, with the reason, byte for byte (G7, G10).

use std::collections::HashSet;
use std::io;

use coord_protocol::id::Uuid;
use coord_protocol::time::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::Disk;
use super::drain::Settled;
use super::files::DEAD;
use super::line::{complete_lines, trim};
use super::news;

/// A dead letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Letter {
    /// When it was set aside.
    pub at: Millis,
    /// Why.
    pub reason: String,
    /// The server's status, when it was the server's verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The entry's id; of a line that is no entry, one that follows from where it lay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The entry's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The bytes in hexadecimal, when they are no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// The server's whole answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Value>,
}

impl Letter {
    /// A line that is no entry; its id follows from where it lay, so that a second look after a crash
    /// gives the same one.
    pub fn broken(at: Millis, id: Uuid, reason: &str, raw: &[u8]) -> Self {
        let text = std::str::from_utf8(raw).ok().map(str::to_owned);
        let hex = text.is_none().then(|| to_hex(raw));
        let id = Some(id.to_string());
        Self { at, reason: reason.to_owned(), status: None, id, text, hex, answer: None }
    }
}

fn to_hex(raw: &[u8]) -> String {
    use std::fmt::Write as _;
    raw.iter().fold(String::with_capacity(raw.len() * 2), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}

/// Whether a refused entry becomes a dead letter. A claim that somebody else was faster with is no
/// mistake in the entry: its session is told, and there is nothing to mend (G10).
pub fn is_for(s: &Settled) -> bool {
    !(news::is_lost(s) && s.request.session.is_some())
}

/// Adds letters, durably: they may leave the queue after this.
pub fn add(disk: &dyn Disk, letters: &[Letter]) -> io::Result<()> {
    if letters.is_empty() {
        return Ok(());
    }
    let file = disk.open_append(DEAD)?;
    let end = file.end()?;
    let mut text = String::new();
    if end > 0 && file.read_at(end - 1, 1)? != b"\n" {
        text.push('\n');
    }
    for l in letters {
        text.push_str(&serde_json::to_string(l)?);
        text.push('\n');
    }
    file.append(text.as_bytes())?;
    file.sync()?;
    disk.sync_dir("")
}

/// All letters, oldest first. A letter that was written twice around a crash is shown once.
pub fn list(disk: &dyn Disk) -> io::Result<Vec<Letter>> {
    let bytes = match disk.read(DEAD, 0) {
        Ok(b) => b,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let (lines, _) = complete_lines(&bytes);
    let mut seen = HashSet::new();
    Ok(lines
        .iter()
        .filter_map(|(_, l)| serde_json::from_slice::<Letter>(trim(l)).ok())
        .filter(|l| l.id.as_ref().is_none_or(|id| seen.insert(id.clone())))
        .collect())
}

/// Keeps only these letters. A crash leaves the old file or the new one.
pub fn replace(disk: &dyn Disk, letters: &[Letter]) -> io::Result<()> {
    const NEW: &str = "coord-queue.dead.new";
    let mut text = String::new();
    for l in letters {
        text.push_str(&serde_json::to_string(l)?);
        text.push('\n');
    }
    match disk.unlink(NEW) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        Ok(()) | Err(_) => {}
    }
    disk.create(NEW, text.as_bytes())?;
    disk.sync(NEW)?;
    disk.rename(NEW, DEAD)?;
    disk.sync_dir("")
}

/// Takes all letters away.
pub fn clear(disk: &dyn Disk) -> io::Result<()> {
    match disk.unlink(DEAD) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        Ok(()) | Err(_) => disk.sync_dir(""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::real_disk::RealDisk;
    use super::*;

    #[test]
    fn a_letter_behind_zeros_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(dir.path()).unwrap();
        std::fs::write(dir.path().join(DEAD), [0; 40]).unwrap();
        add(&disk, &[Letter::broken(Millis(0), Uuid::nil(), "rubbish", b"x")]).unwrap();
        // The newline that the appender put before it may be zeros as well.
        let bytes = disk.read(DEAD, 0).unwrap();
        let torn: Vec<u8> =
            bytes.iter().enumerate().map(|(n, b)| if n == 40 { 0 } else { *b }).collect();
        std::fs::write(dir.path().join(DEAD), torn).unwrap();
        assert_eq!(list(&disk).unwrap().len(), 1);
    }
}
