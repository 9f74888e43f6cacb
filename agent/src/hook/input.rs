//! What a host tells its hook.

use std::path::PathBuf;

use serde_json::Value;

/// The fields that matter to us. Unknown ones are ignored; of a wrong type, they are absent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Input {
    /// The host's id of the conversation.
    pub(super) session_id: Option<String>,
    /// Where the host's agent stands.
    pub(super) cwd: Option<PathBuf>,
    /// Which event.
    pub(super) event: String,
    /// `SessionStart`: startup, resume, clear, compact, fork.
    pub(super) source: Option<String>,
    /// `SessionEnd`: why.
    pub(super) reason: Option<String>,
}

impl Input {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let v: Value = serde_json::from_slice(bytes).map_err(|e| format!("input: {e}"))?;
        let text = |name: &str| v.get(name).and_then(Value::as_str).map(str::to_owned);
        Ok(Self {
            session_id: text("session_id").filter(|s| !s.is_empty()),
            cwd: text("cwd").map(PathBuf::from).filter(|p| p.is_absolute()),
            event: text("hook_event_name").unwrap_or_default(),
            source: text("source"),
            reason: text("reason"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_there() {
        let i = Input::parse(
            br#"{"session_id":"s","cwd":"/p","hook_event_name":"SessionStart","source":"startup","x":[1]}"#,
        )
        .unwrap();
        assert_eq!((i.event.as_str(), i.source.as_deref()), ("SessionStart", Some("startup")));
        assert_eq!(Input::parse(br#"{"session_id":7,"cwd":"rel"}"#).unwrap(), Input::default());
        assert!(Input::parse(b"").is_err());
    }
}
