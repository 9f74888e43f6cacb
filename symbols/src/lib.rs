//! What a source file declares: the paths of its names (`Parent::child`, to any depth), found by
//! tree-sitter. A claim on symbols is checked against them.
//!
//! Everything here is a function of its arguments. Source text is foreign: its size, its depth, the
//! work on it and what it declares are bounded, and a file that exceeds a bound is not judged
//! (`None`), which is no error.
//!
//! What counts: whatever a person would name when dividing up a file: functions, types of every
//! kind, namespaces and modules, constants and variables at the top and in types, members. What is
//! local to a function does not. A namespace with a block is part of the names inside it; a
//! namespace or package that one line gives to the whole file is not.

mod language;
mod refusal;
mod walk;

use std::collections::BTreeSet;
use std::fmt;
use std::ops::ControlFlow;

use tree_sitter::{ParseOptions, Parser};

pub use refusal::{quoted, refusal};

/// Largest source text that is judged, in bytes. The parser takes some 200 bytes of memory for each.
pub const SOURCE_BYTES_MAX: usize = 512 * 1024;
/// Most brackets that may stand open at once in a text that is judged. People nest some dozens; on
/// what nests without end, parsers that try several meanings at once (`a<a<a<`) were seen to take
/// gigabytes.
pub const OPEN_MAX: usize = 256;
/// Most work on one file, in units of 100 steps of the parser. A text of [`SOURCE_BYTES_MAX`] takes
/// about a tenth of it; broken text may take any number.
const PARSE_STEPS_MAX: u32 = 100_000;

/// A language whose grammar was built in.
#[derive(Clone, Copy)]
pub struct Language(&'static language::Spec);

impl Language {
    /// Its name, as its feature is called.
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// All languages that were built in.
    pub fn all() -> impl Iterator<Item = Self> {
        language::ALL.iter().map(|spec| Self(spec))
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

/// The language of a file, by the ending of its name; `None` when it has no grammar here.
pub fn language_of(path: &str) -> Option<Language> {
    let name = path.rsplit(['/', '\\']).next()?;
    let (_, ending) = name.rsplit_once('.')?;
    Language::all().find(|l| l.0.endings.contains(&ending))
}

/// What a file declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declarations {
    /// The paths, in the order of the text. A name that is declared twice stands here twice.
    pub paths: Vec<String>,
    /// Whether these are all of them. Not so for a text with syntax errors, with a macro that may
    /// declare anything, or with names that are nested too deeply.
    pub complete: bool,
}

impl Declarations {
    /// Every path and everything above it, sorted, each once.
    pub fn known(&self) -> Vec<&str> {
        self.known_set().into_iter().collect()
    }

    fn known_set(&self) -> BTreeSet<&str> {
        let mut known = BTreeSet::new();
        for path in &self.paths {
            let mut rest = path.as_str();
            // What lies above a known path is known already.
            while known.insert(rest) {
                let Some((above, _)) = rest.rsplit_once("::") else { break };
                rest = above;
            }
        }
        known
    }
}

/// The declarations of a source text, or `None` when it cannot be judged within the bounds.
pub fn declarations(language: Language, source: &str) -> Option<Declarations> {
    declarations_while(language, source, &mut || true)
}

/// The same, as long as `go_on` says so; it is asked some thousand times in a second. The caller
/// bounds the time with it: no clock is read here.
pub fn declarations_while(
    language: Language,
    source: &str,
    go_on: &mut dyn FnMut() -> bool,
) -> Option<Declarations> {
    if source.len() > SOURCE_BYTES_MAX || nests_too_deeply(source) {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&(language.0.grammar)()).ok()?;
    let mut steps = 0;
    let mut watch = |_: &tree_sitter::ParseState| {
        steps += 1;
        if steps < PARSE_STEPS_MAX && go_on() {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    };
    let options = ParseOptions::new().progress_callback(&mut watch);
    let bytes = source.as_bytes();
    let mut read = |at: usize, _| bytes.get(at..).unwrap_or_default();
    let tree = parser.parse_with_options(&mut read, None, Some(options))?;
    walk::declarations(language.0, source, tree.root_node())
}

/// Whether more brackets stand open somewhere than may. Those in texts and comments count, too: a
/// file too many is left unjudged rather than one too few.
fn nests_too_deeply(source: &str) -> bool {
    // An angle is mostly a comparison; at the end of a statement none is open.
    let (mut brackets, mut angles) = (0usize, 0usize);
    source.bytes().any(|b| {
        match b {
            b'(' | b'[' => brackets += 1,
            b'{' => (brackets, angles) = (brackets + 1, 0),
            b')' | b']' => brackets = brackets.saturating_sub(1),
            b'}' => (brackets, angles) = (brackets.saturating_sub(1), 0),
            b'<' => angles += 1,
            b'>' => angles = angles.saturating_sub(1),
            b';' => angles = 0,
            _ => {}
        }
        brackets > OPEN_MAX || angles > OPEN_MAX
    })
}

/// Which of the wanted symbols the file does not have, sorted, each once. Empty when nothing can be
/// said: the declarations are not complete, or there are none.
pub fn unknown(declarations: &Declarations, wanted: &[String]) -> Vec<String> {
    if !declarations.complete || declarations.paths.is_empty() {
        return Vec::new();
    }
    let known = declarations.known_set();
    let missing: BTreeSet<&String> =
        wanted.iter().filter(|w| !known.contains(w.as_str())).collect();
    missing.into_iter().cloned().collect()
}
