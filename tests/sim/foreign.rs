//! What other programs do to the queue: they append lines without lock, and an editor saves it.

use std::sync::Arc;

use coord_agent::outbox::files::QUEUE;
use coord_protocol::request::Request;

use crate::files::{HandleId, Pid};
use crate::ledger::{FOREIGN, Kind, tag};
use crate::wishes::message;
use crate::workload::{Hand, Role};
use crate::world::Sim;

impl Hand {
    /// Opens the queue, and after a while writes lines into it, in up to three pieces each.
    pub(crate) fn append(self, sim: &Arc<Sim>, pid: Pid) {
        let file = {
            let mut world = sim.turn(pid);
            let wall = world.wall(self.machine);
            let opened = world.machines[self.machine].files.open_append(QUEUE, pid, wall);
            opened.expect("a queue can be opened")
        };
        let lines = sim.look().chance.between(1, 3);
        for _ in 0..lines {
            let before = short_pause(sim);
            sim.sleep(pid, before);
            self.append_line(sim, pid, file);
        }
        let after = short_pause(sim);
        sim.sleep(pid, after);
    }

    fn append_line(self, sim: &Arc<Sim>, pid: Pid, file: HandleId) {
        let (origin, line, pieces) = self.foreign_line(sim);
        let mut rest = line.as_bytes();
        let mut places = Vec::new();
        for left in (1..=pieces).rev() {
            let mut world = sim.turn(pid);
            let len = if left == 1 {
                rest.len()
            } else {
                beside_tag(rest, world.chance.index(rest.len()))
            };
            let (piece, later) = rest.split_at(len);
            rest = later;
            let wall = world.wall(self.machine);
            let files = &mut world.machines[self.machine].files;
            let at = files.append(file, piece, wall).expect("it is open");
            places.push((at, piece.len() as u64));
            world.note(&format!(
                "M{} {pid} stranger writes {len} bytes of origin {origin}",
                self.machine
            ));
            drop(world);
            if left > 1 {
                let between = short_pause(sim);
                sim.sleep(pid, between);
            }
        }
        let world = &mut *sim.look();
        let files = &mut world.machines[self.machine].files;
        let in_one = places.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0);
        let at = places[0].0;
        let begins = at == 0 || files.read_at(file, at - 1, 1).is_ok_and(|b| b == b"\n");
        let named = files.inode_of(file).is_some_and(|inode| files.links(inode) > 0);
        if in_one && begins && named {
            world.ledger.written(origin, &line);
        } else {
            world.mark("foreign line torn by another");
        }
    }

    /// A line as other programs write it, and in how many pieces.
    fn foreign_line(self, sim: &Arc<Sim>) -> (usize, String, usize) {
        let world = &mut *sim.look();
        let which = world.chance.below(100);
        let kind = if which < 85 { Kind::Good } else { Kind::Bad };
        let origin = world.ledger.intend(self.machine, FOREIGN, kind);
        let to = if which < 95 { "ALL_SESSIONS" } else { "NOWHERE/nobody" };
        let request = Request {
            ts: Some("2026-05-12T15:30:00Z".to_owned()),
            ..message(&self.session(), to, &tag(origin))
        };
        world.ledger.ask(origin, &request);
        let text = serde_json::to_string(&request).expect("plain data");
        let line = match which {
            60..75 => format!("{text}\r\n"),
            75..85 => format!("\u{feff}  {text}\n"),
            85..90 => format!("rubbish {}\n", tag(origin)),
            90..95 => format!("{}\n", text.replacen("POST", "GET", 1)),
            _ => format!("{text}\n"),
        };
        let pieces = if self.role == Role::Dribbler { world.chance.index(3) + 1 } else { 1 };
        (origin, line, pieces)
    }
}

/// A place for a cut that does not tear a tag apart: two of them put together again by chance would
/// be the tag of somebody else.
fn beside_tag(line: &[u8], cut: usize) -> usize {
    let last = |b: u8| line[..cut].iter().rposition(|c| *c == b);
    match (last(b'<'), last(b'>')) {
        (Some(open), close) if close.is_none_or(|c| c < open) => open,
        _ => cut,
    }
}

fn short_pause(sim: &Arc<Sim>) -> u64 {
    let chance = &mut sim.look().chance;
    let most = *chance.pick(&[100, 5_000, 500_000, 5_000_000]);
    chance.below(most)
}

/// An editor that has the file for a blink saves it under its old name, as a new file.
pub(crate) fn edit(sim: &Arc<Sim>, pid: Pid) {
    let mut world = sim.turn(pid);
    let machine = world.processes[pid].machine;
    let wall = world.wall(machine);
    if world.machines[machine].files.save_by_rename(QUEUE, wall) {
        world.mark("saved by rename");
    }
}
