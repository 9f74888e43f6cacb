//! One line of the queue: an entry, nothing, or something that is no entry (G7).

use coord_protocol::id::parse_key;
use coord_protocol::limits::BODY_BYTES_MAX;
use coord_protocol::request::{Method, Request, check_path};
use serde_json::{Map, Value};

/// Longest line.
pub const LINE_BYTES_MAX: usize = BODY_BYTES_MAX;

/// What a line is.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// Blank, or only padding.
    Blank,
    /// An entry; its text is the line without padding.
    Entry(Box<Entry>),
    /// Not an entry, and why.
    Broken(String),
}

/// An entry as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it asks for. `id` is absent on lines that a foreign tool wrote.
    pub request: Request,
    /// Its text, without padding and newline: unknown fields and number spellings are kept.
    pub text: String,
    /// The text has a field `id` that says nothing (`null`, empty).
    blank_id: bool,
}

impl Entry {
    /// The text with an id in it.
    pub fn text_with_id(&self, id: &str) -> String {
        if self.blank_id
            && let Ok(Value::Object(mut map)) = serde_json::from_str::<Value>(&self.text)
        {
            map.insert("id".to_owned(), Value::String(id.to_owned()));
            return Value::Object(map).to_string();
        }
        // Spliced in as text, so that nothing else changes. The text is an object with members.
        let rest = self.text.strip_prefix('{').unwrap_or(&self.text);
        format!("{{\"id\":\"{id}\",{}", rest.trim_start())
    }
}

/// Reads a line. BOM, CR, surrounding white space and NUL padding are accepted.
pub fn parse(raw: &[u8]) -> Line {
    let trimmed = trim(raw);
    // Zeros may stand before the mark as well as behind it.
    let bytes = trimmed.strip_prefix(b"\xef\xbb\xbf").map_or(trimmed, trim);
    if bytes.is_empty() {
        return Line::Blank;
    }
    if bytes.len() > LINE_BYTES_MAX {
        return Line::Broken(format!("longer than {LINE_BYTES_MAX} bytes"));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Line::Broken("not UTF-8".to_owned());
    };
    match entry(text) {
        Ok(e) => Line::Entry(Box::new(e)),
        Err(why) => Line::Broken(why),
    }
}

/// Without white space and zeros around it: a power cut or a failed sync may leave zeros where a line
/// was, newline included.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let padding = |b: &u8| b.is_ascii_whitespace() || *b == 0;
    let start = bytes.iter().position(|b| !padding(b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !padding(b)).map_or(start, |e| e + 1);
    &bytes[start..end]
}

fn entry(text: &str) -> Result<Entry, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("not JSON: {e}"))?;
    let Value::Object(map) = value else { return Err("not a JSON object".to_owned()) };
    let method = text_field(&map, "method")?.ok_or("no method")?;
    let method =
        Method::parse(method).ok_or_else(|| format!("method {method:?} cannot be queued"))?;
    let path = text_field(&map, "path")?.ok_or("no path")?;
    check_path(path).map_err(|e| e.to_string())?;
    let body = match map.get("body") {
        None | Some(Value::Null) => None,
        Some(b @ (Value::Object(_) | Value::String(_))) => Some(b.clone()),
        Some(_) => return Err("body is neither an object nor a text".to_owned()),
    };
    let id = match text_field(&map, "id") {
        Ok(id) => id.filter(|i| !i.is_empty()),
        Err(why) => return Err(why),
    };
    if let Some(id) = id
        && parse_key(id) != Some(id)
    {
        return Err(format!("id {id:?} cannot be an idempotency key"));
    }
    // These are for display: of another type, they are as good as absent.
    let shown = |name: &str| map.get(name).and_then(Value::as_str).map(str::to_owned);
    Ok(Entry {
        request: Request {
            ts: shown("ts"),
            method,
            path: path.to_owned(),
            body,
            id: id.map(str::to_owned),
            session: shown("session"),
            seq: map.get("seq").and_then(Value::as_u64),
            not_after: shown("not_after"),
            past: false,
            waited_ms: None,
            unjudged: map.get("unjudged") == Some(&Value::Bool(true)),
        },
        blank_id: id.is_none() && map.contains_key("id"),
        text: text.to_owned(),
    })
}

