//! A folder that somebody else may have laid out (a cloned repository): nothing is done through a link
//! in it, and what is looked at and what is changed are the same files.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

/// Longest document that is read back.
const DOCUMENT_BYTES_MAX: u64 = 64 * 1024;

/// A folder, held by its handle: whatever its path comes to mean, it stays this one.
pub(super) struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

impl Folder {
    /// Opens a folder, making it (0700) when it is missing; never through a link in its place.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        // Without a last slash, which would follow a link.
        let path: PathBuf = path.components().collect();
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&path);
        let opened = rustix::fs::open(&path, folder_flags(), Mode::empty());
        match opened {
            Ok(fd) => Ok(Self { fd, path }),
            Err(e) => Err(made.err().filter(|m| !is_taken(m)).unwrap_or_else(|| trap(&path, e))),
        }
    }

    /// A folder in it, made when it is missing.
    pub(super) fn sub(&self, name: &str) -> io::Result<Self> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(named(&path, &e.into())),
        }
        let fd = rustix::fs::openat(&self.fd, name, folder_flags(), Mode::empty());
        Ok(Self { fd: fd.map_err(|e| trap(&path, e))?, path })
    }

    /// A file in it, as it is: no link, no pipe.
    fn file(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let path = self.path.join(name);
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(fd.map_err(|e| trap(&path, e))?);
        if file.metadata()?.is_file() {
            return Ok(file);
        }
        Err(named(&path, &io::Error::other("it is no regular file")))
    }

    /// Waits for the lock that a file stands for; its content is nothing.
    pub(super) fn lock(&self, name: &str) -> io::Result<File> {
        let file = self.file(name, OFlags::RDWR | OFlags::CREATE)?;
        file.lock()?;
        Ok(file)
    }

    /// What a document holds; nothing when it is none of ours.
    pub(super) fn read(&self, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        if let Ok(file) = self.file(name, OFlags::RDONLY) {
            let _ = file.take(DOCUMENT_BYTES_MAX).read_to_end(&mut bytes);
        }
        bytes
    }

    /// Puts a file in place, closed to others: readers see the old one or the new one, never a part.
    pub(super) fn put(&self, name: &str, tag: &str, bytes: &[u8]) -> io::Result<()> {
        if self.holds(name, bytes) {
            return Ok(());
        }
        let temporary = format!(".{tag}.tmp");
        let mut file = self.file(&temporary, OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL)?;
        let done = file.write_all(bytes).and_then(|()| {
            rustix::fs::renameat(&self.fd, &*temporary, &self.fd, name)
                .map_err(|e| named(&self.path.join(name), &e.into()))
        });
        if done.is_err() {
            let _ = self.remove(&temporary);
        }
        done
    }

    /// Makes a file that nobody else made before; false when somebody did.
    pub(super) fn make(&self, name: &str, tag: &str, bytes: &[u8]) -> io::Result<bool> {
        let temporary = format!(".{tag}.tmp");
        self.put(&temporary, &format!("{tag}.0"), bytes)?;
        let linked = rustix::fs::linkat(&self.fd, &*temporary, &self.fd, name, AtFlags::empty());
        let _ = self.remove(&temporary);
        match linked {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(e) => Err(named(&self.path.join(name), &e.into())),
        }
    }

    fn holds(&self, name: &str, bytes: &[u8]) -> bool {
        let Ok(mut file) = self.file(name, OFlags::RDONLY) else { return false };
        let same = file
            .metadata()
            .is_ok_and(|m| m.len() == bytes.len() as u64 && m.mode() & 0o777 == 0o600);
        let mut there = Vec::new();
        same && file.read_to_end(&mut there).is_ok() && there == bytes
    }

    /// Takes a name away; what a link leads to stays.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path.join(name);
        rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()).map_err(|e| named(&path, &e.into()))
    }

    /// The names in it that are text.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let entries = Dir::read_from(&self.fd)?;
        let name = |e: rustix::fs::DirEntry| e.file_name().to_str().ok().map(str::to_owned);
        Ok(entries.filter_map(Result::ok).filter_map(name).collect())
    }
}

fn folder_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

fn is_taken(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::AlreadyExists
}

fn trap(path: &Path, e: Errno) -> io::Error {
    match e {
        Errno::LOOP | Errno::NOTDIR => named(path, &io::Error::other("it is a link, or no folder")),
        e => named(path, &e.into()),
    }
}

fn named(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn nothing_is_done_through_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, secret) = (dir.path().join("victim"), dir.path().join("secret"));
        fs::create_dir(&victim).unwrap();
        fs::write(&secret, "precious").unwrap();
        let link = dir.path().join("link");
        symlink(&victim, &link).unwrap();
        for way in [link.clone(), dir.path().join("link/"), dir.path().join("link/.")] {
            assert!(Folder::open(&way).is_err(), "{}", way.display());
        }
        assert!(Folder::open(&secret).is_err());
        let folder = Folder::open(&dir.path().join("real")).unwrap();
        symlink(&victim, dir.path().join("real/sub")).unwrap();
        symlink(&secret, dir.path().join("real/file")).unwrap();
        symlink(dir.path().join("absent"), dir.path().join("real/dangling")).unwrap();
        assert!(folder.sub("sub").is_err());
        assert!(folder.lock("file").is_err());
        assert!(folder.lock("dangling").is_err());
        assert!(folder.read("file").is_empty());
        assert!(!folder.make("file", "t", b"x").unwrap());
        folder.put("file", "t", b"ours").unwrap();
        assert_eq!(folder.read("file"), b"ours");
        assert_eq!(fs::read_to_string(&secret).unwrap(), "precious");
        assert!(!dir.path().join("absent").exists());
        let fifo = dir.path().join("real/fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(folder.lock("fifo").is_err());
        assert!(folder.read("fifo").is_empty());
        folder.put("fifo", "t", b"ours").unwrap();
        assert_eq!(fs::read_to_string(&fifo).unwrap(), "ours");
    }

    #[test]
    fn what_is_made_is_closed_to_others() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(&dir.path().join("a/b")).unwrap();
        folder.sub("c").unwrap().put("x.json", "t", b"x").unwrap();
        assert!(folder.make("once", "t", b"1").unwrap());
        assert!(!folder.make("once", "t", b"2").unwrap());
        let mode = |p: &str| fs::metadata(dir.path().join(p)).unwrap().mode() & 0o777;
        let modes = [mode("a/b"), mode("a/b/c"), mode("a/b/c/x.json"), mode("a/b/once")];
        assert_eq!(modes, [0o700, 0o700, 0o600, 0o600]);
        let open = dir.path().join("a/b/c/x.json");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).unwrap();
        folder.sub("c").unwrap().put("x.json", "t", b"x").unwrap();
        assert_eq!(mode("a/b/c/x.json"), 0o600, "what was open to others is written anew");
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, [".", "..", "c", "once"]);
    }
}
