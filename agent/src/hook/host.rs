//! The host tools: under which names each tells its events, and in which form each wants its answer.
//! No answer ever allows or asks: allowing would switch off the user's own check of permissions, and an
//! asking hook lets the edit through in one host and hangs another.

use serde_json::{Map, Value, json};

use crate::config::env::Env;
pub(super) use crate::host::Host;

/// What happened, in no host's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// A conversation begins, or goes on.
    SessionStart,
    /// Its person, or the host itself, has said something.
    Prompt,
    /// A tool is about to run.
    BeforeTool,
    /// A tool has run.
    AfterTool,
    /// The model has nothing more to do.
    Stop,
    /// What the model remembers is about to be cut short.
    BeforeCompact,
    /// The conversation is over.
    SessionEnd,
    /// Anything else.
    Other,
}

/// What a hook has to say, in no host's words.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// For the model.
    pub(super) context: Option<String>,
    /// The tool must not run; why, for the model.
    pub(super) deny: Option<String>,
    /// The model is to go on; with what.
    pub(super) go_on: Option<String>,
    /// For the person, where the host has a place for it.
    pub(super) notice: Option<String>,
    /// The name under which the session is known here, for a host that asks for it.
    pub(super) session: Option<String>,
}

impl Host {
    /// Who really asks: the settings of Claude Code are read by Copilot and Cursor, too, and its plugins
    /// by Codex and Copilot.
    pub(super) fn who_asks(self, env: &Env, input: &Value) -> Self {
        let session = input.get("session_id").and_then(Value::as_str);
        if self != Self::Claude
            || (session.is_some() && session == env.get("CLAUDE_CODE_SESSION_ID"))
        {
            return self;
        }
        let told = |name: &str| input.get(name).is_some();
        if told("cursor_version") || told("conversation_id") {
            Self::Cursor
        } else if env.get("COPILOT_CLI").is_some() || told("sessionId") {
            Self::Copilot
        } else if told("turn_id") || is_rollout(input) {
            Self::Codex
        } else {
            self
        }
    }

    /// Its answer.
    pub(super) fn answer(self, event: &str, reply: Reply) -> Value {
        match self {
            Self::Claude | Self::Codex => claude_like(event, reply),
            Self::Copilot => copilot(reply),
            Self::Cursor => cursor(reply),
            Self::Gemini => gemini(event, reply),
            Self::Opencode => open_code(reply),
        }
    }

    /// Whether the model really forgets at this event: one host tells it before each call of its model.
    pub(super) fn forgets(self) -> bool {
        self != Self::Gemini
    }

    /// Whether words for the model can be told at this event.
    pub(super) fn tells(self, event: Event) -> bool {
        match event {
            Event::SessionStart | Event::Prompt | Event::AfterTool => true,
            // Only where the host goes on with them, and bounds it.
            Event::Stop => !matches!(self, Self::Gemini | Self::Opencode),
            Event::BeforeTool | Event::BeforeCompact | Event::SessionEnd | Event::Other => false,
        }
    }
}

/// Codex keeps a conversation in a file of this name; beginning and end of one name nothing else of it.
fn is_rollout(input: &Value) -> bool {
    let file = input.get("transcript_path").and_then(Value::as_str);
    file.and_then(|f| f.rsplit('/').next()).is_some_and(|name| name.starts_with("rollout-"))
}

impl Event {
    /// Reads a host's name of it.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "SessionStart" | "sessionStart" => Self::SessionStart,
            "UserPromptSubmit" | "userPromptSubmitted" | "beforeSubmitPrompt" | "BeforeAgent" => {
                Self::Prompt
            }
            "PreToolUse" | "preToolUse" | "BeforeTool" => Self::BeforeTool,
            "PostToolUse" | "postToolUse" | "AfterTool" | "afterFileEdit" => Self::AfterTool,
            "Stop" | "stop" | "agentStop" => Self::Stop,
            "PreCompact" | "preCompact" | "PreCompress" => Self::BeforeCompact,
            "SessionEnd" | "sessionEnd" => Self::SessionEnd,
            _ => Self::Other,
        }
    }
}

/// Puts fields that have a value into an object.
fn object(fields: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Map<String, Value> {
    let given =
        fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into())));
    given.collect()
}

/// Codex takes no field that it does not know, so nothing stands here that it has not.
fn claude_like(event: &str, reply: Reply) -> Value {
    let decision = reply.deny.is_some().then(|| "deny".to_owned());
    let mut inner = object([
        ("additionalContext", reply.context),
        ("permissionDecision", decision),
        ("permissionDecisionReason", reply.deny),
    ]);
    let block = reply.go_on.is_some().then(|| "block".to_owned());
    let mut outer =
        object([("decision", block), ("reason", reply.go_on), ("systemMessage", reply.notice)]);
    if !inner.is_empty() {
        inner.insert("hookEventName".to_owned(), event.into());
        outer.insert("hookSpecificOutput".to_owned(), inner.into());
    }
    outer.into()
}

