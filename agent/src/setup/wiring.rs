//! Which parts go into which files, host by host. Everything that is written stands under `skill/`
//! as a file of its own.

use std::path::{Path, PathBuf};

use super::host::Host;
use super::part::Part;

/// The texts, as `skill/` has them.
mod text {
    pub(super) const CLAUDE_HOOKS: &str = include_str!("../../../skill/coord/hooks/hooks.json");
    pub(super) const SERVERS: &str = include_str!("../../../skill/coord/.mcp.json");
    pub(super) const COORD_SKILL: &str = include_str!("../../../skill/coord/skills/coord/SKILL.md");
    pub(super) const SYNC_SKILL: &str = include_str!("../../../skill/coord/skills/sync/SKILL.md");
    pub(super) const INSTRUCTIONS: &str = include_str!("../../../skill/templates/instructions.md");
    pub(super) const IGNORE: &str = include_str!("../../../skill/templates/gitignore");
    pub(super) const CODEX_HOOKS: &str = include_str!("../../../skill/templates/codex-hooks.json");
    pub(super) const CODEX_SERVER: &str = include_str!("../../../skill/templates/codex-mcp.toml");
    pub(super) const COPILOT_HOOKS: &str =
        include_str!("../../../skill/templates/copilot-hooks.json");
    pub(super) const COPILOT_SERVER: &str =
        include_str!("../../../skill/templates/copilot-mcp.json");
    pub(super) const CURSOR_HOOKS: &str =
        include_str!("../../../skill/templates/cursor-hooks.json");
    pub(super) const CURSOR_RULE: &str = concat!(
        include_str!("../../../skill/templates/cursor-rule.mdc"),
        include_str!("../../../skill/templates/instructions.md")
    );
    pub(super) const GEMINI: &str = include_str!("../../../skill/templates/gemini-settings.json");
    pub(super) const OPENCODE_PLUGIN: &str = include_str!("../../../skill/templates/opencode.js");
    pub(super) const OPENCODE_SERVER: &str = include_str!("../../../skill/templates/opencode.json");
    pub(super) const PRE_COMMIT: &str = include_str!("../../../skill/templates/pre-commit");
    pub(super) const PRE_PUSH: &str = include_str!("../../../skill/templates/pre-push");
}

/// Whose settings are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// One project's, which all who work on it share.
    Project,
    /// One user's, in all projects.
    User,
}

/// Where things lie.
#[derive(Debug, Clone)]
pub struct Places {
    /// The project's root.
    pub project: PathBuf,
    /// The home folder.
    pub home: PathBuf,
    /// Claude Code's folder.
    pub claude: PathBuf,
    /// Claude Code's file of servers and states.
    pub claude_state: PathBuf,
    /// Codex's folder.
    pub codex: PathBuf,
    /// The folder of configuration.
    pub config: PathBuf,
    /// Where git looks for this repository's hooks.
    pub git_hooks: Option<PathBuf>,
}

/// For whom a part is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// One host.
    Host(Host),
    /// The project, as long as any host is wired.
    Project,
    /// Git, on request.
    Git,
}

/// What a part is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Calls `coord hook`.
    Hooks,
    /// Starts `coord mcp`.
    Server,
    /// Tells a model when to use coord.
    Skill,
    /// The same in a few lines that are always read.
    Instructions,
    /// Keeps coord's own files out of commits.
    Ignore,
    /// Calls `coord guard`.
    GitHook,
}

impl Role {
    /// In a word or two.
    pub fn title(self) -> &'static str {
        match self {
            Self::Hooks => "hooks",
            Self::Server => "MCP server",
            Self::Skill => "skill",
            Self::Instructions => "instructions",
            Self::Ignore => "ignored files",
            Self::GitHook => "git hook",
        }
    }
}

/// A part and its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// For whom.
    pub owner: Owner,
    /// What for.
    pub role: Role,
    /// The file.
    pub path: PathBuf,
    /// What.
    pub part: Part,
}

/// What is chosen by the files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chosen {
    /// `CLAUDE.md` imports `AGENTS.md`: one copy of the instructions is enough.
    pub claude_reads_agents: bool,
    /// `OpenCode`'s settings are in `opencode.jsonc`.
    pub opencode_jsonc: bool,
}

impl Chosen {
    /// All that may have been chosen, for looking after what was written.
    pub const ANY: [Self; 2] = [
        Self { claude_reads_agents: false, opencode_jsonc: false },
        Self { claude_reads_agents: true, opencode_jsonc: true },
    ];
}

