//! Which files a commit or a push changes, as git says.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use coord_server::git::{Git, GitError};

/// Files that are looked at; of a first push of a large history that is not all.
const FILES_MAX: usize = 20_000;

/// Files as paths below the work tree's top, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// Sorted.
    pub(super) files: Vec<Vec<u8>>,
    /// There are more of them.
    pub(super) more: bool,
}

impl Changed {
    fn of(listed: &[u8]) -> Self {
        let names = listed.split(|b| *b == 0).filter(|n| !n.is_empty());
        let names: BTreeSet<&[u8]> = names.collect();
        let more = names.len() > FILES_MAX;
        Self { files: names.into_iter().take(FILES_MAX).map(<[u8]>::to_vec).collect(), more }
    }
}

/// What is staged: in a first commit all of it. A renamed file is two files.
pub(super) fn staged(git: &Git<'_>) -> Result<Changed, GitError> {
    let listed = git.run(&[
        "diff",
        "--cached",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-relative",
        "--no-ext-diff",
    ])?;
    Ok(Changed::of(&listed))
}

/// What is in the commits that the remote does not have yet, as far as is known here. Of a merge only
/// what its parents do not have: the rest is on record as somebody else's commit.
pub(super) fn pushed(
    git: &Git<'_>,
    remote: Option<&str>,
    url: Option<&str>,
    lines: &[u8],
) -> Result<Changed, GitError> {
    let revs = revisions(lines);
    if revs.is_empty() {
        return Ok(Changed::default());
    }
    // A remote that is only an address has no branches of its own here.
    let named = remote.filter(|r| Some(*r) != url && !r.is_empty());
    let known = named.map_or("--remotes".to_owned(), |r| format!("--remotes={r}"));
    let args = [
        "-c",
        "log.showRoot=true",
        "log",
        "--format=",
        "--name-only",
        "-z",
        "-c",
        "--no-renames",
        "--no-relative",
        "--no-ext-diff",
        "--no-show-signature",
        // What the remote has, and this clone never saw.
        "--ignore-missing",
        "--stdin",
        "--not",
        &known,
        "--",
    ];
    Ok(Changed::of(&git.run_with(&args, revs.into_bytes())?))
}

/// Git's lines, `<local ref> <local id> <remote ref> <remote id>`, as revisions: what is pushed, without
/// what is there. What is deleted has no files, and where a branch is new nothing was there.
fn revisions(lines: &[u8]) -> String {
    let (mut pushed, mut there) = (String::new(), String::new());
    for line in lines.split(|b| *b == b'\n') {
        // Names of refs hold no space.
        let mut fields = line.split(|b| *b == b' ');
        let (local, remote) = (fields.nth(1).and_then(commit), fields.nth(1).and_then(commit));
        let Some(local) = local else { continue };
        pushed.extend([local, "\n"]);
        if let Some(remote) = remote {
            there.extend(["^", remote, "\n"]);
        }
    }
    if pushed.is_empty() { pushed } else { pushed + &there }
}

/// An object's id; zeros stand for none.
fn commit(id: &[u8]) -> Option<&str> {
    let id = std::str::from_utf8(id).ok()?;
    let is_id = id.len() >= 40 && id.bytes().all(|b| b.is_ascii_hexdigit());
    (is_id && id.bytes().any(|b| b != b'0')).then_some(id)
}

/// How paths below the work tree's top are called in the project.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The same: its top is the project's root, or another work tree of the clone.
    Same,
    /// The project's root is this far below.
    RootBelow(Vec<u8>),
    /// The project's root is so far above.
    RootAbove(Vec<u8>),
}

impl Place {
    pub(super) fn of(top: &Path, root: &Path) -> Self {
        let real = |p: &Path| fs::canonicalize(p).unwrap_or_else(|_| p.to_owned());
        let (top, root) = (real(top), real(root));
        let bytes = |p: &Path| [p.as_os_str().as_bytes(), b"/"].concat();
        match (root.strip_prefix(&top), top.strip_prefix(&root)) {
            (Ok(below), Err(_)) => Self::RootBelow(bytes(below)),
            (Err(_), Ok(above)) => Self::RootAbove(bytes(above)),
            (Ok(_), Ok(_)) | (Err(_), Err(_)) => Self::Same,
        }
    }

    /// `None`: the file is none of the project.
    pub(super) fn name(&self, file: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Same => Some(file.to_vec()),
            Self::RootBelow(prefix) => file.strip_prefix(prefix.as_slice()).map(<[u8]>::to_vec),
            Self::RootAbove(prefix) => Some([prefix, file].concat()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_git_as_revisions() {
        let (a, b, none) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
        let of = |text: &str| revisions(text.as_bytes());
        assert_eq!(of(&format!("refs/heads/x {a} refs/heads/x {b}\n")), format!("{a}\n^{b}\n"));
        assert_eq!(of(&format!("HEAD {a} refs/heads/new {none}\n")), format!("{a}\n"));
        assert_eq!(of(&format!("(delete) {none} refs/heads/x {b}\n")), "");
        let both = format!("(delete) {none} r {b}\nr {a} r {none}\nr {b} r {a}\n");
        assert_eq!(of(&both), format!("{a}\n{b}\n^{a}\n"));
        for odd in ["", "\n\n", "one two three four\n", "r --all r --all\n", "r \u{1b}"] {
            assert_eq!(of(odd), "", "{odd:?}");
        }
    }

    #[test]
    fn each_file_once() {
        let changed = Changed::of(b"b\0a\nx\0\0b\0\xff\0");
        let files: Vec<&[u8]> = vec![b"a\nx", b"b", b"\xff"];
        assert_eq!(changed.files, files);
        assert!(!changed.more);
        let many: String = (0..FILES_MAX + 5).map(|n| format!("{n}\0")).collect();
        let many = Changed::of(many.as_bytes());
        assert!(many.more);
        assert_eq!(many.files.len(), FILES_MAX);
    }

    #[test]
    fn the_projects_root_may_be_another_folder() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("app/sub");
        fs::create_dir_all(&deep).unwrap();
        let app = dir.path().join("app");
        let name = |place: &Place, f: &str| {
            place.name(f.as_bytes()).map(|n| String::from_utf8(n).unwrap())
        };
        assert_eq!(Place::of(&app, &app), Place::Same);
        let below = Place::of(&app, &deep);
        assert_eq!(name(&below, "sub/x").as_deref(), Some("x"));
        assert_eq!(name(&below, "subx"), None);
        assert_eq!(name(&Place::of(&deep, &app), "x").as_deref(), Some("sub/x"));
        assert_eq!(Place::of(&deep, Path::new("/nowhere")), Place::Same);
    }
}
