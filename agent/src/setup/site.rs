//! Where coord is to be wired: the project or the user's own settings, the folders of both, and the
//! hosts that are in use.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::files::read;
use super::host::Host;
use super::record::{Record, digest};
use super::wiring::{Chosen, Owner, Places, Scope};
use crate::config::ConfigError;
use crate::config::env::Env;
use crate::config::file::real as real_path;
use crate::config::paths::Paths;
use crate::config::project;

/// Where it is.
#[derive(Debug, Clone)]
pub struct Site {
    /// One project, or the user's own settings.
    pub scope: Scope,
    /// The folders.
    pub places: Places,
    /// The state folder, which holds the record.
    pub state: PathBuf,
    /// The repository's own folder, which all its work trees share.
    pub git: Option<PathBuf>,
    /// Why git's hooks cannot be wired.
    pub no_git_hooks: Option<String>,
}

/// Why there is nothing to wire.
#[derive(Debug, thiserror::Error)]
pub enum NoSite {
    /// Folders cannot be found.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// This is no project.
    #[error(
        "{0} is in no project: no folder from there up, short of the home folder, has .git or .claude"
    )]
    NoProject(String),
    /// A folder cannot be looked at.
    #[error("{0}: {1}")]
    Folder(String, std::io::Error),
}

impl Site {
    /// Finds it, seen from a folder.
    pub fn find(env: &Env, cwd: &Path, scope: Scope) -> Result<Self, NoSite> {
        let paths = Paths::find(env)?;
        let home = paths.home.clone().ok_or(ConfigError::NoHome)?;
        let project = project::find(env, cwd, Some(&home)).root;
        let real =
            |p: &Path| fs::canonicalize(p).map_err(|e| NoSite::Folder(p.display().to_string(), e));
        let project = real(&project)?;
        if scope == Scope::Project && project == real(&home)? {
            return Err(NoSite::NoProject(cwd.display().to_string()));
        }
        let mut site = Self {
            scope,
            places: Places::of(env, home, project, &paths.config),
            state: paths.state,
            git: None,
            no_git_hooks: None,
        };
        match git_hooks(&site.places.project) {
            Ok((common, hooks)) => site.take_git_hooks(common, hooks),
            Err(why) => site.no_git_hooks = Some(why),
        }
        Ok(site)
    }

    /// Takes the folder that git uses for hooks, if it is this repository's.
    fn take_git_hooks(&mut self, common: PathBuf, hooks: PathBuf) {
        let hooks = real_path(&hooks).unwrap_or(hooks);
        if hooks.starts_with(&common) || hooks.starts_with(&self.places.project) {
            self.places.git_hooks = Some(hooks);
        } else {
            self.no_git_hooks = Some(format!(
                "core.hooksPath names {}, which other repositories may use as well; call \
                 `coord guard commit` and `coord guard push \"$@\"` there yourself",
                hooks.display()
            ));
        }
        self.git = Some(common);
    }

    /// The folder that is wired.
    pub fn root(&self) -> &Path {
        match self.scope {
            Scope::Project => &self.places.project,
            Scope::User => &self.places.home,
        }
    }

    /// Whether a part may be where its file really lies. Links of one's own may lead anywhere: many
    /// keep their settings in a repository. Those of a clone lead to files of its work tree.
    pub fn may_be_at(&self, owner: Owner, target: &Path) -> bool {
        let in_git = self.git.as_ref().is_some_and(|g| target.starts_with(g));
        match (self.scope, owner) {
            (Scope::User, _) => true,
            (Scope::Project, Owner::Git) => in_git || target.starts_with(&self.places.project),
            (Scope::Project, _) => target.starts_with(&self.places.project) && !in_git,
        }
    }

    /// Where the record of this site is.
    pub fn record_file(&self) -> PathBuf {
        let key = match self.scope {
            Scope::Project => self.places.project.display().to_string(),
            Scope::User => "user".to_owned(),
        };
        let name = digest(Some(&key));
        self.state.join(format!("setup-{}.json", &name[..16]))
    }

    /// The record of this site; an empty one when there is none.
    pub fn record(&self) -> Result<Record, String> {
        let Some(text) = read(&self.record_file())? else { return Ok(Record::default()) };
        serde_json::from_str(&text).map_err(|e| e.to_string())
    }

    /// What is chosen by the files that are there.
    pub fn chosen(&self) -> Chosen {
        let root = &self.places.project;
        let settings = match self.scope {
            Scope::Project => root.clone(),
            Scope::User => self.places.config.join("opencode"),
        };
        let claude = read(&root.join("CLAUDE.md")).ok().flatten().unwrap_or_default();
        Chosen {
            claude_reads_agents: claude.lines().any(|l| l.trim() == "@AGENTS.md"),
            opencode_jsonc: settings.join("opencode.jsonc").is_file(),
        }
    }

    /// The hosts that are in use here: their program is on the PATH, or their files are there.
    pub fn hosts(&self, env: &Env) -> BTreeSet<Host> {
        let used = |host: &Host| {
            let here = |root: &Path, names: &[&str]| names.iter().any(|n| root.join(n).exists());
            host.programs().iter().any(|p| program(env, p).is_some())
                || here(&self.places.home, host.traces_at_home())
                || (self.scope == Scope::Project
                    && here(&self.places.project, host.traces_in_project()))
        };
        Host::ALL.into_iter().filter(used).collect()
    }
}

impl Places {
    fn of(env: &Env, home: PathBuf, project: PathBuf, own_config: &Path) -> Self {
        let moved = |variable: &str| env.path(variable).filter(|p| p.is_absolute());
        let claude = moved("CLAUDE_CONFIG_DIR");
        Self {
            claude_state: claude.as_ref().unwrap_or(&home).join(".claude.json"),
            claude: claude.unwrap_or_else(|| home.join(".claude")),
            codex: moved("CODEX_HOME").unwrap_or_else(|| home.join(".codex")),
            // coord's own lies beside the others'.
            config: own_config.parent().unwrap_or(own_config).to_owned(),
            home,
            project,
            git_hooks: None,
        }
    }
}

/// All programs of that name on the PATH, the first one first.
pub fn programs(env: &Env, name: &str) -> Vec<PathBuf> {
    let path = env.get("PATH").unwrap_or_default();
    let all = std::env::split_paths(path).filter(|d| d.is_absolute()).map(|d| d.join(name));
    let runs = |p: &PathBuf| {
        fs::metadata(p).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    };
    all.filter(runs).collect()
}

/// The program that a name on the PATH means.
pub fn program(env: &Env, name: &str) -> Option<PathBuf> {
    programs(env, name).into_iter().next()
}

/// The repository's common folder, and the one where git looks for hooks (`core.hooksPath` is git's to
/// read, in all its files).
fn git_hooks(root: &Path) -> Result<(PathBuf, PathBuf), String> {
    let mut git = Command::new("git");
    git.args(["rev-parse", "--path-format=absolute", "--git-common-dir", "--git-path", "hooks"]);
    git.current_dir(root).stdin(Stdio::null()).stderr(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            git.env_remove(name);
        }
    }
    let out = git.output().map_err(|e| format!("git cannot be run: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut lines = text.lines().map(PathBuf::from);
    match (lines.next(), lines.next()) {
        (Some(common), Some(hooks)) if out.status.success() => {
            Ok((fs::canonicalize(&common).unwrap_or(common), hooks))
        }
        _ => Err("this is no git repository".to_owned()),
    }
}
