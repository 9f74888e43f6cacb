//! One simulation: a seed, what it draws, and how it ends.

use std::sync::Arc;
use std::thread;

use crate::chance::Chance;
use crate::checks;
use crate::faults::Faults;
use crate::history::History;
use crate::leases::Leases;
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::planted::Planted;
use crate::scheduler::Scheduler;
use crate::server::Server;
use crate::trace::{Marks, Trace};
use crate::workload::draw_hands;
use crate::world::{Sim, World};

/// Yields before the workload is told to end.
const STEPS: u64 = 4_000;

/// How a simulation ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Of everything that happened.
    pub(crate) hash: u64,
    /// Rare branches.
    pub(crate) marks: Marks,
    /// The first promise that was broken.
    pub(crate) failure: Option<String>,
    /// Intents of the workload.
    pub(crate) origins: usize,
}

/// Runs a seed. A loud run prints all that happens.
pub(crate) fn simulate(seed: u64, planted: Option<Planted>, loud: bool) -> Outcome {
    let mut chance = Chance::new(seed);
    let faults = Faults::draw(&mut chance);
    let hands = draw_hands(&mut chance);
    let machines = hands.iter().map(|h| h.machine + 1).max().unwrap_or(1);
    if loud {
        eprintln!("{faults:?}\n{hands:?}");
    }
    let sim = Sim::new(World {
        scheduler: Scheduler::new(hands.len() + 1),
        planted,
        leases: Leases::new(planted == Some(Planted::LeaseByWallClock)),
        trace: Trace::new(loud),
        machines: (0..machines).map(|_| Machine::new(&mut chance)).collect(),
        chance,
        ..quiet_world(seed, faults)
    });
    thread::scope(|scope| {
        for hand in hands {
            let sim = &sim;
            scope.spawn(move || sim.live(hand.thread, || hand.work(sim)));
        }
        sim.wait_for_all();
    });
    if sim.look().failure.is_none() {
        checks::settle(&sim);
    }
    outcome(&sim)
}

/// One thread, no workstation, and nobody in it.
pub(crate) fn quiet_world(seed: u64, faults: Faults) -> World {
    World {
        chance: Chance::new(seed),
        machines: Vec::new(),
        scheduler: Scheduler::new(1),
        faults,
        planted: None,
        trace: Trace::new(false),
        ledger: Ledger::default(),
        leases: Leases::default(),
        history: History::default(),
        server: Server::new(),
        late: Vec::new(),
        processes: Vec::new(),
        clocks_leapt: false,
        steps_left: STEPS,
        failure: None,
    }
}

fn outcome(sim: &Arc<Sim>) -> Outcome {
    let world = sim.look();
    Outcome {
        hash: world.trace.hash(),
        marks: world.trace.marks().clone(),
        failure: world.failure.clone(),
        origins: world.ledger.len(),
    }
}
