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
    let short: String = id.chars().filter(char::is_ascii_alphanumeric).take(SHORT).collect();
    let id = if short.is_empty() { main_of(machine) } else { format!("{machine}/{tool}-{short}") };
    SessionName { id, tool: tool.to_owned() }
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
}
