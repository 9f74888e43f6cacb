//! The reconnect report in words: what became of writes that had waited here.

use std::fmt::Write as _;

use super::digest::inert;
use crate::outbox::news::{Item, News, Outcome};
use crate::ui::neutral::{cut, line};

/// Words about one write, at most.
const ITEM_BYTES_MAX: usize = 400;
/// Writes that get a line of their own.
const ITEMS_MAX: usize = 12;

/// How one write ended. The words come from the server, and names in them from others.
pub fn in_words(item: &Item) -> String {
    let words = line(cut(&item.words, ITEM_BYTES_MAX));
    match item.outcome {
        Outcome::Applied => "applied".to_owned(),
        Outcome::Granted => format!("granted now: {words}"),
        Outcome::Lost => format!("LOST, you do not hold it: {words}"),
        Outcome::Past => format!("too late: {words}"),
        Outcome::Refused => format!("refused: {words}"),
    }
}

/// For a model's context; `None` when there is nothing to tell.
pub fn for_model(news: &News) -> Option<String> {
    let n = news.items.len();
    let bad = news.items.iter().filter(|i| matches!(i.outcome, Outcome::Lost | Outcome::Refused));
    let bad = bad.count();
    if n == 0 {
        return None;
    }
    let mut text = format!(
        "coord: {n} writes of yours that waited for the server were settled, {} of them done",
        n - bad
    );
    let notable: Vec<&Item> = news.notable().collect();
    for item in notable.iter().take(ITEMS_MAX) {
        let _ = write!(text, "\n- {}", inert(&in_words(item)));
    }
    if notable.len() > ITEMS_MAX {
        let _ = write!(
            text,
            "\n- {} more; `coord outbox dead` has the refused",
            notable.len() - ITEMS_MAX
        );
    }
    Some(text)
}
