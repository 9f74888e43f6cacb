//! Changes of single places of a document. Every other byte stays: comments, blanks, quotes, order.
//! What comes out is read again and compared with what was meant; where it differs, nothing is done.

use std::ops::Range;

use super::document::{Document, PROMOTED, SHARED_FILES, SUGGESTED_SPLITS, comment, resource};
use super::written::scalar;
use super::yaml::{Node, Tree, Value};
use super::{BadDocument, DOCUMENT_BYTES_MAX, Shared};

/// A suggested split.
#[derive(Debug, Clone, Copy)]
pub struct Split<'a> {
    /// What should be claimed by symbols.
    pub pattern: &'a str,
    /// The moment, as text.
    pub suggested_at: &'a str,
    /// Why.
    pub note: Option<&'a str>,
}

/// Adds an entry to `shared_files`. With a day it is marked as coord's own. `None`: it stands there
/// already.
pub fn add_shared(
    text: &str,
    pattern: &str,
    promoted_on: Option<&str>,
) -> Result<Option<String>, BadDocument> {
    let doc = Open::read(text)?;
    let wanted = resource(SHARED_FILES, pattern)?;
    if doc.says.shared.iter().any(|s| s.resource == wanted) {
        return Ok(None);
    }
    let entry = Entry {
        lines: vec![scalar(pattern)],
        flow: scalar(pattern),
        comment: promoted_on.map(|day| format!("# {PROMOTED}{day}")),
        means: text_node(pattern),
    };
    doc.add(SHARED_FILES, entry).map(Some)
}

/// Adds an entry to `suggested_splits`. `None`: it stands there already.
pub fn add_split(text: &str, split: &Split<'_>) -> Result<Option<String>, BadDocument> {
    let doc = Open::read(text)?;
    let wanted = resource(SUGGESTED_SPLITS, split.pattern)?;
    if doc.says.splits.contains(&wanted) {
        return Ok(None);
    }
    let mut fields = vec![("pattern", split.pattern), ("suggested_at", split.suggested_at)];
    fields.extend(split.note.map(|note| ("note", note)));
    let lines: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}: {}", scalar(value))).collect();
    let entry = Entry {
        flow: format!("{{{}}}", lines.join(", ")),
        lines,
        comment: None,
        means: node(Value::Map(
            fields.iter().map(|(name, value)| (text_node(name), text_node(value))).collect(),
        )),
    };
    doc.add(SUGGESTED_SPLITS, entry).map(Some)
}

/// Takes those entries out of `shared_files` that are not to be kept. `None`: none are.
pub fn remove_shared(
    text: &str,
    keep: impl Fn(&Shared) -> bool,
) -> Result<Option<String>, BadDocument> {
    let doc = Open::read(text)?;
    let stays: Vec<bool> = doc.says.shared.iter().map(keep).collect();
    if stays.iter().all(|s| *s) {
        return Ok(None);
    }
    doc.remove(&stays).map(Some)
}

/// What is to be added: block lines, the same in brackets, and what it means.
struct Entry {
    lines: Vec<String>,
    flow: String,
    comment: Option<String>,
    means: Node,
}

fn node(value: Value) -> Node {
    Node { value, place: 0..0 }
}

fn text_node(text: &str) -> Node {
    node(Value::Text(text.to_owned()))
}

fn kept<T>(all: impl Iterator<Item = T>, stays: &[bool]) -> Vec<T> {
    all.zip(stays).filter(|(_, stays)| **stays).map(|(one, _)| one).collect()
}

fn stuck(name: &str) -> BadDocument {
    BadDocument(format!(
        "`{name}` cannot be changed without touching the rest of the document; change it by hand"
    ))
}

/// A document on the table.
struct Open<'t> {
    text: &'t str,
    tree: Tree,
    says: Document,
    /// How its lines end.
    newline: &'static str,
}

impl<'t> Open<'t> {
    fn read(text: &'t str) -> Result<Self, BadDocument> {
        let tree = Tree::read(text)?;
        let says = Document::of(&tree, text)?;
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Ok(Self { text, tree, says, newline })
    }

    fn add(&self, name: &str, entry: Entry) -> Result<String, BadDocument> {
        let new = self.added(name, &entry).ok_or_else(|| stuck(name))?;
        let mut own = self.own();
        if name == SHARED_FILES {
            own.push(entry.comment.is_some());
        }
        let mut items = items(&self.tree, name);
        items.push(entry.means);
        self.check(name, &new, &items, &own)?;
        Ok(new)
    }

