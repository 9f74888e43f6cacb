//! What an ownership document says.

use std::ops::Range;
use std::sync::Arc;

use coord_protocol::limits::NAME_BYTES_MAX;
use coord_protocol::resource::Resource;

use super::yaml::{Node, Tree, Value};
use super::{BadDocument, OWNERS_MAX, PATTERNS_MAX};

/// Where areas stand.
const SECTIONS: [&str; 2] = ["modules", "areas"];
/// Where shared files stand.
pub(super) const SHARED_FILES: &str = "shared_files";
/// Where files stand that should be claimed by symbols.
pub(super) const SUGGESTED_SPLITS: &str = "suggested_splits";
/// What coord writes behind an entry of its own, with the day.
pub(super) const PROMOTED: &str = "auto-promoted=";
/// What a person writes behind an entry that is to stay.
const PERMANENT: &str = "coord-managed=permanent";

/// A pattern of an area.
#[derive(Debug, Clone)]
pub struct Rule {
    /// What it means.
    pub resource: Resource,
    /// Nothing is resolved by itself there.
    pub hard: bool,
    /// Who owns the area.
    pub owners: Arc<[String]>,
}

/// An entry of `shared_files`.
#[derive(Debug, Clone)]
pub struct Shared {
    /// As it is written.
    pub pattern: String,
    /// What it means.
    pub resource: Resource,
    /// coord wrote it by itself, and may take it out again.
    pub promoted: bool,
}

/// What an ownership document says.
#[derive(Debug, Clone, Default)]
pub struct Document {
    /// Patterns of areas, in order.
    pub rules: Vec<Rule>,
    /// Shared files, in order.
    pub shared: Vec<Shared>,
    /// What should be claimed by symbols, in order.
    pub splits: Vec<Resource>,
}

impl Document {
    /// Reads a stored document: an empty one says nothing.
    pub fn read(text: &str) -> Result<Self, BadDocument> {
        Self::of(&Tree::read(text)?, text)
    }

    /// Reads a document that somebody hands in: it has to say something.
    pub fn accept(text: &str) -> Result<Self, BadDocument> {
        let tree = Tree::read(text)?;
        let read = Self::of(&tree, text)?;
        let has = |name: &str| tree.root.entry(name).is_some();
        let has_list = has(SHARED_FILES) || has(SUGGESTED_SPLITS);
        if !has_list && !SECTIONS.into_iter().any(has) {
            return Err(bad("Ownership config must define `modules` or `areas`"));
        }
        if !has_list && read.rules.is_empty() {
            return Err(bad("Ownership config must define at least one path rule"));
        }
        Ok(read)
    }

    pub(super) fn of(tree: &Tree, text: &str) -> Result<Self, BadDocument> {
        if !matches!(tree.root.value, Value::Map(_) | Value::Null) {
            return Err(bad("Ownership config must be a YAML mapping"));
        }
        let mut read = Self::default();
        for section in SECTIONS {
            let Some(areas) = tree.get(&tree.root, section) else { continue };
            let Value::Map(areas) = &areas.value else {
                return Err(bad(format!("`{section}` must be a mapping")));
            };
            for (name, area) in areas {
                let name = format!("{section}.{}", name.scalar().unwrap_or_default());
                read.take_area(tree, &name, tree.resolve(area))?;
                read.check_size()?;
            }
        }
        for item in list(tree, SHARED_FILES)? {
            read.shared.push(shared(tree, item, text)?);
            read.check_size()?;
        }
        for item in list(tree, SUGGESTED_SPLITS)? {
            read.splits.push(split(tree, item)?);
            read.check_size()?;
        }
        Ok(read)
    }

    fn check_size(&self) -> Result<(), BadDocument> {
        if self.rules.len() + self.shared.len() + self.splits.len() > PATTERNS_MAX {
            return Err(bad(format!("Ownership config has more than {PATTERNS_MAX} patterns")));
        }
        Ok(())
    }

    fn take_area(&mut self, tree: &Tree, name: &str, area: &Node) -> Result<(), BadDocument> {
        if !matches!(area.value, Value::Map(_)) {
            return Err(bad(format!("`{name}` must be a mapping")));
        }
        let paths = match tree.get(area, "paths").map(|n| &n.value) {
            Some(Value::List(paths)) if !paths.is_empty() => paths,
            _ => return Err(bad(format!("`{name}.paths` must be a non-empty list"))),
        };
        let owners = owners(tree, name, area)?;
        let hard = is_hard(tree, name, area)?;
        for path in paths {
            let Some(pattern) = tree.resolve(path).text() else {
                return Err(bad(format!("`{name}.paths` must only contain strings")));
            };
            let resource = resource(&format!("{name}.paths"), pattern)?;
            self.rules.push(Rule { resource, hard, owners: Arc::clone(&owners) });
            self.check_size()?;
        }
        Ok(())
    }
}

