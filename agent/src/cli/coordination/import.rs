//! Taking over a `.claude/coordination` folder. What cannot be read is named and stops nothing else;
//! ids follow from the content, so that a second time changes nothing.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use coord_protocol::edge::Clock as _;
use coord_protocol::exit;
use coord_protocol::id::Uuid;
use coord_protocol::lease::SESSION_STALE_AFTER_DEFAULT;
use coord_protocol::request::Method;
use coord_protocol::time::Millis;
use coord_protocol::wire::{AddDecision, ClaimKind, ClaimLock, DECISION_STATUSES, RegisterSession};
use serde::Serialize;
use serde_json::{Value, json};

use super::key;
use crate::config::file::read_small;
use crate::context::Context;
use crate::send::{Fate, TRY_BUDGET};
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// Name space of ids that are derived from what is imported.
const IMPORTED: Uuid = Uuid::from_u128(0x0d6f_3a51_9c1e_5b7e_8f42_6a0b_31c9_77e4);

/// Longest document that is read.
const DOCUMENT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What became of the things in the folder.
#[derive(Default, Serialize)]
struct Told {
    decisions: usize,
    instances: usize,
    locks: usize,
    known_before: usize,
    expired: usize,
    queued: usize,
    problems: Vec<String>,
}

pub(super) fn folder(cx: &Context, dir: &Path) -> Result<Report, CliError> {
    if !dir.is_dir() {
        let why = format!("{} is no folder", line(&dir.display().to_string()));
        return Err(CliError::new(exit::USAGE, why));
    }
    let key = key(cx)?;
    let mut told = Told::default();
    decisions(cx, dir, &key, &mut told);
    let pings = heartbeats(dir, &mut told);
    instances(cx, dir, &key, &pings, &mut told);
    locks(cx, dir, &key, &mut told);
    let mut text = format!(
        "took over {} decisions, {} instances, {} locks; {} were known, {} expired",
        told.decisions, told.instances, told.locks, told.known_before, told.expired
    );
    if told.queued > 0 {
        let _ = write!(text, "; {} queued", told.queued);
    }
    let notes: Vec<_> = told.problems.iter().map(|p| format!("  not taken over: {p}")).collect();
    let report = Report::new(text, json!(told));
    Ok(notes.into_iter().fold(report, Report::note))
}

/// A document of the folder; `None`, and a line in the report, when it cannot be used.
fn document(file: &Path, told: &mut Told) -> Option<Value> {
    let name = line(&file.display().to_string());
    let bytes = match read_small(file, DOCUMENT_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return None,
        Err(e) => {
            told.problems.push(format!("{name}: {}", line(&e.to_string())));
            return None;
        }
    };
    if bytes.iter().all(u8::is_ascii_whitespace) {
        told.problems.push(format!("{name}: it is empty"));
        return None;
    }
    match serde_json::from_slice(&bytes) {
        Ok(v) => Some(v),
        Err(e) => {
            told.problems.push(format!("{name}: not JSON ({e})"));
            None
        }
    }
}

fn text(v: &Value, at: &str) -> Option<String> {
    v.pointer(at)?.as_str().filter(|t| !t.trim().is_empty()).map(str::to_owned)
}

fn texts(v: &Value, at: &str) -> Vec<String> {
    let one = |t: &Value| t.as_str().map_or_else(|| t.to_string(), str::to_owned);
    v.pointer(at).and_then(Value::as_array).map(|a| a.iter().map(one).collect()).unwrap_or_default()
}

fn time(v: &Value, at: &str) -> Option<Millis> {
    Millis::parse(v.pointer(at)?.as_str()?).ok()
}

/// Sends a wish through the normal way, under an id that follows from what it is about.
fn send(
    cx: &Context,
    (path, about, body): (&str, String, &impl Serialize),
    told: &mut Told,
) -> bool {
    let mut request = cx.request(Method::Post, path, Some(body));
    request.id = Some(Uuid::new_v5(&IMPORTED, about.as_bytes()).to_string());
    let (name, no) = match cx.write(&request, TRY_BUDGET) {
        Ok(Fate::Done { replayed: false, .. }) => return true,
        Ok(Fate::Done { .. }) => {
            told.known_before += 1;
            return false;
        }
        Ok(Fate::Queued { .. } | Fate::Provisional { .. }) => {
            told.queued += 1;
            return false;
        }
        Ok(Fate::Refused { status: 409, answer }) if answer.get("conflicts").is_none() => {
            told.known_before += 1;
            return false;
        }
        Ok(Fate::Refused { answer, .. }) => {
            (path, answer["detail"].as_str().unwrap_or("refused").to_owned())
        }
        Err(e) => (path, e.to_string()),
    };
    told.problems.push(format!("{name}: {}", line(&no)));
    false
}

