//! A disk without scheduling: contents with what of them is synced, names with a journal of changes
//! that are not, open handles, kernel locks, and what a power cut makes of it all.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};

use coord_agent::outbox::disk::{Share, Stamp};
use coord_protocol::time::Millis;

use crate::chance::Chance;

/// The number of a file.
pub(crate) type Inode = u64;
/// The number of an open file.
pub(crate) type HandleId = u64;
/// The number of a process.
pub(crate) type Pid = usize;

/// The content of a file.
#[derive(Debug, Clone, Default)]
struct Content {
    /// What processes see.
    data: Vec<u8>,
    /// What the disk holds.
    durable: Vec<u8>,
    /// Up to here the page cache has nothing to write.
    clean: usize,
    /// How many syncs of it failed: each open handle is told once.
    failures: u64,
    modified: Millis,
}

/// What all names say.
#[derive(Debug, Clone, Default)]
struct Names {
    files: BTreeMap<String, Inode>,
    folders: BTreeSet<String>,
}

/// A change of names.
#[derive(Debug, Clone)]
enum Change {
    Set(String, Inode),
    Take(String),
    Move(String, String),
    Folder(String),
}

#[derive(Debug)]
struct Handle {
    inode: Inode,
    pid: Pid,
    failures_seen: u64,
}

#[derive(Debug)]
struct Held {
    inode: Inode,
    pid: Pid,
    number: HandleId,
    how: Share,
}

/// The disk of one workstation.
#[derive(Debug, Default)]
pub(crate) struct Files {
    contents: BTreeMap<Inode, Content>,
    names: Names,
    /// The names that are on the disk for sure ...
    kept: Names,
    /// ... and the changes that may be missing after a power cut, in order.
    journal: Vec<Change>,
    handles: BTreeMap<HandleId, Handle>,
    held: Vec<Held>,
    last: u64,
}

/// The folder part of a name.
fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn error<T>(kind: ErrorKind) -> io::Result<T> {
    Err(kind.into())
}

impl Change {
    fn folders(&self) -> Vec<&str> {
        match self {
            Self::Set(name, _) | Self::Take(name) => vec![folder_of(name)],
            Self::Move(from, to) => vec![folder_of(from), folder_of(to)],
            Self::Folder(name) => vec!["", name],
        }
    }
}

impl Names {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Set(name, inode) => {
                self.files.insert(name.clone(), *inode);
            }
            Change::Take(name) => {
                self.files.remove(name);
            }
            Change::Move(from, to) => {
                if let Some(inode) = self.files.remove(from) {
                    self.files.insert(to.clone(), inode);
                }
            }
            Change::Folder(name) => {
                self.folders.insert(name.clone());
            }
        }
    }
}

impl Files {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn change(&mut self, change: Change) {
        self.names.apply(&change);
        self.journal.push(change);
    }

