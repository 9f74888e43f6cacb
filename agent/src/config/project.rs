//! The project: its root folder and its key, without starting git.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::limits::NAME_BYTES_MAX;
use coord_protocol::project::key_of_url;
use coord_server::git::Git;

use super::env::Env;
use super::file::read_small;

/// Where work happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    /// The folder whose `.claude` holds the outbox.
    pub root: PathBuf,
    /// `owner/name` of the git remote, or the folder's name. `None` outside of any project.
    pub key: Option<String>,
    /// The branch that is checked out.
    pub branch: Option<String>,
}

/// Finds the project of a folder. `COORD_PROJECT_DIR` names the root; else it is the clone that the folder
/// lies in, as long as that is no home folder; else the nearest folder above that has `.git` or `.claude`;
/// else the home folder takes the outbox. A `.claude` within a clone makes no project of its own.
pub fn find(env: &Env, cwd: &Path, home: Option<&Path>) -> Project {
    let marked = |dir: &&Path| dir.join(".git").exists() || dir.join(".claude").is_dir();
    let below_home = || cwd.ancestors().take_while(|dir| Some(*dir) != home);
    let clone = below_home().find(|dir| dir.join(".git").exists());
    let root = env
        .path("COORD_PROJECT_DIR")
        .or_else(|| clone.or_else(|| cwd.ancestors().find(marked)).map(Path::to_owned));
    let Some(root) = root else {
        let root = home.unwrap_or(cwd).to_owned();
        return Project {
            root,
            key: env.first(&["COORD_PROJECT", "COORD_REPO_ID"]).map(str::to_owned),
            branch: None,
        };
    };
    let git = git_dirs(&root);
    let is_home = home.is_some_and(|h| h == root);
    let derived = || {
        let remote = git.as_ref().and_then(|g| remote_url(&g.common.join("config")));
        let folder = || root.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        remote
            .and_then(|url| key_of_url(&url))
            .or_else(|| project_id(&root))
            .or_else(|| folder().filter(|_| !is_home || git.is_some()))
    };
    let key = env.first(&["COORD_PROJECT", "COORD_REPO_ID"]).map(str::to_owned).or_else(derived);
    let branch = git.as_ref().and_then(|g| branch_of(&g.own.join("HEAD")));
    Project { root, key, branch }
}

/// Where a project without a remote has its name, when it uses seed 003's library: made anew with its
/// folder, so that a folder made anew begins empty.
pub const PROJECT_ID: &str = ".claude/coordination/project-id";

/// Longest file that is read for a name.
const PROJECT_ID_FILE_MAX: u64 = 4096;

/// A clone may bring this file along, as a link or a pipe, too: such a one is no name.
fn project_id(root: &Path) -> Option<String> {
    let file = root.join(PROJECT_ID);
    let bytes = read_small(&file, PROJECT_ID_FILE_MAX).ok()?;
    let id = std::str::from_utf8(&bytes).ok()?.trim();
    let is_word = id.bytes().all(|b| b.is_ascii_graphic());
    let fits = is_word && !id.is_empty() && id.len() <= NAME_BYTES_MAX;
    (fits && !is_tracked(&file)).then(|| id.to_owned())
}

/// Whether the project's name comes from a git remote.
pub fn has_remote(root: &Path) -> bool {
    let url = git_dirs(root).and_then(|g| remote_url(&g.common.join("config")));
    url.and_then(|u| key_of_url(&u)).is_some()
}

struct GitDirs {
    /// Of this work tree.
    own: PathBuf,
    /// Shared by all work trees of the clone.
    common: PathBuf,
}

fn git_dirs(root: &Path) -> Option<GitDirs> {
    let dot_git = root.join(".git");
    if dot_git.is_dir() {
        return Some(GitDirs { own: dot_git.clone(), common: dot_git });
    }
    // A linked work tree: a file that names its own folder, which names the common one.
    let text = fs::read_to_string(&dot_git).ok()?;
    let own = root.join(text.strip_prefix("gitdir:")?.trim());
    let common = fs::read_to_string(own.join("commondir"))
        .map_or_else(|_| own.clone(), |c| own.join(c.trim()));
    Some(GitDirs { own, common })
}

/// Git gets this long to say what it tracks.
const GIT_WITHIN: Duration = Duration::from_millis(300);

