//! The host tools that can be wired, and what tells that one is in use.

pub use crate::host::Host;

impl Host {
    /// Programs that mean it is installed.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &["claude"],
            Self::Codex => &["codex"],
            Self::Copilot => &["copilot"],
            Self::Cursor => &["cursor", "cursor-agent"],
            Self::Gemini => &["gemini"],
            Self::Opencode => &["opencode"],
        }
    }

    /// What lies in a project where it is used. `.claude` alone says nothing: coord's queue is there.
    pub fn traces_in_project(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &[".claude/settings.json", ".claude/settings.local.json", "CLAUDE.md"],
            Self::Codex => &[".codex"],
            Self::Copilot => &[".github/hooks", ".github/copilot-instructions.md"],
            Self::Cursor => &[".cursor", ".cursorrules"],
            Self::Gemini => &[".gemini", "GEMINI.md"],
            Self::Opencode => &[".opencode", "opencode.json", "opencode.jsonc"],
        }
    }

    /// What lies in the home folder of somebody who uses it.
    pub fn traces_at_home(self) -> &'static [&'static str] {
        match self {
            Self::Claude => &[".claude.json", ".claude/settings.json"],
            Self::Codex => &[".codex"],
            Self::Copilot => &[".copilot"],
            Self::Cursor => &[".cursor"],
            Self::Gemini => &[".gemini"],
            Self::Opencode => &[".config/opencode"],
        }
    }

    /// What is left for the user to do: trust is theirs to give.
    pub fn left_to_do(self) -> &'static str {
        match self {
            Self::Claude => {
                "start `claude` here, accept the trust question, and approve the MCP server `coord` \
                 (`/mcp` shows it)"
            }
            Self::Codex => {
                "start `codex` here and trust the folder, then open `/hooks` and trust coord's hooks: \
                 until then Codex skips them without a word"
            }
            Self::Copilot => {
                "start `copilot` here and trust the folder: until then it runs no hook"
            }
            Self::Cursor => {
                "trust the workspace, and switch on the MCP server `coord` in Cursor's MCP settings"
            }
            Self::Gemini => "start `gemini` here and trust the folder",
            Self::Opencode => "nothing; OpenCode loads the plugin when it starts",
        }
    }
}
