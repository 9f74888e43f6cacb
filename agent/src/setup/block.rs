//! A block between two marks, in a text that is otherwise somebody else's.

use super::part::{Damage, line_end, with_line_ends};

/// How the marks are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `<!-- ... -->`
    Markdown,
    /// `# ...`
    Hash,
}

impl Style {
    fn begin(self) -> &'static str {
        match self {
            Self::Markdown => "<!-- coord:begin v1 -->",
            Self::Hash => "# coord:begin v1",
        }
    }

    /// Begin marks of any version start like this.
    fn begin_of_any(self) -> &'static str {
        self.begin().split(" v").next().unwrap_or_default()
    }

    fn end(self) -> &'static str {
        match self {
            Self::Markdown => "<!-- coord:end -->",
            Self::Hash => "# coord:end",
        }
    }
}

/// Where a block stands: from its first byte to behind its last line's end.
pub(super) struct Found {
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Finds the block. Marks that do not pair are damage: what lies between is not ours to judge.
pub(super) fn find(text: &str, style: Style) -> Result<Option<Found>, Damage> {
    let (mut begun, mut found, mut at) = (None, None, 0);
    for line in text.split_inclusive('\n') {
        let words = line.trim();
        let unpaired = |what: &str| Damage::at(text, at, format!("a coord mark {what}"));
        if words.starts_with(style.begin_of_any()) {
            if begun.is_some() || found.is_some() {
                return Err(unpaired("begins a second block"));
            }
            begun = Some(at);
        } else if words == style.end() {
            let from = begun.take().ok_or_else(|| unpaired("ends a block that never began"))?;
            found = Some(Found { from, to: at + line.len() });
        }
        at += line.len();
    }
    match begun {
        Some(from) => Err(Damage::at(text, from, "a coord mark begins a block that never ends")),
        None => Ok(found),
    }
}

/// The block with its marks, each line ended.
pub(super) fn block(style: Style, body: &str, end: &str) -> String {
    with_line_ends(&format!("{}\n{body}{}\n", style.begin(), style.end()), end)
}

/// The text with the block: where it stood, else at the end.
pub(super) fn put(text: Option<&str>, style: Style, body: &str) -> Result<String, Damage> {
    let text = text.unwrap_or_default();
    let end = line_end(text);
    let block = block(style, body, end);
    if let Some(at) = find(text, style)? {
        return Ok(replaced(text, &at, &block));
    }
    let gap = match text {
        "" => String::new(),
        t if t.ends_with('\n') => end.to_owned(),
        _ => end.repeat(2),
    };
    Ok(format!("{text}{gap}{block}"))
}

/// The text with another block in the place of the one that was found.
pub(super) fn replaced(text: &str, at: &Found, block: &str) -> String {
    // A last line without an end stays one.
    let block = if text[at.from..at.to].ends_with('\n') { block } else { block.trim_end() };
    format!("{}{block}{}", &text[..at.from], &text[at.to..])
}

/// The same with a hash block, unless all its lines are there in whatever place.
pub(super) fn put_missing(text: Option<&str>, body: &str) -> Result<String, Damage> {
    let has = |line: &str| text.is_some_and(|t| t.lines().any(|l| l.trim() == line));
    match text {
        Some(text) if body.lines().all(has) => find(text, Style::Hash).map(|_| text.to_owned()),
        text => put(text, Style::Hash, body),
    }
}

/// The text without the block and the blank line before it; `None` when nothing else is there.
pub(super) fn take(text: &str, style: Style) -> Result<Option<String>, Damage> {
    let Some(at) = find(text, style)? else { return Ok(Some(text.to_owned())) };
    let before = &text[..at.from];
    let without_gap =
        before.strip_suffix("\r\n").or_else(|| before.strip_suffix('\n')).unwrap_or(before);
    // Only a line that is blank goes, not the end of the last one before.
    let before = if without_gap.ends_with('\n') { without_gap } else { before };
    let rest = format!("{before}{}", &text[at.to..]);
    Ok((!rest.trim().is_empty()).then_some(rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = "hello\n";

    fn md(text: &str) -> String {
        put(Some(text), Style::Markdown, BODY).unwrap()
    }

    #[test]
    fn put_once_and_taken_again() {
        for text in ["# A\n", "# A\n\n", "# A\r\nb\r\n", "\u{feff}x\n"] {
            let with = md(text);
            assert!(with.starts_with(text), "{with:?}");
            assert_eq!(md(&with), with);
            assert_eq!(take(&with, Style::Markdown).unwrap().as_deref(), Some(text));
            assert_eq!(with.contains("\r\n"), text.contains("\r\n"));
        }
        assert_eq!(take(&md(""), Style::Markdown).unwrap(), None);
        assert_eq!(take(&md("# A"), Style::Markdown).unwrap().as_deref(), Some("# A\n"));
    }

    #[test]
    fn an_older_block_is_replaced_in_its_place() {
        let old = "a\n<!-- coord:begin v0 -->\nold\n<!-- coord:end -->\nz";
        assert_eq!(
            md(old),
            "a\n<!-- coord:begin v1 -->\nhello\n<!-- coord:end -->\nz",
            "text around it stays"
        );
        let last = "<!-- coord:begin v1 -->\nhello\n<!-- coord:end -->";
        assert_eq!(md(last), last);
    }

    #[test]
    fn marks_that_do_not_pair_are_named() {
        for (text, line) in [
            ("a\n<!-- coord:begin v1 -->\nx\n", 2),
            ("<!-- coord:end -->\n", 1),
            ("<!-- coord:begin v1 -->\n<!-- coord:begin v1 -->\n<!-- coord:end -->\n", 2),
        ] {
            let damage = put(Some(text), Style::Markdown, BODY).unwrap_err();
            assert_eq!(damage.line, Some(line), "{damage}");
            assert!(take(text, Style::Markdown).is_err());
        }
    }

    #[test]
    fn ignored_lines_are_added_where_one_is_missing() {
        let body = "a\nb\n";
        assert_eq!(put_missing(Some("b\nx\na\n"), body).unwrap(), "b\nx\na\n");
        let with = put_missing(Some("a"), body).unwrap();
        assert_eq!(with, "a\n\n# coord:begin v1\na\nb\n# coord:end\n");
        assert_eq!(put_missing(Some(&with), body).unwrap(), with);
        assert_eq!(put_missing(None, body).unwrap(), "# coord:begin v1\na\nb\n# coord:end\n");
    }
}