/// Whether git tracks anything whose path begins like this, in whatever clone it lies. An index that cannot
/// be read counts as tracking it.
pub fn is_tracked(path: &Path) -> bool {
    let Some((root, git)) = path.ancestors().skip(1).find_map(|d| Some((d, git_dirs(d)?))) else {
        return false;
    };
    let index = match fs::read(git.own.join("index")) {
        Ok(index) => index,
        // Nothing was ever added.
        Err(e) => return e.kind() != std::io::ErrorKind::NotFound,
    };
    let relative = path.strip_prefix(root).unwrap_or(path);
    if index.get(4..8) == Some(&[0, 0, 0, 4]) {
        return git_tracks(root, relative);
    }
    let wanted = relative.as_os_str().as_encoded_bytes();
    index.windows(wanted.len()).any(|w| w == wanted)
}

/// Asks git itself, where the names in its index are compressed. What it does not answer is tracked.
fn git_tracks(root: &Path, relative: &Path) -> bool {
    let git = Git { root, within: GIT_WITHIN, in_hook: false };
    let Some(beginning) = relative.to_str() else { return true };
    let pattern = format!(":(top,glob){beginning}*");
    git.run(&["ls-files", "-z", "--", &pattern]).map_or(true, |listed| !listed.is_empty())
}

/// Adds a pattern to the private exclude file of the clone that a folder lies in, if there is one
/// and it can be written: nothing of ours is committed by a `git add -A`.
pub fn exclude_from_git(inside: &Path, pattern: &str) {
    let Some(git) = inside.ancestors().find_map(git_dirs) else { return };
    let file = git.common.join("info/exclude");
    let text = fs::read_to_string(&file).unwrap_or_default();
    if text.lines().any(|l| l.trim() == pattern) || !git.common.is_dir() {
        return;
    }
    let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    // Best effort: in a sandbox the clone's own folder is read-only.
    let _ = fs::create_dir_all(git.common.join("info"));
    let opened = fs::OpenOptions::new().append(true).create(true).open(&file);
    if let Ok(mut f) = opened {
        let _ = writeln!(f, "{gap}{pattern}");
    }
}

/// The address of `origin`, else of the first remote.
fn remote_url(config: &Path) -> Option<String> {
    let text = fs::read_to_string(config).ok()?;
    let mut section = String::new();
    let mut first = None;
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if let Some((name, value)) = line.split_once('=')
            && name.trim() == "url"
            && section.starts_with("[remote ")
        {
            let url = value.trim().to_owned();
            if section == "[remote \"origin\"]" {
                return Some(url);
            }
            first.get_or_insert(url);
        }
    }
    first
}

