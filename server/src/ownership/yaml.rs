//! A bounded tree of a YAML text in which each node knows its place, so that the text can be changed
//! there and nowhere else.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::{BadDocument, DOCUMENT_BYTES_MAX};

/// Most nodes of a document: each entry is a few.
const NODES_MAX: usize = 20_000;
/// Deepest nesting: an ownership document needs five.
const DEPTH_MAX: usize = 16;

/// A node. Two are equal when they mean the same, wherever they stand.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    /// Bytes of the text. Of what is not written at all: empty, and nowhere in particular.
    pub(super) place: Range<usize>,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// What a node means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// Nothing.
    Null,
    /// A text.
    Text(String),
    /// A number or a truth value, as it was written.
    Other(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// The same as the node with this anchor. Never expanded, so that a few lines cannot become
    /// millions of nodes.
    Alias(usize),
}

/// A whole document.
#[derive(Debug, Clone)]
pub(super) struct Tree {
    pub(super) root: Node,
    anchors: HashMap<usize, Node>,
}

impl Tree {
    /// Reads a text that holds one document at most.
    pub(super) fn read(text: &str) -> Result<Self, BadDocument> {
        if text.len() > DOCUMENT_BYTES_MAX {
            return Err(BadDocument::too_long());
        }
        let mut building = Building::of(text);
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|e| invalid(e.to_string()))?;
            building.take(event, span)?;
        }
        let root = building.root.unwrap_or(Node { value: Value::Null, place: 0..0 });
        Ok(Self { root, anchors: building.anchors })
    }

    /// What an alias stands for; any other node is itself.
    pub(super) fn resolve<'a>(&'a self, node: &'a Node) -> &'a Node {
        match &node.value {
            // An alias has no anchor of its own, so one step is all.
            Value::Alias(id) => self.anchors.get(id).unwrap_or(node),
            _ => node,
        }
    }

    /// What stands under a name, if something does.
    pub(super) fn get<'a>(&'a self, map: &'a Node, name: &str) -> Option<&'a Node> {
        let value = self.resolve(&map.entry(name)?.1);
        (value.value != Value::Null).then_some(value)
    }
}

impl Node {
    /// The key and the value under a name, in this mapping.
    pub(super) fn entry(&self, name: &str) -> Option<&(Self, Self)> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.scalar() == Some(name))
    }

    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Text(t) | Value::Other(t) => Some(t),
            Value::Null | Value::List(_) | Value::Map(_) | Value::Alias(_) => None,
        }
    }

    /// The text, if it is one and not blank.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(t) => Some(t.as_str()).filter(|t| !t.trim().is_empty()),
            Value::Null | Value::Other(_) | Value::List(_) | Value::Map(_) | Value::Alias(_) => {
                None
            }
        }
    }
}

fn invalid(why: impl AsRef<str>) -> BadDocument {
    BadDocument(format!("Invalid YAML: {}", why.as_ref()))
}

/// A list or mapping that is not at its end yet.
struct Open {
    children: Vec<Node>,
    is_map: bool,
    anchor: usize,
    start: usize,
}

struct Building<'t> {
    text: &'t str,
    /// Where each character begins, and the end.
    bytes: Vec<usize>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    root: Option<Node>,
    nodes: usize,
}

impl<'t> Building<'t> {
    fn of(text: &'t str) -> Self {
        let bytes = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        Self { text, bytes, open: Vec::new(), anchors: HashMap::new(), root: None, nodes: 0 }
    }

