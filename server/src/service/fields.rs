//! Checks of what callers write into fields.

use coord_protocol::limits::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use coord_protocol::session;

use super::Refusal;

/// Longest text of a row that is only mentioned: hundreds of them must fit an answer to a batch.
const BRIEF_BYTES: usize = 200;

/// A name: not empty, not too long, no control characters.
pub(super) fn name(field: &str, value: &str) -> Result<(), Refusal> {
    let why = if value.trim().is_empty() {
        "is empty".to_owned()
    } else if value.len() > NAME_BYTES_MAX {
        format!("is longer than {NAME_BYTES_MAX} bytes")
    } else if value.chars().any(char::is_control) {
        "holds a control character".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::new(422, format!("{field} {why}")))
}

/// A name that may be absent.
pub(super) fn maybe_name(field: &str, value: Option<&str>) -> Result<(), Refusal> {
    value.map_or(Ok(()), |v| name(field, v))
}

/// Free text.
pub(super) fn text(field: &str, value: Option<&str>) -> Result<(), Refusal> {
    if value.is_some_and(|v| v.len() > TEXT_BYTES_MAX) {
        return Err(Refusal::new(422, format!("{field} is longer than {TEXT_BYTES_MAX} bytes")));
    }
    Ok(())
}

/// A few sentences.
pub(super) fn note(field: &str, value: Option<&str>) -> Result<(), Refusal> {
    const NOTE_BYTES: usize = 8 * 1024;
    if value.is_some_and(|v| v.len() > NOTE_BYTES) {
        return Err(Refusal::new(422, format!("{field} is longer than {NOTE_BYTES} bytes")));
    }
    Ok(())
}

/// A session id.
pub(super) fn session(field: &str, value: &str) -> Result<(), Refusal> {
    if value == session::SYSTEM {
        let why = format!("{field}: {value} is the engine's own name, and nobody else's");
        return Err(Refusal::new(422, why));
    }
    session::check(value).map_err(|e| Refusal::new(422, format!("{field}: {e}")))
}

/// Text of a row beside an answer, cut between characters: the row itself holds all of it.
pub(super) fn brief(text: &str) -> String {
    if text.len() <= BRIEF_BYTES {
        return text.to_owned();
    }
    format!("{}\u{2026}", &text[..text.floor_char_boundary(BRIEF_BYTES)])
}

/// One of a few words.
pub(super) fn one_of(field: &str, value: &str, allowed: &[&str]) -> Result<(), Refusal> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(Refusal::new(422, format!("{field} must be one of {}, not {value:?}", allowed.join(", "))))
}
