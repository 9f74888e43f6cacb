//! The files themselves: read within bounds, and replaced all together or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::plan::{Change, Texts};
use crate::config::file::{read_small, real};

/// Larger than this is no settings file.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where a path really leads. Links are kept and followed, but only to where `may` allows: a clone's
/// author may have laid them.
pub(super) fn resolve(path: &Path, may: impl Fn(&Path) -> bool) -> Result<PathBuf, String> {
    let target = real(path).map_err(|e| e.to_string())?;
    if may(&target) {
        return Ok(target);
    }
    Err(format!("it is a link to {}, outside of the project", target.display()))
}

/// Reads a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, String> {
    let bytes = match read_small(path, FILE_BYTES_MAX) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e.to_string()),
    };
    String::from_utf8(bytes).map(Some).map_err(|_| "it is not UTF-8 text".to_owned())
}

/// New contents, ready beside their files; without a call of [`Staged::commit`] nothing has happened.
pub(super) struct Staged<'a> {
    ready: Vec<(&'a Change, Option<PathBuf>)>,
    folders: Vec<PathBuf>,
    committed: bool,
}

/// The folders that new files need and that are not there, each after the one it lies in.
pub(super) fn missing_folders(changes: &[Change]) -> Vec<PathBuf> {
    let mut missing = Vec::new();
    for change in changes.iter().filter(|c| c.after.is_some()) {
        let above = change.path.ancestors().skip(1).take_while(|f| !f.exists());
        let mut above: Vec<PathBuf> = above.map(Path::to_owned).collect();
        above.retain(|f| !missing.contains(f));
        missing.extend(above.into_iter().rev());
    }
    missing
}

/// Writes the new contents beside the files.
pub(super) fn stage(changes: &[Change]) -> io::Result<Staged<'_>> {
    let mut staged = Staged { ready: Vec::new(), folders: Vec::new(), committed: false };
    for change in changes {
        let named =
            |e: io::Error| io::Error::new(e.kind(), format!("{}: {e}", change.path.display()));
        let Some(text) = &change.after else {
            staged.ready.push((change, None));
            continue;
        };
        if let Some(parent) = change.path.parent() {
            make_folders(parent, &mut staged.folders).map_err(named)?;
        }
        let beside = beside(&change.path);
        staged.ready.push((change, Some(beside.clone())));
        write_beside(change, &beside, text).map_err(named)?;
    }
    Ok(staged)
}

impl Staged<'_> {
    /// Puts them in place. Nothing is, when any file has changed meanwhile.
    pub(super) fn commit(mut self) -> io::Result<()> {
        for (change, _) in &self.ready {
            if read(&change.path).map_err(io::Error::other)? != change.before {
                let path = change.path.display();
                return Err(io::Error::other(format!(
                    "{path} has changed meanwhile; run it again"
                )));
            }
        }
        self.committed = true;
        for (change, beside) in &self.ready {
            match beside {
                Some(beside) => fs::rename(beside, &change.path)?,
                None => fs::remove_file(&change.path)?,
            }
        }
        Ok(())
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        for beside in self.ready.iter().filter_map(|(_, b)| b.as_ref()) {
            // In place by now, or never written.
            let _ = fs::remove_file(beside);
        }
        if !self.committed {
            remove_empty(&self.folders);
        }
    }
}

/// What a command that was killed has left beside a file.
pub(super) fn remove_left_over(path: &Path) {
    // Nearly always there is nothing.
    let _ = fs::remove_file(beside(path));
}

fn beside(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".coord-tmp");
    path.with_file_name(name)
}