fn bad(why: impl Into<String>) -> BadDocument {
    BadDocument(why.into())
}

pub(super) fn resource(field: &str, pattern: &str) -> Result<Resource, BadDocument> {
    Resource::claim(pattern).map_err(|e| bad(format!("`{field}`: {e}")))
}

fn owners(tree: &Tree, name: &str, area: &Node) -> Result<Arc<[String]>, BadDocument> {
    let Some(owners) = tree.get(area, "owners") else { return Ok(Arc::from([])) };
    let Value::List(owners) = &owners.value else {
        return Err(bad(format!("`{name}.owners` must be a list")));
    };
    if owners.len() > OWNERS_MAX {
        return Err(bad(format!("`{name}.owners` has more than {OWNERS_MAX} names")));
    }
    let name_of = |owner: &Node| match tree.resolve(owner).scalar() {
        Some(o) if !o.trim().is_empty() && o.len() <= NAME_BYTES_MAX => Ok(o.to_owned()),
        _ => Err(bad(format!("`{name}.owners` must only contain names"))),
    };
    owners.iter().map(name_of).collect()
}

fn is_hard(tree: &Tree, name: &str, area: &Node) -> Result<bool, BadDocument> {
    let Some((_, severity)) = area.entry("severity") else { return Ok(false) };
    let word = tree.resolve(severity).scalar().unwrap_or_default().to_ascii_lowercase();
    match word.as_str() {
        "hard" => Ok(true),
        "soft" => Ok(false),
        _ => Err(bad(format!("`{name}.severity` must be one of: hard, soft"))),
    }
}

/// The items of a list at the top.
fn list<'a>(tree: &'a Tree, name: &str) -> Result<&'a [Node], BadDocument> {
    match tree.get(&tree.root, name).map(|n| &n.value) {
        None => Ok(&[]),
        Some(Value::List(items)) => Ok(items),
        Some(_) => Err(bad(format!("`{name}` must be a list"))),
    }
}

fn shared(tree: &Tree, item: &Node, text: &str) -> Result<Shared, BadDocument> {
    let Some(pattern) = tree.resolve(item).text() else {
        return Err(bad(format!("`{SHARED_FILES}` must only contain strings")));
    };
    let (promoted, permanent) = marks(comment(text, item.place.end).map_or("", |at| &text[at]));
    Ok(Shared {
        pattern: pattern.to_owned(),
        resource: resource(SHARED_FILES, pattern)?,
        promoted: promoted && !permanent,
    })
}

/// A suggested split: a mapping with a pattern, or the pattern alone.
fn split(tree: &Tree, item: &Node) -> Result<Resource, BadDocument> {
    let item = tree.resolve(item);
    let pattern = tree.get(item, "pattern").unwrap_or(item);
    match pattern.text() {
        Some(pattern) => resource(SUGGESTED_SPLITS, pattern),
        None => {
            Err(bad(format!("`{SUGGESTED_SPLITS}` must only contain mappings with a `pattern`")))
        }
    }
}

/// The comment that ends the line behind an item which ends at `end`, from its `#`.
pub(super) fn comment(text: &str, end: usize) -> Option<Range<usize>> {
    let line = text[end..].split(['\n', '\r']).next().unwrap_or_default();
    let rest = line.trim_start().trim_start_matches(',').trim_start();
    let until = end + line.len();
    rest.starts_with('#').then(|| until - rest.len()..until)
}

/// What a comment says of its entry: coord wrote it; it is to stay.
fn marks(comment: &str) -> (bool, bool) {
    let mut marks = (false, false);
    for word in comment.split(|c: char| c.is_whitespace() || matches!(c, '#' | ',' | ';')) {
        marks.0 |= word.strip_prefix(PROMOTED).is_some_and(is_day);
        marks.1 |= word == PERMANENT;
    }
    marks
}

