//! The documents as files, for scripts that look into them. Output only: nothing here is believed when
//! it is read; only the count of pings goes on from what the last one wrote.

use std::fs;
use std::io;
use std::path::Path;

use coord_protocol::edge::{Clock as _, fresh_id};
use coord_protocol::exit;
use serde_json::Value;

use super::documents as doc;
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

/// Writes the documents of a project as it stands now.
pub(super) fn write(
    cx: &Context,
    key: &str,
    dir: &Path,
    how: &How<'_>,
) -> Result<Snapshot, CliError> {
    let failed = |e: io::Error| {
        let why = format!("{} cannot be written: {e}", line(&dir.display().to_string()));
        CliError::new(exit::NOT_DURABLE, why)
    };
    fs::create_dir_all(dir).map_err(failed)?;
    // Freed when this process ends, however it ends.
    let lock = fs::File::create(dir.join(LOCK)).map_err(failed)?;
    lock.lock().map_err(failed)?;
    let now = take(cx, key)?;
    put_all(cx, dir, &now, how).map_err(failed)?;
    Ok(now)
}

fn put_all(cx: &Context, dir: &Path, now: &Snapshot, how: &How<'_>) -> io::Result<()> {
    let (locks, beats) = (dir.join("locks"), dir.join("heartbeats"));
    fs::create_dir_all(&locks)?;
    fs::create_dir_all(&beats)?;
    let tag = fresh_id(&cx.clock, &cx.rng).simple().to_string();
    let put = |file: &Path, document: &Value| put(file, &tag, document);
    let instances: Vec<_> = now.sessions.iter().map(|s| doc::instance(s, &now.locks)).collect();
    put(&dir.join("work-registry.json"), &doc::registry(&instances, cx.clock.wall()))?;
    put(&dir.join("decision-log.json"), &doc::decision_log(&now.decisions))?;
    let mut kept = Vec::new();
    for l in &now.locks {
        let file = locks.join(format!("{}.json", doc::lock_name(l)));
        put(&file, &doc::lock(l, &now.sessions, &cx.project.root))?;
        kept.push(file);
    }
    for s in &now.sessions {
        let file = beats.join(format!("{}.json", doc::file_name(&s.session_id)));
        let before = pings(&file);
        let count = match how {
            How::Registered(id) if *id == s.session_id => 0,
            How::Pinged(id) if *id == s.session_id => before + 1,
            How::Registered(_) | How::Pinged(_) | How::Changed | How::Export => before,
        };
        put(&file, &doc::heartbeat(s, count))?;
        kept.push(file);
    }
    if !matches!(how, How::Export) {
        for entry in fs::read_dir(&locks)?.chain(fs::read_dir(&beats)?) {
            let file = entry?.path();
            if file.extension().is_some_and(|e| e == "json") && !kept.contains(&file) {
                fs::remove_file(file)?;
            }
        }
    }
    Ok(())
}

fn pings(file: &Path) -> u64 {
    let text = fs::read(file).unwrap_or_default();
    serde_json::from_slice::<Value>(&text).ok().and_then(|v| v["ping_count"].as_u64()).unwrap_or(0)
}

/// Readers see the old document or the new one, never a part.
fn put(file: &Path, tag: &str, document: &Value) -> io::Result<()> {
    let text = format!("{document:#}\n");
    if fs::read(file).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    let temporary = file.with_extension(format!("{tag}.tmp"));
    fs::write(&temporary, text)?;
    fs::rename(&temporary, file)
}
