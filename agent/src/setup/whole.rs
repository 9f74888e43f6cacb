//! A whole file of ours. It says so in a line of its own; one that does not is somebody else's.

use super::part::Put;

/// Stands in each of them.
const MADE_BY: &str = "made-by: coord";

fn is_ours(text: &str) -> bool {
    text.contains(MADE_BY)
}

pub(super) fn put(text: Option<&str>, own: &str) -> Put {
    match text {
        Some(text) if !text.trim().is_empty() && !is_ours(text) => Put {
            text: text.to_owned(),
            skipped: vec![format!("it is not coord's (no line says `{MADE_BY}`)")],
        },
        Some(_) | None => Put::of(own),
    }
}

pub(super) fn take(text: &str) -> Option<String> {
    (!is_ours(text)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_is_replaced_and_removed() {
        let own = "x\n# made-by: coord init\n";
        assert_eq!(put(None, own), Put::of(own));
        assert_eq!(put(Some("old # made-by: coord\n"), own), Put::of(own));
        let foreign = put(Some("theirs"), own);
        assert_eq!((foreign.text.as_str(), foreign.skipped.len()), ("theirs", 1));
        assert_eq!(take(own), None);
        assert_eq!(take("theirs").as_deref(), Some("theirs"));
    }
}