/// `YYYY-MM-DD`.
fn is_day(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(at, b)| match at {
            4 | 7 => b == b'-',
            _ => b.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = r#"modules:            # or areas, or both
  auth:
    paths: ["src/auth/**"]
    owners: [amy]
    severity: HARD
areas:
  ui:
    paths:
      - src/ui/**
      - "*.css"
shared_files:       # written by promotion
  - src/router.ts  # auto-promoted=2026-06-02

  # a word of a person
  - package.json  # coord-managed=permanent
  - yarn.lock  # auto-promoted=2026-06-02 coord-managed=permanent
suggested_splits:
  - {pattern: src/big.ts, suggested_at: 2026-06-02, note: too big}
  - src/other.ts
"#;

    #[test]
    fn the_document_of_the_reference() {
        let d = Document::accept(SEED).unwrap();
        let rules: Vec<_> = d.rules.iter().map(|r| (r.resource.as_str(), r.hard)).collect();
        assert_eq!(rules, [("src/auth/**", true), ("src/ui/**", false), ("**/*.css", false)]);
        assert_eq!(*d.rules[0].owners, ["amy".to_owned()]);
        let shared: Vec<_> = d.shared.iter().map(|s| (s.pattern.as_str(), s.promoted)).collect();
        assert_eq!(
            shared,
            [("src/router.ts", true), ("package.json", false), ("yarn.lock", false)]
        );
        let splits: Vec<_> = d.splits.iter().map(Resource::as_str).collect();
        assert_eq!(splits, ["src/big.ts", "src/other.ts"]);
    }

    #[test]
    fn documents_without_areas() {
        for text in ["shared_files: [a]", "shared_files:\n", "suggested_splits:\n- pattern: a\n"] {
            assert!(Document::accept(text).is_ok(), "{text}");
        }
        assert!(Document::read("# nothing\n").unwrap().rules.is_empty());
    }

    #[test]
    fn refusals_in_the_words_of_the_seed() {
        for (text, why) in [
            ("- a", "Ownership config must be a YAML mapping"),
            ("7", "Ownership config must be a YAML mapping"),
            ("", "Ownership config must define `modules` or `areas`"),
            ("x: 1", "Ownership config must define `modules` or `areas`"),
            ("modules:", "Ownership config must define at least one path rule"),
            ("areas: {}", "Ownership config must define at least one path rule"),
            ("modules: [a]", "`modules` must be a mapping"),
            ("areas: {a: [b]}", "`areas.a` must be a mapping"),
            ("areas: {a: }", "`areas.a` must be a mapping"),
            ("modules: {a: {}}", "`modules.a.paths` must be a non-empty list"),
            ("modules: {a: {paths: []}}", "`modules.a.paths` must be a non-empty list"),
            ("modules: {a: {paths: x}}", "`modules.a.paths` must be a non-empty list"),
            ("modules: {a: {paths: [1]}}", "`modules.a.paths` must only contain strings"),
            ("modules: {a: {paths: [' ']}}", "`modules.a.paths` must only contain strings"),
            ("modules: {a: {paths: [[b]]}}", "`modules.a.paths` must only contain strings"),
            ("modules: {a: {paths: [b], owners: c}}", "`modules.a.owners` must be a list"),
            (
                "modules: {a: {paths: [b], owners: [[c]]}}",
                "`modules.a.owners` must only contain names",
            ),
            (
                "modules: {7: {paths: [b], severity: x}}",
                "`modules.7.severity` must be one of: hard, soft",
            ),
            (
                "modules: {a: {paths: [b], severity: }}",
                "`modules.a.severity` must be one of: hard, soft",
            ),
            (
                "modules: {a: {paths: [../b]}}",
                "`modules.a.paths`: resource \"../b\" leaves the project",
            ),
            ("shared_files: a", "`shared_files` must be a list"),
            ("shared_files: [{a: b}]", "`shared_files` must only contain strings"),
            ("suggested_splits: {a: b}", "`suggested_splits` must be a list"),
            (
                "suggested_splits: [{note: b}]",
                "`suggested_splits` must only contain mappings with a `pattern`",
            ),
        ] {
            assert_eq!(Document::accept(text).unwrap_err().to_string(), why, "{text}");
        }
        let yaml = Document::accept("a: [b").unwrap_err().to_string();
        assert!(yaml.starts_with("Invalid YAML: "), "{yaml}");
    }

    #[test]
    fn bounds() {
        let many = |n: usize| format!("shared_files:\n{}", "- a\n".repeat(n));
        assert!(Document::accept(&many(PATTERNS_MAX)).is_ok());
        let no = Document::accept(&many(PATTERNS_MAX + 1)).unwrap_err();
        assert_eq!(no.to_string(), "Ownership config has more than 2000 patterns");
        // Paths behind aliases count each time.
        let list = "p,".repeat(100);
        let areas: String = (0..21).map(|n| format!("  m{n}: {{paths: *p}}\n")).collect();
        let text = format!("x: &p [{list}]\nmodules:\n{areas}");
        assert!(Document::accept(&text).unwrap_err().to_string().contains("more than 2000"));
    }

    #[test]
    fn marks_are_words_of_the_comment() {
        for (comment, read) in [
            ("# auto-promoted=2026-06-02", (true, false)),
            ("#auto-promoted=2026-06-02, coord-managed=permanent", (true, true)),
            ("# auto-promoted=soon", (false, false)),
            ("# not-coord-managed=permanent", (false, false)),
        ] {
            assert_eq!(marks(comment), read, "{comment}");
        }
        assert_eq!(comment("- coord-managed=permanent", 2), None);
    }
}
