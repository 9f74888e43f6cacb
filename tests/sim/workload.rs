//! What goes on at the workstations: sessions that write, drains, programs of strangers that append
//! without lock, an editor.

use std::sync::Arc;
use std::time::Duration;

use coord_agent::outbox::drain::{Stopped, Tools, drain};
use coord_agent::outbox::files::QUEUE;
use coord_agent::outbox::keep::QueueOnly;
use coord_agent::remote::breaker::{Breaker, Leave};
use coord_agent::send::{Fate, TRY_BUDGET, write};
use coord_protocol::edge::fresh_id;
use coord_protocol::request::{Method, Request};
use serde_json::{Value, json};

use crate::chance::Chance;
use crate::clock::{SimClock, SimRng};
use crate::disk::SimDisk;
use crate::files::{HandleId, Pid};
use crate::ledger::{FOREIGN, Kind, Told, tag};
use crate::net::{POISON, SimNet};
use crate::world::{MINUTE, Sim};

/// A drain from a command may take this long.
pub(crate) const DRAIN_BUDGET: Duration = Duration::from_secs(30);
/// The server's address, for the breaker's name.
const BASE: &str = "http://simulated";
/// What sessions want to lock.
const RESOURCES: [&str; 3] = ["deploy", "src/a.rs", "src/b.rs"];

/// How long a claim is good.
const CLAIM_GOOD_MS: i64 = 600_000;

/// Who does something, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hand {
    /// What it is.
    pub(crate) role: Role,
    /// Its workstation.
    pub(crate) machine: usize,
    /// Its thread, which numbers sessions as well.
    pub(crate) thread: usize,
}

/// What a thread of the workload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Writes through the product.
    Session,
    /// Drains the outbox now and then.
    Drainer,
    /// Appends lines of its own, without lock.
    Stranger,
    /// The same, in pieces. One at a workstation: two would write into each other.
    Dribbler,
    /// Saves the queue by rename.
    Editor,
}

/// Draws who is there.
pub(crate) fn draw_hands(chance: &mut Chance) -> Vec<Hand> {
    let mut hands = Vec::new();
    for machine in 0..=chance.index(3) {
        let some_editor = u64::from(chance.hit(300_000));
        let counts = [
            (Role::Session, chance.between(1, 5)),
            (Role::Drainer, chance.between(1, 2)),
            (Role::Stranger, chance.below(3)),
            (Role::Dribbler, chance.below(2)),
            (Role::Editor, some_editor),
        ];
        for (role, count) in counts {
            for _ in 0..count {
                // The first thread is the one that looks on.
                hands.push(Hand { role, machine, thread: hands.len() + 1 });
            }
        }
    }
    hands
}

/// The product's tools in the hands of one process.
pub(crate) struct Kit {
    disk: SimDisk,
    net: SimNet,
    clock: SimClock,
    rng: SimRng,
}

impl Kit {
    /// The tools of a process.
    pub(crate) fn new(sim: &Arc<Sim>, pid: Pid) -> Self {
        Self {
            disk: SimDisk { sim: Arc::clone(sim), pid },
            net: SimNet { sim: Arc::clone(sim), pid },
            clock: SimClock { sim: Arc::clone(sim), pid },
            rng: SimRng { sim: Arc::clone(sim) },
        }
    }

    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(&self.disk, &self.clock, &self.rng, BASE)
    }

    fn tools<'a>(&'a self, breaker: &'a Breaker<'a>) -> Tools<'a> {
        let (clock, rng) = (&self.clock, &self.rng);
        Tools { disk: &self.disk, keeper: &QueueOnly, net: &self.net, breaker, clock, rng }
    }

    /// One drain; true when nothing waits after it.
    pub(crate) fn drain(&self, budget: Duration, force: bool) -> bool {
        let breaker = self.breaker();
        let tools = self.tools(&breaker);
        let leave = if force { Leave::Force } else { Leave::Anybody };
        let report = drain(&tools, budget, leave);
        let mut world = self.disk.sim.look();
        match report {
            Ok(report) => {
                match report.stopped {
                    Some(Stopped::NotOurs(_)) => world.mark("drain met a stranger"),
                    Some(Stopped::Resting(..)) => world.mark("drain rested"),
                    Some(Stopped::OutOfTime) => world.mark("drain ran out of time"),
                    _ => {}
                }
                world.note(&format!("{} drained: {:?}", self.disk.pid, report.stopped));
                report.waiting == 0 && report.stopped.is_none()
            }
            Err(e) => {
                world.mark("drain failed");
                world.note(&format!("{} drain: {e}", self.disk.pid));
                false
            }
        }
    }

    fn write(&self, origin: usize, request: &Request) {
        let breaker = self.breaker();
        let fate = write(&self.tools(&breaker), request, TRY_BUDGET);
        let mut world = self.disk.sim.look();
        world.note(&format!("{} wrote origin {origin}: {fate:?}", self.disk.pid));
        match fate {
            Ok(Fate::Done { .. }) => world.ledger.tell(origin, Told::Done),
            Ok(Fate::Queued { .. } | Fate::Provisional { .. }) => {
                world.ledger.tell(origin, Told::Queued);
            }
            // Turned away at the door: neither done nor kept, and nobody said so.
            Ok(Fate::Refused { status: 401, .. }) => {}
            Ok(Fate::Refused { .. }) => world.ledger.tell(origin, Told::Refused),
            Err(_) => world.mark("write refused aloud"),
        }
    }
}