fn text_field<'a>(map: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, String> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(s)) => Ok(Some(s)),
        Some(_) => Err(format!("{name} is not a text")),
    }
}

/// The complete lines of a piece of a file, each with its place; then where they end.
pub fn complete_lines(bytes: &[u8]) -> (Vec<(u64, &[u8])>, u64) {
    let mut lines = Vec::new();
    let mut start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, b)| **b == b'\n') {
        lines.push((start as u64, &bytes[start..at]));
        start = at + 1;
    }
    (lines, start as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        r#"{"ts":"t","method":"POST","path":"/api/coord/todos","body":{"text":"x","n":1.50}}"#;

    fn ok(raw: &[u8]) -> Entry {
        match parse(raw) {
            Line::Entry(e) => *e,
            other => panic!("{other:?}"),
        }
    }

    fn broken(raw: &str) -> String {
        match parse(raw.as_bytes()) {
            Line::Broken(why) => why,
            other => panic!("{raw}: {other:?}"),
        }
    }

    #[test]
    fn padding_of_all_kinds_is_accepted() {
        for raw in [
            GOOD.to_owned(),
            format!("\u{feff}{GOOD}"),
            format!("  {GOOD}\r"),
            format!("\0\0{GOOD}\0"),
            format!("\0\0\u{feff} {GOOD}"),
        ] {
            assert_eq!(ok(raw.as_bytes()).text, GOOD);
        }
        for raw in ["", " \r", "\0\0\0", "\u{feff}"] {
            assert_eq!(parse(raw.as_bytes()), Line::Blank);
        }
    }

    #[test]
    fn what_is_no_entry() {
        assert!(broken("{\"method\":\"POST\"").starts_with("not JSON"));
        assert_eq!(broken("[1]"), "not a JSON object");
        assert_eq!(broken(r#"{"method":"POST"}"#), "no path");
        assert!(broken(r#"{"method":"GET","path":"/x"}"#).contains("GET"));
        assert!(broken(r#"{"method":"POST","path":"http://evil/x"}"#).contains("begin with one"));
        assert!(broken("{\"method\":\"POST\",\"path\":\"/x\\r\\nHost: y\"}").contains("ASCII"));
        assert!(broken(r#"{"method":"POST","path":"/a/../b"}"#).contains(".."));
        assert!(broken(r#"{"method":"POST","path":"/x","body":[1]}"#).contains("body"));
        assert!(broken(r#"{"method":"POST","path":"/x","id":"a b"}"#).contains("id"));
        assert!(broken(r#"{"method":"POST","path":"/x","id":7}"#).contains("id"));
        assert_eq!(parse(b"\xff\xfe"), Line::Broken("not UTF-8".into()));
    }

    #[test]
    fn an_id_is_spliced_in_and_nothing_else_changes() {
        let e = ok(GOOD.as_bytes());
        let with = e.text_with_id("i-1");
        assert_eq!(with, GOOD.replacen('{', "{\"id\":\"i-1\",", 1));
        assert_eq!(ok(with.as_bytes()).request.id.as_deref(), Some("i-1"));
        let null = ok(br#"{"id":null,"method":"POST","path":"/x"}"#);
        assert_eq!(ok(null.text_with_id("i-2").as_bytes()).request.id.as_deref(), Some("i-2"));
    }

    #[test]
    fn lines_and_their_places() {
        let (lines, end) = complete_lines(b"a\n\nbc\nrest");
        assert_eq!(lines, vec![(0, &b"a"[..]), (2, &b""[..]), (3, &b"bc"[..])]);
        assert_eq!(end, 6);
    }
}
