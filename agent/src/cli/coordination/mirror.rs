//! The documents as files, for scripts that look into them. Output only: nothing here is believed when
//! it is read; only the count of pings goes on from what the last one wrote.

use std::io;
use std::path::Path;

use coord_protocol::edge::{Clock as _, fresh_id};
use coord_protocol::exit;
use serde_json::Value;

use super::documents as doc;
use super::folder::Folder;
use super::snapshot::{Snapshot, take};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::CliError;

/// Held while the files are written, so that an older look never replaces a newer one.
const LOCK: &str = ".mirror.lock";

/// Why the files are written.
pub(super) enum How<'a> {
    /// Something changed; files of what is gone go.
    Changed,
    /// This instance registered: its pings begin anew.
    Registered(&'a str),
    /// This instance gave a sign of life.
    Pinged(&'a str),
    /// Into any folder: nothing there is removed.
    Export,
}

/// Writes the documents of a project as it stands now. A folder that is not as we would have made it is
/// left alone.
pub(super) fn write(
    cx: &Context,
    key: &str,
    dir: &Path,
    how: &How<'_>,
) -> Result<Snapshot, CliError> {
    let failed = |e: io::Error| {
        let why = line(&format!("{} cannot be written: {e}", dir.display()));
        CliError::new(exit::NOT_DURABLE, why)
    };
    let folders = Folders::open(dir).map_err(failed)?;
    // Freed when this process ends, however it ends.
    let _lock = folders.top.lock(LOCK).map_err(failed)?;
    let now = take(cx, key)?;
    put_all(cx, &folders, &now, how).map_err(failed)?;
    Ok(now)
}

/// The folder and those in it.
pub(super) struct Folders {
    pub(super) top: Folder,
    locks: Folder,
    beats: Folder,
}

impl Folders {
    /// Opens them; those that are missing are made.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let top = Folder::open(dir)?;
        Ok(Self { locks: top.sub("locks")?, beats: top.sub("heartbeats")?, top })
    }
}

fn put_all(cx: &Context, to: &Folders, now: &Snapshot, how: &How<'_>) -> io::Result<()> {
    let tag = fresh_id(&cx.clock, &cx.rng).simple().to_string();
    let put = |to: &Folder, name: &str, document: &Value| {
        to.put(name, &tag, format!("{document:#}\n").as_bytes())
    };
    let instances: Vec<_> = now.sessions.iter().map(|s| doc::instance(s, &now.locks)).collect();
    put(&to.top, "work-registry.json", &doc::registry(&instances, cx.clock.wall()))?;
    put(&to.top, "decision-log.json", &doc::decision_log(&now.decisions))?;
    let (mut locks, mut beats) = (Vec::new(), Vec::new());
    for l in &now.locks {
        let name = format!("{}.json", doc::lock_name(l));
        put(&to.locks, &name, &doc::lock(l, &now.sessions, &cx.project.root))?;
        locks.push(name);
    }
    for s in &now.sessions {
        let name = format!("{}.json", doc::file_name(&s.session_id));
        let before = pings(&to.beats.read(&name));
        let count = match how {
            How::Registered(id) if *id == s.session_id => 0,
            How::Pinged(id) if *id == s.session_id => before + 1,
            How::Registered(_) | How::Pinged(_) | How::Changed | How::Export => before,
        };
        put(&to.beats, &name, &doc::heartbeat(s, count))?;
        beats.push(name);
    }
    if !matches!(how, How::Export) {
        remove_old(&to.locks, &locks, doc::is_lock)?;
        remove_old(&to.beats, &beats, doc::is_heartbeat)?;
    }
    Ok(())
}

/// Takes away what we wrote and what is over. Files of others stay, whatever they are called.
fn remove_old(
    folder: &Folder,
    kept: &[String],
    is_ours: impl Fn(&str, &Value) -> bool,
) -> io::Result<()> {
    for name in folder.names()?.iter().filter(|n| !kept.contains(n)) {
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let document = serde_json::from_slice(&folder.read(name)).unwrap_or_default();
        if is_ours(stem, &document) {
            folder.remove(name)?;
        }
    }
    Ok(())
}

fn pings(text: &[u8]) -> u64 {
    serde_json::from_slice::<Value>(text).ok().and_then(|v| v["ping_count"].as_u64()).unwrap_or(0)
}
