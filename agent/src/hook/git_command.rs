//! Commands of git that change a whole work tree, and with it what other sessions have not committed.

use std::path::PathBuf;

use super::shell::Simple;

/// What a command does to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeChange {
    /// `checkout`, `switch`, `stash`, `reset`, `clean`, `restore`.
    pub(super) verb: String,
    /// It is limited to these; what they are, only a look at the disk can say.
    pub(super) paths: Option<Vec<String>>,
    /// Its only word: a branch, or else a path.
    pub(super) name: Option<String>,
    /// It moves the tree to another commit, rather than taking changes away.
    pub(super) moves: bool,
    /// It touches files that git does not know.
    pub(super) untracked: bool,
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
    let mut words = command.words.iter().map(String::as_str);
    if words.next()?.rsplit('/').next()? != "git" {
        return None;
    }
    let mut folder = PathBuf::new();
    let verb = loop {
        match words.next()? {
            "-C" => folder.push(words.next()?),
            option if WITH_WORD.contains(&option) => drop(words.next()),
            option if option.starts_with('-') => {}
            verb => break verb,
        }
    };
    let rest: Vec<&str> = words.collect();
    if rest.iter().any(|w| matches!(*w, "-h" | "--help")) {
        return None;
    }
    let (paths, moves, untracked) = match verb {
        "checkout" => checkout(&rest)?,
        "switch" => switch(&rest)?,
        "restore" => restore(&rest)?,
        "stash" => stash(&rest)?,
        "reset" => reset(&rest)?,
        "clean" => clean(&rest)?,
        _ => return None,
    };
    let name = match rest.as_slice() {
        [one] if verb == "checkout" && !is_option(one) => Some((*one).to_owned()),
        _ => None,
    };
    let decided = command.variables.iter().any(|(n, v)| n == SETTING && v == "off");
    Some((folder, TreeChange { verb: verb.to_owned(), paths, name, moves, untracked, decided }))
}

/// Paths that limit it, whether it moves, whether it touches what git does not know.
type Reading = (Option<Vec<String>>, bool, bool);

fn is_option(word: &str) -> bool {
    word.starts_with('-') && word != "-"
}

/// Names that mean one file each, as far as they are written; else the whole tree is meant.
fn limited(paths: &[&str]) -> Option<Vec<String>> {
    let plain = |p: &&&str| !p.starts_with(':') && !p.contains(['*', '?', '[']) && **p != ".";
    let all = !paths.is_empty() && paths.iter().filter(plain).count() == paths.len();
    all.then(|| paths.iter().map(|p| (*p).to_owned()).collect())
}

fn checkout(rest: &[&str]) -> Option<Reading> {
    if let Some(at) = rest.iter().position(|w| *w == "--") {
        return Some(match &rest[at + 1..] {
            [] => (None, true, false),
            paths => (limited(paths), false, false),
        });
    }
    let words: Vec<&str> = rest.iter().copied().filter(|w| !is_option(w)).collect();
    let creates = rest.iter().any(|w| matches!(*w, "-b" | "-B" | "--orphan"));
    match words.as_slice() {
        // Without a name it takes every change away.
        [] if rest.iter().any(|w| *w == "--force" || (is_short(w) && w.contains('f'))) => {
            Some((None, false, false))
        }
        // A new branch where the tree stands, or nothing at all.
        [] => None,
        [_] if creates => None,
        // `git checkout <commit> <path>...`
        [_, paths @ ..] if !creates && !paths.is_empty() => Some((limited(paths), false, false)),
        _ => Some((None, true, false)),
    }
}

fn switch(rest: &[&str]) -> Option<Reading> {
    let words = rest.iter().filter(|w| !is_option(w)).count();
    let creates =
        rest.iter().any(|w| matches!(*w, "-c" | "-C" | "--create" | "--force-create" | "--orphan"));
    if words == 0 || (creates && words == 1) {
        return None;
    }
    Some((None, true, false))
}