fn write_beside(change: &Change, beside: &Path, text: &str) -> io::Result<()> {
    remove_left_over(&change.path);
    let there = fs::metadata(&change.path).ok();
    let mode = match (&there, change.executable) {
        (Some(_), _) => 0o600,
        (None, true) => 0o777,
        (None, false) => 0o666,
    };
    let mut file = create(beside, mode)?;
    if let Some(there) = there {
        // Others' files stay theirs, where we may do that.
        let _ = fchown(&file, Some(there.uid()), Some(there.gid()));
        file.set_permissions(there.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn create(path: &Path, mode: u32) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    OpenOptions::new().write(true).create_new(true).mode(mode).custom_flags(flags).open(path)
}

/// Makes the folders of a path that are missing, and notes them.
pub(super) fn make_folders(path: &Path, made: &mut Vec<PathBuf>) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_folders(parent, made)?;
    }
    fs::create_dir(path)?;
    made.push(path.to_owned());
    Ok(())
}

/// Removes those of these folders that are empty, the innermost first; says which are left.
pub(super) fn remove_empty(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut left = Vec::new();
    for folder in folders.iter().rev() {
        let gone = match fs::remove_dir(folder) {
            Ok(()) => true,
            Err(e) => e.kind() == io::ErrorKind::NotFound,
        };
        if !gone {
            left.insert(0, folder.clone());
        }
    }
    left
}

/// Removes the folders in which files were, as far as they are empty, up to a root.
pub(super) fn remove_emptied(changes: &[Change], root: &Path) {
    for change in changes.iter().filter(|c| c.after.is_none()) {
        let below = |p: &&Path| p.starts_with(root) && *p != root;
        for folder in change.path.ancestors().skip(1).take_while(below) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }
}

/// Puts a file of the user's own in place, closed to others.
pub(super) fn put_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = beside(path);
    remove_left_over(path);
    let mut file = create(&beside, 0o600)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

/// Reads all files that pieces are in; those that cannot be read, with the reason.
pub(super) fn read_all<'a>(
    paths: impl Iterator<Item = &'a Path>,
) -> (Texts, Vec<(PathBuf, String)>) {
    let (mut texts, mut bad) = (Texts::new(), Vec::new());
    for path in paths {
        if texts.contains_key(path) {
            continue;
        }
        let text = read(path).unwrap_or_else(|why| {
            bad.push((path.to_owned(), why));
            None
        });
        texts.insert(path.to_owned(), text);
    }
    (texts, bad)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    fn change(path: &Path, before: Option<&str>, after: Option<&str>) -> Change {
        let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
        Change { path: path.to_owned(), before, after, executable: false }
    }

    #[test]
    fn all_or_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("new/deep/a"), dir.path().join("b"));
        fs::write(&b, "old").unwrap();
        let changes = [change(&a, None, Some("x")), change(&b, Some("other"), Some("y"))];
        let folders = [dir.path().join("new"), dir.path().join("new/deep")];
        assert_eq!(missing_folders(&changes), folders);
        let staged = stage(&changes).unwrap();
        assert_eq!(staged.folders, folders);
        assert!(staged.commit().is_err(), "b is not as it was planned for");
        assert_eq!(fs::read_to_string(&b).unwrap(), "old");
        assert!(!dir.path().join("new").exists(), "nothing is left over");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        fs::write(dir.path().join("taken"), "").unwrap();
        let blocked = dir.path().join("taken/f");
        let changes = [change(&b, Some("old"), Some("y")), change(&blocked, None, Some("x"))];
        assert!(stage(&changes).is_err());
        assert_eq!(fs::read_to_string(&b).unwrap(), "old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn modes_stay() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        stage(&[change(&file, Some("old"), Some("new"))]).unwrap().commit().unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o640);
        let secret = dir.path().join("s");
        put_private(&secret, b"x").unwrap();
        assert_eq!(fs::metadata(&secret).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn links_are_followed_inside_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap().join("app");
        fs::create_dir(&root).unwrap();
        symlink("AGENTS.md", root.join("CLAUDE.md")).unwrap();
        symlink("../victim", root.join("GEMINI.md")).unwrap();
        let inside = |p: &Path| p.starts_with(&root);
        assert_eq!(resolve(&root.join("CLAUDE.md"), inside), Ok(root.join("AGENTS.md")));
        assert!(resolve(&root.join("GEMINI.md"), inside).unwrap_err().contains("victim"));
        assert!(resolve(Path::new("/etc/passwd"), inside).is_err());
    }
}
