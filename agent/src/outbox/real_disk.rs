//! The real folder. Thin: each method is a system call or two (G41).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use coord_protocol::time::Millis;
use coord_server::edge::{network_file_system, network_file_systems_allowed};
use rustix::fs::OFlags;

use super::disk::{Appender, Disk, Entry, Guard, Quiet, Share, Stamp};

/// Pause between two looks at a lock that is taken.
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(2);

/// A folder on this machine.
#[derive(Debug, Clone)]
pub struct RealDisk {
    root: PathBuf,
}

impl RealDisk {
    /// Opens a folder, making it (0700) when it is missing.
    pub fn open(root: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(root)?;
        Ok(Self { root: root.to_owned() })
    }

    /// A folder that may be missing: reading finds nothing, writing makes it.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Opens without following a link and without waiting for a FIFO's other end; refuses what is
    /// not a regular file of this user, and closes it to others.
    fn open_own(&self, name: &str, options: &mut OpenOptions) -> io::Result<File> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let path = self.path(name);
        options.mode(0o600).custom_flags(flags.bits().cast_signed());
        let file = match options.open(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && !self.root.exists() => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.root)?;
                options.open(&path)?
            }
            other => other.map_err(|e| named(&path, &e))?,
        };
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(named(&path, &io::Error::other("not a regular file")));
        }
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(named(&path, &io::Error::other("belongs to another user")));
        }
        if meta.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
}

impl RealDisk {
    /// A kernel lock, in a form that may go to another thread; let go when dropped. `None`: it was
    /// not to be had in this time.
    pub fn hold(&self, name: &str, how: Share, wait: Duration) -> io::Result<Option<File>> {
        let options = &mut OpenOptions::new();
        let file = self.open_own(name, options.read(true).write(true).create(true))?;
        if let Some(kind) = network_file_system(&file)
            && !network_file_systems_allowed()
        {
            let why = format!(
                "is on a network file system ({kind}), where locks do not lock; set \
                 COORD_PROJECT_DIR or COORD_STATE_DIR to a local folder, or COORD_ALLOW_NETWORK_FS=1"
            );
            return Err(named(&self.root, &io::Error::new(io::ErrorKind::Unsupported, why)));
        }
        let until = Instant::now() + wait;
        loop {
            let got = match how {
                Share::Shared => file.try_lock_shared(),
                Share::Exclusive => file.try_lock(),
            };
            match got {
                Ok(()) => return Ok(Some(file)),
                Err(fs::TryLockError::WouldBlock) if Instant::now() >= until => return Ok(None),
                Err(fs::TryLockError::WouldBlock) => std::thread::sleep(LOCK_LOOK_EVERY),
                Err(fs::TryLockError::Error(e)) => return Err(e),
            }
        }
    }
}

fn named(path: &Path, e: &io::Error) -> io::Error {
    io::Error::new(e.kind(), format!("{}: {e}", path.display()))
}

struct RealAppender {
    file: File,
    path: PathBuf,
}

impl Appender for RealAppender {
    fn end(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut buf = vec![0; len];
        let mut got = 0;
        while got < len {
            match self.file.read_at(&mut buf[got..], offset + got as u64)? {
                0 => break,
                n => got += n,
            }
        }
        buf.truncate(got);
        Ok(buf)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let mut file = &self.file;
        // One write call, so that lines of other appenders do not fall in between.
        let n = file.write(bytes)?;
        if n < bytes.len() {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "only part of the line fitted"));
        }
        Ok(file.stream_position()? - n as u64)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let own = self.file.metadata()?;
        match fs::symlink_metadata(&self.path) {
            Ok(there) => Ok((there.dev(), there.ino()) == (own.dev(), own.ino())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(e),
        }
    }
}

struct RealGuard {
    _file: File,
}

impl Guard for RealGuard {}

