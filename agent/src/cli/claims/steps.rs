//! What an asker can do about what is in the way.

use std::collections::HashMap;

use coord_protocol::exit;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimsAnswer, ConflictingClaim};

use super::claim::word;
use super::rows;
use crate::cli::file_lock::FileArgs;
use crate::context::Context;
use crate::ui::claim_words::holder;
use crate::ui::neutral::line;
use crate::ui::report::CliError;

/// A wait that is proposed, seconds.
const WAIT_PROPOSED: u16 = 300;
/// Conflicts that are shown; the others count.
const CONFLICTS_SHOWN: usize = 10;

/// What somebody can do about a conflict.
pub(super) fn next_steps(cx: &Context, e: CliError, repo: &str, again: &str) -> CliError {
    let Ok(answer) = serde_json::from_value::<ClaimsAnswer>(e.facts.clone()) else { return e };
    if e.exit != exit::LOCK_HELD || answer.conflicts.is_empty() {
        return e;
    }
    let since = since(cx, repo);
    let mut seen: Vec<&str> = Vec::new();
    let mut e = e;
    for c in answer.conflicts.iter().take(CONFLICTS_SHOWN) {
        let theirs = &c.conflicting_claim;
        if !seen.contains(&theirs.id.as_str()) {
            seen.push(&theirs.id);
            e = e.hint(who(theirs, &since));
        }
    }
    let waits = answer.options.is_empty() || answer.options.iter().any(|o| o == "wait");
    if waits {
        e = e.hint(format!("wait for it: {again} --wait {WAIT_PROPOSED}"));
    }
    let holders = answer.conflicts.iter().map(|c| &c.conflicting_claim).filter(|c| !c.waiting);
    if let Some(held) = holders.into_iter().next() {
        e = e.hint(format!("ask for it: coord request release {}", line(&held.id)));
        let whole = answer.conflicts.iter().any(|c| c.your_symbols.is_none());
        if whole {
            e = e.hint("or claim only what you change: --symbol NAME");
        }
    }
    e
}

/// The same where a lock on one file is refused, by which one cannot wait.
pub(in crate::cli) fn next_steps_for_lock(e: CliError, at: &FileArgs) -> CliError {
    let id = e.facts["conflicts"][0]["lock"]["id"].as_str().map(line);
    let Some(id) = id.filter(|_| e.exit == exit::LOCK_HELD) else { return e };
    let file = word(&at.file.to_string_lossy());
    let project =
        at.project.as_deref().map(|p| format!(" --project {}", word(p))).unwrap_or_default();
    let claim = line(&format!("coord claim {file}{project} --wait {WAIT_PROPOSED}"));
    e.hint(format!("wait for it: {claim}")).hint(format!("ask for it: coord request release {id}"))
}

fn who(c: &ConflictingClaim, since: &HashMap<String, Millis>) -> String {
    let since = since.get(&c.id).map(|t| format!(", since {t}")).unwrap_or_default();
    let role = if c.waiting { "comes first" } else { "holds it" };
    format!("{}  {role}: {}{since}", line(&c.id), holder(c))
}

/// When the claims of a project were granted, as far as that is known.
fn since(cx: &Context, repo: &str) -> HashMap<String, Millis> {
    let rows = rows::live(cx, Some(repo)).unwrap_or_default();
    rows.into_iter().map(|r| (r.id, r.created_at)).collect()
}
