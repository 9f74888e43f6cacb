//! The real clients of hosts, driven by a scripted model: a home and a repository of their own, our
//! `coord` first on the PATH, wired by `coord init`, nothing else of the world in reach.

mod codex_server;
mod recorder;
mod terminal;
mod wiring;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::bins::{bin, target};
use crate::command::Run;
use crate::model::{Model, Turn};
use crate::workstation::Workstation;

pub use codex_server::CodexServer;
pub use recorder::recorded;
pub use terminal::Terminal;

/// A client of which a test runs the real program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// Claude Code.
    Claude,
    /// Codex CLI.
    Codex,
    /// GitHub Copilot CLI.
    Copilot,
}

impl Host {
    /// Its name in `coord hook <host>`, of its program, and in the names of its sessions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Copilot => "copilot",
        }
    }

    /// A turn in which the model makes a file.
    pub fn creates(self, desk: &Workstation, file: &str, line: &str) -> Turn {
        let path = desk.project().join(file);
        match self {
            Self::Claude => {
                Turn::call("Write", json!({"file_path": path, "content": format!("{line}\n")}))
            }
            Self::Codex => Turn::patch(&format!(
                "*** Begin Patch\n*** Add File: {file}\n+{line}\n*** End Patch\n"
            )),
            Self::Copilot => {
                Turn::call("create", json!({"path": path, "file_text": format!("{line}\n")}))
            }
        }
    }

    /// The turns in which it changes a line of a file; the last one is the edit.
    pub fn changes(self, desk: &Workstation, file: &str, from: &str, to: &str) -> Vec<Turn> {
        let path = desk.project().join(file);
        match self {
            // It edits only what it has read.
            Self::Claude => vec![
                Turn::call("Read", json!({"file_path": path})),
                Turn::call(
                    "Edit",
                    json!({"file_path": path, "old_string": from, "new_string": to}),
                ),
            ],
            Self::Codex => vec![Turn::patch(&format!(
                "*** Begin Patch\n*** Update File: {file}\n@@\n-{from}\n+{to}\n*** End Patch\n"
            ))],
            Self::Copilot => {
                vec![Turn::call("edit", json!({"path": path, "old_str": from, "new_str": to}))]
            }
        }
    }

    /// A turn in which it runs a command of the shell.
    pub fn runs(self, command: &str) -> Turn {
        match self {
            Self::Claude => Turn::call("Bash", json!({"command": command, "description": "runs"})),
            Self::Codex => Turn::call("exec_command", json!({"cmd": command})),
            Self::Copilot => Turn::call("bash", json!({"command": command, "description": "runs"})),
        }
    }

    /// A turn in which it calls a tool of `coord mcp`, as the client names it.
    pub fn asks_coord(self, tool: &str, input: Value) -> Turn {
        match self {
            Self::Claude => Turn::call(&format!("mcp__coord__coord_{tool}"), input),
            Self::Codex => Turn::call_within("mcp__coord", &format!("coord_{tool}"), input),
            Self::Copilot => Turn::call(&format!("coord-coord_{tool}"), input),
        }
    }

    /// Its command line for one prompt, in the conversation before or in a new one.
    fn args(self, model: &Model, prompt: &str, goes_on: bool) -> Vec<String> {
        let provider = codex_provider(model);
        let args: Vec<&str> = match (self, goes_on) {
            (Self::Claude, false) => [&["-p", prompt], CLAUDE].concat(),
            (Self::Claude, true) => [&["-p", prompt, "--continue"], CLAUDE].concat(),
            (Self::Codex, false) => [&["exec"], CODEX, &["-c", &provider, prompt]].concat(),
            (Self::Codex, true) => {
                [&["exec"], CODEX, &["-c", &provider, "resume", "--last", prompt]].concat()
            }
            (Self::Copilot, _) => vec!["-p", prompt, "--allow-all-tools"],
        };
        args.into_iter().map(str::to_owned).collect()
    }

    /// What keeps it from everything but the model.
    fn env(self, model: &Model) -> Vec<(&'static str, String)> {
        let on = || "1".to_owned();
        let key = || KEY.to_owned();
        match self {
            Self::Claude => vec![
                ("ANTHROPIC_BASE_URL", model.url()),
                ("ANTHROPIC_API_KEY", key()),
                ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", on()),
                ("DISABLE_AUTOUPDATER", on()),
                ("DISABLE_TELEMETRY", on()),
                ("DISABLE_ERROR_REPORTING", on()),
            ],
            Self::Codex => vec![],
            Self::Copilot => vec![
                ("COPILOT_OFFLINE", "true".to_owned()),
                ("COPILOT_PROVIDER_TYPE", "anthropic".to_owned()),
                ("COPILOT_PROVIDER_BASE_URL", model.url()),
                ("COPILOT_PROVIDER_API_KEY", key()),
                ("COPILOT_MODEL", "claude-sonnet-4.5".to_owned()),
            ],
        }
    }
}

