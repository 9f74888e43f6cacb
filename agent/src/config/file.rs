//! One file, one name: whatever spelling, link or folder a path comes through, its lock is on the
//! path below the project's root, as text that a resource can hold.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Component, Path, PathBuf};

use coord_protocol::limits::NAME_BYTES_MAX;
use rustix::fs::OFlags;
use sha2::{Digest, Sha256};

use super::env::Env;
use super::project::{self, Project};

/// Links that are followed to a file which is not there yet.
const LINKS_MAX: usize = 16;
/// Of a path that is too long for a name, this much stands before its hash.
const LONG_KEPT: usize = 400;

/// A file of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectFile {
    /// Where it really lies.
    pub real: PathBuf,
    /// Its name as a resource.
    pub resource: String,
}

/// Why a path is no file of the project.
#[derive(Debug, thiserror::Error)]
pub enum BadFile {
    /// It lies elsewhere.
    #[error("{path} is outside of the project {root}")]
    Outside {
        /// Where it lies.
        path: String,
        /// The project.
        root: String,
    },
    /// It cannot be looked at.
    #[error("{path}: {source}")]
    Io {
        /// The path.
        path: String,
        /// Why.
        source: io::Error,
    },
}

/// Finds the file that a path means, seen from `cwd`.
pub fn find(env: &Env, project: &Project, cwd: &Path, path: &Path) -> Result<ProjectFile, BadFile> {
    let io = |p: &Path, source| BadFile::Io { path: p.display().to_string(), source };
    let real = real(&cwd.join(path)).map_err(|e| io(path, e))?;
    let root = fs::canonicalize(&project.root).map_err(|e| io(&project.root, e))?;
    let below = real.strip_prefix(&root).ok().map(Path::to_owned).or_else(|| {
        // Another work tree of the same clone.
        let other = project::find(env, real.parent()?, None);
        let same = other.key.is_some() && other.key == project.key;
        let root = fs::canonicalize(&other.root).ok().filter(|_| same)?;
        real.strip_prefix(root).ok().map(Path::to_owned)
    });
    match below {
        Some(below) if below.file_name().is_some() => {
            Ok(ProjectFile { resource: name_of(below.as_os_str().as_bytes()), real })
        }
        Some(_) | None => Err(BadFile::Outside {
            path: real.display().to_string(),
            root: root.display().to_string(),
        }),
    }
}

/// The path without links, also of a file (and of folders) that are not there yet.
pub fn real(path: &Path) -> io::Result<PathBuf> {
    real_path(path, LINKS_MAX)
}

fn real_path(path: &Path, links: usize) -> io::Result<PathBuf> {
    match fs::canonicalize(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        done => return done,
    }
    if let Ok(to) = fs::read_link(path) {
        let left = links.checked_sub(1).ok_or_else(|| io::Error::other("too many links"))?;
        return real_path(&path.parent().unwrap_or(path).join(to), left);
    }
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    let parent = path.parent().ok_or_else(missing)?;
    let mut real = real_path(parent, links)?;
    match path.components().next_back().ok_or_else(missing)? {
        Component::ParentDir => {
            real.pop();
        }
        last => real.push(last),
    }
    Ok(real)
}

/// A path below the project's root as a resource: what a name cannot hold stands as `%XX`.
pub fn name_of(path: &[u8]) -> String {
    let mut name = String::new();
    for chunk in path.utf8_chunks() {
        for (at, c) in chunk.valid().char_indices() {
            let rest = &chunk.valid().as_bytes()[at..];
            let escape = rest.len() > 2 && rest[1..3].iter().all(u8::is_ascii_hexdigit);
            if c.is_control() || c == '\\' || (c == '%' && escape) {
                escaped(&mut name, &rest[..c.len_utf8()]);
            } else {
                name.push(c);
            }
        }
        escaped(&mut name, chunk.invalid());
    }
    // White space at the ends would be taken off.
    let edge = |c: char| c.is_whitespace();
    if let Some(c) = name.chars().next().filter(|c| edge(*c)) {
        let rest = name.split_off(c.len_utf8());
        let first = std::mem::take(&mut name);
        escaped(&mut name, first.as_bytes());
        name.push_str(&rest);
    }
    if let Some(c) = name.chars().next_back().filter(|c| edge(*c)) {
        let last = name.split_off(name.len() - c.len_utf8());
        escaped(&mut name, last.as_bytes());
    }
    if name.len() <= NAME_BYTES_MAX {
        return name;
    }
    let cut = (0..=LONG_KEPT).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
    format!("{}%~{}", &name[..cut], hex(&Sha256::digest(path)))
}

fn escaped(name: &mut String, bytes: &[u8]) {
    use std::fmt::Write as _;
    for b in bytes {
        let _ = write!(name, "%{b:02X}");
    }
}

