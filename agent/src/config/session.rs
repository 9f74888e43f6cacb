//! The session id (design 3): `<MACHINE>/claude-main` by default, `<MACHINE>/<tool>-<short id>` when
//! the host tool gives its conversation an id.

use coord_protocol::session::main_of;

use super::env::Env;

/// Characters of a host's id that are kept.
const SHORT: usize = 8;

/// A session's name and the tool it runs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName {
    /// Its id.
    pub id: String,
    /// `claude`, `codex`, ..., `cli` when no host is known.
    pub tool: String,
}

/// Variables in which host tools put the id of their conversation into shells.
const HOSTS: &[(&str, &str)] = &[
    ("CLAUDE_CODE_SESSION_ID", "claude"),
    ("CODEX_THREAD_ID", "codex"),
    ("COPILOT_AGENT_SESSION_ID", "copilot"),
    ("GEMINI_SESSION_ID", "gemini"),
];

/// Of a command at the shell.
pub fn of_shell(env: &Env, machine: &str) -> SessionName {
    if let Some(id) = env.get("COORD_SESSION_ID") {
        return named(id, machine);
    }
    for (variable, tool) in HOSTS {
        if let Some(id) = env.get(variable) {
            return of_host(machine, tool, id);
        }
    }
    SessionName { id: main_of(machine), tool: "cli".to_owned() }
}

/// Of a hook: the host says in its input whose it is. `COORD_SESSION_ID` goes before.
pub fn of_hook(env: &Env, machine: &str, tool: &str, id: Option<&str>) -> SessionName {
    match (env.get("COORD_SESSION_ID"), id) {
        (Some(set), _) => SessionName { tool: tool.to_owned(), ..named(set, machine) },
        (None, Some(id)) => of_host(machine, tool, id),
        (None, None) => SessionName { id: main_of(machine), tool: tool.to_owned() },
    }
}

/// A name without a machine gets this one.
fn named(id: &str, machine: &str) -> SessionName {
    let id = if id.contains('/') { id.to_owned() } else { format!("{machine}/{id}") };
    SessionName { id, tool: "cli".to_owned() }
}

fn of_host(machine: &str, tool: &str, id: &str) -> SessionName {
    let short = short(id);
    let id = if short.is_empty() { main_of(machine) } else { format!("{machine}/{tool}-{short}") };
    SessionName { id, tool: tool.to_owned() }
}

/// The part of a host's id that tells its conversations apart: the beginning, or, of ids that begin
/// with the time (sessions of the same minute would share it), the end.
fn short(id: &str) -> String {
    let kept: Vec<char> = id.chars().filter(char::is_ascii_alphanumeric).collect();
    let from = if begins_with_time(id) { kept.len().saturating_sub(SHORT) } else { 0 };
    kept[from..].iter().take(SHORT).collect()
}

/// UUIDs of version 7 (Codex) and the ids of `OpenCode`.
fn begins_with_time(id: &str) -> bool {
    let uuid_7 = id.len() == 36 && id.as_bytes()[14] == b'7';
    uuid_7 || id.starts_with("ses_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_variable_host_or_default() {
        let shell = |vars: &[(&str, &str)]| of_shell(&Env::of(vars), "BOX").id;
        assert_eq!(shell(&[]), "BOX/claude-main");
        assert_eq!(
            shell(&[("CLAUDE_CODE_SESSION_ID", "0198-abcd-ef01-2345")]),
            "BOX/claude-0198abcd"
        );
        assert_eq!(shell(&[("COORD_SESSION_ID", "OTHER/x")]), "OTHER/x");
        assert_eq!(shell(&[("COORD_SESSION_ID", "x")]), "BOX/x");
        assert_eq!(of_hook(&Env::default(), "BOX", "claude", None).id, "BOX/claude-main");
        assert_eq!(of_hook(&Env::default(), "BOX", "codex", Some("\n/..")).id, "BOX/claude-main");
    }
    #[test]
    fn conversations_of_the_same_minute_have_different_names() {
        let of = |tool: &str, id: &str| of_hook(&Env::default(), "BOX", tool, Some(id)).id;
        assert_eq!(of("codex", "01a21ff6-4833-7522-a132-2d44bb2ed016"), "BOX/codex-bb2ed016");
        assert_eq!(of("codex", "01a21ff6-4f28-7b52-a496-e4a586f010f3"), "BOX/codex-86f010f3");
        assert_eq!(of("opencode", "ses_de006a22bffeiTHHTVu09Yb0rp"), "BOX/opencode-u09Yb0rp");
        // Chance from the start.
        assert_eq!(of("claude", "85c9da8e-1a6c-4dd8-af8b-5ead910636c5"), "BOX/claude-85c9da8e");
        assert_eq!(of("codex", "ses_"), "BOX/codex-ses");
    }
}
