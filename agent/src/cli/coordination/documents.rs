//! The four documents of seed 003, field by field.

use std::path::{Component, Path};

use coord_protocol::time::Millis;
use coord_protocol::wire::{ABSENT, Decision, Lock, Session, SessionStatus};
use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::config::file::{content, hex, path_of};

/// Of all four.
const SCHEMA_VERSION: &str = "1.0.0";
/// Longest name of a lock file without its ending; longer ones become a hash.
const NAME_MAX: usize = 200;
/// What stands for the hash of a file that is not there, or not as it was.
const NO_HASH: &str = "0000000000000000000000000000000000000000";

/// `work-registry.json`.
pub(super) fn registry(instances: &[Value], now: Millis) -> Value {
    let updated = if instances.is_empty() { String::new() } else { now.to_string() };
    json!({"schema_version": SCHEMA_VERSION, "registry_updated_at": updated, "instances": instances})
}

/// One entry of it.
pub(super) fn instance(s: &Session, locks: &[Lock]) -> Value {
    let files: Vec<_> = locks
        .iter()
        .filter(|l| l.session_id == s.session_id)
        .map(|l| path_of(&l.resource).display().to_string())
        .collect();
    let status = if s.status == SessionStatus::Stale { "stale" } else { "active" };
    json!({
        "instance_id": s.session_id,
        "worktree_path": s.worktree.clone().unwrap_or_default(),
        "pid": s.pid.unwrap_or(0),
        "current_task": {
            "description": s.task.clone().unwrap_or_default(),
            "agent_role": s.role.clone().unwrap_or_default(),
            "started_at": s.began_at.unwrap_or(s.first_seen),
        },
        "files_locked": files,
        "heartbeat": {
            "last_ping": s.last_seen,
            "heartbeat_file": format!("heartbeats/{}.json", file_name(&s.session_id)),
        },
        "status": status,
        "metadata": {
            "os": rustix::system::uname().sysname().to_string_lossy(),
            "branch": s.branch.as_deref().unwrap_or("unknown"),
            "user": s.user.as_deref().unwrap_or("unknown"),
        },
    })
}

/// `heartbeats/<instance>.json`.
pub(super) fn heartbeat(s: &Session, pings: u64) -> Value {
    json!({
        "instance_id": s.session_id,
        "pid": s.pid.unwrap_or(0),
        "last_ping": s.last_seen,
        "ping_count": pings,
        "status": if pings == 0 { "starting" } else { "active" },
    })
}

/// `locks/<id>.json`.
pub(super) fn lock(l: &Lock, sessions: &[Session], root: &Path) -> Value {
    let pid = sessions.iter().find(|s| s.session_id == l.session_id).and_then(|s| s.pid);
    let path = path_of(&l.resource);
    json!({
        "schema_version": SCHEMA_VERSION,
        "file_path": path.display().to_string(),
        "lock_type": "write",
        "locked_by": {"instance_id": l.session_id, "pid": pid.unwrap_or(0)},
        "locked_at": l.acquired_at,
        "expires_at": l.expires_at,
        "file_hash": sha1_then(l, root),
        "intent": l.description.clone().unwrap_or_default(),
    })
}

/// SHA-1 of the content that was locked, as long as it is still there to be hashed. A path that leads
/// out of the project is somebody's word, and is not looked at.
fn sha1_then(l: &Lock, root: &Path) -> String {
    let path = path_of(&l.resource);
    let is_below = path.components().all(|c| matches!(c, Component::Normal(_)));
    let then = l.content_then.as_deref().filter(|then| is_below && *then != ABSENT);
    let file = root.join(path);
    match then.and_then(|then| content(&file).ok().flatten().filter(|now| now == then)) {
        Some(_) => std::fs::read(&file).map_or(NO_HASH.to_owned(), |b| hex(&Sha1::digest(b))),
        None => NO_HASH.to_owned(),
    }
}