/// What stands where a vendor's key would.
const KEY: &str = "a-key-that-opens-nothing";
/// Edits pass without a question. As root it takes no broader word than these.
const CLAUDE: &[&str] = &[
    "--permission-mode",
    "acceptEdits",
    "--allowedTools",
    "Bash,Write,Edit,NotebookEdit,mcp__coord",
];
/// Hooks run without anybody having looked at them.
const BYPASS: &str = "--dangerously-bypass-hook-trust";
/// A model of which it knows that it is given `apply_patch`, in its default sandbox; but for the system's
/// temporary folder, where the sandbox leaves a `.git` behind that others would take for a repository's.
const CODEX: &[&str] = &[
    BYPASS,
    "--sandbox",
    "workspace-write",
    "-m",
    "gpt-5.5",
    "-c",
    "model_provider=\"scripted\"",
    "-c",
    "sandbox_workspace_write.exclude_slash_tmp=true",
    "-c",
    "sandbox_workspace_write.exclude_tmpdir_env_var=true",
];

fn codex_provider(model: &Model) -> String {
    format!(
        "model_providers.scripted={{name=\"scripted\", base_url=\"{}/v1\", wire_api=\"responses\", \
         requires_openai_auth=false, supports_websockets=false, request_max_retries=0, \
         stream_max_retries=0}}",
        model.url()
    )
}

/// The installed programs.
pub struct Hosts {
    programs: PathBuf,
    homes: PathBuf,
}

impl Hosts {
    /// Where they are. `None`, with a word about it, where they cannot be had; in CI they must.
    #[expect(clippy::print_stderr, reason = "a skipped test says so")]
    pub fn installed(test: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/hosts.sh");
        let made = Command::new(script).env("CARGO_TARGET_DIR", target()).output();
        let made = made.expect("tools/hosts.sh can be run");
        if made.status.success() {
            let folder = String::from_utf8_lossy(&made.stdout).trim().to_owned();
            return Some(Self::at(Path::new(&folder)));
        }
        let why = String::from_utf8_lossy(&made.stderr).trim().to_owned();
        assert!(env::var_os("CI").is_none(), "{test}: {why}");
        assert_eq!(made.status.code(), Some(3), "tools/hosts.sh: {why}");
        eprintln!("SKIPPED {test}: {why}");
        None
    }

    fn at(folder: &Path) -> Self {
        // Not in the system's temporary folder: Codex's sandbox can write there, as it cannot in a
        // home.
        let homes = target().join("hosts-homes");
        fs::create_dir_all(&homes).expect("a folder can be made");
        Self { programs: folder.join("node_modules/.bin"), homes }
    }

    /// A workstation with a repository, and its hooks wired for these hosts.
    pub fn desk(&self, machine: &str, user: &str, api: &str, wired: &[Host]) -> Workstation {
        let desk = Workstation::below(&self.homes, machine, user, api);
        let git = Command::new("git").args(["init", "-q"]).current_dir(desk.project()).status();
        assert!(git.is_ok_and(|s| s.success()), "git can make a repository");
        // Codex's shells are login shells: the system's profile sets the PATH, the user's adds to it.
        let profile = format!("PATH='{}'\n", path_with_ours());
        fs::write(desk.home().join(".profile"), profile).expect("a profile can be written");
        if !wired.is_empty() {
            wiring::wire(&desk, wired);
        }
        desk
    }

    /// A workstation where a client's hooks keep what they are handed ([`recorded`]).
    pub fn recording_desk(&self, host: Host) -> Workstation {
        let desk = self.desk("DESK", "ann", "local", &[]);
        recorder::wire(host, &desk);
        desk
    }

    /// One prompt in a new conversation of a client, our `coord` first on its PATH.
    pub fn run(&self, host: Host, desk: &Workstation, model: &Model, prompt: &str) -> Run {
        self.prepared(host, desk, model, &host.args(model, prompt, false))
    }

    /// One prompt more in the conversation before.
    pub fn goes_on(&self, host: Host, desk: &Workstation, model: &Model, prompt: &str) -> Run {
        self.prepared(host, desk, model, &host.args(model, prompt, true))
    }

    /// One prompt in a new conversation of Codex, which runs only hooks that are trusted.
    pub fn run_with_trust(&self, desk: &Workstation, model: &Model, prompt: &str) -> Run {
        let mut args = Host::Codex.args(model, prompt, false);
        args.retain(|a| a != BYPASS);
        self.prepared(Host::Codex, desk, model, &args)
    }

    /// Codex as one that can be asked.
    pub fn codex_server(&self, desk: &Workstation) -> CodexServer {
        CodexServer::start(desk.command(&self.programs.join("codex"), &["app-server"]))
    }

    /// The folder of the programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// A client with these arguments.
    pub fn program(&self, host: Host, desk: &Workstation, args: &[&str]) -> Run {
        desk.run_program(&self.programs.join(host.name()), args).env("PATH", &path_with_ours())
    }

    fn prepared(&self, host: Host, desk: &Workstation, model: &Model, args: &[String]) -> Run {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let run = self.program(host, desk, &args);
        host.env(model).into_iter().fold(run, |run, (name, value)| run.env(name, &value))
    }
}

fn path_with_ours() -> String {
    let ours = bin("coord");
    let folder = ours.parent().expect("a program lies in a folder");
    format!("{}:{}", folder.display(), system_path())
}

/// The PATH of the test: no folder of it may hold a `coord`.
pub fn system_path() -> String {
    let path = env::var_os("PATH").unwrap_or_default();
    let without = env::split_paths(&path).filter(|dir| !dir.join("coord").exists());
    let path = env::join_paths(without).expect("folders without colons");
    path.into_string().expect("a PATH in UTF-8")
}
