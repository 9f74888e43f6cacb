//! `coord doctor`: what is right, what is not, and what mends it.

use coord_protocol::exit;
use serde_json::json;

use crate::config::env::Env;
use crate::setup::doctor::{Check, State, examine};
use crate::ui::report::Report;

pub(super) fn run(env: &Env) -> Report {
    let cwd = std::env::current_dir().unwrap_or_default();
    let checks = examine(env, &cwd);
    let count = |state| checks.iter().filter(|c| c.state == state).count();
    let (failed, warned) = (count(State::Fail), count(State::Warn));
    let lines: Vec<_> = checks.iter().map(line).collect();
    let json = json!({"ok": failed == 0, "checks": checks, "failed": failed, "warned": warned});
    let exit = if failed == 0 { exit::DONE } else { exit::REFUSED };
    Report { exit, ..Report::new(lines.join("\n"), json) }
}

fn line(check: &Check) -> String {
    let line = format!("{:<5} {:<13} {}", check.state.word(), check.name, check.detail);
    check.fix.as_ref().map_or_else(|| line.clone(), |fix| format!("{line}\n      -> {fix}"))
}
