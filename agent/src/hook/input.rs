//! What a host tells its hook: six dialects, one form.

use std::path::PathBuf;

use serde_json::Value;

use super::host::Event;

/// The fields that matter to us. Unknown ones are ignored; of a wrong type, they are absent.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Input {
    /// The host's id of the conversation.
    pub(super) session_id: Option<String>,
    /// Where the host's agent stands.
    pub(super) cwd: Option<PathBuf>,
    /// Which event, as the host calls it.
    pub(super) event: String,
    /// `SessionStart`: startup, resume, clear, compact, fork.
    pub(super) source: Option<String>,
    /// `SessionEnd`: why.
    pub(super) reason: Option<String>,
    /// The tool.
    pub(super) tool: String,
    /// What it is called with.
    pub(super) arguments: Value,
    /// The host's id of the call.
    pub(super) call: Option<String>,
    /// The part of the conversation's work that another agent does.
    pub(super) subagent: Option<String>,
    /// It is not the conversation itself that does it.
    pub(super) by_subagent: bool,
    /// `Stop`: the model goes on already because a hook asked for it.
    pub(super) goes_on: bool,
}

impl Input {
    /// Reads what came on stdin.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, Value), String> {
        let read = serde_json::from_slice(bytes);
        // Hosts write half of a character where one was cut in two.
        let read = read.or_else(|e| mended(bytes).map_or(Err(e), |m| serde_json::from_slice(&m)));
        let v: Value = read.map_err(|e| format!("input: {e}"))?;
        Ok((Self::of(&v), v))
    }

    fn of(v: &Value) -> Self {
        let any = |names: &[&str]| names.iter().find_map(|n| v.get(n).filter(|x| !x.is_null()));
        let text = |names: &[&str]| any(names).and_then(Value::as_str).map(str::to_owned);
        let filled = |names: &[&str]| text(names).filter(|s| !s.is_empty());
        let root = || v.get("workspace_roots")?.get(0)?.as_str().map(str::to_owned);
        let event = text(&["hook_event_name", "hookEventName"]);
        let event = event.unwrap_or_else(|| implied_event(v).to_owned());
        Self {
            session_id: filled(&["session_id", "sessionId", "conversation_id", "sessionID"]),
            cwd: text(&["cwd"]).or_else(root).map(PathBuf::from).filter(|p| p.is_absolute()),
            source: text(&["source"]),
            reason: text(&["reason"]),
            tool: text(&["tool_name", "toolName"]).unwrap_or_else(|| implied_tool(&event)),
            arguments: arguments(any(&["tool_input", "toolArgs", "tool_args"]), v),
            call: filled(&["tool_use_id", "toolUseId", "tool_call_id"]),
            subagent: filled(&["agent_type", "agentType"]),
            by_subagent: filled(&["agent_id", "agentId"]).is_some(),
            goes_on: any(&["stop_hook_active", "stopHookActive"]) == Some(&Value::Bool(true)),
            event,
        }
    }

    /// The event, in no host's words.
    pub(super) fn event(&self) -> Event {
        Event::named(&self.event)
    }
}

/// The same text with the sign of an unknown character in place of each half of one; `None`: there is
/// none.
fn mended(bytes: &[u8]) -> Option<Vec<u8>> {
    let unit = |at: usize| {
        let digits = bytes.get(at..at + 6).filter(|d| d.starts_with(b"\\u"))?;
        u16::from_str_radix(std::str::from_utf8(&digits[2..]).ok()?, 16).ok()
    };
    let is = |at: usize, half: std::ops::Range<u16>| unit(at).is_some_and(|u| half.contains(&u));
    let (high, low) = (0xd800..0xdc00, 0xdc00..0xe000);
    let (mut out, mut at, mut found) = (Vec::with_capacity(bytes.len()), 0, false);
    while at < bytes.len() {
        let n = match bytes[at] {
            b'\\' if is(at, high.clone()) && is(at + 6, low.clone()) => 12,
            b'\\' if is(at, high.clone()) || is(at, low.clone()) => {
                found = true;
                out.extend_from_slice(b"\\ufffd");
                at += 6;
                continue;
            }
            b'\\' => 2,
            _ => 1,
        };
        out.extend_from_slice(&bytes[at..(at + n).min(bytes.len())]);
        at += n;
    }
    found.then_some(out)
}

/// Copilot's own form names no event; its fields tell which it is.
fn implied_event(v: &Value) -> &'static str {
    let told = |name: &str| v.get(name).is_some();
    if !told("sessionId") {
        ""
    } else if told("toolResult") {
        "postToolUse"
    } else if told("toolName") {
        "preToolUse"
    } else if told("prompt") {
        "userPromptSubmitted"
    } else if told("source") {
        "sessionStart"
    } else if told("stopReason") {
        "agentStop"
    } else if told("reason") {
        "sessionEnd"
    } else {
        ""
    }
}

/// An event that tells of one tool names none.
fn implied_tool(event: &str) -> String {
    if event == "afterFileEdit" { "edit".to_owned() } else { String::new() }
}

/// Arguments may come as an object, as text that holds one, or (an event of one tool) in the open.
fn arguments(given: Option<&Value>, whole: &Value) -> Value {
    match given {
        Some(Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))
        }
        Some(v) => v.clone(),
        None if whole.get("file_path").is_some() => whole.clone(),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(v: &Value) -> Input {
        Input::parse(v.to_string().as_bytes()).unwrap().0
    }

    #[test]
    fn reads_what_is_there() {
        let i = read(&json!({"session_id": "s", "cwd": "/p", "hook_event_name": "SessionStart",
            "source": "startup", "x": [1]}));
        assert_eq!((i.event(), i.source.as_deref()), (Event::SessionStart, Some("startup")));
        assert_eq!(read(&json!({"session_id": 7, "cwd": "rel"})), Input::default());
        assert_eq!(read(&json!([1])), Input::default());
        assert!(Input::parse(b"").is_err());
    }

    #[test]
    fn half_a_character_does_not_hide_the_rest() {
        let text =
            br#"{"session_id":"s","tool_input":{"content":"\ud83d \ud83d\ude00 \ude00 \\ud83d"}}"#;
        let (i, _) = Input::parse(text).unwrap();
        assert_eq!(i.arguments["content"], "\u{fffd} \u{1f600} \u{fffd} \\ud83d");
        assert!(Input::parse(br#"{"a":"\ud83d"#).is_err());
    }

    #[test]
    fn dialects() {
        let i =
            read(&json!({"sessionId": "s", "toolName": "edit", "toolArgs": "{\"path\":\"a\"}"}));
        assert_eq!((i.tool.as_str(), &i.arguments), ("edit", &json!({"path": "a"})));
        assert_eq!(i.event(), Event::BeforeTool);
        let i = read(&json!({"conversation_id": "c", "workspace_roots": ["/w"],
            "hook_event_name": "afterFileEdit", "file_path": "/w/a", "edits": []}));
        assert_eq!((i.session_id.as_deref(), i.event()), (Some("c"), Event::AfterTool));
        assert_eq!((i.tool.as_str(), i.arguments["file_path"].as_str()), ("edit", Some("/w/a")));
        let i = read(&json!({"hook_event_name": "Stop", "stop_hook_active": true}));
        assert!(i.goes_on);
    }
}
