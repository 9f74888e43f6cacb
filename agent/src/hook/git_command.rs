//! Commands of git that change a work tree, and with it what other sessions have not committed.

use std::path::PathBuf;

use super::shell::{Simple, Word};

/// What a command does to the tree.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "properties that do not depend on each other")]
pub(super) struct TreeChange {
    /// `checkout`, `switch`, `stash`, `reset`, `clean`, `restore`.
    pub(super) verb: String,
    /// Pathspecs that limit it; empty for the whole tree.
    pub(super) paths: Vec<String>,
    /// A word before them that is a commit, or else one of them: only the repository can say.
    pub(super) name: Option<String>,
    /// It moves the tree to another commit, rather than taking changes away.
    pub(super) moves: bool,
    /// It touches files that git does not know ...
    pub(super) untracked: bool,
    /// ... and those that it is told to ignore.
    pub(super) ignored: bool,
    /// Somebody has decided that it is to be done: `COORD_TREE_GUARD=off` stands before it.
    pub(super) decided: bool,
}

/// Variable that switches the guard.
pub(super) const SETTING: &str = "COORD_TREE_GUARD";

/// Options of git itself that take a word of their own.
const WITH_WORD: &[&str] =
    &["-c", "--git-dir", "--work-tree", "--namespace", "--exec-path", "--config-env"];

/// Reads a command; the folder is the one that `-C` says, seen from where it runs. `None`: it is not
/// git, or does no harm to anybody's work.
pub(super) fn read(command: &Simple) -> Option<(PathBuf, TreeChange)> {
    let mut words = command.words.iter();
    if words.next()?.text.rsplit('/').next()? != "git" {
        return None;
    }
    let mut folder = PathBuf::new();
    let verb = loop {
        match words.next()?.text.as_str() {
            // Where it cannot be read, it is taken for where the command runs.
            "-C" => folder.extend(words.next().filter(|w| !w.expands).map(|w| &w.text)),
            option if WITH_WORD.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            verb => break verb,
        }
    };
    let rest: Vec<&Word> = words.collect();
    if rest.iter().any(|w| matches!(w.text.as_str(), "-h" | "--help")) {
        return None;
    }
    let change = match verb {
        "checkout" => checkout(&rest)?,
        "switch" => switch(&rest)?,
        "restore" => restore(&rest)?,
        "stash" => stash(&rest)?,
        "reset" => reset(&rest)?,
        "clean" => clean(&rest)?,
        _ => return None,
    };
    let decided = command.variables.iter().any(|(n, v)| n == SETTING && v == "off");
    Some((folder, TreeChange { verb: verb.to_owned(), decided, ..change }))
}

/// The arguments of a verb.
struct Arguments<'a> {
    /// Without the words that belong to them.
    options: Vec<&'a str>,
    words: Vec<&'a Word>,
    /// What stands behind `--`.
    behind: Option<Vec<&'a Word>>,
    /// Letters of options that take a word.
    short: &'a str,
}

impl<'a> Arguments<'a> {
    /// `short` and `long` are the options that take a word of their own.
    fn of(rest: &[&'a Word], short: &'a str, long: &[&str]) -> Self {
        let mut all = Self { options: Vec::new(), words: Vec::new(), behind: None, short };
        let mut rest = rest.iter().copied();
        while let Some(word) = rest.next() {
            let text = word.text.as_str();
            if text == "--" {
                all.behind = Some(rest.collect());
                break;
            }
            if !text.starts_with('-') || text == "-" {
                all.words.push(word);
                continue;
            }
            let takes = match letters(text).find(|c| short.contains(*c)) {
                // In `-mTEXT` it has its word already.
                Some(letter) => text.ends_with(letter) && text.find(letter) == Some(text.len() - 1),
                None => long.contains(&text),
            };
            all.options.push(text);
            if takes {
                rest.next();
            }
        }
        all
    }

    fn has(&self, long: &[&str], short: &str) -> bool {
        let mine = |option: &&str| {
            let name = option.split('=').next().unwrap_or_default();
            let end = |c: &char| self.short.contains(*c) && !short.contains(*c);
            long.contains(&name)
                || letters(option).take_while(|c| !end(c)).any(|c| short.contains(c))
        };
        self.options.iter().any(mine)
    }

    /// All words, wherever they stand.
    fn paths(&self) -> Vec<&'a Word> {
        self.words.iter().chain(self.behind.iter().flatten()).copied().collect()
    }
}

/// The letters of an option in short form.
fn letters(option: &str) -> impl Iterator<Item = char> {
    option.strip_prefix('-').filter(|o| !o.starts_with('-')).unwrap_or_default().chars()
}

