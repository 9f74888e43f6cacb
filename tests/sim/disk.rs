//! The disk as a process sees it: each call is a yield point, and may fail. Planted bugs of the
//! disk are here as well, at the same border.

use std::io::{self, ErrorKind};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use coord_agent::outbox::disk::{Appender, Disk, Entry, Guard, Quiet, Share, Stamp};
use coord_agent::outbox::files::{ASIDE, DEAD, DRAIN_LOCK, JOURNAL, LOCK, QUEUE, TMP_PREFIX};
use coord_agent::replica::LOCK as CLAIMS_LOCK;
use coord_protocol::time::Millis;

use crate::chance::Chance;
use crate::files::{Files, HandleId, Pid};
use crate::planted::Planted;
use crate::world::{Sim, World};

/// The folder of a process's workstation.
#[derive(Clone)]
pub(crate) struct SimDisk {
    /// The world.
    pub(crate) sim: Arc<Sim>,
    /// Who asks.
    pub(crate) pid: Pid,
}

/// The world in the hands of a process that calls its disk.
struct Turn<'a> {
    world: MutexGuard<'a, World>,
    pid: Pid,
    machine: usize,
}

impl SimDisk {
    fn turn(&self, what: &str, name: &str) -> Turn<'_> {
        let mut world = self.sim.turn(self.pid);
        let machine = world.processes[self.pid].machine;
        world.note(&format!("M{machine} {} {what} {name}", self.pid));
        Turn { world, pid: self.pid, machine }
    }
}

impl Turn<'_> {
    fn files(&mut self) -> &mut Files {
        &mut self.world.machines[self.machine].files
    }

    fn wall(&self) -> Millis {
        self.world.wall(self.machine)
    }

    fn has(&self, bug: Planted) -> bool {
        self.world.planted == Some(bug)
    }

    /// How much of a write fits: all of it, or the disk is full half way.
    fn fitting<'b>(&mut self, bytes: &'b [u8]) -> (&'b [u8], bool) {
        if self.world.strikes(|f| f.disk_full) {
            self.world.mark("disk full");
            let at = self.world.chance.index(bytes.len() + 1);
            return (&bytes[..at], true);
        }
        (bytes, false)
    }

    fn sync_fails(&mut self) -> bool {
        let fails = self.world.strikes(|f| f.file_sync);
        if fails {
            self.world.mark("sync of a file failed");
        }
        fails
    }

    /// The name under which a file really lies, when the bug of shifting generations is planted.
    fn real_name(&mut self, name: &str) -> String {
        if !self.has(Planted::AdoptedAtRandom) || !is_aside(name) {
            return name.to_owned();
        }
        let Some((stem, copied)) = name.rsplit_once('-') else { return name.to_owned() };
        let stem = &stem[..ASIDE.len() + 1 + 20];
        let plain = |n: &String| {
            let full = format!("{ASIDE}/{n}");
            full.starts_with(stem) && full.rsplit_once('-').is_some_and(|(_, c)| c == copied)
        };
        let found = self.files().list(ASIDE).into_iter().map(|(n, ..)| n).find(plain);
        found.map_or_else(|| name.to_owned(), |n| format!("{ASIDE}/{n}"))
    }

    /// The planted bug of counting a moved file as copied before the copy is on the disk.
    fn count_early(&mut self) {
        for (name, len, _) in self.files().list(ASIDE) {
            let (Some((stem, _)), old) = (name.rsplit_once('-'), format!("{ASIDE}/{name}")) else {
                continue;
            };
            let data = self.files().read(&old, 0).unwrap_or_default();
            let end = data.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
            let _ = self.files().rename(&old, &format!("{ASIDE}/{stem}-{end}"));
            debug_assert!(end as u64 <= len);
        }
    }
}

fn is_aside(name: &str) -> bool {
    name.strip_prefix(ASIDE).is_some_and(|rest| rest.starts_with('/'))
}