fn branch_of(head: &Path) -> Option<String> {
    let text = fs::read_to_string(head).ok()?;
    Some(text.trim().strip_prefix("ref: refs/heads/")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_remotes() {
        for url in [
            "https://example.com/acme/app.git",
            "https://user@example.com:8443/acme/app",
            "git@example.com:acme/app.git",
            "ssh://git@example.com/acme/app/",
            "/srv/git/acme/app.git",
        ] {
            assert_eq!(key_of_url(url).as_deref(), Some("acme/app"), "{url}");
        }
        assert_eq!(key_of_url("git@example.com:app.git").as_deref(), Some("app"));
    }

    #[test]
    fn all_work_trees_of_a_clone_are_one_project() {
        let dir = tempfile::tempdir().unwrap();
        let clone = dir.path().join("clone");
        let git = clone.join(".git");
        fs::create_dir_all(git.join("worktrees/w")).unwrap();
        fs::write(git.join("config"), "[core]\n[remote \"origin\"]\n\turl = git@h:acme/app.git\n")
            .unwrap();
        fs::write(git.join("HEAD"), "ref: refs/heads/main\n").unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir_all(tree.join("src/deep")).unwrap();
        fs::write(tree.join(".git"), format!("gitdir: {}\n", git.join("worktrees/w").display()))
            .unwrap();
        fs::write(git.join("worktrees/w/commondir"), "../..\n").unwrap();
        fs::write(git.join("worktrees/w/HEAD"), "ref: refs/heads/topic\n").unwrap();
        let env = Env::default();
        let a = find(&env, &clone, None);
        let b = find(&env, &tree.join("src/deep"), None);
        assert_eq!((a.key.as_deref(), a.branch.as_deref()), (Some("acme/app"), Some("main")));
        assert_eq!((b.key.as_deref(), b.branch.as_deref()), (Some("acme/app"), Some("topic")));
        assert_eq!(b.root, tree);
    }

    #[test]
    fn a_clone_is_one_project() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("home");
        let inner = home.join("app/packages/web");
        fs::create_dir_all(inner.join(".claude")).unwrap();
        fs::create_dir_all(home.join("app/.git")).unwrap();
        let root = |cwd: &Path| find(&Env::default(), cwd, Some(&home)).root;
        assert_eq!(root(&inner), home.join("app"));
        // Settings that are kept in git make no project of all that lies in the home folder.
        fs::create_dir_all(home.join(".git")).unwrap();
        fs::create_dir_all(home.join("notes/.claude")).unwrap();
        assert_eq!(root(&home.join("notes")), home.join("notes"));
        assert_eq!(root(&home), home);
    }

    #[test]
    fn what_git_tracks() {
        let dir = tempfile::tempdir().unwrap();
        let git = |args: &[&str]| {
            let done = std::process::Command::new("git")
                .current_dir(dir.path())
                .args(args)
                .env("GIT_CONFIG_GLOBAL", "/dev/null")
                .output()
                .unwrap();
            assert!(done.status.success(), "{done:?}");
        };
        git(&["init", "-q"]);
        fs::create_dir(dir.path().join(".claude")).unwrap();
        fs::write(dir.path().join(".claude/identity.json"), "{}").unwrap();
        fs::write(dir.path().join("x.claude"), "").unwrap();
        git(&["add", "x.claude"]);
        let file = dir.path().join(".claude/identity.json");
        assert!(!is_tracked(&file));
        git(&["add", "-f", ".claude/identity.json"]);
        assert!(is_tracked(&file));
        // Deep inside, where a `.claude` of its own makes a project.
        let deep = dir.path().join("sub/.claude/coord-queue.jsonl");
        fs::create_dir_all(deep.parent().unwrap()).unwrap();
        fs::write(&deep, "").unwrap();
        assert!(!is_tracked(&deep));
        git(&["add", "-f", "sub"]);
        assert!(is_tracked(&dir.path().join("sub/.claude/coord-queue.")));
        git(&["update-index", "--index-version", "4"]);
        assert!(is_tracked(&dir.path().join("sub/.claude/coord-queue.")) && is_tracked(&file));
        assert!(!is_tracked(&dir.path().join("sub/.claude/identity.json")));
        assert!(!is_tracked(Path::new("/nowhere/.claude/identity.json")));
    }

    #[test]
    fn a_name_is_one_word_in_a_small_file_of_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("app");
        let file = root.join(PROJECT_ID);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        let name = || find(&Env::default(), &root, None).key.unwrap();
        let tricks: [(&str, &dyn Fn()); 7] = [
            ("two words", &|| fs::write(&file, "a b\n").unwrap()),
            ("letters", &|| fs::write(&file, "caf\u{e9}\n").unwrap()),
            ("bidi", &|| fs::write(&file, "a\u{202e}b\n").unwrap()),
            ("nothing", &|| fs::write(&file, " \n").unwrap()),
            ("long", &|| fs::write(&file, format!("a{}", " ".repeat(5000))).unwrap()),
            ("zeros", &|| std::os::unix::fs::symlink("/dev/zero", &file).unwrap()),
            ("a pipe", &|| {
                let made = std::process::Command::new("mkfifo").arg(&file).status();
                assert!(made.unwrap().success());
            }),
        ];
        for (what, put) in tricks {
            put();
            assert_eq!(name(), "app", "{what}");
            fs::remove_file(&file).unwrap();
        }
        fs::write(&file, "local-1\n").unwrap();
        assert_eq!(name(), "local-1");
        let git = |args: &[&str]| {
            let done = std::process::Command::new("git").current_dir(&root).args(args).status();
            assert!(done.unwrap().success());
        };
        git(&["init", "-q"]);
        assert_eq!(name(), "local-1");
        git(&["add", "-f", PROJECT_ID]);
        assert_eq!(name(), "app", "whoever made the project named it");
    }

    #[test]
    fn a_pattern_is_excluded_once() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/.claude");
        fs::create_dir_all(&deep).unwrap();
        exclude_from_git(&deep, "x.*");
        fs::create_dir_all(dir.path().join(".git/info")).unwrap();
        fs::write(dir.path().join(".git/info/exclude"), "# mine").unwrap();
        exclude_from_git(&deep, "x.*");
        exclude_from_git(&deep, "x.*");
        let text = fs::read_to_string(dir.path().join(".git/info/exclude")).unwrap();
        assert_eq!(text, "# mine\nx.*\n");
    }

    #[test]
    fn without_a_project_home_takes_the_outbox() {
        let dir = tempfile::tempdir().unwrap();
        let p = find(&Env::default(), dir.path(), Some(Path::new("/h")));
        assert_eq!((p.root, p.key), (PathBuf::from("/h"), None));
        let p = find(&Env::of(&[("COORD_PROJECT", "slug")]), dir.path(), None);
        assert_eq!(p.key.as_deref(), Some("slug"));
    }
}