    fn place(&self, span: Span) -> Range<usize> {
        let at = |index: usize| self.bytes[index.min(self.bytes.len() - 1)];
        at(span.start.index())..at(span.end.index())
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), BadDocument> {
        let place = self.place(span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())?;
                // The parser counts the comment behind a closing quote to the text.
                let length = quoted_length(&self.text[place.clone()]).unwrap_or(place.len());
                let place = place.start..place.start + length;
                self.add(Node { value, place }, anchor)
            }
            Event::Alias(id) => self.add(Node { value: Value::Alias(id), place }, 0),
            Event::SequenceStart(anchor, tag) => self.begin(false, anchor, tag.as_deref(), place),
            Event::MappingStart(anchor, tag) => self.begin(true, anchor, tag.as_deref(), place),
            Event::SequenceEnd | Event::MappingEnd => self.end(place),
            Event::DocumentStart(_) if self.root.is_some() => {
                Err(invalid("more than one document"))
            }
            Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::StreamStart
            | Event::StreamEnd
            | Event::Nothing => Ok(()),
        }
    }

    fn begin(
        &mut self,
        is_map: bool,
        anchor: usize,
        tag: Option<&Tag>,
        place: Range<usize>,
    ) -> Result<(), BadDocument> {
        if tag.is_some() {
            return Err(invalid("a list or mapping with a tag"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(invalid(format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(Open { children: Vec::new(), is_map, anchor, start: place.start });
        Ok(())
    }

    fn end(&mut self, place: Range<usize>) -> Result<(), BadDocument> {
        let Some(done) = self.open.pop() else { return Err(invalid("an end without a beginning")) };
        let value = if done.is_map { map(done.children)? } else { Value::List(done.children) };
        // The parser counts the comment behind a closing bracket to the list.
        let brackets = self.text[place.start..].starts_with([']', '}']) && !place.is_empty();
        let end = place.start + usize::from(brackets);
        self.add(Node { value, place: done.start..end.max(done.start) }, done.anchor)
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), BadDocument> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(invalid(format!("more than {NODES_MAX} nodes")));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.open.last_mut() {
            Some(open) => open.children.push(node),
            None => self.root = Some(node),
        }
        Ok(())
    }
}

/// Pairs up keys and values.
fn map(children: Vec<Node>) -> Result<Value, BadDocument> {
    let mut entries = Vec::with_capacity(children.len() / 2);
    let mut names = HashSet::new();
    let mut nodes = children.into_iter();
    while let (Some(key), Some(value)) = (nodes.next(), nodes.next()) {
        let Some(name) = key.scalar() else { return Err(invalid("a key that is no text")) };
        if name == "<<" {
            return Err(invalid("merge keys (`<<`) are not supported"));
        }
        if !names.insert(name.to_owned()) {
            return Err(invalid(format!("duplicate key {name:?}")));
        }
        entries.push((key, value));
    }
    Ok(Value::Map(entries))
}

/// How long a text in quotes is that begins here.
fn quoted_length(text: &str) -> Option<usize> {
    let quote = text.bytes().next().filter(|b| matches!(b, b'\'' | b'"'))?;
    let mut bytes = text.bytes().enumerate().skip(1).peekable();
    while let Some((at, b)) = bytes.next() {
        let doubled = quote == b'\'' && bytes.peek().is_some_and(|(_, next)| *next == quote);
        if (b == b'\\' && quote == b'"') || (b == quote && doubled) {
            bytes.next();
        } else if b == quote {
            return Some(at + 1);
        }
    }
    None
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, BadDocument> {
    match tag {
        Some(t) if t.is_yaml_core_schema() && t.suffix == "str" => {
            return Ok(Value::Text(text.to_owned()));
        }
        Some(t) => return Err(invalid(format!("unknown tag {t}"))),
        None => {}
    }
    Ok(match plain(text).filter(|_| style == ScalarStyle::Plain) {
        Some(Plain::Null) => Value::Null,
        Some(Plain::Other) => Value::Other(text.to_owned()),
        None => Value::Text(text.to_owned()),
    })
}

/// What a text without quotes is, when it is no text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plain {
    /// Nothing.
    Null,
    /// A number or a truth value.
    Other,
}

/// Whether somebody may read a text without quotes as something else. YAML 1.1 is asked, too: who
/// wrote the document may have had a reader of it in mind.
pub(super) fn plain(text: &str) -> Option<Plain> {
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => Some(Plain::Null),
        "true" | "false" | "yes" | "no" | "on" | "off" => Some(Plain::Other),
        lower => is_number(lower).then_some(Plain::Other),
    }
}

fn is_number(lower: &str) -> bool {
    let digits = lower.trim_start_matches(['-', '+']);
    let of = |prefix: &str, radix: u32| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|d| !d.is_empty() && d.chars().all(|c| c == '_' || c.is_digit(radix)))
    };
    matches!(digits, ".inf" | ".nan")
        || (digits.starts_with(|c: char| c == '.' || c.is_ascii_digit())
            && lower.replace('_', "").parse::<f64>().is_ok())
        || of("0x", 16)
        || of("0o", 8)
        || of("0b", 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Tree {
        Tree::read(text).unwrap()
    }

    fn no(text: &str) -> String {
        Tree::read(text).unwrap_err().to_string()
    }

    #[test]
    fn nodes_know_their_places() {
        for text in [
            "a:\n  - b   # 'y'\n  - 'c d'  # x's\n  - \"e\"  # \"\n",
            "\u{e4}:  # \u{fc}\r\n  - b\r\n  - 'c d'\r\n  - \"e\"\r\n",
            "\u{e4}: [b, 'c d', \"e\" ]  # x",
        ] {
            let tree = read(text);
            let Value::Map(entries) = &tree.root.value else { panic!("no mapping") };
            let Value::List(items) = &entries[0].1.value else { panic!("no list") };
            let at = |n: &Node| &text[n.place.clone()];
            assert_eq!(at(&entries[0].0), if text.starts_with('a') { "a" } else { "\u{e4}" });
            assert_eq!(items.iter().map(at).collect::<Vec<_>>(), ["b", "'c d'", "\"e\""]);
            let texts: Vec<_> = items.iter().filter_map(Node::text).collect();
            assert_eq!(texts, ["b", "c d", "e"]);
        }
        let text = "a: [b, c]  # x\n";
        let tree = read(text);
        assert_eq!(&text[tree.get(&tree.root, "a").unwrap().place.clone()], "[b, c]");
    }

    #[test]
    fn what_is_no_text() {
        let tree = read("[~, yes, 12, 1.5e3, 0x1f, 'yes', !!str 12, src/a.ts, 1.2.3, inf, -x]");
        let Value::List(items) = &tree.root.value else { panic!("no list") };
        let texts: Vec<_> = items.iter().filter_map(Node::text).collect();
        assert_eq!(texts, ["yes", "12", "src/a.ts", "1.2.3", "inf", "-x"]);
    }

    #[test]
    fn aliases_are_followed_and_never_expanded() {
        let tree = read("a: &x [p]\nb: *x\n");
        assert_eq!(tree.get(&tree.root, "a"), tree.get(&tree.root, "b"));
        let line = |n: u32| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}, *a{0}]\n", n - 1);
        let bomb: String =
            ["a0: &a0 [x, x]\n".to_owned()].into_iter().chain((1..60).map(line)).collect();
        assert!(read(&bomb).get(&read(&bomb).root, "a59").is_some());
        assert!(Tree::read("a: &a [*a]\n").is_ok());
    }

    #[test]
    fn what_is_refused() {
        assert!(no("a: [").starts_with("Invalid YAML: "));
        assert!(no("a: 1\na: 2\n").contains("duplicate key"));
        assert!(no("a: 1\n---\nb: 2\n").contains("more than one document"));
        assert!(no("? [a]\n: b\n").contains("no text"));
        assert!(no("a: !x b\n").contains("unknown tag"));
        assert!(no("a: {<<: {b: 1}}").contains("merge keys"));
        assert!(no(&"- ".repeat(100)).contains("nested deeper"));
        assert!(no(&"[".repeat(100_000)).starts_with("Invalid YAML: "));
        assert!(no(&"- a\n".repeat(NODES_MAX)).contains("more than"));
        assert!(no(&" ".repeat(DOCUMENT_BYTES_MAX + 1)).contains("longer than"));
    }
}