/// `.mcp.json` of a project, which Claude Code reads and others do, too.
const SHARED_SERVERS: Part = Part::StrictJson(text::SERVERS, Host::Claude);

/// The parts of one host.
pub fn of_host(host: Host, scope: Scope, places: &Places, chosen: Chosen) -> Vec<Piece> {
    let user = scope == Scope::User;
    let root = if user { &places.home } else { &places.project };
    let mut all = Parts { owner: Owner::Host(host), pieces: Vec::new() };
    match host {
        Host::Claude => claude(&mut all, user, places, chosen),
        Host::Codex => {
            let folder = if user { places.codex.clone() } else { root.join(".codex") };
            let hooks = Part::StrictJson(text::CODEX_HOOKS, host);
            all.add(Role::Hooks, folder.join("hooks.json"), hooks);
            all.add(Role::Server, folder.join("config.toml"), Part::Table(text::CODEX_SERVER));
            all.skills(&root.join(".agents/skills"));
            all.instructions(&if user { folder } else { root.clone() }.join("AGENTS.md"));
        }
        Host::Copilot if user => {
            let folder = root.join(".copilot");
            let hooks = Part::Json(text::COPILOT_HOOKS);
            all.add(Role::Hooks, folder.join("settings.json"), hooks);
            let server = Part::Json(text::COPILOT_SERVER);
            all.add(Role::Server, folder.join("mcp-config.json"), server);
            all.instructions(&folder.join("copilot-instructions.md"));
        }
        Host::Copilot => {
            let hooks = Part::Json(text::COPILOT_HOOKS);
            all.add(Role::Hooks, root.join(".github/hooks/coord.json"), hooks);
            all.add(Role::Server, root.join(".mcp.json"), SHARED_SERVERS);
            all.instructions(&root.join("AGENTS.md"));
        }
        Host::Cursor => {
            let folder = root.join(".cursor");
            all.add(Role::Hooks, folder.join("hooks.json"), Part::Json(text::CURSOR_HOOKS));
            all.add(Role::Server, folder.join("mcp.json"), Part::Json(text::SERVERS));
            all.skills(&root.join(".agents/skills"));
            if !user {
                let rule = Part::Whole(text::CURSOR_RULE);
                all.add(Role::Instructions, folder.join("rules/coord.mdc"), rule);
            }
        }
        Host::Gemini => {
            let folder = root.join(".gemini");
            all.add(Role::Hooks, folder.join("settings.json"), Part::Json(text::GEMINI));
            all.instructions(&if user { folder } else { root.clone() }.join("GEMINI.md"));
        }
        Host::Opencode => opencode(&mut all, user, places, chosen),
    }
    all.pieces
}

fn claude(all: &mut Parts, user: bool, places: &Places, chosen: Chosen) {
    let root = &places.project;
    let folder = if user { places.claude.clone() } else { root.join(".claude") };
    let (servers, server) = if user {
        (places.claude_state.clone(), Part::Json(text::SERVERS))
    } else {
        (root.join(".mcp.json"), SHARED_SERVERS)
    };
    let told = match (user, chosen.claude_reads_agents) {
        (true, _) => folder.join("CLAUDE.md"),
        (false, true) => root.join("AGENTS.md"),
        (false, false) => root.join("CLAUDE.md"),
    };
    let hooks = Part::StrictJson(text::CLAUDE_HOOKS, Host::Claude);
    all.add(Role::Hooks, folder.join("settings.json"), hooks);
    all.add(Role::Server, servers, server);
    all.skills(&folder.join("skills"));
    all.instructions(&told);
}

fn opencode(all: &mut Parts, user: bool, places: &Places, chosen: Chosen) {
    let own = places.config.join("opencode");
    let (plugins, settings) = if user {
        (own.join("plugin"), own)
    } else {
        (places.project.join(".opencode/plugin"), places.project.clone())
    };
    let name = if chosen.opencode_jsonc { "opencode.jsonc" } else { "opencode.json" };
    all.add(Role::Hooks, plugins.join("coord.js"), Part::Whole(text::OPENCODE_PLUGIN));
    all.add(Role::Server, settings.join(name), Part::Json(text::OPENCODE_SERVER));
    all.instructions(&settings.join("AGENTS.md"));
}

struct Parts {
    owner: Owner,
    pieces: Vec<Piece>,
}

impl Parts {
    fn add(&mut self, role: Role, path: PathBuf, part: Part) {
        self.pieces.push(Piece { owner: self.owner, role, path, part });
    }

