//! A mutation on its way: one line of the outbox, one entry of a batch (seed 000, reliability G7).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest path with its query.
pub const PATH_BYTES_MAX: usize = 4096;

/// The methods a mutation can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Create, or an action.
    Post,
    /// Set.
    Put,
    /// Change in part.
    Patch,
    /// End.
    Delete,
}

impl Method {
    /// The name as it stands in a request line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// Reads a name; upper case only, as HTTP has it.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Post, Self::Put, Self::Patch, Self::Delete].into_iter().find(|m| m.as_str() == name)
    }
}

/// One mutation: the seed's four fields, then ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// When it was made, by the writer's wall clock; for people, never for decisions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ts: Option<String>,
    /// What to do.
    pub method: Method,
    /// To what, with its query.
    pub path: String,
    /// The JSON body; a JSON text means the text itself is the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// The idempotency key: one per intent, the same on every try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Counts a session's requests; for checks and display.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// Past this moment (by the clock that wrote it) a claim is history and grants nothing (G13).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    /// Set by the sender when `not_after` is over: record it, grant nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub past: bool,
    /// Set by the sender: for how many milliseconds it has waited, by the clock that wrote `ts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited_ms: Option<u64>,
    /// A claim that nobody could judge when it was queued: it holds nothing here, and whoever made it
    /// was told so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unjudged: bool,
}

impl Request {
    /// A mutation of which nothing more is said yet.
    pub fn new(method: Method, path: impl Into<String>, body: Option<Value>) -> Self {
        Self {
            ts: None,
            method,
            path: path.into(),
            body,
            id: None,
            session: None,
            seq: None,
            not_after: None,
            past: false,
            waited_ms: None,
            unjudged: false,
        }
    }
}

/// Why a path cannot be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Too long.
    #[error("path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    /// Must begin with exactly one `/`.
    #[error("path must begin with one '/'")]
    Start,
    /// Anything but printable ASCII could forge a header or a second request.
    #[error("path may hold printable ASCII only")]
    Character,
    /// A `..` segment.
    #[error("path may not hold a '..' segment")]
    Climbs,
}

/// Checks that a path can choose no host, add no header and climb nowhere (G7).
pub fn check_path(path: &str) -> Result<(), BadPath> {
    if path.len() > PATH_BYTES_MAX {
        return Err(BadPath::TooLong);
    }
    if !path.starts_with('/') || path.starts_with("//") {
        return Err(BadPath::Start);
    }
    if !path.bytes().all(|b| b.is_ascii_graphic()) || path.contains('#') {
        return Err(BadPath::Character);
    }
    let route = path.split('?').next().unwrap_or(path);
    if route.split('/').any(|s| s == "..") {
        return Err(BadPath::Climbs);
    }
    Ok(())
}

/// The bytes of the HTTP body that a queue line's `body` stands for.
pub fn body_bytes(body: Option<&Value>) -> Vec<u8> {
    match body {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(s)) => s.clone().into_bytes(),
        Some(v) => v.to_string().into_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_may_be_sent() {
        assert_eq!(check_path("/api/coord/locks?project_key=a%20b"), Ok(()));
        for (p, e) in [
            ("api", BadPath::Start),
            ("//host/x", BadPath::Start),
            ("http://host/x", BadPath::Start),
            ("/a b", BadPath::Character),
            ("/a\r\nX: y", BadPath::Character),
            ("/\u{e9}", BadPath::Character),
            ("/a#b", BadPath::Character),
            ("/a/../b", BadPath::Climbs),
        ] {
            assert_eq!(check_path(p), Err(e), "{p:?}");
        }
        assert_eq!(check_path(&format!("/{}", "a".repeat(PATH_BYTES_MAX))), Err(BadPath::TooLong));
    }

    #[test]
    fn the_seeds_line_reads_and_writes() {
        let line = r#"{"ts":"2026-05-12T15:30:00Z","method":"PUT","path":"/api/coord/components/g/s","body":{"state":"deployed"}}"#;
        let r: Request = serde_json::from_str(line).unwrap();
        assert_eq!((r.method, r.id.as_deref(), r.past), (Method::Put, None, false));
        assert_eq!(serde_json::to_string(&r).unwrap(), line);
    }

    #[test]
    fn bodies() {
        assert_eq!(body_bytes(None), b"");
        assert_eq!(body_bytes(Some(&serde_json::json!({"a":1}))), b"{\"a\":1}");
        assert_eq!(body_bytes(Some(&serde_json::json!("{\"a\":1}"))), b"{\"a\":1}");
    }
}