    fn added(&self, name: &str, entry: &Entry) -> Option<String> {
        let Some((key, list)) = self.tree.root.entry(name) else {
            return self.with_new_list(name, entry);
        };
        match &list.value {
            Value::List(items) if !items.is_empty() && self.is_in_brackets(list) => {
                self.in_brackets(list, items.last()?, entry)
            }
            Value::List(items) if !items.is_empty() => {
                let last = items.last()?;
                let start = line_start(self.text, last.place.start);
                let indent = indent(&self.text[start..]);
                let dashed = self.text[start + indent.len()..].starts_with('-');
                let lines = self.block(indent, entry);
                dashed.then(|| self.with_lines_behind(end_of(self.text, last), &lines, 0..0))
            }
            // Nothing, or empty brackets: a list of lines begins.
            Value::List(_) | Value::Null => {
                let start = line_start(self.text, key.place.start);
                let lines = self.block(&format!("{}  ", indent(&self.text[start..])), entry);
                let before = self.text[..list.place.start].trim_end_matches(' ').len();
                let cut = if list.place.is_empty() { 0..0 } else { before..list.place.end };
                Some(self.with_lines_behind(key.place.end, &lines, cut))
            }
            Value::Text(_) | Value::Other(_) | Value::Map(_) | Value::Alias(_) => None,
        }
    }

    /// A new list at the end of the document.
    fn with_new_list(&self, name: &str, entry: &Entry) -> Option<String> {
        let indent = match &self.tree.root.value {
            Value::Map(_) if self.text[self.tree.root.place.start..].starts_with('{') => None,
            Value::Map(entries) => {
                let first = entries.first()?.0.place.start;
                Some(indent(&self.text[line_start(self.text, first)..]))
            }
            _ => Some(""),
        }?;
        let mut new = self.text.to_owned();
        if !new.is_empty() && !new.ends_with('\n') {
            new.push_str(self.newline);
        }
        new.extend([indent, name, ":", self.newline]);
        new.push_str(&self.block(&format!("{indent}  "), entry));
        Some(new)
    }

    /// The lines of an entry of a list.
    fn block(&self, indent: &str, entry: &Entry) -> String {
        let comment = entry.comment.as_ref().map(|c| format!("  {c}")).unwrap_or_default();
        let mut out = String::new();
        for (n, line) in entry.lines.iter().enumerate() {
            let dash = if n == 0 { "- " } else { "  " };
            let comment = if n == 0 { comment.as_str() } else { "" };
            out.extend([indent, dash, line, comment, self.newline]);
        }
        out
    }

    /// The text with lines behind the line in which `at` stands, and without `cut` before them.
    fn with_lines_behind(&self, at: usize, lines: &str, cut: Range<usize>) -> String {
        let behind = line_end(self.text, at.max(cut.end));
        let mut new = self.text[..behind].to_owned();
        if !new.ends_with('\n') {
            new.push_str(self.newline);
        }
        new.push_str(lines);
        new.push_str(&self.text[behind..]);
        new.replace_range(cut, "");
        new
    }

    fn is_in_brackets(&self, list: &Node) -> bool {
        self.text[list.place.start..].starts_with('[')
    }

    /// The text with one more entry before the closing bracket.
    fn in_brackets(&self, list: &Node, last: &Node, entry: &Entry) -> Option<String> {
        let close = list.place.end.checked_sub(1)?;
        let gap = self.text.get(end_of(self.text, last)..close)?;
        let comma = if comma_in(gap).is_some() { " " } else { ", " };
        let comment =
            entry.comment.as_ref().map(|c| format!("  {c}{}  ", self.newline)).unwrap_or_default();
        let entry = &entry.flow;
        Some(format!("{}{comma}{entry}{comment}{}", &self.text[..close], &self.text[close..]))
    }

