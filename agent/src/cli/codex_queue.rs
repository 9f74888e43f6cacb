//! Handing a text to a Codex session: `codex queue` makes it a turn of that session.

use std::process::Command;
use std::thread;
use std::time::Duration;

use coord_protocol::exit;
use coord_server::child;

use crate::ui::neutral::line;
use crate::ui::report::CliError;

/// How long one call may take.
const WITHIN: Duration = Duration::from_secs(30);
/// Pauses between tries.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Queues it. Codex may be busy with its own files: it is tried three times.
pub(super) fn queue(codex_thread: &str, text: &str, resume: bool) -> Result<(), CliError> {
    for pause in PAUSES {
        match once(codex_thread, text, resume) {
            Ok(()) => return Ok(()),
            Err(_) => thread::sleep(pause),
        }
    }
    once(codex_thread, text, resume).map_err(|why| {
        CliError::new(exit::UNAVAILABLE, format!("`codex queue` {}", line(&why)))
            .hint("the message stays unread; is codex on the PATH, and the session's id right?")
    })
}

fn once(codex_thread: &str, text: &str, resume: bool) -> Result<(), String> {
    let mut command = Command::new("codex");
    command.args(["queue", "--thread", codex_thread, "--message", text]);
    command.args(resume.then_some("--resume"));
    let ended = child::run(command, Vec::new(), WITHIN).map_err(|e| e.to_string())?;
    if ended.status.success() {
        return Ok(());
    }
    // Warnings may stand before it.
    let complaint = String::from_utf8_lossy(&ended.complaint);
    let error = complaint.lines().find(|l| l.starts_with("Error")).map(str::to_owned);
    Err(format!(
        "ended with {}: {}",
        ended.status,
        error.unwrap_or_else(|| ended.first_complaint())
    ))
}
