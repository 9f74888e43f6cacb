//! The reconnect report in words: what became of writes that had waited here.

use std::fmt::Write as _;

use super::digest::inert;
use crate::outbox::news::{Item, Outcome, notable};
use crate::ui::neutral::brief;

/// Writes that get a line of their own.
const ITEMS_MAX: usize = 12;

/// How one write ended. The words come from the server, and names in them from others.
pub fn in_words(item: &Item) -> String {
    let words = inert(&brief(&item.words));
    match item.outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Released => "given back".to_owned(),
        Outcome::Granted => format!("granted now: {words}"),
        Outcome::Lost => format!("LOST, you hold nothing of it: {words}"),
        Outcome::Past => format!("too late: {words}"),
        Outcome::Refused => format!("refused: {words}"),
    }
}

/// For a model's context; `None` when there is nothing to tell.
pub fn for_model(items: &[Item]) -> Option<String> {
    let n = items.len();
    let bad = items.iter().filter(|i| matches!(i.outcome, Outcome::Lost | Outcome::Refused));
    let bad = bad.count();
    if n == 0 {
        return None;
    }
    let writes = if n == 1 { "1 write".to_owned() } else { format!("{n} writes") };
    let were = if n == 1 { "was" } else { "were" };
    let mut text = format!(
        "coord: {writes} of yours that waited for the server {were} settled, {} of them done",
        n - bad
    );
    let notable = notable(items);
    for item in notable.iter().take(ITEMS_MAX) {
        let _ = write!(text, "\n- {}", in_words(item));
    }
    if notable.len() > ITEMS_MAX {
        let _ = write!(text, "\n- and {} more", notable.len() - ITEMS_MAX);
    }
    if items.iter().any(|i| i.outcome == Outcome::Refused) {
        text.push_str("\n`coord outbox dead` keeps what was refused");
    }
    Some(text)
}