/// The path that a resource stands for, below the project's root.
pub fn path_of(resource: &str) -> PathBuf {
    let (mut bytes, mut rest) = (Vec::new(), resource.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|h| std::str::from_utf8(h).ok());
        let code = code.filter(|h| h.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            Some(_) | None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    PathBuf::from(std::ffi::OsString::from_vec(bytes))
}

/// Opens a regular file, and waits for nobody at a pipe.
fn open_regular(path: &Path, flags: OFlags) -> io::Result<fs::File> {
    let flags = (flags | OFlags::NONBLOCK).bits().cast_signed();
    let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no regular file"))
}

/// Reads a file that somebody else may have put there: a regular file, through no link in its place,
/// of at most so many bytes.
pub fn read_small(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(path, most, OFlags::NOFOLLOW)
}

/// The same, where links are the user's own business.
pub fn read_linked(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    read_at_most(path, most, OFlags::empty())
}

fn read_at_most(path: &Path, most: u64, flags: OFlags) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, flags)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

/// What is in a file: its SHA-256, or `None` when there is no file.
pub fn content(path: &Path) -> io::Result<Option<String>> {
    let mut file = match open_regular(path, OFlags::empty()) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    let mut hash = Sha256::new();
    let mut piece = vec![0; 64 * 1024];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(Some(hex(&hash.finalize()))),
            n => hash.update(&piece[..n]),
        }
    }
}

/// Bytes as hex digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_and_read_back() {
        for (path, name) in [
            (&b"src/a b.rs"[..], "src/a b.rs"),
            (b"100%.txt", "100%.txt"),
            (b"a\nb\\c", "a%0Ab%5Cc"),
            (b"a%0Ab", "a%250Ab"),
            (b" x ", "%20x%20"),
            (b"\xff", "%FF"),
            ("\u{e9}\"'*[x]".as_bytes(), "\u{e9}\"'*[x]"),
        ] {
            assert_eq!(name_of(path), name);
            assert_eq!(path_of(name).as_os_str().as_bytes(), path);
        }
        let long = "d/".repeat(1_500);
        assert!(name_of(long.as_bytes()).len() <= NAME_BYTES_MAX);
        assert_ne!(name_of(long.as_bytes()), name_of(format!("{long}x").as_bytes()));
    }

    #[test]
    fn all_ways_lead_to_one_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("app");
        fs::create_dir_all(root.join("src/deep")).unwrap();
        fs::create_dir_all(root.join(".claude")).unwrap();
        fs::write(root.join("src/a.rs"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("src"), root.join("link")).unwrap();
        std::os::unix::fs::symlink("new.rs", root.join("src/dangling")).unwrap();
        std::os::unix::fs::symlink("self", root.join("self")).unwrap();
        let env = Env::default();
        let project = project::find(&env, &root, None);
        let name =
            |cwd: &Path, path: &str| find(&env, &project, cwd, Path::new(path)).map(|f| f.resource);
        let deep = root.join("src/deep");
        for (cwd, path) in [
            (&root, "src/a.rs"),
            (&root, "./src//deep/../a.rs"),
            (&root, "link/a.rs"),
            (&deep, "../a.rs"),
            (&deep, root.join("src/a.rs").to_str().unwrap()),
        ] {
            assert_eq!(name(cwd, path).unwrap(), "src/a.rs", "{path}");
        }
        assert_eq!(name(&root, "link/dangling").unwrap(), "src/new.rs");
        assert_eq!(name(&root, "no/such/../file").unwrap(), "no/file");
        assert!(matches!(name(&root, "../other"), Err(BadFile::Outside { .. })));
        assert!(matches!(name(&root, "."), Err(BadFile::Outside { .. })));
        assert!(matches!(name(&root, "self"), Err(BadFile::Io { .. })));
    }

    #[test]
    fn small_files_of_others() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("f"), dir.path().join("l"));
        fs::write(&file, "abc").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_small(&file, 3).unwrap(), b"abc");
        for bad in [read_small(&file, 2), read_small(&link, 3), read_small(dir.path(), 3)] {
            assert!(bad.is_err());
        }
        assert!(read_small(Path::new("/dev/zero"), 3).is_err());
        assert_eq!(read_linked(&link, 3).unwrap(), b"abc");
        assert!(read_linked(&link, 2).is_err() && read_linked(Path::new("/dev/zero"), 3).is_err());
    }

    #[test]
    fn contents() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        assert_eq!(content(&file).unwrap(), None);
        fs::write(&file, "abc").unwrap();
        let hash = content(&file).unwrap().unwrap();
        assert!(hash.starts_with("ba7816bf") && hash.len() == 64, "{hash}");
        assert!(content(dir.path()).is_err());
        let fifo = dir.path().join("p");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(content(&fifo).is_err(), "nobody waits for a pipe's other end");
        assert!(content(Path::new("/dev/zero")).is_err());
    }
}
