//! The product's tools in the hands of one process, put together as for a real command.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use coord_agent::outbox::append::AppendError;
use coord_agent::outbox::disk::Disk;
use coord_agent::outbox::drain::{Report, Settled, Stopped, Tools, drain};
use coord_agent::outbox::keep::{Keep, Kept, QueueOnly, concerns_claims, is_claim};
use coord_agent::remote::breaker::{Breaker, Leave};
use coord_agent::replica::pull::{Pull, Unheard};
use coord_agent::replica::{Neighbours, READ_PATIENCE, Standin};
use coord_agent::send::{Fate, TRY_BUDGET, write};
use coord_protocol::edge::{Clock, fresh_id};
use coord_protocol::request::Request;
use coord_protocol::time::Millis;
use coord_server::api::Call;
use coord_server::replica::Replica;
use coord_server::service::Rules;
use serde_json::{Value, json};

use crate::clock::{SimClock, SimRng};
use crate::copies::Copies;
use crate::disk::SimDisk;
use crate::files::Pid;
use crate::ledger::Told;
use crate::net::SimNet;
use crate::planted::Planted;
use crate::world::Sim;

/// A drain from a command may take this long.
pub(crate) const DRAIN_BUDGET: Duration = Duration::from_secs(30);
/// A pull may take this long.
const PULL_BUDGET: Duration = Duration::from_secs(2);
/// The server's address, for the breaker's name.
const BASE: &str = "http://simulated";

/// The tools of a process.
pub(crate) struct Kit {
    pub(crate) disk: SimDisk,
    net: SimNet,
    clock: SimClock,
    rng: SimRng,
    /// Its workstation.
    pub(crate) machine: usize,
}

/// Keeps writes as a command does: claims are judged by the replica.
struct Keeper<'a> {
    kit: &'a Kit,
    /// It was asked: the answer comes from here.
    asked: Cell<bool>,
}

impl Keep for Keeper<'_> {
    fn keep(&self, outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError> {
        if !is_claim(request) {
            return QueueOnly.keep(outbox, request);
        }
        self.asked.set(true);
        let copied = || {
            let world = self.kit.disk.sim.look();
            Copies::note(&world.machines[self.kit.machine].copies.ahead, "copied_version")
        };
        let before = copied();
        let kept = self.kit.standin().keep(outbox, request);
        if copied() != before {
            self.kit.disk.sim.look().mark("ahead rebuilt");
        }
        let planted = self.kit.disk.sim.look().planted;
        match kept {
            Ok(Kept::Provisional(mut answer)) if planted == Some(Planted::ProvisionalFence) => {
                answer["fence"] = json!(1);
                Ok(Kept::Provisional(answer))
            }
            kept => kept,
        }
    }

    fn settled(&self, done: &[Settled]) {
        if done.iter().any(|s| concerns_claims(&s.request)) {
            self.kit.standin().settled(done);
        }
    }
}

/// A workstation with one project.
struct OneOutbox(SimDisk);

impl Neighbours for OneOutbox {
    fn remember(&self) -> io::Result<()> {
        Ok(())
    }

    fn outboxes(&self) -> Vec<Box<dyn Disk + '_>> {
        vec![Box::new(self.0.clone())]
    }

    fn heard(&self, _: &str) -> Option<Duration> {
        None
    }
}

impl Kit {
    /// The tools of a process.
    pub(crate) fn new(sim: &Arc<Sim>, pid: Pid) -> Self {
        let machine = sim.look().processes[pid].machine;
        Self {
            disk: SimDisk { sim: Arc::clone(sim), pid },
            net: SimNet { sim: Arc::clone(sim), pid },
            clock: SimClock { sim: Arc::clone(sim), pid },
            rng: SimRng { sim: Arc::clone(sim) },
            machine,
        }
    }

    /// A fresh id.
    pub(crate) fn fresh_id(&self) -> String {
        fresh_id(&self.clock, &self.rng).to_string()
    }

    /// The wall clock here.
    pub(crate) fn wall(&self) -> Millis {
        self.clock.wall()
    }