    fn inode(&self, name: &str) -> io::Result<Inode> {
        self.names.files.get(name).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn content(&mut self, inode: Inode) -> &mut Content {
        self.contents.entry(inode).or_default()
    }

    fn check_folder(&self, name: &str) -> io::Result<()> {
        let folder = folder_of(name);
        if folder.is_empty() || self.names.folders.contains(folder) {
            Ok(())
        } else {
            error(ErrorKind::NotFound)
        }
    }

    fn make(&mut self, name: &str, now: Millis) -> io::Result<Inode> {
        self.check_folder(name)?;
        let inode = self.next();
        self.contents.insert(inode, Content { modified: now, ..Content::default() });
        self.change(Change::Set(name.to_owned(), inode));
        Ok(inode)
    }

    fn find_or_make(&mut self, name: &str, now: Millis) -> io::Result<Inode> {
        self.inode(name).or_else(|_| self.make(name, now))
    }

    /// Opens for appending, making the file when it is missing.
    pub(crate) fn open_append(
        &mut self,
        name: &str,
        pid: Pid,
        now: Millis,
    ) -> io::Result<HandleId> {
        let inode = self.find_or_make(name, now)?;
        let failures_seen = self.content(inode).failures;
        let handle = self.next();
        self.handles.insert(handle, Handle { inode, pid, failures_seen });
        Ok(handle)
    }

    /// Closes a handle; closing twice is harmless.
    pub(crate) fn close(&mut self, handle: HandleId) {
        self.handles.remove(&handle);
    }

    fn opened(&self, handle: HandleId) -> io::Result<Inode> {
        self.handles.get(&handle).map(|h| h.inode).ok_or_else(|| ErrorKind::BrokenPipe.into())
    }

    /// The file behind a handle.
    pub(crate) fn inode_of(&self, handle: HandleId) -> Option<Inode> {
        self.opened(handle).ok()
    }

    /// Length of an open file.
    pub(crate) fn end(&mut self, handle: HandleId) -> io::Result<u64> {
        let inode = self.opened(handle)?;
        Ok(self.content(inode).data.len() as u64)
    }

    /// A piece of an open file.
    pub(crate) fn read_at(&mut self, handle: HandleId, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let inode = self.opened(handle)?;
        let data = &self.content(inode).data;
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(data.len());
        Ok(data[from..data.len().min(from + len)].to_vec())
    }

    /// Writes at the end of an open file; says where that was.
    pub(crate) fn append(
        &mut self,
        handle: HandleId,
        bytes: &[u8],
        now: Millis,
    ) -> io::Result<u64> {
        let inode = self.opened(handle)?;
        let content = self.content(inode);
        let at = content.data.len() as u64;
        content.data.extend_from_slice(bytes);
        content.modified = now;
        Ok(at)
    }

    /// Syncs an open file.
    pub(crate) fn sync_open(&mut self, handle: HandleId) -> io::Result<()> {
        let inode = self.opened(handle)?;
        let failures = self.content(inode).failures;
        if let Some(h) = self.handles.get_mut(&handle)
            && h.failures_seen < failures
        {
            h.failures_seen = failures;
            return Err(io::Error::other("input/output error"));
        }
        self.sync_inode(inode);
        Ok(())
    }

    fn sync_inode(&mut self, inode: Inode) {
        let content = self.content(inode);
        let clean = content.clean.min(content.durable.len());
        content.durable.truncate(clean);
        content.durable.extend_from_slice(&content.data[clean..]);
        content.clean = content.data.len();
    }

    /// A sync that fails: the pages count as clean, and the disk holds nothing of them.
    pub(crate) fn fail_sync(&mut self, handle: HandleId) {
        let Ok(inode) = self.opened(handle) else { return };
        self.fail_inode(inode);
        if let Some(h) = self.handles.get_mut(&handle) {
            h.failures_seen += 1;
        }
    }

    fn fail_inode(&mut self, inode: Inode) {
        let content = self.content(inode);
        content.durable.truncate(content.clean);
        content.durable.resize(content.data.len(), 0);
        content.clean = content.data.len();
        content.failures += 1;
    }

    /// The same for a file by name.
    pub(crate) fn fail_sync_of(&mut self, name: &str) {
        if let Ok(inode) = self.inode(name) {
            self.fail_inode(inode);
        }
    }

    /// The content from a place on.
    pub(crate) fn read(&mut self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let inode = self.inode(name)?;
        let data = &self.content(inode).data;
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(data.len());
        Ok(data[from..].to_vec())
    }

    /// Length, or `None`.
    pub(crate) fn len(&mut self, name: &str) -> Option<u64> {
        let inode = self.inode(name).ok()?;
        Some(self.content(inode).data.len() as u64)
    }

    /// Which state a file is in, or `None`.
    pub(crate) fn stamp(&mut self, name: &str) -> Option<Stamp> {
        let inode = self.inode(name).ok()?;
        let content = self.content(inode);
        let (len, modified) = (content.data.len() as u64, content.modified.0);
        Some(Stamp { file: inode, len, modified })
    }

    /// Makes a new file.
    pub(crate) fn create(&mut self, name: &str, bytes: &[u8], now: Millis) -> io::Result<()> {
        if self.inode(name).is_ok() {
            return error(ErrorKind::AlreadyExists);
        }
        let inode = self.make(name, now)?;
        self.content(inode).data = bytes.to_vec();
        Ok(())
    }

    /// Writes a file in place.
    pub(crate) fn put(&mut self, name: &str, bytes: &[u8], now: Millis) -> io::Result<()> {
        let inode = self.find_or_make(name, now)?;
        let content = self.content(inode);
        content.data = bytes.to_vec();
        content.clean = 0;
        content.modified = now;
        Ok(())
    }

    /// Syncs a file.
    pub(crate) fn sync(&mut self, name: &str) -> io::Result<()> {
        let inode = self.inode(name)?;
        self.sync_inode(inode);
        Ok(())
    }

    /// Syncs the names of a folder, and with them all changes that came before in a folder that
    /// they have in common.
    pub(crate) fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        if !dir.is_empty() && !self.names.folders.contains(dir) {
            return error(ErrorKind::NotFound);
        }
        let mut folders = BTreeSet::from([dir.to_owned()]);
        let mut done = vec![false; self.journal.len()];
        for (at, change) in self.journal.iter().enumerate().rev() {
            let touched = change.folders();
            if touched.iter().any(|f| folders.contains(*f)) {
                done[at] = true;
                folders.extend(touched.into_iter().map(str::to_owned));
            }
        }
        for (at, change) in std::mem::take(&mut self.journal).into_iter().enumerate() {
            if done[at] {
                self.kept.apply(&change);
            } else {
                self.journal.push(change);
            }
        }
        Ok(())
    }