    fn remove(&self, stays: &[bool]) -> Result<String, BadDocument> {
        let list = self.tree.root.entry(SHARED_FILES).map(|(_, list)| list);
        let Some((list, Value::List(items))) = list.map(|l| (l, &l.value)) else {
            return Err(stuck(SHARED_FILES));
        };
        let mut cuts = Vec::new();
        for (n, item) in items.iter().enumerate() {
            match stays.get(n) {
                Some(false) if self.is_in_brackets(list) => {
                    let end = items.get(n + 1).map_or(list.place.end, |next| next.place.start);
                    cuts.extend(self.cuts_in_brackets(item, end));
                }
                Some(false) => cuts.push(self.lines_of(item).ok_or_else(|| stuck(SHARED_FILES))?),
                Some(true) | None => {}
            }
        }
        let mut new = self.text.to_owned();
        cuts.sort_by_key(|c| std::cmp::Reverse(c.start));
        for cut in cuts {
            new.replace_range(cut, "");
        }
        let kept: Vec<Node> = kept(items.iter().cloned(), stays);
        self.check(SHARED_FILES, &new, &kept, &self::kept(self.own().into_iter(), stays))?;
        Ok(new)
    }

    /// An entry, its comma and its mark.
    fn cuts_in_brackets(&self, item: &Node, end: usize) -> Vec<Range<usize>> {
        let from = item.place.end;
        let mut cuts = vec![item.place.clone()];
        let gap = self.text.get(from..end).unwrap_or_default();
        cuts.extend(comma_in(gap).map(|at| from + at..from + at + 1));
        cuts.extend(comment(self.text, from).filter(|at| self.text[at.clone()].contains(PROMOTED)));
        cuts
    }

    /// The lines of an entry that has them for itself.
    fn lines_of(&self, item: &Node) -> Option<Range<usize>> {
        let start = line_start(self.text, item.place.start);
        let before = self.text[start..item.place.start].trim();
        (before == "-").then(|| start..line_end(self.text, item.place.end))
    }

    /// Whether a text means the same as this document but for one list, and marks the same entries.
    fn check(
        &self,
        name: &str,
        new: &str,
        items: &[Node],
        own: &[bool],
    ) -> Result<(), BadDocument> {
        if new.len() > DOCUMENT_BYTES_MAX {
            return Err(BadDocument::too_long());
        }
        let tree = Tree::read(new).map_err(|_| stuck(name))?;
        let says = Document::of(&tree, new)?;
        let same = rest(&tree, name) == rest(&self.tree, name)
            && self::items(&tree, name) == items
            && says.shared.iter().map(|s| s.promoted).eq(own.iter().copied());
        if same { Ok(()) } else { Err(stuck(name)) }
    }

    fn own(&self) -> Vec<bool> {
        self.says.shared.iter().map(|s| s.promoted).collect()
    }
}

/// What a document says besides one list.
fn rest<'a>(tree: &'a Tree, name: &str) -> Vec<&'a (Node, Node)> {
    let Value::Map(entries) = &tree.root.value else { return Vec::new() };
    entries.iter().filter(|(key, _)| key.scalar() != Some(name)).collect()
}

/// The items of one list.
fn items(tree: &Tree, name: &str) -> Vec<Node> {
    match tree.root.entry(name).map(|(_, list)| &list.value) {
        Some(Value::List(items)) => items.clone(),
        _ => Vec::new(),
    }
}

/// Where a node ends. A block ends where its last part does, not where the next thing begins.
fn end_of(text: &str, node: &Node) -> usize {
    let in_brackets = text[node.place.start..].starts_with(['[', '{']);
    let last = match &node.value {
        Value::Map(entries) if !in_brackets => entries.last().map(|(key, value)| {
            let end = if value.place.is_empty() { 0 } else { end_of(text, value) };
            end.max(key.place.end)
        }),
        Value::List(items) if !in_brackets => items.last().map(|item| end_of(text, item)),
        _ => None,
    };
    last.unwrap_or(node.place.end)
}

/// Where the line begins in which a byte stands.
fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |n| n + 1)
}

/// Where the line ends, its break included, in which or with which something ends at `at`.
fn line_end(text: &str, at: usize) -> usize {
    if text[..at].ends_with('\n') {
        return at;
    }
    text[at..].find('\n').map_or(text.len(), |n| at + n + 1)
}

/// The blanks that a line begins with.
fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches(' ').len()]
}

/// Where a comma stands that is not part of a comment.
fn comma_in(gap: &str) -> Option<usize> {
    let mut in_comment = false;
    for (at, b) in gap.bytes().enumerate() {
        match b {
            b'#' => in_comment = true,
            b'\n' => in_comment = false,
            b',' if !in_comment => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
