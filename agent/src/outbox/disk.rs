//! What the outbox needs of a folder. The real one is [`super::real_disk`]; the simulation has one
//! that loses what was not synced.

use std::io;
use std::time::Duration;

use coord_protocol::time::Millis;

/// How a lock is shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// With others that share it.
    Shared,
    /// With nobody.
    Exclusive,
}

/// Whether anybody holds a file open for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Nobody does.
    Yes,
    /// Somebody does.
    No,
    /// This system cannot tell.
    Unknown,
}

/// What tells one state of a file from another: it changes with every write and every replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Which file has the name.
    pub file: u64,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last written, in the file system's own grain.
    pub modified: i64,
}

/// A file in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, without the folder.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    /// When it was last written.
    pub modified: Millis,
}

/// A held kernel lock; let go when dropped.
pub trait Guard {}

/// A file open for appending and reading. While it is open, [`Disk::unwritten`] says so.
pub trait Appender {
    /// Its present length.
    fn end(&self) -> io::Result<u64>;
    /// Up to `len` bytes from `offset`.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// One write at the end; says where it begins. A short write is an error.
    fn append(&self, bytes: &[u8]) -> io::Result<u64>;
    /// Brings the content to the disk.
    fn sync(&self) -> io::Result<()>;
    /// Whether the name that it was opened under still leads to this file.
    fn is_in_place(&self) -> io::Result<bool>;
}

/// A folder. Names are relative to it and may have one folder part.
pub trait Disk: Send + Sync {
    /// Opens for appending, making the file when it is missing: never through a symbolic link,
    /// only a regular file of this user, closed to others.
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Appender>>;
    /// The content from a place on. `NotFound` when there is no such file.
    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>>;
    /// Length, or `None` when there is no such file.
    fn len(&self, name: &str) -> io::Result<Option<u64>>;
    /// Which state a file is in, or `None` when there is no such file.
    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>>;
    /// Makes a new file with this content; not synced. `AlreadyExists` when there is one.
    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Writes a small file in place; neither atomic nor synced: for what may be lost.
    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// Brings a file's content to the disk.
    fn sync(&self, name: &str) -> io::Result<()>;
    /// Brings a folder's names to the disk; `""` is this folder.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes a folder, when it is missing.
    fn make_dir(&self, dir: &str) -> io::Result<()>;
    /// Gives a file another name.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Gives a file a second name. `AlreadyExists` when that is taken.
    fn link(&self, from: &str, to: &str) -> io::Result<()>;
    /// Takes a name away.
    fn unlink(&self, name: &str) -> io::Result<()>;
    /// The files of a folder, by name; none when the folder is missing.
    fn list(&self, dir: &str) -> io::Result<Vec<Entry>>;
    /// Takes a kernel lock, waiting at most so long. `None`: not got.
    fn lock(&self, name: &str, how: Share, wait: Duration) -> io::Result<Option<Box<dyn Guard>>>;
    /// Whether anybody has the file open for writing.
    fn unwritten(&self, name: &str) -> Quiet;
}