/// The planted bug of ids that are made on the way out: each look at a line finds another one.
fn with_ids(bytes: &[u8], chance: &mut Chance) -> Vec<u8> {
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    let with_id = |line: &str| match line.strip_prefix("{\"ts\"") {
        Some(rest) if !line.contains("\"id\":") => {
            format!("{{\"id\":\"{:016x}{:016x}\",\"ts\"{rest}", chance.next(), chance.next())
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(with_id).collect::<String>().into_bytes()
}

/// The planted bug of believing a torn record: it is taken for the last entry that it may mean.
fn complete_last(journal: &mut Vec<u8>, queue: &[u8]) {
    let from = journal.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    let (last, queue) = (String::from_utf8_lossy(&journal[from..]), String::from_utf8_lossy(queue));
    let Some(begun) = last.strip_prefix("{\"id\":\"") else { return };
    let begun = begun.split('"').next().unwrap_or_default().to_owned();
    let ids = queue.split("\"id\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    if let Some(id) = ids.filter(|id| id.starts_with(&begun)).last() {
        journal.truncate(from);
        journal.extend_from_slice(format!("{{\"id\":\"{id}\",\"st\":200}}\n").as_bytes());
    }
}

fn full<T>() -> io::Result<T> {
    Err(io::Error::new(ErrorKind::StorageFull, "only part of it fitted"))
}

fn broken<T>() -> io::Result<T> {
    Err(io::Error::other("input/output error"))
}

impl Disk for SimDisk {
    fn open_append(&self, name: &str) -> io::Result<Box<dyn Appender>> {
        let mut t = self.turn("open", name);
        let (wall, pid) = (t.wall(), t.pid);
        let handle = t.files().open_append(name, pid, wall)?;
        Ok(Box::new(SimAppender { disk: self.clone(), handle, name: name.to_owned() }))
    }

    fn read(&self, name: &str, from: u64) -> io::Result<Vec<u8>> {
        let mut t = self.turn("read", name);
        let name = t.real_name(name);
        let mut bytes = t.files().read(&name, from)?;
        if name == QUEUE && t.has(Planted::SentBeforeIdOnDisk) {
            bytes = with_ids(&bytes, &mut t.world.chance);
        }
        if name == JOURNAL && t.has(Planted::TornJournalBelieved) {
            let queue = t.files().read(QUEUE, 0).unwrap_or_default();
            complete_last(&mut bytes, &queue);
        }
        if from > 0 && is_aside(&name) && bytes.contains(&b'\n') {
            t.world.mark("late line");
        }
        Ok(bytes)
    }

    fn len(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.turn("len", name).files().len(name))
    }

    fn stamp(&self, name: &str) -> io::Result<Option<Stamp>> {
        Ok(self.turn("stamp", name).files().stamp(name))
    }

    fn create(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut t = self.turn("create", name);
        if name.starts_with(TMP_PREFIX) && t.has(Planted::CountedEarly) {
            t.count_early();
        }
        let (wall, (bytes, short)) = (t.wall(), t.fitting(bytes));
        t.files().create(name, bytes, wall)?;
        if short { full() } else { Ok(()) }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut t = self.turn("put", name);
        let (wall, (bytes, short)) = (t.wall(), t.fitting(bytes));
        t.files().put(name, bytes, wall)?;
        if short { full() } else { Ok(()) }
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut t = self.turn("sync", name);
        if t.has(Planted::NewFileNotSynced) && name.starts_with(TMP_PREFIX) {
            return Ok(());
        }
        if t.sync_fails() {
            t.files().fail_sync_of(name);
            return broken();
        }
        t.files().sync(name)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let mut t = self.turn("sync folder", dir);
        let pid = t.pid;
        let skipped = t.has(Planted::FoldersNotSynced)
            || t.has(Planted::AppenderSkipsFolder) && !t.files().holds_alone(LOCK, pid);
        if skipped {
            return Ok(());
        }
        if t.world.strikes(|f| f.folder_sync) {
            t.world.mark("sync of a folder failed");
            return broken();
        }
        t.files().sync_dir(dir)
    }

    fn make_dir(&self, dir: &str) -> io::Result<()> {
        self.turn("make folder", dir).files().make_dir(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut t = self.turn("rename", from);
        let (wall, from) = (t.wall(), t.real_name(from));
        if t.has(Planted::CopiedAside) && from == QUEUE {
            let data = t.files().read(&from, 0)?;
            t.files().create(to, &data, wall)?;
            t.files().sync(to)?;
            return t.files().unlink(&from);
        }
        match t.files().rename(&from, to) {
            Err(_) if t.has(Planted::CountedEarly) && is_aside(&from) => Ok(()),
            other => other,
        }
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        let mut t = self.turn("link", to);
        if t.has(Planted::LinkClobbers) && t.files().len(to).is_some() {
            t.files().unlink(to)?;
        }
        let linked = t.files().link(from, to);
        if linked.is_err() {
            t.world.mark("foreign file met in the gap");
        }
        linked
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let mut t = self.turn("unlink", name);
        let name = t.real_name(name);
        t.files().unlink(&name)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<Entry>> {
        let mut t = self.turn("list", dir);
        let shift = (t.has(Planted::AdoptedAtRandom) && dir == ASIDE)
            .then(|| format!("{:08x}", t.world.processes.len() as u64 & 0xffff_ffff));
        let shifted = |name: String| match (&shift, name.rsplit_once('-')) {
            (Some(other), Some((stem, copied))) => format!("{}{other}-{copied}", &stem[..20]),
            _ => name,
        };
        let entry = |(name, len, modified): (String, u64, Millis)| Entry {
            name: shifted(name),
            len,
            modified,
        };
        Ok(t.files().list(dir).into_iter().map(entry).collect())
    }

    fn lock(&self, name: &str, how: Share, wait: Duration) -> io::Result<Option<Box<dyn Guard>>> {
        let mut t = self.turn("lock", name);
        let (wall, pid, machine) = (t.wall(), t.pid, t.machine);
        let until = t.world.now() + u64::try_from(wait.as_micros()).unwrap_or(u64::MAX);
        let inode = t.files().lock_file(name, wall)?;
        let unlocked = t.has(Planted::LocksDoNotLock)
            || t.has(Planted::JudgedWithoutLock) && name == CLAIMS_LOCK;
        let how = if unlocked { Share::Shared } else { how };
        let mut world = t.world;
        loop {
            if let Some(number) = world.machines[machine].files.try_lock(inode, how, pid) {
                let disk = self.clone();
                return Ok(Some(Box::new(SimGuard { disk, machine, number })));
            }
            if world.now() >= until {
                world.mark(not_got(name, how));
                return Ok(None);
            }
            world = self.sim.wait_for_lock(world, pid, until);
        }
    }

    fn unwritten(&self, name: &str) -> Quiet {
        let mut t = self.turn("is anybody at", name);
        if t.has(Planted::NobodyAsked) {
            return Quiet::Yes;
        }
        if t.world.faults.cannot_tell {
            t.world.mark("cannot tell");
            return Quiet::Unknown;
        }
        let name = t.real_name(name);
        match t.files().is_open(&name) {
            Some(true) => {
                t.world.mark("somebody is at a moved file");
                Quiet::No
            }
            Some(false) => Quiet::Yes,
            None => Quiet::Unknown,
        }
    }
}

/// What it means that a lock was not got.
fn not_got(name: &str, how: Share) -> &'static str {
    match (name, how) {
        (LOCK, Share::Shared) => "append without lock",
        (LOCK, Share::Exclusive) => "rewrite put off",
        (DRAIN_LOCK, _) => "drain busy",
        (CLAIMS_LOCK, _) => "claims lock busy",
        _ => "breaker busy",
    }
}

struct SimGuard {
    disk: SimDisk,
    machine: usize,
    number: HandleId,
}

impl Guard for SimGuard {}

impl Drop for SimGuard {
    fn drop(&mut self) {
        let mut world = self.disk.sim.look();
        if world.machines[self.machine].files.unlock(self.number) {
            world.scheduler.wake_for_locks();
        }
    }
}

struct SimAppender {
    disk: SimDisk,
    handle: HandleId,
    name: String,
}

impl Appender for SimAppender {
    fn end(&self) -> io::Result<u64> {
        self.disk.turn("end", &self.name).files().end(self.handle)
    }

    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut t = self.disk.turn("read at", &self.name);
        let bytes = t.files().read_at(self.handle, offset, len)?;
        if len == 1 && self.name == QUEUE && bytes != b"\n" {
            t.world.mark("torn end met");
            if t.has(Planted::TornEndUnseen) {
                return Ok(b"\n".to_vec());
            }
        }
        Ok(bytes)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<u64> {
        let mut t = self.disk.turn("append", &self.name);
        let (wall, (bytes, short)) = (t.wall(), t.fitting(bytes));
        let at = t.files().append(self.handle, bytes, wall)?;
        if short { full() } else { Ok(at) }
    }

    fn sync(&self) -> io::Result<()> {
        let mut t = self.disk.turn("sync", &self.name);
        let skipped = t.has(Planted::LineNotSynced) && self.name == QUEUE
            || t.has(Planted::LettersNotSynced) && self.name == DEAD;
        if skipped {
            return Ok(());
        }
        if t.sync_fails() {
            t.files().fail_sync(self.handle);
            return broken();
        }
        t.files().sync_open(self.handle)
    }

    fn is_in_place(&self) -> io::Result<bool> {
        let mut t = self.disk.turn("is in place", &self.name);
        let here = t.files().is_in_place(&self.name, self.handle);
        if !here {
            t.world.mark("appended to a file that lost its name");
        }
        Ok(here)
    }
}

impl Drop for SimAppender {
    fn drop(&mut self) {
        let mut world = self.disk.sim.look();
        let machine = world.processes[self.disk.pid].machine;
        world.machines[machine].files.close(self.handle);
    }
}