/// A change that takes away what is not committed in these; in all of the tree where the shell makes
/// something else of any of them, which cannot be known here.
fn within(paths: &[&Word]) -> TreeChange {
    let known = paths.iter().all(|w| !w.expands);
    let paths = paths.iter().filter(|_| known).map(|w| w.text.clone()).collect();
    TreeChange { paths, ..TreeChange::default() }
}

fn moving() -> TreeChange {
    TreeChange { moves: true, ..TreeChange::default() }
}

fn checkout(rest: &[&Word]) -> Option<TreeChange> {
    let all = Arguments::of(rest, "bB", &["--orphan", "--conflict", "--pathspec-from-file"]);
    let creates = all.has(&["--orphan"], "bB");
    let listed = all.has(&["--pathspec-from-file"], "");
    match (all.words.as_slice(), all.behind.as_deref()) {
        (_, Some(paths)) if !paths.is_empty() => Some(within(paths)),
        _ if listed => Some(within(&[])),
        // Without a name it takes every change away.
        ([], _) if !creates && all.has(&["--force"], "f") => Some(within(&[])),
        // A new branch where the tree stands, or nothing at all.
        ([], _) => None,
        (_, None) if creates => Some(moving()),
        ([name], None) => {
            let known = Some(name.text.clone()).filter(|_| !name.expands);
            Some(TreeChange { name: known, ..moving() })
        }
        // `git checkout <commit> <path>...`, or paths alone.
        ([name, paths @ ..], None) => {
            let change = within(paths);
            let limited = !change.paths.is_empty() && !name.expands;
            Some(if limited {
                TreeChange { name: Some(name.text.clone()), ..change }
            } else {
                within(&[])
            })
        }
        // Behind its name stands `--`: it is no path.
        (_, Some(_)) => Some(moving()),
    }
}

fn switch(rest: &[&Word]) -> Option<TreeChange> {
    let new = ["--create", "--force-create", "--orphan"];
    let all = Arguments::of(rest, "cC", &new);
    (!all.paths().is_empty()).then(moving)
}

fn restore(rest: &[&Word]) -> Option<TreeChange> {
    let all = Arguments::of(rest, "s", &["--source", "--conflict", "--pathspec-from-file"]);
    // Only the index.
    if all.has(&["--staged"], "S") && !all.has(&["--worktree"], "W") {
        return None;
    }
    Some(within(&all.paths()))
}

fn stash(rest: &[&Word]) -> Option<TreeChange> {
    let (rest, saves) = match rest.first().map(|w| w.text.as_str()) {
        None => (rest, false),
        Some(w) if w.starts_with('-') => (rest, false),
        Some("push") => (&rest[1..], false),
        Some("save") => (&rest[1..], true),
        Some("branch") => return Some(moving()),
        Some(_) => return None,
    };
    let all = Arguments::of(rest, "m", &["--message", "--pathspec-from-file"]);
    // What follows `save` is its message.
    let paths = if saves { Vec::new() } else { all.paths() };
    let ignored = all.has(&["--all"], "a");
    let untracked = ignored || all.has(&["--include-untracked"], "u");
    Some(TreeChange { untracked, ignored, ..within(&paths) })
}

fn reset(rest: &[&Word]) -> Option<TreeChange> {
    let hard = Arguments::of(rest, "", &[]).has(&["--hard", "--merge", "--keep"], "");
    hard.then(TreeChange::default)
}

fn clean(rest: &[&Word]) -> Option<TreeChange> {
    let all = Arguments::of(rest, "e", &["--exclude"]);
    if all.has(&["--dry-run"], "n") {
        return None;
    }
    let paths = all.paths();
    let mut change = within(&paths);
    if paths.is_empty() {
        // Unlike the others it begins where it runs.
        change.paths.push(".".to_owned());
    }
    let only_ignored = all.has(&[], "X");
    let ignored = only_ignored || all.has(&[], "x");
    Some(TreeChange { untracked: !only_ignored, ignored, ..change })
}

#[cfg(test)]
mod tests {
    use super::super::shell::commands;
    use super::*;

    fn of(text: &str) -> Option<TreeChange> {
        commands(text).iter().find_map(read).map(|(_, change)| change)
    }

