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
    match of_variables(env) {
        Some((tool, id)) => of_host(machine, tool, id),
        None => SessionName { id: main_of(machine), tool: "cli".to_owned() },
    }
}

/// Of a hook: the host says in its input whose it is. `COORD_SESSION_ID` goes before.
pub fn of_hook(env: &Env, machine: &str, tool: &str, id: Option<&str>) -> SessionName {
    match (env.get("COORD_SESSION_ID"), id) {
        (Some(set), _) => SessionName { tool: tool.to_owned(), ..named(set, machine) },
        (None, Some(id)) => of_host(machine, tool, id),
        (None, None) => SessionName { id: main_of(machine), tool: tool.to_owned() },
    }
}

/// What is known of who calls a tool: a server of tools is no session, and may serve several.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// The session that the call itself names.
    pub named: Option<String>,
    /// The host tool.
    pub tool: Option<String>,
    /// The host's id of the conversation, as it stands in the call.
    pub id: Option<String>,
    /// The session that the hook before the call noted.
    pub noted: Option<String>,
    /// The only session of that host that works here.
    pub neighbour: Option<String>,
    /// An id of the server's process, for callers of whom nothing is known.
    pub process: String,
}

/// Of a tool call. `COORD_SESSION_ID` goes before what hosts say, as in hooks; the id that stands in
/// the environment goes behind, since it is the one of the conversation that started the server.
pub fn of_call(env: &Env, machine: &str, said: &Said) -> SessionName {
    let tool = || said.tool.clone().unwrap_or_else(|| "mcp".to_owned());
    let known = |id: &str| SessionName { tool: tool(), ..named(id, machine) };
    if let Some(id) = said.named.as_deref().or_else(|| env.get("COORD_SESSION_ID")) {
        return known(id);
    }
    if let Some(id) = &said.id {
        return of_host(machine, &tool(), id);
    }
    if let Some(id) = &said.noted {
        return known(id);
    }
    if let Some((tool, id)) = of_variables(env) {
        return of_host(machine, tool, id);
    }
    match &said.neighbour {
        Some(id) => known(id),
        None => of_host(machine, &tool(), &said.process),
    }
}

/// Whether only the server's process can tell this caller from others.
pub fn is_nobody(env: &Env, said: &Said) -> bool {
    let set = env.get("COORD_SESSION_ID").or_else(|| of_variables(env).map(|(_, id)| id));
    [&said.named, &said.id, &said.noted, &said.neighbour].iter().all(|s| s.is_none())
        && set.is_none()
}

/// The host whose variable says which conversation this is.
fn of_variables(env: &Env) -> Option<(&'static str, &str)> {
    HOSTS.iter().find_map(|(variable, tool)| Some((*tool, env.get(variable)?)))
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

    #[test]
    fn a_tool_call_is_whose_it_says_before_whose_the_server_was() {
        let text = |s: &str| Some(s.to_owned());
        let host = Env::of(&[("CLAUDE_CODE_SESSION_ID", "old-1234")]);
        let set = Env::of(&[("COORD_SESSION_ID", "X/set"), ("CLAUDE_CODE_SESSION_ID", "old-1234")]);
        let mut said = Said {
            named: text("mine"),
            tool: text("codex"),
            id: text("0199-abcd-ef"),
            noted: text("BOX/claude-noted"),
            neighbour: text("BOX/gemini-1"),
            process: "p1p2p3p4p5".to_owned(),
        };
        let of = |env: &Env, said: &Said| of_call(env, "BOX", said).id;
        assert_eq!(of(&set, &said), "BOX/mine");
        said.named = None;
        assert_eq!(of(&set, &said), "X/set");
        assert_eq!(of(&host, &said), "BOX/codex-0199abcd");
        said.id = None;
        assert_eq!(of(&host, &said), "BOX/claude-noted");
        said.noted = None;
        assert_eq!(of(&host, &said), "BOX/claude-old1234");
        assert_eq!(of(&Env::default(), &said), "BOX/gemini-1");
        said.neighbour = None;
        assert_eq!(of(&Env::default(), &said), "BOX/codex-p1p2p3p4");
    }
}
