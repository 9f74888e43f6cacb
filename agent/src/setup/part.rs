//! What coord puts into a file: each kind of it with the same two operations. Pure: a text in, a
//! text out. Putting twice is putting once, and taking finds what putting left, whatever else
//! changed around it.

use super::host::Host;
use super::{block, json, script, table, whole};

/// Something of ours in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Entries of this JSON document, merged into the file's own.
    Json(&'static str),
    /// The same, in a file whose reader takes neither comments nor trailing commas.
    StrictJson(&'static str, Host),
    /// A table of this TOML document.
    Table(&'static str),
    /// A marked block in Markdown.
    Markdown(&'static str),
    /// Lines of a `.gitignore`, in a marked block where any of them is missing.
    Ignore(&'static str),
    /// A marked block at the beginning of a shell script.
    Script(&'static str),
    /// A whole file of ours.
    Whole(&'static str),
}

/// A text with our part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The text.
    pub text: String,
    /// Why a part was left out: somebody else's entry has its place.
    pub skipped: Vec<String>,
}

impl Put {
    pub(super) fn of(text: impl Into<String>) -> Self {
        Self { text: text.into(), skipped: Vec::new() }
    }
}

/// Why a file cannot be changed, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", .line.map(|l| format!("line {l}: ")).unwrap_or_default())]
pub struct Damage {
    /// Counted from one.
    pub line: Option<usize>,
    /// What is wrong there.
    pub why: String,
}

impl Damage {
    pub(super) fn of(why: impl Into<String>) -> Self {
        Self { line: None, why: why.into() }
    }

    pub(super) fn at(text: &str, offset: usize, why: impl Into<String>) -> Self {
        let line = text.bytes().take(offset).filter(|b| *b == b'\n').count() + 1;
        Self { line: Some(line), why: why.into() }
    }
}

/// How a part stands in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// As this version writes it.
    Present,
    /// Of another version, or only in part.
    Stale,
    /// Not there.
    Absent,
    /// Somebody else's entry has its place.
    Foreign(String),
    /// The file cannot be read.
    Damaged(Damage),
}

impl Part {
    /// The text with this part in it; `None` is a file that is not there.
    pub fn put(self, text: Option<&str>) -> Result<Put, Damage> {
        match self {
            Self::Json(template) => json::put(text, template),
            Self::StrictJson(template, reader) => {
                let put = json::put(text, template)?;
                json::strict(text.unwrap_or_default(), reader)?;
                Ok(put)
            }
            Self::Table(template) => table::put(text, template),
            Self::Markdown(body) => block::put(text, block::Style::Markdown, body).map(Put::of),
            Self::Ignore(body) => block::put_missing(text, body).map(Put::of),
            Self::Script(body) => script::put(text, body).map(Put::of),
            Self::Whole(own) => Ok(whole::put(text, own)),
        }
    }

    /// The text without this part; `None`: the file held nothing else. What the file was before coord
    /// came, where that is known, says which empty containers were there.
    pub fn take(self, text: &str, original: Option<&str>) -> Result<Option<String>, Damage> {
        match self {
            Self::Json(template) | Self::StrictJson(template, _) => {
                json::take(text, template, original)
            }
            Self::Table(_) => table::take(text),
            Self::Markdown(_) => block::take(text, block::Style::Markdown),
            Self::Ignore(_) => block::take(text, block::Style::Hash),
            Self::Script(_) => script::take(text),
            Self::Whole(_) => Ok(whole::take(text)),
        }
    }

    /// How it stands in a file.
    pub fn standing(self, text: Option<&str>) -> Standing {
        let put = match self.put(text) {
            Ok(put) => put,
            Err(damage) => return Standing::Damaged(damage),
        };
        if let Some(why) = put.skipped.first() {
            return Standing::Foreign(why.clone());
        }
        match text {
            Some(text) if put.text == text => Standing::Present,
            Some(text) if self.take(text, Some(text)).is_ok_and(|t| t.as_deref() != Some(text)) => {
                Standing::Stale
            }
            Some(_) | None => Standing::Absent,
        }
    }
}

/// The line end that a text uses.
pub(super) fn line_end(text: &str) -> &'static str {
    match text.find('\n') {
        Some(at) if text[..at].ends_with('\r') => "\r\n",
        Some(_) | None => "\n",
    }
}

/// A text of ours with the line ends of another.
pub(super) fn with_line_ends(own: &str, end: &str) -> String {
    if end == "\n" { own.to_owned() } else { own.replace('\n', end) }
}
