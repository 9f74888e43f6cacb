//! Whether the symbols of a claim exist in the file of the checkout. What cannot be judged passes:
//! no such file, a pattern that means several, an unknown language, a text with errors.

use std::fs::{self, File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use coord_protocol::path::canonical_literal;
use coord_symbols::{SOURCE_BYTES_MAX, declarations_while, language_of, refusal};

use super::Examined;
use super::limits::Measured;

/// What an asker may do whose symbols are unknown.
const UNKNOWN: &[&str] = &["narrow_claim"];
/// How long the files of one claim may take together; what comes later passes.
const TIME_MAX: Duration = Duration::from_secs(2);

/// The refusal for all items with symbols that their file does not have.
pub(super) fn unknown(
    root: &Path,
    items: &[Examined],
    measured: &[Measured],
) -> Option<(String, &'static [&'static str])> {
    let root = fs::canonicalize(root).ok()?;
    let until = Instant::now() + TIME_MAX;
    let texts: Vec<String> = items
        .iter()
        // A name without a folder may mean files in several.
        .filter(|i| measured.iter().all(|m| m.pattern != i.pattern || m.files <= 1))
        .filter_map(|item| unknown_in(&root, item, until))
        .collect();
    (!texts.is_empty()).then(|| (texts.join("; "), UNKNOWN))
}

fn unknown_in(root: &Path, item: &Examined, until: Instant) -> Option<String> {
    let wanted = item.symbols.filter(|s| !s.is_empty())?;
    let language = language_of(item.pattern)?;
    let source = text_of(root, item.pattern)?;
    let found = declarations_while(language, &source, &mut || Instant::now() < until)?;
    let missing = coord_symbols::unknown(&found, wanted);
    (!missing.is_empty()).then(|| refusal(item.pattern, &missing, &found.known()))
}

/// The text of a regular file inside the root; links that lead out of it are not followed.
fn text_of(root: &Path, pattern: &str) -> Option<String> {
    let file = fs::canonicalize(root.join(canonical_literal(pattern).ok()?)).ok()?;
    if !file.starts_with(root) || !fs::symlink_metadata(&file).ok()?.is_file() {
        return None;
    }
    let opened = open(&file).ok()?;
    let most = SOURCE_BYTES_MAX as u64;
    let about = opened.metadata().ok()?;
    if !about.is_file() || about.len() > most {
        return None;
    }
    let mut bytes = Vec::new();
    opened.take(most + 1).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Neither follows a link that came meanwhile nor waits for a pipe.
fn open(file: &Path) -> std::io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(file)
}
