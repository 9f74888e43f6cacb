//! What a tool call is about to do to the work tree, as far as its name and arguments tell: files that
//! it changes, and commands of git that change the tree under everybody.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::git_command::{self, TreeChange};
use super::tree::ask::{self, Named};
use super::{patch, shell};

/// Tools of the hosts that change files, in lower case, without `_`.
const EDITORS: &[&str] = &[
    "write",
    "edit",
    "multiedit",
    "notebookedit",
    "create",
    "delete",
    "insert",
    "replace",
    "writefile",
    "editfile",
    "deletefile",
    "searchreplace",
    "strreplace",
    "strreplaceeditor",
    "strreplacebasededittool",
    "applypatch",
    "patch",
];

/// Tools that run a shell.
const SHELLS: &[&str] =
    &["bash", "shell", "runshellcommand", "localshell", "execcommand", "runcommand", "powershell"];

/// Names under which a path is given ...
const PATHS: &[&str] =
    &["file_path", "notebook_path", "filePath", "path", "target_file", "filename"];
/// ... lists of changes ...
const LISTS: &[&str] = &["edits", "files", "changes"];
/// ... a patch ...
const PATCHES: &[&str] = &["command", "input", "patch", "patchText", "patch_text", "diff"];
/// ... and a command.
const COMMANDS: &[&str] = &["command", "cmd", "script"];

/// Files of one call at most.
const FILES_MAX: usize = 1_000;

/// What a call does.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// Files that it changes, absolute.
    pub(super) files: Vec<PathBuf>,
    /// It changes more than are named in `files`.
    pub(super) more: bool,
    /// Commands that change a work tree in other ways, with the folder that each runs in.
    pub(super) trees: Vec<(PathBuf, TreeChange)>,
}

impl Effects {
    /// Of a call; `cwd` is where the host's agent stands.
    pub(super) fn of(tool: &str, arguments: &Value, cwd: &Path) -> Self {
        let tool: String =
            tool.chars().filter(|c| *c != '_' && *c != '-').collect::<String>().to_lowercase();
        let mut found = Self::default();
        if SHELLS.contains(&tool.as_str()) {
            if let Some(command) = COMMANDS.iter().find_map(|n| command(arguments.get(*n)?)) {
                found.of_shell(&command, cwd);
            }
        } else if EDITORS.contains(&tool.as_str()) {
            found.of_editor(arguments, cwd);
        }
        found
    }

    /// Whether it does nothing that is of interest here.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.trees.is_empty()
    }

    fn add(&mut self, cwd: &Path, path: &str) {
        let path = cwd.join(path);
        if self.more || self.files.contains(&path) {
            return;
        }
        self.more = self.files.len() >= FILES_MAX;
        if !self.more {
            self.files.push(path);
        }
    }

    fn of_editor(&mut self, arguments: &Value, cwd: &Path) {
        // An editor of several commands that only looks.
        if arguments.get("command").and_then(Value::as_str) == Some("view") {
            return;
        }
        let path_in = |v: &Value| {
            PATHS
                .iter()
                .find_map(|n| v.get(*n)?.as_str())
                .filter(|p| !p.is_empty())
                .map(str::to_owned)
        };
        if let Some(path) = path_in(arguments) {
            self.add(cwd, &path);
        }
        let lists = LISTS.iter().filter_map(|n| arguments.get(*n)?.as_array());
        for path in lists.flatten().filter_map(path_in) {
            self.add(cwd, &path);
        }
        let text = arguments.as_str().map(str::to_owned);
        let text = text.or_else(|| PATCHES.iter().find_map(|n| command(arguments.get(*n)?)));
        for path in text.iter().flat_map(|t| patch::files(t)) {
            self.add(cwd, &path);
        }
    }

    fn of_shell(&mut self, command: &str, cwd: &Path) {
        for simple in shell::commands(command) {
            let here = cwd.join(&simple.folder);
            if simple.words.iter().any(|w| matches!(w.text.as_str(), "apply_patch" | "applypatch"))
            {
                let words = simple.words.iter().map(|w| &w.text);
                let texts = words.chain(&simple.heredocs).filter(|t| patch::is_patch(t));
                for path in texts.flat_map(|t| patch::files(t)) {
                    self.add(&here, &path);
                }
            }
            if let Some((folder, change)) = git_command::read(&simple) {
                self.of_git(here.join(folder), change);
            }
        }
    }

    /// One file given back to what it was is an edit of that file.
    fn of_git(&mut self, folder: PathBuf, change: TreeChange) {
        let mut change = settled(&folder, change);
        if !change.decided && !change.paths.is_empty() {
            let (files, others) = ask::files(&folder, std::mem::take(&mut change.paths));
            for file in files {
                self.add(&folder, &file);
            }
            if others.is_empty() {
                return;
            }
            change.paths = others;
        }
        self.trees.push((folder, change));
    }
}

