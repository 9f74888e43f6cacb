//! Whose a tool call is: the hook before it knows the session, the MCP server is told only the call's
//! id. The hook leaves a note in the state folder, the server takes it (docs/mcp.md).

use std::io;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::time::Millis;
use coord_server::edge::SystemClock;
use sha2::{Digest, Sha256};

use crate::outbox::disk::Disk;
use crate::outbox::real_disk::RealDisk;

/// Name of a note: this, and a hash of the call's id.
const PREFIX: &str = "call-";
/// A call that was not made by then will not be made.
const KEPT_FOR: Duration = Duration::from_hours(1);
/// Notes that are kept, at most: calls that a host announced and never made.
const KEPT_MAX: usize = 500;
/// Longest id and longest name that are noted.
const TEXT_BYTES_MAX: usize = 256;
/// Hexadecimal digits of the hash in a name.
const HASH_DIGITS: usize = 16;

/// Notes that the call with this id is made by this session, and takes away what nobody came for.
pub fn note(state: &RealDisk, tool_use_id: &str, session: &str) -> io::Result<()> {
    if !is_notable(tool_use_id) || !is_notable(session) {
        let why = format!("a call's id and its session are 1 to {TEXT_BYTES_MAX} visible bytes");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    }
    let text = format!("{tool_use_id}\n{session}\n");
    state.put(&name_of(tool_use_id), text.as_bytes())?;
    sweep(state, SystemClock.wall());
    Ok(())
}

/// The session that makes the call with this id, if it was noted within the hour. Told once.
pub fn take(state: &RealDisk, tool_use_id: &str) -> Option<String> {
    if !is_notable(tool_use_id) {
        return None;
    }
    let name = name_of(tool_use_id);
    let stamp = state.stamp(&name).ok()??;
    let noted = Millis(stamp.modified / 1_000_000);
    let fits = usize::try_from(stamp.len).is_ok_and(|len| len <= 2 * (TEXT_BYTES_MAX + 1));
    let text = if fits { state.read(&name, 0).ok() } else { None };
    // Best effort: what stays is swept later.
    let _ = state.unlink(&name);
    let text = String::from_utf8(text?).ok()?;
    let (id, session) = text.split_once('\n')?;
    let session = session.strip_suffix('\n')?;
    let is_it = id == tool_use_id && is_notable(session) && !is_old(noted, SystemClock.wall());
    is_it.then(|| session.to_owned())
}

fn name_of(tool_use_id: &str) -> String {
    let hash = Sha256::digest(tool_use_id.as_bytes());
    let digits: String = hash.iter().map(|b| format!("{b:02x}")).collect();
    format!("{PREFIX}{}", &digits[..HASH_DIGITS])
}

fn is_notable(text: &str) -> bool {
    (1..=TEXT_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_old(noted: Millis, now: Millis) -> bool {
    now.since(noted) > KEPT_FOR
}

fn sweep(state: &RealDisk, now: Millis) {
    let all = state.list("").unwrap_or_default();
    let mut notes: Vec<_> = all.into_iter().filter(|f| f.name.starts_with(PREFIX)).collect();
    notes.sort_by_key(|f| std::cmp::Reverse(f.modified.0));
    for (n, note) in notes.iter().enumerate() {
        if n >= KEPT_MAX || is_old(note.modified, now) {
            let _ = state.unlink(&note.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::SystemTime;

    use super::*;

    fn state() -> (tempfile::TempDir, RealDisk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::at(&dir.path().join("state"));
        (dir, disk)
    }

    fn age(state: &RealDisk, id: &str, by: Duration) {
        let file = File::options().write(true).open(state.root().join(name_of(id))).unwrap();
        file.set_modified(SystemTime::now() - by).unwrap();
    }

    #[test]
    fn told_once_to_whom_it_was_noted_for() {
        let (_dir, state) = state();
        assert_eq!(take(&state, "toolu_1"), None);
        note(&state, "toolu_1", "BOX/claude-1").unwrap();
        note(&state, "toolu_2", "BOX/claude-2").unwrap();
        let mode =
            fs::metadata(state.root().join(name_of("toolu_1"))).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(take(&state, "toolu_1").as_deref(), Some("BOX/claude-1"));
        assert_eq!(take(&state, "toolu_1"), None, "a call is made once");
        assert_eq!(take(&state, "toolu_2").as_deref(), Some("BOX/claude-2"));
        assert!(state.list("").unwrap().is_empty());
    }

    #[test]
    fn what_is_old_is_not_told_and_goes() {
        let (_dir, state) = state();
        for id in ["old", "gone", "young"] {
            note(&state, id, "BOX/x").unwrap();
        }
        for id in ["old", "gone"] {
            age(&state, id, KEPT_FOR + Duration::from_secs(5));
        }
        assert_eq!(take(&state, "old"), None);
        note(&state, "next", "BOX/x").unwrap();
        let left: Vec<_> = state.list("").unwrap().into_iter().map(|f| f.name).collect();
        assert!(!left.contains(&name_of("gone")) && left.len() == 2, "{left:?}");
        assert_eq!(take(&state, "young").as_deref(), Some("BOX/x"));
    }

    #[test]
    fn there_are_never_many() {
        let (_dir, state) = state();
        fs::create_dir_all(state.root()).unwrap();
        for n in 0..KEPT_MAX + 20 {
            fs::write(state.root().join(format!("{PREFIX}{n}")), "").unwrap();
        }
        note(&state, "last", "BOX/x").unwrap();
        assert_eq!(state.list("").unwrap().len(), KEPT_MAX);
        assert_eq!(take(&state, "last").as_deref(), Some("BOX/x"));
    }

    #[test]
    fn what_is_no_note_is_none() {
        let (dir, state) = state();
        let long = "x".repeat(TEXT_BYTES_MAX + 1);
        for (id, session) in [("", "s"), ("a\nb", "s"), (&long, "s"), ("a", "s\nt"), ("a", &long)] {
            assert_eq!(note(&state, id, session).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        }
        fs::create_dir_all(state.root()).unwrap();
        let file = state.root().join(name_of("a"));
        for text in [
            "b\nBOX/x\n".to_owned(),
            "a\nBOX/x".to_owned(),
            String::new(),
            format!("a\n{}", "y".repeat(9000)),
        ] {
            fs::write(&file, text).unwrap();
            assert_eq!(take(&state, "a"), None);
        }
        fs::write(dir.path().join("elsewhere"), "a\nBOX/x\n").unwrap();
        symlink(dir.path().join("elsewhere"), &file).unwrap();
        assert_eq!(take(&state, "a"), None, "no link is followed");
        symlink(dir.path().join("elsewhere"), &file).unwrap();
        assert!(note(&state, "a", "BOX/y").is_err());
    }
}