fn decisions(cx: &Context, dir: &Path, key: &str, told: &mut Told) {
    let Some(log) = document(&dir.join("decision-log.json"), told) else { return };
    for d in log["decisions"].as_array().into_iter().flatten() {
        let status = text(d, "/status").filter(|s| DECISION_STATUSES.contains(&s.as_str()));
        let ask = AddDecision {
            project_key: Some(key.to_owned()),
            category: text(d, "/category").unwrap_or_else(|| "architecture".to_owned()),
            title: text(d, "/title").unwrap_or_else(|| "(untitled)".to_owned()),
            description: text(d, "/description"),
            rationale: text(d, "/context/rationale").or_else(|| text(d, "/context/problem")),
            scope: text(d, "/impact/scope"),
            decided_by: text(d, "/made_by/instance_id"),
            supersedes: None,
            status,
            alternatives: texts(d, "/context/alternatives_considered"),
            files: texts(d, "/impact/files_affected"),
            depends_on: texts(d, "/impact/dependencies"),
            display_id: text(d, "/decision_id"),
            decided_at: time(d, "/timestamp"),
        };
        let about =
            ["/decision_id", "/timestamp", "/made_by/instance_id", "/title", "/description"]
                .map(|at| d.pointer(at).map(Value::to_string).unwrap_or_default());
        let about = format!("decision {key} {}", about.join(" "));
        if send(cx, ("/api/coord/decisions", about, &ask), told) {
            told.decisions += 1;
        }
    }
}

/// Heartbeat files by instance: they are newer than the registry.
fn heartbeats(dir: &Path, told: &mut Told) -> Vec<(String, Millis)> {
    let files = json_files(&dir.join("heartbeats"), told);
    let documents: Vec<_> = files.iter().filter_map(|f| document(f, told)).collect();
    documents
        .iter()
        .filter_map(|v| Some((text(v, "/instance_id")?, time(v, "/last_ping")?)))
        .collect()
}

fn json_files(dir: &Path, told: &mut Told) -> Vec<std::path::PathBuf> {
    match fs::symlink_metadata(dir) {
        Ok(there) if there.is_dir() => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Ok(_) | Err(_) => {
            told.problems.push(format!("{}: it is no folder", line(&dir.display().to_string())));
            return Vec::new();
        }
    }
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<_> =
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "json")).collect();
    files.sort();
    files
}

fn instances(cx: &Context, dir: &Path, key: &str, pings: &[(String, Millis)], told: &mut Told) {
    let Some(registry) = document(&dir.join("work-registry.json"), told) else { return };
    for i in registry["instances"].as_array().into_iter().flatten() {
        let Some(id) = text(i, "/instance_id") else {
            told.problems.push("an instance without an id".to_owned());
            continue;
        };
        let beat = pings.iter().find(|(of, _)| *of == id).map(|(_, at)| *at);
        let last = beat.or_else(|| time(i, "/heartbeat/last_ping")).unwrap_or_default();
        if cx.clock.wall().since(last) > SESSION_STALE_AFTER_DEFAULT {
            told.expired += 1;
            continue;
        }
        let ask = RegisterSession {
            session_id: id,
            machine: Some(cx.machine.clone()),
            user: text(i, "/metadata/user"),
            tool: Some("coordination".to_owned()),
            project_key: Some(key.to_owned()),
            branch: text(i, "/metadata/branch").map(|b| b.replace('\n', " ")),
            task: text(i, "/current_task/description"),
            role: text(i, "/current_task/agent_role"),
            worktree: text(i, "/worktree_path"),
            pid: i["pid"].as_i64(),
            ..RegisterSession::default()
        };
        if send(cx, ("/api/coord/sessions", format!("instance {key} {i}"), &ask), told) {
            told.instances += 1;
        }
    }
}

fn locks(cx: &Context, dir: &Path, key: &str, told: &mut Told) {
    for file in json_files(&dir.join("locks"), told) {
        let Some(l) = document(&file, told) else { continue };
        let (path, holder) = (text(&l, "/file_path"), text(&l, "/locked_by/instance_id"));
        let (Some(path), Some(holder)) = (path, holder) else {
            told.problems.push(format!("{}: no path or holder", line(&file.display().to_string())));
            continue;
        };
        let now = cx.clock.wall();
        let left = time(&l, "/expires_at").unwrap_or_default().since(now);
        if left.is_zero() {
            told.expired += 1;
            continue;
        }
        let found =
            crate::config::file::find(&cx.env, &cx.project, &cx.project.root, path.as_ref());
        let at = match found {
            Ok(at) => at,
            Err(e) => {
                told.problems.push(line(&e.to_string()));
                continue;
            }
        };
        let ask = ClaimLock {
            project_key: key.to_owned(),
            session_id: holder,
            resource: at.resource,
            literal: true,
            description: text(&l, "/intent"),
            kind: ClaimKind::File,
            // The lease is the engine's own: what was left changes between two imports.
            ..ClaimLock::default()
        };
        if send(cx, ("/api/coord/locks", format!("lock {key} {l}"), &ask), told) {
            told.locks += 1;
        }
    }
}
