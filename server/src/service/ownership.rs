//! The ownership document: kept as its authors wrote it, byte by byte.

use super::{Answer, Cx, Refusal};
use sha2::{Digest, Sha256};

use crate::ownership::{BadDocument, Document, Split, add_shared, add_split};
use crate::store::{Stored, Tx, View};

/// Longest note on a suggested split, bytes.
const NOTE_BYTES_MAX: usize = 2_000;

/// What a hot spot becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// An entry of `shared_files`.
    SharedFile,
    /// An entry of `suggested_splits`.
    Split,
}

impl Action {
    /// Reads the word for it.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "shared_file" => Some(Self::SharedFile),
            "split" => Some(Self::Split),
            _ => None,
        }
    }
}

/// What of a document has to do with a wish: a refusal.
fn refused(e: &BadDocument) -> Refusal {
    Refusal::new(400, e.to_string())
}

/// Stores a document; says how many path rules it has.
pub fn set(tx: &Tx<'_>, cx: &Cx<'_>, text: &str, was: Option<&str>) -> Answer<usize> {
    let document = Document::accept(text).map_err(|e| refused(&e))?;
    let now = print_of(get(tx)?.as_deref());
    if was.is_some_and(|was| was != now) {
        let why = "the ownership document has changed since; look at it, and set yours again";
        return Err(Refusal::new(409, why).into());
    }
    tx.set_ownership(text, cx.now)?;
    Ok(document.rules.len())
}

/// What stands for a document where one is to be replaced: its SHA-256 in hex; of none, that of nothing.
pub fn print_of(document: Option<&str>) -> String {
    let digest = Sha256::digest(document.unwrap_or_default().as_bytes());
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// The document, if there is one.
pub fn get(view: &View<'_>) -> Stored<Option<String>> {
    view.with_ownership(str::to_owned)
}

/// Writes a pattern into the document, unless it stands there; says what the document is then.
pub fn promote(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    action: Action,
    pattern: &str,
    note: Option<&str>,
) -> Answer<String> {
    if note.is_some_and(|n| n.len() > NOTE_BYTES_MAX) {
        return Err(Refusal::new(422, format!("note is longer than {NOTE_BYTES_MAX} bytes")).into());
    }
    let text = get(tx)?.unwrap_or_default();
    let suggested_at = cx.now.to_string();
    let done = match action {
        Action::SharedFile => add_shared(&text, pattern, None),
        Action::Split => add_split(&text, &Split { pattern, suggested_at: &suggested_at, note }),
    };
    let Some(new) = done.map_err(|e| refused(&e))? else { return Ok(text) };
    tx.set_ownership(&new, cx.now)?;
    Ok(new)
}