    fn skills(&mut self, folder: &Path) {
        for (name, text) in [("coord", text::COORD_SKILL), ("sync", text::SYNC_SKILL)] {
            self.add(Role::Skill, folder.join(name).join("SKILL.md"), Part::Whole(text));
        }
    }

    fn instructions(&mut self, file: &Path) {
        let part = Part::Markdown(text::INSTRUCTIONS);
        self.add(Role::Instructions, file.to_owned(), part);
    }
}

/// What a project gets with its first host.
pub fn of_project(places: &Places) -> Vec<Piece> {
    let path = places.project.join(".gitignore");
    vec![Piece {
        owner: Owner::Project,
        role: Role::Ignore,
        path,
        part: Part::Ignore(text::IGNORE),
    }]
}

/// What git gets on request; nothing where it has no folder for hooks.
pub fn of_git(places: &Places) -> Vec<Piece> {
    let Some(folder) = &places.git_hooks else { return Vec::new() };
    let piece = |(name, text)| Piece {
        owner: Owner::Git,
        role: Role::GitHook,
        path: folder.join(name),
        part: Part::Script(text),
    };
    [("pre-commit", text::PRE_COMMIT), ("pre-push", text::PRE_PUSH)].map(piece).to_vec()
}

/// Everything that coord may ever have put anywhere.
pub fn everything(scope: Scope, places: &Places) -> Vec<Piece> {
    let of_hosts = Host::ALL
        .into_iter()
        .flat_map(|h| Chosen::ANY.into_iter().flat_map(move |c| of_host(h, scope, places, c)));
    let mut all: Vec<Piece> = of_hosts.collect();
    if scope == Scope::Project {
        all.extend(of_project(places));
        all.extend(of_git(places));
    }
    let mut once: Vec<Piece> = Vec::new();
    for piece in all {
        if !once.contains(&piece) {
            once.push(piece);
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_speak_of_their_host_and_stay_the_same_across_releases() {
        for (text, host, unit) in [
            (text::CLAUDE_HOOKS, "claude", 10),
            (text::CODEX_HOOKS, "codex", 10),
            (text::COPILOT_HOOKS, "copilot", 10),
            (text::CURSOR_HOOKS, "cursor", 10),
            (text::GEMINI, "gemini", 10_000),
        ] {
            let value: serde_json::Value = serde_json::from_str(text).unwrap();
            let events = value["hooks"].as_object().unwrap();
            assert_eq!(events.len(), 7, "{host}");
            let line = format!("\"coord hook {host} || true\"");
            assert!(text.matches(&line).count() >= 7, "{host}: other command lines");
            let waits: Vec<u64> = text
                .split(['{', '}', ','])
                .filter_map(|f| f.trim().strip_prefix("\"timeout"))
                .filter_map(|f| f.rsplit(' ').next()?.trim().parse().ok())
                .collect();
            assert!(waits.len() >= 7, "{host}: {waits:?}");
            assert!(waits.iter().all(|w| (unit / 10..unit).contains(w)), "{host}: {waits:?}");
        }
        // Codex lets an end of a session take 3 s at most.
        let codex: serde_json::Value = serde_json::from_str(text::CODEX_HOOKS).unwrap();
        assert_eq!(codex["hooks"]["SessionEnd"][0]["hooks"][0]["timeout"], 3);
    }

    #[test]
    fn the_plugin_has_this_version() {
        let plugin = include_str!("../../../skill/coord/.claude-plugin/plugin.json");
        let plugin: serde_json::Value = serde_json::from_str(plugin).unwrap();
        assert_eq!(plugin["version"], env!("CARGO_PKG_VERSION"));
    }

    #[test]
    fn no_file_gets_two_different_parts_that_would_fight() {
        let place = |s: &str| PathBuf::from(s);
        let places = Places {
            project: place("/p"),
            home: place("/h"),
            claude: place("/h/.claude"),
            claude_state: place("/h/.claude.json"),
            codex: place("/h/.codex"),
            config: place("/h/.config"),
            git_hooks: Some(place("/p/.git/hooks")),
        };
        for scope in [Scope::Project, Scope::User] {
            let all = everything(scope, &places);
            for a in &all {
                let same = all.iter().filter(|b| b.path == a.path);
                assert!(same.clone().all(|b| b.part == a.part), "{}", a.path.display());
            }
            let root = if scope == Scope::Project { "/p" } else { "/h" };
            assert!(all.iter().all(|p| p.path.starts_with(root)));
        }
    }
}