    /// Makes a folder, when it is missing.
    pub(crate) fn make_dir(&mut self, dir: &str) -> io::Result<()> {
        if self.inode(dir).is_ok() {
            return error(ErrorKind::AlreadyExists);
        }
        if !self.names.folders.contains(dir) {
            self.change(Change::Folder(dir.to_owned()));
        }
        Ok(())
    }

    /// Gives a file another name, taking it from the file that has it.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.inode(from)?;
        self.check_folder(to)?;
        // Two names of one file: POSIX lets both stand.
        if self.inode(to).ok() != Some(inode) {
            self.change(Change::Move(from.to_owned(), to.to_owned()));
        }
        Ok(())
    }

    /// Gives a file a second name.
    pub(crate) fn link(&mut self, from: &str, to: &str) -> io::Result<()> {
        let inode = self.inode(from)?;
        self.check_folder(to)?;
        if self.inode(to).is_ok() {
            return error(ErrorKind::AlreadyExists);
        }
        self.change(Change::Set(to.to_owned(), inode));
        Ok(())
    }

    /// Takes a name away.
    pub(crate) fn unlink(&mut self, name: &str) -> io::Result<()> {
        self.inode(name)?;
        self.change(Change::Take(name.to_owned()));
        Ok(())
    }

    /// Names, lengths and times of a folder's files.
    pub(crate) fn list(&self, dir: &str) -> Vec<(String, u64, Millis)> {
        let files = self.names.files.iter().filter(|(name, _)| folder_of(name) == dir);
        files
            .filter_map(|(name, inode)| {
                let content = self.contents.get(inode)?;
                let plain = name.rsplit('/').next().unwrap_or(name).to_owned();
                Some((plain, content.data.len() as u64, content.modified))
            })
            .collect()
    }

    /// The file to lock under this name, made when missing.
    pub(crate) fn lock_file(&mut self, name: &str, now: Millis) -> io::Result<Inode> {
        self.find_or_make(name, now)
    }

    /// Takes a lock when it is free.
    pub(crate) fn try_lock(&mut self, inode: Inode, how: Share, pid: Pid) -> Option<HandleId> {
        let in_the_way = self
            .held
            .iter()
            .any(|h| h.inode == inode && (how == Share::Exclusive || h.how == Share::Exclusive));
        if in_the_way {
            return None;
        }
        let number = self.next();
        self.held.push(Held { inode, pid, number, how });
        Some(number)
    }

    /// Lets a lock go; true when there was one.
    pub(crate) fn unlock(&mut self, number: HandleId) -> bool {
        let before = self.held.len();
        self.held.retain(|h| h.number != number);
        self.held.len() < before
    }

    /// Whether a process has this lock alone.
    pub(crate) fn holds_alone(&self, name: &str, pid: Pid) -> bool {
        let Ok(inode) = self.inode(name) else { return false };
        self.held.iter().any(|h| h.inode == inode && h.pid == pid && h.how == Share::Exclusive)
    }

    /// Whether anybody has the file open for writing; `None` when there is no such file.
    pub(crate) fn is_open(&self, name: &str) -> Option<bool> {
        let inode = self.inode(name).ok()?;
        Some(self.handles.values().any(|h| h.inode == inode))
    }

    /// Whether a name leads to an open file.
    pub(crate) fn is_in_place(&self, name: &str, handle: HandleId) -> bool {
        self.inode(name).is_ok_and(|inode| self.inode_of(handle) == Some(inode))
    }

    /// How many names a file has.
    pub(crate) fn links(&self, inode: Inode) -> usize {
        self.names.files.values().filter(|i| **i == inode).count()
    }

    /// A process has ended: the kernel closes its files and frees its locks.
    pub(crate) fn forget(&mut self, pid: Pid) {
        self.handles.retain(|_, h| h.pid != pid);
        self.held.retain(|h| h.pid != pid);
    }

    /// A program writes the file anew under another name, syncs it, and renames it over the old.
    pub(crate) fn save_by_rename(&mut self, name: &str, now: Millis) -> bool {
        let Ok(old) = self.inode(name) else { return false };
        let data = self.content(old).data.clone();
        let inode = self.next();
        let clean = data.len();
        let content = Content { durable: data.clone(), data, clean, modified: now, failures: 0 };
        self.contents.insert(inode, content);
        self.change(Change::Set(name.to_owned(), inode));
        true
    }

    /// Whether these bytes are in one of the named files whatever a power cut does: by the names
    /// that are synced and the content that is.
    pub(crate) fn is_durable(&self, bytes: &[u8], of: impl Fn(&str) -> bool) -> bool {
        let files = self.kept.files.iter().filter(|(name, _)| of(name));
        files.filter_map(|(_, inode)| self.contents.get(inode)).any(|c| {
            let sure = &c.durable[..c.clean.min(c.durable.len())];
            sure.windows(bytes.len()).any(|w| w == bytes)
        })
    }

    /// The power goes: every file keeps what was synced and some of the rest, the names keep a
    /// beginning of their unsynced changes, in each folder.
    pub(crate) fn power_cut(&mut self, chance: &mut Chance) {
        self.handles.clear();
        self.held.clear();
        let journal = std::mem::take(&mut self.journal);
        let keep = chance.below(journal.len() as u64 + 1);
        let mut cut: BTreeSet<String> = BTreeSet::new();
        for (at, change) in journal.iter().enumerate() {
            let folders = change.folders();
            let lost = at as u64 >= keep && !chance.hit(200_000);
            if lost || folders.iter().any(|f| cut.contains(*f)) {
                cut.extend(folders.into_iter().map(str::to_owned));
            } else {
                self.kept.apply(change);
            }
        }
        self.names = self.kept.clone();
        let named: BTreeSet<Inode> = self.names.files.values().copied().collect();
        self.contents.retain(|inode, _| named.contains(inode));
        for content in self.contents.values_mut() {
            content.survive(chance);
        }
    }
}

impl Content {
    /// What is left of it after a power cut.
    fn survive(&mut self, chance: &mut Chance) {
        let clean = self.clean.min(self.durable.len());
        let mut rest = self.data.get(self.clean..).unwrap_or_default().to_vec();
        let at = chance.index(rest.len() + 1);
        match chance.below(5) {
            0 => rest.clear(),
            1 => {}
            2 => rest.truncate(at),
            3 => rest.fill(0),
            _ => rest[at..].fill(0),
        }
        self.durable.truncate(clean);
        self.durable.extend_from_slice(&rest);
        self.data.clone_from(&self.durable);
        self.clean = self.data.len();
        self.failures = 0;
    }
}