fn restore(rest: &[&str]) -> Option<Reading> {
    let has = |long: &str, short: char| {
        rest.iter().any(|w| *w == long || (is_short(w) && w.contains(short)))
    };
    // Only the index.
    if has("--staged", 'S') && !has("--worktree", 'W') {
        return None;
    }
    let mut paths: Vec<&str> = Vec::new();
    let mut words = rest.iter().copied();
    while let Some(word) = words.next() {
        match word {
            "-s" | "--source" => drop(words.next()),
            w if is_option(w) => {}
            w => paths.push(w),
        }
    }
    Some((limited(&paths), false, false))
}

fn is_short(word: &str) -> bool {
    word.starts_with('-') && !word.starts_with("--")
}

fn stash(rest: &[&str]) -> Option<Reading> {
    let (rest, pushes) = match rest.first() {
        None => (rest, true),
        Some(w) if is_option(w) => (rest, true),
        Some(&("push" | "save")) => (&rest[1..], true),
        Some(&"branch") => return Some((None, true, false)),
        Some(_) => (rest, false),
    };
    if !pushes {
        return None;
    }
    let untracked = rest.iter().any(|w| {
        matches!(*w, "--include-untracked" | "--all")
            || (is_short(w) && w.contains(['u', 'a']) && !w.contains('m'))
    });
    // Paths of `stash push` stand behind `--`.
    let paths = rest.iter().position(|w| *w == "--").map(|at| &rest[at + 1..]);
    Some((paths.and_then(limited), false, untracked))
}

fn reset(rest: &[&str]) -> Option<Reading> {
    let hard = rest.iter().any(|w| matches!(*w, "--hard" | "--merge" | "--keep"));
    hard.then_some((None, false, false))
}

fn clean(rest: &[&str]) -> Option<Reading> {
    let dry = rest.iter().any(|w| *w == "--dry-run" || (is_short(w) && w.contains('n')));
    let paths: Vec<&str> = rest.iter().copied().filter(|w| !is_option(w)).collect();
    (!dry).then(|| (limited(&paths), false, true))
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
            ("git stash push -m 'all mine'", false, false),
            ("git stash --include-untracked", false, true),
            ("git stash branch x", true, false),
            ("git checkout main", true, false),
            ("git checkout -f", false, false),
            ("git checkout -b new origin/main", true, false),
            ("git checkout -- .", false, false),
            ("git checkout HEAD -- 'src/*'", false, false),
            ("git switch -", true, false),
            ("git switch main", true, false),
            ("git switch -c new main", true, false),
            ("git reset --hard", false, false),
            ("git -c a=b reset --hard HEAD~1", false, false),
            ("git clean -fd", false, true),
            ("git clean --force", false, true),
            ("git restore .", false, false),
            ("git restore --staged --worktree .", false, false),
            ("/usr/bin/git --no-pager stash", false, false),
        ] {
            let found = of(text).unwrap_or_else(|| panic!("{text}"));
            let said = (found.paths.is_none(), found.moves, found.untracked);
            assert_eq!(said, (true, moves, untracked), "{text}");
        }
    }

    #[test]
    fn what_is_limited_to_files() {
        for (text, paths) in [
            ("git checkout -- a b", vec!["a", "b"]),
            ("git checkout HEAD~2 a", vec!["a"]),
            ("git restore a", vec!["a"]),
            ("git restore -s HEAD~1 a", vec!["a"]),
            ("git stash push -- a", vec!["a"]),
            ("git clean -f a", vec!["a"]),
        ] {
            assert_eq!(of(text).unwrap().paths.unwrap(), paths, "{text}");
        }
    }

    #[test]
    fn what_does_no_harm() {
        for text in [
            "git status",
            "git checkout -b new",
            "git switch -c new",
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
            "git",
        ] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    #[test]
    fn a_decision_stands_before_it() {
        assert!(of("COORD_TREE_GUARD=off git stash").unwrap().decided);
        assert!(!of("COORD_TREE_GUARD=block git stash").unwrap().decided);
    }
}
