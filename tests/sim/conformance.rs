//! The simulated disk and the real one must answer alike, or the simulation is about a disk that
//! does not exist: the same random calls against both.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use coord_agent::outbox::disk::{Appender, Disk, Guard, Quiet, Share};
use coord_agent::outbox::real_disk::RealDisk;

use crate::chance::Chance;
use crate::disk::SimDisk;
use crate::faults::Faults;
use crate::machine::Machine;
use crate::simulation::quiet_world;
use crate::world::Sim;

/// Calls of one script.
const CALLS: usize = 400;
/// Scripts.
const SCRIPTS: u64 = 5;
const NAMES: [&str; 6] = ["a", "b", "c", "d/a", "d/b", "e/a"];
const DIRS: [&str; 3] = ["", "d", "e"];

/// One disk and what a script has open on it.
struct Side<'a> {
    disk: &'a dyn Disk,
    files: Vec<Option<Box<dyn Appender>>>,
    locks: Vec<Option<Box<dyn Guard>>>,
}

/// A call of a script.
#[derive(Debug)]
enum Act {
    Open(usize, &'static str),
    Close(usize),
    Append(usize, Vec<u8>),
    End(usize),
    ReadAt(usize, u64, usize),
    SyncOpen(usize),
    InPlace(usize),
    Read(&'static str, u64),
    Len(&'static str),
    Create(&'static str, Vec<u8>),
    Put(&'static str, Vec<u8>),
    Sync(&'static str),
    SyncDir(&'static str),
    MakeDir(&'static str),
    Rename(&'static str, &'static str),
    Link(&'static str, &'static str),
    Unlink(&'static str),
    List(&'static str),
    Lock(usize, bool),
    Unlock(usize),
    Unwritten(&'static str),
}

fn draw(chance: &mut Chance) -> Act {
    let name = *chance.pick(&NAMES);
    let other = *chance.pick(&NAMES);
    let dir = *chance.pick(&DIRS);
    let slot = chance.index(3);
    let text = format!("{}\n", chance.below(1_000_000)).into_bytes();
    match chance.below(24) {
        0 => Act::Open(slot, name),
        1 => Act::Close(slot),
        2..5 => Act::Append(slot, text),
        5 => Act::End(slot),
        6 => Act::ReadAt(slot, chance.below(20), chance.index(20)),
        7 => Act::SyncOpen(slot),
        8 => Act::InPlace(slot),
        9 => Act::Read(name, chance.below(10)),
        10 => Act::Len(name),
        11 => Act::Create(name, text),
        12 => Act::Put(name, text),
        13 => Act::Sync(name),
        14 => Act::SyncDir(dir),
        15 if chance.hit(200_000) => Act::MakeDir(DIRS[2]),
        15 => Act::MakeDir(DIRS[1]),
        16 | 17 => Act::Rename(name, other),
        18 => Act::Link(name, other),
        19 => Act::Unlink(name),
        20 => Act::List(dir),
        21 => Act::Lock(slot, chance.hit(500_000)),
        22 => Act::Unlock(slot),
        _ => Act::Unwritten(name),
    }
}

fn told<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(e) => format!("{:?}", e.kind()),
    }
}

impl Side<'_> {
    /// Does it, and says what came of it.
    fn run(&mut self, act: &Act) -> String {
        let at_file = |slot: &usize, f: &dyn Fn(&dyn Appender) -> String| {
            self.files[*slot].as_ref().map_or_else(String::new, |file| f(file.as_ref()))
        };
        match act {
            Act::Append(slot, text) => at_file(slot, &|f| told(f.append(text))),
            Act::End(slot) => at_file(slot, &|f| told(f.end())),
            Act::ReadAt(slot, at, len) => at_file(slot, &|f| told(f.read_at(*at, *len))),
            Act::SyncOpen(slot) => at_file(slot, &|f| told(f.sync())),
            Act::InPlace(slot) => at_file(slot, &|f| told(f.is_in_place())),
            Act::Read(name, from) => told(self.disk.read(name, *from)),
            Act::Len(name) => told(self.disk.len(name)),
            Act::Create(name, text) => told(self.disk.create(name, text)),
            Act::Put(name, text) => told(self.disk.put(name, text)),
            Act::Sync(name) => told(self.disk.sync(name)),
            Act::SyncDir(dir) => told(self.disk.sync_dir(dir)),
            Act::MakeDir(dir) => told(self.disk.make_dir(dir)),
            Act::Rename(from, to) => told(self.disk.rename(from, to)),
            Act::Link(from, to) => told(self.disk.link(from, to)),
            Act::Unlink(name) => told(self.disk.unlink(name)),
            Act::List(dir) => self.names(dir),
            Act::Open(..) | Act::Close(_) | Act::Lock(..) | Act::Unlock(_) => self.hold(act),
            Act::Unwritten(name) => format!("{:?}", self.disk.unwritten(name)),
        }
    }

    fn names(&self, dir: &str) -> String {
        let entries = self.disk.list(dir);
        told(entries.map(|all| all.into_iter().map(|e| (e.name, e.len)).collect::<Vec<_>>()))
    }

    fn hold(&mut self, act: &Act) -> String {
        match act {
            Act::Open(slot, name) => {
                self.files[*slot] = None;
                let opened = self.disk.open_append(name);
                told(opened.map(|f| self.files[*slot] = Some(f)))
            }
            Act::Close(slot) => {
                self.files[*slot] = None;
                String::new()
            }
            Act::Lock(slot, shared) => {
                self.locks[*slot] = None;
                let how = if *shared { Share::Shared } else { Share::Exclusive };
                let got = self.disk.lock("lock", how, Duration::ZERO);
                told(got.map(|guard| {
                    self.locks[*slot] = guard;
                    self.locks[*slot].is_some()
                }))
            }
            Act::Unlock(slot) => {
                self.locks[*slot] = None;
                String::new()
            }
            _ => unreachable!("run() does the others"),
        }
    }
}

fn side(disk: &dyn Disk) -> Side<'_> {
    Side { disk, files: vec![None, None, None], locks: vec![None, None, None] }
}

#[test]
fn the_simulated_disk_answers_like_the_real_one() {
    for seed in 0..SCRIPTS {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let real_disk = RealDisk::open(folder.path()).expect("it can be opened");
        let mut world = quiet_world(seed, Faults::default());
        world.machines.push(Machine::new(&mut world.chance));
        let sim: Arc<Sim> = Sim::new(world);
        sim.run(0, 0, |pid| {
            let sim_disk = SimDisk { sim: Arc::clone(&sim), pid };
            let (mut real, mut simulated) = (side(&real_disk), side(&sim_disk));
            let mut chance = Chance::new(seed);
            for number in 0..CALLS {
                let act = draw(&mut chance);
                let (is, should) = (simulated.run(&act), real.run(&act));
                // Where the system cannot tell, it cannot be asked.
                if should != format!("{:?}", Quiet::Unknown) {
                    assert_eq!(is, should, "script {seed}, call {number}: {act:?}");
                }
            }
        });
        assert_eq!(sim.look().failure, None);
    }
}
