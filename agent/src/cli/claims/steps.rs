//! What an asker can do about what is in the way.

use std::collections::HashMap;

use coord_protocol::exit;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimsAnswer, ConflictingClaim};

use super::rows;
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
