//! The runs: many seeds, each of which must keep every promise; seeds that run twice and must do
//! the same; planted bugs, each of which must be found.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::planted::Planted;
use crate::simulation::{Outcome, simulate};
use crate::trace::Marks;

/// Seeds of a plain run.
const SEEDS: u64 = 200;
/// Every so many seeds one is run twice.
const TWICE_EVERY: u64 = 10;
/// Within so many seeds each planted bug must be found.
const SEEDS_FOR_A_BUG: u64 = 100;
/// Intents that a run has at least, per seed: with less it says nothing.
const INTENTS_PER_SEED: usize = 100;

/// Rare branches that a plain run must have taken.
const MARKS: [&str; 38] = [
    "answer cut",
    "answered from memory",
    "append without lock",
    "appended to a file that lost its name",
    "batch unknown",
    "busy",
    "cannot tell",
    "clock step",
    "crash after",
    "crash before",
    "crash inside",
    "dead letter: no entry",
    "dead letter: poison",
    "dead letter: refused",
    "disk full",
    "door",
    "drain busy",
    "drain failed",
    "drain met a stranger",
    "drain rested",
    "foreign file met in the gap",
    "foreign line torn by another",
    "kill",
    "late line",
    "late request arrived",
    "lost after",
    "lost before",
    "nobody there",
    "outage",
    "partition",
    "power cut",
    "rewrite put off",
    "saved by rename",
    "somebody is at a moved file",
    "stranger",
    "sync of a file failed",
    "sync of a folder failed",
    "torn end met",
];

/// What a run of many seeds comes to.
#[derive(Default)]
struct Total {
    marks: Marks,
    origins: usize,
    hashes: BTreeMap<u64, u64>,
    failures: BTreeMap<u64, String>,
}

impl Total {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        for (name, n) in outcome.marks {
            *self.marks.entry(name).or_insert(0) += n;
        }
        self.origins += outcome.origins;
        self.hashes.insert(seed, outcome.hash);
        self.failures.extend(outcome.failure.map(|why| (seed, why)));
    }

    fn tell_failures(&self) {
        for (seed, why) in &self.failures {
            eprintln!(
                "seed {seed}: {why}\n  COORD_SIM_SEED={seed} COORD_SIM_TRACE=1 \
                 cargo test -p coord-tests --test sim all_promises -- --nocapture"
            );
        }
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Does something for each number, on all cores.
fn on_all_cores(numbers: RangeInclusive<u64>, each: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(*numbers.start());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n > *numbers.end() {
                        return;
                    }
                    each(n);
                }
            });
        }
    });
}

fn run_all(seeds: u64) -> Total {
    let total = Mutex::new(Total::default());
    on_all_cores(1..=seeds, |seed| {
        let outcome = simulate(seed, None, false);
        total.lock().expect("nobody panicked with it").add(seed, outcome);
    });
    total.into_inner().expect("nobody panicked with it")
}

#[test]
fn all_promises_are_kept() {
    if let Some(seed) = number("COORD_SIM_SEED") {
        let outcome = simulate(seed, None, number("COORD_SIM_TRACE") == Some(1));
        eprintln!("seed {seed}: {outcome:?}");
        assert_eq!(outcome.failure, None);
        return;
    }
    let begun = Instant::now();
    let seeds = number("COORD_SIM_SEEDS").unwrap_or(SEEDS);
    let total = run_all(seeds);
    eprintln!(
        "{seeds} seeds, {} intents, {:?}: {:#?}",
        total.origins,
        begun.elapsed(),
        total.marks
    );
    total.tell_failures();
    assert!(total.failures.is_empty(), "{} of {seeds} seeds fail", total.failures.len());
    for seed in (TWICE_EVERY..=seeds).step_by(usize::try_from(TWICE_EVERY).unwrap_or(1)) {
        let again = simulate(seed, None, false).hash;
        assert_eq!(total.hashes[&seed], again, "seed {seed} did something else the second time");
    }
    if seeds >= SEEDS {
        let never: Vec<_> = MARKS.iter().filter(|m| !total.marks.contains_key(**m)).collect();
        assert!(never.is_empty(), "the run never met: {never:?}");
        let least = INTENTS_PER_SEED * usize::try_from(seeds).unwrap_or(0);
        assert!(total.origins >= least, "only {} intents", total.origins);
    }
}

#[test]
fn every_planted_bug_is_found() {
    let missed = Mutex::new(Vec::new());
    on_all_cores(0..=Planted::ALL.len() as u64 - 1, |n| {
        let bug = Planted::ALL[usize::try_from(n).unwrap_or(0)];
        let found = (1..=SEEDS_FOR_A_BUG)
            .find_map(|seed| Some((seed, simulate(seed, Some(bug), false).failure?)))
            .filter(|(_, why)| !why.contains("panicked"));
        match found {
            Some((seed, why)) => eprintln!("{bug:?}: seed {seed}: {why}"),
            None => missed.lock().expect("nobody panicked with it").push(bug),
        }
    });
    let missed = missed.into_inner().expect("nobody panicked with it");
    assert!(missed.is_empty(), "not found: {missed:?}");
}