    fn breaker(&self) -> Breaker<'_> {
        Breaker::new(&self.disk, &self.clock, &self.rng, BASE)
    }

    fn tools<'a>(&'a self, breaker: &'a Breaker<'a>, keeper: &'a dyn Keep) -> Tools<'a> {
        let (clock, rng) = (&self.clock, &self.rng);
        Tools { disk: &self.disk, keeper, net: &self.net, breaker, clock, rng }
    }

    fn keeper(&self) -> Keeper<'_> {
        Keeper { kit: self, asked: Cell::new(false) }
    }

    /// What stands in for the server here.
    pub(crate) fn standin(&self) -> Standin<'_> {
        let (base, ahead, boot_id) = {
            let world = self.disk.sim.look();
            let machine = &world.machines[self.machine];
            if world.planted == Some(Planted::AheadStays) {
                leave_ahead(&machine.copies);
            }
            let (base, ahead) = machine.copies.open();
            (base, ahead, machine.boot_id())
        };
        let rules = Rules::default();
        let engine = Replica::over(base, ahead, rules, &self.clock, &self.rng, &boot_id);
        let engine = engine.expect("a connection in memory takes its settings");
        Standin {
            folder: Box::new(self.disk.clone()),
            engine: RefCell::new(engine),
            neighbours: Box::new(OneOutbox(self.disk.clone())),
            scope: format!("M{}", self.machine),
            patience: READ_PATIENCE,
            clock: &self.clock,
        }
    }

    /// One drain; true when nothing waits after it.
    pub(crate) fn drain(&self, budget: Duration, force: bool) -> bool {
        let (breaker, keeper) = (self.breaker(), self.keeper());
        let tools = self.tools(&breaker, &keeper);
        let leave = if force { Leave::Force } else { Leave::Anybody };
        let begun = self.clock.boot();
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
                world.tell_settled(&report, begun);
                report.waiting == 0 && report.stopped.is_none()
            }
            Err(e) => {
                world.mark("drain failed");
                world.note(&format!("{} drain: {e}", self.disk.pid));
                false
            }
        }
    }

    /// Sends a write or queues it, and says so.
    pub(crate) fn write(&self, origin: usize, request: &Request) {
        let (breaker, keeper) = (self.breaker(), self.keeper());
        let asked = self.clock.boot();
        let fate = write(&self.tools(&breaker, &keeper), request, TRY_BUDGET);
        if let (Ok(Fate::Done { answer, .. }), true) = (&fate, concerns_claims(request)) {
            self.standin().note(request, answer).expect("a replica can be written");
        }
        let mut world = self.disk.sim.look();
        world.note(&format!("{} wrote origin {origin}: {fate:?}", self.disk.pid));
        let from_here = keeper.asked.get();
        world.tell_claim(request, &fate, from_here, asked);
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

    /// Reads what is new; true when it was read to the end.
    pub(crate) fn pull(&self, session: &str) -> bool {
        let (standin, breaker) = (self.standin(), self.breaker());
        let scope = format!("M{}", self.machine);
        let (net, clock) = (&self.net, &self.clock);
        let pull = Pull { net, breaker: &breaker, clock, scope: &scope, session };
        let done = pull.run(&standin.engine.borrow(), PULL_BUDGET, Leave::Anybody);
        let mut world = self.disk.sim.look();
        if let Err(why) = world.machines[self.machine].copies.look() {
            world.fail(why);
        }
        world.note(&format!("{} pulled: {done:?}", self.disk.pid));
        match done {
            Ok(()) => true,
            Err(Unheard::Replica(why)) => panic!("the replica: {why}"),
            Err(_) => false,
        }
    }

    /// Reads who holds what, as known here.
    pub(crate) fn read_locks(&self) {
        let target = "/api/coord/locks?project_key=p&limit=500".to_owned();
        let call = Call { method: "GET".to_owned(), target, ..Call::default() };
        let known = self.standin().read(&call, false).expect("a replica can be read");
        let mut world = self.disk.sim.look();
        let Some(known) = known else { return world.mark("read: nothing known") };
        world.note(&format!("{} read: {}", self.disk.pid, known.reply.body));
        let locks: Value = serde_json::from_str(&known.reply.body).unwrap_or_default();
        for lock in locks["locks"].as_array().into_iter().flatten() {
            if lock["queued"] == true {
                world.mark("read: a claim that waits");
            }
            if lock["provisional"] == true && !lock["fence"].is_null() {
                world.fail(format!("a provisional lock with a fence: {lock}"));
            }
        }
    }
}

/// The planted bug of a copy that is not made again.
fn leave_ahead(copies: &Copies) {
    if Copies::note(&copies.ahead, "copied_version").is_none() {
        return;
    }
    let version = Copies::note(&copies.base, "replica_version").unwrap_or_default();
    let sql = "UPDATE meta SET value = ?1 WHERE name = 'copied_version'";
    copies.ahead.execute(sql, [version]).expect("the table is there");
    copies.ahead.execute("DELETE FROM applied", []).expect("the table is there");
}

/// Claims that a drain has seen off.
pub(crate) fn settled_claims(report: &Report) -> Vec<(String, Value, bool)> {
    let all = report.applied.iter().chain(&report.rejected);
    let claims = all.filter(|s| is_claim(&s.request));
    let one = |s: &Settled| Some((s.request.id.clone()?, s.answer.clone(), s.replayed));
    claims.filter_map(one).collect()
}