impl Hand {
    /// Does it until the workload is over.
    pub(crate) fn work(self, sim: &Arc<Sim>) {
        while sim.rest(self.machine, self.thread, self.pause(sim)) {
            sim.run(self.machine, self.thread, |pid| match self.role {
                Role::Session => self.write(sim, pid),
                Role::Drainer => {
                    let force = sim.look().chance.hit(100_000);
                    Kit::new(sim, pid).drain(DRAIN_BUDGET, force);
                }
                Role::Stranger | Role::Dribbler => self.append(sim, pid),
                Role::Editor => edit(sim, pid),
            });
        }
    }

    fn pause(self, sim: &Arc<Sim>) -> u64 {
        let chance = &mut sim.look().chance;
        let most = match self.role {
            Role::Session => *chance.pick(&[1_000, 20_000, 1_000_000, 10_000_000, MINUTE, MINUTE]),
            Role::Drainer => *chance.pick(&[100_000, 5_000_000, MINUTE]),
            Role::Stranger | Role::Dribbler => *chance.pick(&[100_000, 2_000_000, MINUTE]),
            Role::Editor => *chance.pick(&[1_000_000, MINUTE]),
        };
        chance.below(most)
    }

    fn session(self) -> String {
        format!("M{}/s{}", self.machine, self.thread)
    }

    fn write(self, sim: &Arc<Sim>, pid: Pid) {
        let kit = Kit::new(sim, pid);
        let id = fresh_id(&kit.clock, &kit.rng).to_string();
        let (origin, mut request) = self.wish(sim);
        request.id = Some(id);
        request.session = Some(self.session());
        kit.write(origin, &request);
    }

    /// Something that a session wants done.
    fn wish(self, sim: &Arc<Sim>) -> (usize, Request) {
        let world = &mut *sim.look();
        let which = world.chance.below(100);
        let until = world.wall(self.machine).0 + CLAIM_GOOD_MS;
        let kind = match which {
            82..88 => Kind::Bad,
            88 if world.faults.poisons > 0 => Kind::Poison,
            0..=88 => Kind::Good,
            // By a clock that leaps nobody can say when that is.
            89..96 if world.faults.clock_step > 0 => Kind::Claim(i64::MAX),
            89..96 => Kind::Claim(until),
            _ => Kind::Release,
        };
        let origin = world.ledger.intend(self.machine, self.thread, kind);
        let text = tag(origin);
        let request = match kind {
            Kind::Good if which < 70 => message(&self.session(), "ALL_SESSIONS", &text),
            Kind::Good => post("todos", json!({ "text": text })),
            Kind::Bad if which < 86 => message(&self.session(), "NOWHERE/nobody", &text),
            Kind::Bad => post("nowhere", json!({ "text": text })),
            Kind::Poison => {
                world.faults.poisons -= 1;
                message(&self.session(), "ALL_SESSIONS", &format!("{POISON} {text}"))
            }
            Kind::Claim(_) => {
                let resource = *world.chance.pick(&RESOURCES);
                let claim = json!({
                    "project_key": "p", "session_id": self.session(), "resource": resource,
                    "description": text, "ttl_hours": 0.05,
                });
                let not_after = Some(coord_protocol::time::Millis(until).to_string());
                Request { not_after, ..post("locks", claim) }
            }
            Kind::Release => {
                let path = format!("/api/coord/locks?session_id={}&release_all=1", self.session());
                Request { method: Method::Delete, path, body: None, ..post("", Value::Null) }
            }
        };
        world.ledger.ask(origin, &request);
        (origin, request)
    }

    /// Opens the queue, and after a while writes lines into it, in up to three pieces each.
    fn append(self, sim: &Arc<Sim>, pid: Pid) {
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
fn edit(sim: &Arc<Sim>, pid: Pid) {
    let mut world = sim.turn(pid);
    let machine = world.processes[pid].machine;
    let wall = world.wall(machine);
    if world.machines[machine].files.save_by_rename(QUEUE, wall) {
        world.mark("saved by rename");
    }
}

fn post(what: &str, body: Value) -> Request {
    Request {
        ts: None,
        method: Method::Post,
        path: format!("/api/coord/{what}"),
        body: Some(body),
        id: None,
        session: None,
        seq: None,
        not_after: None,
        past: false,
        waited_ms: None,
    }
}

fn message(from: &str, to: &str, text: &str) -> Request {
    post("messages", json!({ "from_session": from, "to_session": to, "body": text }))
}
