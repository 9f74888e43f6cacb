//! What several topics need: a repository, and a picture of everything in a folder.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use coord_tests::workstation::Workstation;

/// All tools.
pub(super) const HOSTS: [&str; 6] = ["claude", "codex", "copilot", "cursor", "gemini", "opencode"];

/// A fresh account with an empty repository, in which nobody has used coord.
pub(super) fn repository() -> Workstation {
    let desk = Workstation::bare();
    for folder in [desk.outbox(), desk.home().join(".claude")] {
        fs::remove_dir(folder).unwrap();
    }
    git(&desk.project(), &["init", "-q"]);
    desk
}

/// Runs git, which must succeed.
#[track_caller]
pub(super) fn git(folder: &Path, args: &[&str]) {
    let done = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(done.status.success(), "git {args:?}: {done:?}");
}

/// Puts a file there, with its folders.
pub(super) fn put(desk: &Workstation, below_home: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let file = desk.home().join(below_home);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, bytes).unwrap();
    file
}

/// The text of a file of the project.
#[track_caller]
pub(super) fn text(desk: &Workstation, name: &str) -> String {
    let file = desk.project().join(name);
    fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// Everything below a folder: kind, permissions and content of each name.
pub(super) type Picture = BTreeMap<PathBuf, (char, u32, Vec<u8>)>;

/// Takes it. Of git's own folder only what may concern us.
pub(super) fn picture(folder: &Path) -> Picture {
    let mut all = Picture::new();
    add(folder, &mut all);
    all
}

fn add(path: &Path, all: &mut Picture) {
    let skipped = ["objects", "logs", "refs"].iter().any(|n| path.ends_with(format!(".git/{n}")));
    if skipped {
        return;
    }
    let meta = fs::symlink_metadata(path).unwrap();
    let mode = meta.permissions().mode() & 0o7777;
    let entry = if meta.is_symlink() {
        ('l', 0, fs::read_link(path).unwrap().into_os_string().into_encoded_bytes())
    } else if meta.is_dir() {
        for below in fs::read_dir(path).unwrap() {
            add(&below.unwrap().path(), all);
        }
        ('d', mode, Vec::new())
    } else {
        ('f', mode, fs::read(path).unwrap())
    };
    all.insert(path.to_owned(), entry);
}

/// What differs between two pictures, in words.
#[track_caller]
pub(super) fn assert_same(before: &Picture, after: &Picture, what: &str) {
    let names: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let show = |p: Option<&(char, u32, Vec<u8>)>| {
        p.map(|(kind, mode, bytes)| format!("{kind} {mode:o} {:?}", String::from_utf8_lossy(bytes)))
    };
    let differs: Vec<_> = names
        .into_iter()
        .filter(|n| before.get(*n) != after.get(*n))
        .map(|n| {
            format!(
                "{}\n  was {:?}\n  is  {:?}",
                n.display(),
                show(before.get(n)),
                show(after.get(n))
            )
        })
        .collect();
    assert!(differs.is_empty(), "{what}:\n{}", differs.join("\n"));
}
