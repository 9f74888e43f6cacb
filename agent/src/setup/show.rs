//! A plan in words.

use serde_json::{Value, json};

use super::act::Prepared;
use super::diff;
use super::plan::{Change, Remark};
use crate::ui::neutral;

/// Lines of one file that are shown.
const LINES_MAX: usize = 400;

fn action(change: &Change) -> &'static str {
    match (&change.before, &change.after) {
        (None, _) => "create",
        (_, None) => "remove",
        _ => "change",
    }
}

/// The files, each with what happens to it.
pub fn changes(prepared: &Prepared, with_lines: bool) -> String {
    let mut out = Vec::new();
    for change in &prepared.plan.changes {
        let name = neutral::line(&prepared.name_of(&change.path));
        out.push(format!("{:<7} {name}", action(change)));
        if with_lines {
            let text = |t: &Option<String>| t.clone().unwrap_or_default();
            let lines = diff::lines(&text(&change.before), &text(&change.after));
            let more = lines.len().saturating_sub(LINES_MAX);
            let shown = lines.into_iter().take(LINES_MAX);
            out.extend(shown.map(|l| format!("    {}", neutral::lines(&l))));
            if more > 0 {
                out.push(format!("    ... and {more} lines more"));
            }
        }
    }
    out.join("\n")
}

/// The same for programs.
pub fn changes_in_json(prepared: &Prepared) -> Value {
    let row = |c: &Change| json!({"path": prepared.name_of(&c.path), "action": action(c)});
    prepared.plan.changes.iter().map(row).collect()
}

/// Remarks, each with its file.
pub fn remarks(prepared: &Prepared, all: &[Remark]) -> Vec<String> {
    let line = |r: &Remark| {
        format!("{}: {}", neutral::line(&prepared.name_of(&r.path)), neutral::line(&r.why))
    };
    all.iter().map(line).collect()
}
