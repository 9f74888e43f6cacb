//! The texts of seed 003's commands.

use std::fmt::Write as _;

use coord_protocol::wire::{Decision, Lock, Session};

use super::snapshot::Snapshot;
use crate::config::file::path_of;
use crate::ui::neutral::{brief, line};

fn path(l: &Lock) -> String {
    line(&path_of(&l.resource).display().to_string())
}

fn or<'a>(value: Option<&'a str>, default: &'a str) -> String {
    brief(value.filter(|v| !v.is_empty()).unwrap_or(default))
}

/// `coord_status`.
pub(super) fn boxed(now: &Snapshot) -> String {
    let rule = "=".repeat(60);
    let mut out = format!("{rule}\n  WORKTREE COORDINATION STATUS\n{rule}\n\n");
    let _ = writeln!(out, "Active Instances ({})", now.sessions.len());
    for s in &now.sessions {
        let _ = writeln!(
            out,
            "  {}  {}  {}  {}  {}",
            line(&s.session_id),
            or(s.role.as_deref(), "main"),
            or(s.branch.as_deref(), "unknown"),
            or(s.task.as_deref(), "-"),
            s.last_seen
        );
    }
    let _ = writeln!(out, "\nFile Locks ({})", now.locks.len());
    for l in &now.locks {
        let _ = writeln!(out, "  {}  {}", path(l), line(&l.session_id));
    }
    out.push_str(&rule);
    out
}

/// `coord-status`.
pub(super) fn overview(now: &Snapshot, verbose: bool) -> String {
    let (double, single) = ("=".repeat(38), "-".repeat(38));
    let mut out = format!("{double}\n  Claude Code Coordination Status\n{double}\n\n");
    let _ = writeln!(out, "Active Instances: {}\n", now.sessions.len());
    if now.sessions.is_empty() {
        out.push_str("No active instances.\n\n");
    }
    for s in &now.sessions {
        instance(&mut out, s, &now.locks);
    }
    let _ = writeln!(out, "{single}\nTotal File Locks: {}", now.locks.len());
    let _ = writeln!(out, "Total Decisions Logged: {}", now.decisions.len());
    if verbose {
        out.push_str("\nLock Details:\n");
        for l in &now.locks {
            let _ = writeln!(out, "{}", lock(l));
        }
        out.push_str("\nRecent Decisions:\n");
        for d in now.decisions.iter().rev().take(5) {
            let _ = writeln!(out, "  {}", decision(d));
        }
    }
    out.push_str(&double);
    out
}

fn instance(out: &mut String, s: &Session, locks: &[Lock]) {
    let mine: Vec<_> = locks.iter().filter(|l| l.session_id == s.session_id).collect();
    let _ = write!(
        out,
        "Instance: {}\n  Role: {}\n  Task: {}\n  Branch: {}\n  Status: {}\n  Files Locked: {}\n  \
         Last Heartbeat: {}\n",
        line(&s.session_id),
        or(s.role.as_deref(), "main"),
        or(s.task.as_deref(), "No task specified"),
        or(s.branch.as_deref(), "unknown"),
        s.status.as_str(),
        mine.len(),
        s.last_seen
    );
    if !mine.is_empty() {
        out.push_str("  Locked Files:\n");
    }
    for l in mine {
        let _ = writeln!(out, "    - {}", path(l));
    }
    out.push('\n');
}

/// A lock in full.
pub(super) fn lock(l: &Lock) -> String {
    let until = l.expires_at.map_or("never".to_owned(), |t| t.to_string());
    format!(
        "  File: {}\n    Locked by: {}\n    Intent: {}\n    Expires: {until}",
        path(l),
        line(&l.session_id),
        or(l.description.as_deref(), "-")
    )
}

/// A decision in a line.
pub(super) fn decision(d: &Decision) -> String {
    format!("[{}] {}: {} ({})", d.display_id, line(&d.category), line(&d.title), line(&d.status))
}