fn copilot(reply: Reply) -> Value {
    let decision = reply.deny.is_some().then(|| "deny".to_owned());
    let block = reply.go_on.is_some().then(|| "block".to_owned());
    let fields = [
        ("additionalContext", reply.context),
        ("permissionDecision", decision),
        ("permissionDecisionReason", reply.deny),
        ("decision", block),
        ("reason", reply.go_on),
    ];
    object(fields).into()
}

fn cursor(reply: Reply) -> Value {
    let permission = reply.deny.is_some().then(|| "deny".to_owned());
    let fields = [
        ("additional_context", reply.context),
        ("permission", permission),
        ("user_message", reply.deny.clone().or(reply.notice)),
        ("agent_message", reply.deny),
        ("followup_message", reply.go_on),
    ];
    object(fields).into()
}

fn gemini(event: &str, reply: Reply) -> Value {
    let decision = reply.deny.is_some().then(|| "deny".to_owned());
    let mut outer =
        object([("decision", decision), ("reason", reply.deny), ("systemMessage", reply.notice)]);
    if let Some(context) = reply.context {
        let inner = json!({"hookEventName": event, "additionalContext": context});
        outer.insert("hookSpecificOutput".to_owned(), inner);
    }
    outer.into()
}

/// The form that our own plugin for it reads.
fn open_code(reply: Reply) -> Value {
    let permission = reply.deny.is_some().then(|| "deny".to_owned());
    let fields = [
        ("context", reply.context),
        ("permission", permission),
        ("reason", reply.deny),
        ("session", reply.session),
    ];
    object(fields).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied() -> Reply {
        Reply { deny: Some("held".into()), ..Reply::default() }
    }

    fn told() -> Reply {
        Reply { context: Some("mail".into()), ..Reply::default() }
    }

    /// To the byte: a field too many makes a host drop the whole answer.
    #[test]
    fn answers_of_each_host() {
        let said = |host: Host, event, reply| host.answer(event, reply).to_string();
        for host in [Host::Claude, Host::Codex] {
            assert_eq!(
                said(host, "PreToolUse", denied()),
                r#"{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny","permissionDecisionReason":"held"}}"#
            );
            assert_eq!(
                said(host, "PostToolUse", told()),
                r#"{"hookSpecificOutput":{"additionalContext":"mail","hookEventName":"PostToolUse"}}"#
            );
            let go_on = Reply { go_on: Some("mail".into()), ..Reply::default() };
            assert_eq!(said(host, "Stop", go_on), r#"{"decision":"block","reason":"mail"}"#);
        }
        assert_eq!(
            said(Host::Copilot, "preToolUse", denied()),
            r#"{"permissionDecision":"deny","permissionDecisionReason":"held"}"#
        );
        assert_eq!(said(Host::Copilot, "x", told()), r#"{"additionalContext":"mail"}"#);
        assert_eq!(
            said(Host::Cursor, "preToolUse", denied()),
            r#"{"agent_message":"held","permission":"deny","user_message":"held"}"#
        );
        assert_eq!(said(Host::Cursor, "x", told()), r#"{"additional_context":"mail"}"#);
        assert_eq!(
            said(Host::Gemini, "BeforeTool", denied()),
            r#"{"decision":"deny","reason":"held"}"#
        );
        assert_eq!(
            said(Host::Gemini, "AfterTool", told()),
            r#"{"hookSpecificOutput":{"additionalContext":"mail","hookEventName":"AfterTool"}}"#
        );
        assert_eq!(
            said(Host::Opencode, "PreToolUse", denied()),
            r#"{"permission":"deny","reason":"held"}"#
        );
        for host in Host::ALL {
            assert_eq!(said(host, "PreToolUse", Reply::default()), "{}");
        }
    }

    #[test]
    fn who_reads_the_settings_of_claude_code() {
        let who = |env: &[(&str, &str)], input: Value| Host::Claude.who_asks(&Env::of(env), &input);
        assert_eq!(who(&[], json!({"session_id": "s"})), Host::Claude);
        assert_eq!(who(&[], json!({"session_id": "s", "turn_id": "t"})), Host::Codex);
        let start = json!({"session_id": "s", "transcript_path": "/h/2026/rollout-2026-s.jsonl"});
        assert_eq!(who(&[], start), Host::Codex);
        let start = json!({"session_id": "s", "transcript_path": "/h/rollout-x/s.jsonl"});
        assert_eq!(who(&[], start), Host::Claude);
        assert_eq!(who(&[("COPILOT_CLI", "1")], json!({"session_id": "s"})), Host::Copilot);
        assert_eq!(who(&[], json!({"conversation_id": "c", "cursor_version": "1"})), Host::Cursor);
        // Claude Code that another agent's shell has started.
        let nested = [("COPILOT_CLI", "1"), ("CLAUDE_CODE_SESSION_ID", "s")];
        assert_eq!(who(&nested, json!({"session_id": "s"})), Host::Claude);
        assert_eq!(Host::Codex.who_asks(&Env::of(&nested), &json!({})), Host::Codex);
    }
}