impl Disk for RealDisk {
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let file = self.open_own(name, OpenOptions::new().read(true).append(true).create(true))?;
        Ok(Box::new(RealAppender { file, path: self.path(name) }))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let mut file = OpenOptions::new()
            .read(true)
            .custom_flags(flags.bits().cast_signed())
            .open(self.path(name))
            .map_err(|e| named(&self.path(name), &e))?;
        if !file.metadata()?.is_file() {
            return Err(named(&self.path(name), &io::Error::other("not a regular file")));
        }
        file.seek(SeekFrom::Start(from))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.path(name)) {
            Ok(m) => Ok(Some(m.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        match fs::symlink_metadata(self.path(name)) {
            Ok(m) => {
                let modified = m.mtime().wrapping_mul(1_000_000_000).wrapping_add(m.mtime_nsec());
                Ok(Some(Stamp { file: m.ino(), len: m.len(), modified }))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.open_own(name, OpenOptions::new().write(true).create_new(true))?.write_all(bytes)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let file = self.open_own(name, OpenOptions::new().write(true).create(true))?;
        file.write_all_at(bytes, 0)?;
        file.set_len(bytes.len() as u64)
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        File::open(self.path(name))?.sync_data()
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(self.path(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        fs::hard_link(self.path(from), self.path(to))
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let read = match fs::read_dir(self.path(dir)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut all = Vec::new();
        for e in read {
            let e = e?;
            let meta = match fs::symlink_metadata(e.path()) {
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            if let (true, Ok(name)) = (meta.is_file(), e.file_name().into_string()) {
                let modified = Millis(meta.mtime() * 1000 + meta.mtime_nsec() / 1_000_000);
                all.push(Entry { name, len: meta.len(), modified });
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    fn lock(&self, name: &str, how: Share, wait: Duration) -> io::Result<Option<Box<dyn Guard>>> {
        let held = self.hold(name, how, wait)?;
        Ok(held.map(|file| Box::new(RealGuard { _file: file }) as Box<dyn Guard>))
    }

    fn unwritten(&self, name: &str) -> Quiet {
        File::open(self.path(name)).map_or(Quiet::Unknown, |f| lease::probe(&f))
    }
}

/// A read lease is granted only when nobody has the file open for writing: that answers the
/// question. The only unsafe code in coord; no library offers this call.
#[cfg(target_os = "linux")]
mod lease {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::super::disk::Quiet;

    #[expect(unsafe_code, reason = "fcntl(F_SETLEASE) has no safe wrapper")]
    pub(super) fn probe(file: &File) -> Quiet {
        let fd = file.as_raw_fd();
        // SAFETY: `fd` is open for as long as `file` is borrowed; F_SETLEASE takes an int and
        // touches no memory of ours.
        let taken = unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_RDLCK) };
        if taken == 0 {
            // SAFETY: as above. A lease also ends when the file is closed.
            let _ = unsafe { libc::fcntl(fd, libc::F_SETLEASE, libc::F_UNLCK) };
            return Quiet::Yes;
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EAGAIN) => Quiet::No,
            _ => Quiet::Unknown,
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod lease {
    use std::fs::File;

    use super::super::disk::Quiet;

    pub(super) fn probe(_: &File) -> Quiet {
        Quiet::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, RealDisk) {
        let dir = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(&dir.path().join("q")).unwrap();
        (dir, disk)
    }

    #[test]
    fn traps_in_the_queues_place_are_refused() {
        let (dir, disk) = disk();
        let victim = dir.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, disk.path("link")).unwrap();
        fs::create_dir(disk.path("folder")).unwrap();
        let fifo = disk.path("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for trap in ["link", "folder", "fifo"] {
            assert!(disk.open_append(trap).is_err(), "{trap}");
            assert!(disk.put(trap, b"x").is_err(), "{trap}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn files_are_closed_to_others() {
        let (_dir, disk) = disk();
        fs::write(disk.path("loose"), "").unwrap();
        fs::set_permissions(disk.path("loose"), fs::Permissions::from_mode(0o666)).unwrap();
        disk.open_append("loose").unwrap();
        disk.create("new", b"").unwrap();
        for name in ["loose", "new"] {
            assert_eq!(fs::metadata(disk.path(name)).unwrap().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn locks_exclude_and_are_given_back() {
        let (_dir, disk) = disk();
        let none = Duration::ZERO;
        let shared = disk.lock("l", Share::Shared, none).unwrap();
        assert!(disk.lock("l", Share::Shared, none).unwrap().is_some());
        assert!(disk.lock("l", Share::Exclusive, none).unwrap().is_none());
        drop(shared);
        assert!(disk.lock("l", Share::Exclusive, none).unwrap().is_some());
    }

    #[test]
    fn a_writer_is_noticed() {
        let (_dir, disk) = disk();
        let open = disk.open_append("f").unwrap();
        assert_ne!(disk.unwritten("f"), Quiet::Yes);
        drop(open);
        assert_ne!(disk.unwritten("f"), Quiet::No);
    }

    #[test]
    fn a_file_that_lost_its_name_is_noticed() {
        let (_dir, disk) = disk();
        let f = disk.open_append("f").unwrap();
        assert!(f.is_in_place().unwrap());
        disk.rename("f", "g").unwrap();
        assert!(!f.is_in_place().unwrap());
        disk.create("f", b"another").unwrap();
        assert!(!f.is_in_place().unwrap());
    }

    #[test]
    fn append_says_where_and_reads_back() {
        let (_dir, disk) = disk();
        let f = disk.open_append("f").unwrap();
        assert_eq!(f.append(b"one\n").unwrap(), 0);
        assert_eq!(f.append(b"two\n").unwrap(), 4);
        assert_eq!(f.read_at(4, 100).unwrap(), b"two\n");
        f.sync().unwrap();
        disk.put("s", b"longer text").unwrap();
        disk.put("s", b"short").unwrap();
        assert_eq!(disk.read("s", 0).unwrap(), b"short");
    }
}