/// `decision-log.json`, oldest first.
pub(super) fn decision_log(decisions: &[Decision]) -> Value {
    let display = |id: &str| {
        decisions.iter().find(|d| d.id == id).map_or(id.to_owned(), |d| d.display_id.clone())
    };
    let all: Vec<Value> = decisions
        .iter()
        .map(|d| {
            let mut v = decision(d);
            if let Some(by) = &d.superseded_by {
                v["superseded_by"] = json!(display(by));
            }
            v
        })
        .collect();
    let created = decisions.first().map(|d| d.decided_at.to_string()).unwrap_or_default();
    json!({"schema_version": SCHEMA_VERSION, "log_created_at": created, "decisions": all})
}

/// One entry of it.
pub(super) fn decision(d: &Decision) -> Value {
    let mut v = json!({
        "decision_id": d.display_id,
        "timestamp": d.decided_at,
        "made_by": {"instance_id": d.decided_by.clone().unwrap_or_default()},
        "category": d.category,
        "title": d.title,
        "description": d.description.clone().unwrap_or_default(),
        "impact": {"scope": d.scope.as_deref().unwrap_or("module")},
        "status": d.status,
    });
    if !d.files.is_empty() {
        v["impact"]["files_affected"] = json!(d.files);
    }
    if !d.depends_on.is_empty() {
        v["impact"]["dependencies"] = json!(d.depends_on);
    }
    if d.rationale.is_some() || !d.alternatives.is_empty() {
        v["context"] = json!({
            "rationale": d.rationale.clone().unwrap_or_default(),
            "alternatives_considered": d.alternatives,
        });
    }
    v
}

/// The name of a lock's file: base64 of the path as the seed spells it.
pub(super) fn lock_name(l: &Lock) -> String {
    let path = path_of(&l.resource);
    let bytes = path.as_os_str().as_encoded_bytes();
    let name = base64(bytes);
    if name.len() <= NAME_MAX { name } else { hex(&Sha1::digest(bytes)) }
}

/// An instance's name as a file name.
pub(super) fn file_name(id: &str) -> String {
    let name = id.replace('/', "_");
    if name.len() <= NAME_MAX && !name.starts_with('.') { name } else { hex(&Sha1::digest(id)) }
}

/// Whether a file of this name (without its ending) and content is one that was written for a lock.
pub(super) fn is_lock(name: &str, document: &Value) -> bool {
    let path = document["file_path"].as_str().unwrap_or_default();
    let is_hash = name.len() == 40 && name.bytes().all(|b| b.is_ascii_hexdigit());
    // A path that is no text stands in the document only as far as it is.
    let is_lossy = path.contains(char::REPLACEMENT_CHARACTER);
    document["locked_by"]["instance_id"].is_string()
        && !path.is_empty()
        && (is_hash || is_lossy || name == base64(path.as_bytes()))
}

/// The same for an instance.
pub(super) fn is_heartbeat(name: &str, document: &Value) -> bool {
    document["last_ping"].is_string()
        && document["instance_id"].as_str().is_some_and(|id| file_name(id) == name)
}

/// Base64 for file names: `-` and `_`, no padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let at = |n: usize| three.get(n).map_or(0, |b| u32::from(*b));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..=three.len() {
            let place = (bits >> (18 - 6 * digit)) & 63;
            out.push(char::from(DIGITS[place as usize]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lock_files() {
        for (path, name) in [
            ("a", "YQ"),
            ("ab", "YWI"),
            ("abc", "YWJj"),
            ("src/a.rs", "c3JjL2EucnM"),
            ("??>", "Pz8-"),
        ] {
            assert_eq!(base64(path.as_bytes()), name);
            let ours = json!({"file_path": path, "locked_by": {"instance_id": "i"}});
            assert!(is_lock(name, &ours));
            assert!(!is_lock("other", &ours) && !is_lock(name, &json!({"file_path": path})));
        }
        assert_eq!(file_name("BOX/a"), "BOX_a");
        assert_eq!(file_name(&"x".repeat(400)).len(), 40);
        assert_eq!(file_name("..").len(), 40);
        let ours = json!({"instance_id": "BOX/a", "last_ping": "t"});
        assert!(is_heartbeat("BOX_a", &ours) && !is_heartbeat("package", &ours));
    }
}