    #[test]
    fn what_changes_the_whole_tree() {
        for (text, moves, untracked) in [
            ("git stash", false, false),
            ("git stash -u", false, true),
            ("git stash -qu", false, true),
            ("git stash push -m 'all mine'", false, false),
            ("git stash -mu", false, false),
            ("git stash save -u my words", false, true),
            ("git stash --include-untracked", false, true),
            ("git stash branch x", true, false),
            ("git checkout main", true, false),
            ("git checkout $BRANCH", true, false),
            ("git checkout main --", true, false),
            ("git checkout -f", false, false),
            ("git checkout -b new origin/main", true, false),
            ("git switch -", true, false),
            ("git switch main", true, false),
            ("git switch -c new main", true, false),
            ("git reset --hard", false, false),
            ("git -c a=b reset --hard HEAD~1", false, false),
            ("git checkout --pathspec-from-file=x", false, false),
            ("/usr/bin/git --no-pager stash", false, false),
            // What the shell makes of these is not known.
            ("git checkout -- $(git diff --name-only)", false, false),
            ("git checkout HEAD $FILES", false, false),
            ("git checkout $COMMIT a.rs", false, false),
            ("git restore `git ls-files -m`", false, false),
            ("git restore a.rs \"$f\"", false, false),
            ("git checkout -- {a,b}.rs", false, false),
            ("git restore ~/x", false, false),
            ("for f in *.rs; do git checkout -- $f; done", false, false),
            ("git ls-files -m | xargs git checkout --", false, false),
            ("git clean -f $DIR", false, true),
        ] {
            let found = of(text).unwrap_or_else(|| panic!("{text}"));
            let said = (found.paths.is_empty(), found.moves, found.untracked);
            assert_eq!(said, (true, moves, untracked), "{text}");
        }
    }

    #[test]
    fn what_is_limited_to_paths() {
        for (text, paths) in [
            ("git checkout -- a b", vec!["a", "b"]),
            ("git checkout HEAD -- 'src/*'", vec!["src/*"]),
            ("git checkout -- .", vec!["."]),
            ("git restore a", vec!["a"]),
            ("git restore -s HEAD~1 a", vec!["a"]),
            ("git restore -sHEAD a", vec!["a"]),
            ("git restore --source=HEAD -- a", vec!["a"]),
            ("git restore --staged --worktree .", vec!["."]),
            ("git restore '$a' app/[id]", vec!["$a", "app/[id]"]),
            ("git stash push -- a", vec!["a"]),
            ("git stash push -m 'a word' a", vec!["a"]),
            ("git stash push -um word a", vec!["a"]),
            ("git stash push a b", vec!["a", "b"]),
            ("git clean -f a", vec!["a"]),
            ("git clean -fd", vec!["."]),
            ("git clean -fd -e node_modules", vec!["."]),
            ("git clean -fde node_modules src", vec!["src"]),
        ] {
            let found = of(text).unwrap();
            assert_eq!(
                (found.paths, found.name),
                (paths.iter().map(|p| (*p).to_owned()).collect(), None),
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_may_be_a_path() {
        for (text, name, paths, moves) in [
            ("git checkout a", "a", vec![], true),
            ("git checkout -q -", "-", vec![], true),
            ("git checkout HEAD~2 a", "HEAD~2", vec!["a"], false),
        ] {
            let found = of(text).unwrap();
            assert_eq!(found.name.as_deref(), Some(name), "{text}");
            assert_eq!(
                (found.paths, found.moves),
                (paths.iter().map(|p| (*p).to_owned()).collect(), moves),
                "{text}"
            );
        }
    }

    #[test]
    fn which_files_unknown_to_git() {
        for (text, untracked, ignored) in [
            ("git clean --force", true, false),
            ("git clean -fdx", true, true),
            ("git clean -fdX", false, true),
            ("git clean -fe x", true, false),
            ("git stash -a", true, true),
            ("git stash --all", true, true),
            ("git restore .", false, false),
        ] {
            let found = of(text).unwrap();
            assert_eq!((found.untracked, found.ignored), (untracked, ignored), "{text}");
        }
    }

    #[test]
    fn what_does_no_harm() {
        for text in [
            "git status",
            "git checkout -b new",
            "git checkout -fb new",
            "git checkout --orphan new",
            "git switch -c new",
            "git switch --create new",
            "git checkout --help",
            "git stash list",
            "git stash pop",
            "git stash show -p",
            "git reset",
            "git reset --soft HEAD~1",
            "git reset HEAD a",
            "git clean -n",
            "git clean -fdn",
            "git restore --staged a",
            "git restore -S a",
            "gitk stash",
            "echo git stash",
            "git commit -m \"$(cat <<'EOF'\nwhy:\ngit stash -u\nEOF\n)\"",
            "git",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn where_it_runs() {
        for (text, folder) in [
            ("git -C sub stash", "sub"),
            ("git -C a -C b stash", "a/b"),
            ("git -C \"$(git rev-parse --show-toplevel)\" stash", ""),
        ] {
            let all = commands(text);
            assert_eq!(all.iter().find_map(read).unwrap().0.to_str(), Some(folder), "{text}");
        }
    }

    #[test]
    fn a_decision_stands_before_it() {
        assert!(of("COORD_TREE_GUARD=off git stash").unwrap().decided);
        assert!(of("COORD_TREE_GUARD=off timeout 9 git stash").unwrap().decided);
        assert!(!of("COORD_TREE_GUARD=block git stash").unwrap().decided);
    }
}