/// The same with its name read as what it is in this repository.
fn settled(folder: &Path, mut change: TreeChange) -> TreeChange {
    let Some(name) = change.name.take() else { return change };
    match ask::named(folder, &name) {
        Named::Commit => {}
        // With paths behind it, it can only be one of them.
        Named::Nothing if change.paths.is_empty() => {}
        Named::Path | Named::Nothing => {
            change.paths.insert(0, name);
            change.moves = false;
        }
    }
    change
}

/// A command as text: one string, or the words of one.
fn command(v: &Value) -> Option<String> {
    match v {
        Value::String(text) => Some(text.clone()),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            // `["bash", "-lc", "..."]` is what its last word says.
            match words.as_slice() {
                [_, flag, script] if flag.starts_with('-') && flag.ends_with('c') => {
                    Some((*script).to_owned())
                }
                all => Some(all.iter().map(|w| shell::quoted(w)).collect::<Vec<_>>().join(" ")),
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn files(tool: &str, arguments: &Value) -> Vec<String> {
        let of = Effects::of(tool, arguments, Path::new("/w"));
        of.files.iter().map(|f| f.display().to_string()).collect()
    }

    #[test]
    fn editors_of_all_hosts() {
        let patch = "*** Begin Patch\n*** Update File: a.rs\n*** Add File: b.rs\n*** End Patch";
        for (tool, arguments, expected) in [
            ("Write", json!({"file_path": "/w/a", "content": "x"}), vec!["/w/a"]),
            ("NotebookEdit", json!({"notebook_path": "n.ipynb"}), vec!["/w/n.ipynb"]),
            ("MultiEdit", json!({"file_path": "a", "edits": [{"old_string": "x"}]}), vec!["/w/a"]),
            (
                "edit",
                json!({"edits": [{"path": "a"}, {"path": "b"}, {"path": "a"}]}),
                vec!["/w/a", "/w/b"],
            ),
            ("write_file", json!({"file_path": "../o"}), vec!["/w/../o"]),
            ("replace", json!({"file_path": "a"}), vec!["/w/a"]),
            ("create", json!({"path": "a"}), vec!["/w/a"]),
            ("edit", json!({"filePath": "a"}), vec!["/w/a"]),
            ("apply_patch", json!({"command": patch}), vec!["/w/a.rs", "/w/b.rs"]),
            ("apply_patch", json!({"input": patch}), vec!["/w/a.rs", "/w/b.rs"]),
            ("apply_patch", json!({"command": ["apply_patch", patch]}), vec!["/w/a.rs", "/w/b.rs"]),
            ("apply_patch", json!(patch), vec!["/w/a.rs", "/w/b.rs"]),
            ("str_replace_editor", json!({"command": "view", "path": "a"}), vec![]),
            ("str_replace_editor", json!({"command": "create", "path": "a"}), vec!["/w/a"]),
            ("Read", json!({"file_path": "a"}), vec![]),
            ("Write", json!({"file_path": 7}), vec![]),
            ("Write", json!(null), vec![]),
        ] {
            assert_eq!(files(tool, &arguments), expected, "{tool} {arguments}");
        }
    }

    #[test]
    fn patches_in_a_shell() {
        let heredoc = "cd sub && apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a.rs\n\
                       *** End Patch\nEOF\necho done";
        assert_eq!(files("Bash", &json!({"command": heredoc})), ["/w/sub/a.rs"]);
        assert_eq!(files("shell", &json!({"command": ["bash", "-lc", heredoc]})), ["/w/sub/a.rs"]);
        let inline = "apply_patch '*** Begin Patch\n*** Add File: b\n+x\n*** End Patch'";
        assert_eq!(files("Bash", &json!({"command": inline})), ["/w/b"]);
        let piped = "cat <<EOF | apply_patch\n*** Begin Patch\n*** Add File: c\n*** End Patch\nEOF";
        assert_eq!(files("Bash", &json!({"command": piped})), ["/w/c"]);
        let shown = "echo '*** Begin Patch\n*** Add File: d'";
        assert!(files("Bash", &json!({"command": shown})).is_empty());
    }

    #[test]
    fn more_files_than_are_named() {
        let patch = |n| (0..n).map(|n| format!("*** Add File: f{n}\n")).collect::<String>();
        let of = |n| Effects::of("apply_patch", &json!(patch(n)), Path::new("/w"));
        assert_eq!((of(1_000).files.len(), of(1_000).more), (1_000, false));
        assert_eq!((of(1_001).files.len(), of(1_001).more), (1_000, true));
    }

    fn git(root: &Path, args: &[&str]) {
        let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"];
        let mut git = std::process::Command::new("git");
        let done = git.current_dir(root).args(identity).args(args).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    /// A repository with a branch `other`, and a file that is gone.
    fn repository() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        git(root, &["init", "-q", "-b", "main"]);
        std::fs::create_dir(root.join("src")).unwrap();
        for file in ["src/a.rs", "b.rs", "other", "gone.rs"] {
            std::fs::write(root.join(file), "x").unwrap();
        }
        git(root, &["add", "."]);
        git(root, &["commit", "-qm", "x"]);
        git(root, &["branch", "other"]);
        std::fs::remove_file(root.join("gone.rs")).unwrap();
        dir
    }

    #[test]
    fn git_in_a_shell() {
        let dir = repository();
        let of = |c: &str| Effects::of("Bash", &json!({"command": c}), dir.path());
        for (command, files) in [
            ("git checkout -- src/a.rs", vec!["src/a.rs"]),
            ("cd src && git restore a.rs", vec!["src/a.rs"]),
            ("(cd src && ls) && git checkout -- b.rs", vec!["b.rs"]),
            ("cd \"$PWD\" && git checkout -- b.rs", vec!["b.rs"]),
            ("git checkout b.rs", vec!["b.rs"]),
            ("git checkout gone.rs", vec!["gone.rs"]),
            ("git checkout ./src/../b.rs", vec!["./src/../b.rs"]),
            ("git checkout HEAD gone.rs b.rs", vec!["b.rs", "gone.rs"]),
            ("git checkout b.rs gone.rs", vec!["b.rs", "gone.rs"]),
            ("git stash push -m word b.rs", vec!["b.rs"]),
        ] {
            let found = of(command);
            let expected: Vec<_> = files.iter().map(|f| dir.path().join(f)).collect();
            assert_eq!(found.files, expected, "{command}");
            assert!(found.trees.is_empty(), "{command}");
        }
        for (command, verb, paths, moves) in [
            ("cargo test && git stash -u", "stash", vec![], false),
            ("out=$(git stash)", "stash", vec![], false),
            ("git checkout other", "checkout", vec![], true),
            ("git checkout HEAD~0", "checkout", vec![], true),
            ("git checkout of-a-remote", "checkout", vec![], true),
            ("git checkout src", "checkout", vec!["src"], false),
            ("git restore src/", "restore", vec!["src/"], false),
            ("git restore 'src/*' .", "restore", vec!["src/*", "."], false),
            ("git clean -fd -e b.rs", "clean", vec!["."], false),
            ("COORD_TREE_GUARD=off git restore b.rs", "restore", vec!["b.rs"], false),
            ("git checkout -- $(git diff --name-only)", "checkout", vec![], false),
        ] {
            let found = of(command);
            assert!(found.files.is_empty() && found.trees.len() == 1, "{command}");
            let (folder, change) = &found.trees[0];
            assert_eq!(folder, dir.path());
            assert_eq!((&change.verb[..], change.moves), (verb, moves), "{command}");
            assert_eq!(change.paths, paths, "{command}");
        }
        let both = of("git restore b.rs src");
        assert_eq!((both.files.len(), &both.trees[0].1.paths[..]), (1, &["src".to_owned()][..]));
        assert_eq!(of("git -C src stash").trees[0].0, dir.path().join("src"));
        assert!(of("git status && ls").is_empty());
    }
}
