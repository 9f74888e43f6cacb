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
const SEEDS_FOR_A_BUG: u64 = SEEDS;
/// Seeds that showed the rarer bugs lately: looked at first, so that a run ends sooner.
const KNOWN_TO_SHOW: [(Planted, u64); 6] = [
    (Planted::TornJournalBelieved, 276),
    (Planted::LeaseByWallClock, 150),
    (Planted::AnyNotFoundCounts, 80),
    (Planted::NobodyAsked, 22),
    (Planted::CopiedAside, 17),
    (Planted::LocksDoNotLock, 14),
];
/// Intents that a run has at least, per seed: with less it says nothing.
const INTENTS_PER_SEED: usize = 100;

/// Rare branches that a plain run must have taken, and how often at least.
const MARKS: [(&str, u64); 62] = [
    ("ahead rebuilt", 200),
    ("answer cut", 1),
    ("answered from memory", 1),
    ("append without lock", 1),
    ("appended to a file that lost its name", 1),
    ("batch unknown", 1),
    ("busy", 1),
    ("cannot tell", 1),
    ("claims lock busy", 5),
    ("clock step", 1),
    ("crash after", 1),
    ("crash before", 1),
    ("crash inside", 1),
    ("dead letter: no entry", 1),
    ("dead letter: poison", 1),
    ("dead letter: refused", 1),
    ("disk full", 1),
    ("door", 1),
    ("drain busy", 1),
    ("drain failed", 1),
    ("drain met a stranger", 1),
    ("drain rested", 1),
    ("feed: not needed", 1),
    ("feed: reset", 100),
    ("foreign file met in the gap", 1),
    ("foreign line torn by another", 1),
    ("held meanwhile", 50),
    ("kill", 1),
    ("late line", 1),
    ("late request arrived", 1),
    ("lost after", 1),
    ("lost before", 1),
    ("lull", 50),
    ("nobody there", 1),
    ("outage", 1),
    ("partition", 1),
    ("power cut", 1),
    ("provisional: granted", 500),
    ("provisional: only queued", 1),
    ("provisional: refused", 300),
    ("read: a claim that waits", 200),
    ("read: nothing known", 1),
    ("reboot without replica", 50),
    ("release of another's lock", 100),
    ("renewed", 100),
    ("rewrite put off", 1),
    ("saved by rename", 1),
    ("server clock leapt", 5),
    ("server restart", 100),
    ("settled: conflict", 50),
    ("settled: granted", 200),
    ("settled: past", 100),
    ("somebody is at a moved file", 1),
    ("stranger", 1),
    ("sync of a file failed", 1),
    ("sync of a folder failed", 1),
    ("torn end met", 1),
    ("told: granted", 300),
    ("told: settled", 100),
    ("lock history", 3_000),
    ("twice", 1),
    ("write refused aloud", 1),
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
        let met = |name: &str| total.marks.get(name).copied().unwrap_or(0);
        let rarely: Vec<_> = MARKS.iter().filter(|(m, least)| met(m) < *least).collect();
        assert!(rarely.is_empty(), "the run met too rarely: {rarely:?}");
        let least = INTENTS_PER_SEED * usize::try_from(seeds).unwrap_or(0);
        assert!(total.origins >= least, "only {} intents", total.origins);
    }
}

#[test]
fn every_planted_bug_is_found() {
    let missed = Mutex::new(Vec::new());
    let only = std::env::var("COORD_SIM_BUG").ok();
    on_all_cores(0..=Planted::ALL.len() as u64 - 1, |n| {
        let bug = Planted::ALL[usize::try_from(n).unwrap_or(0)];
        if only.as_ref().is_some_and(|only| !only.contains(&format!("{bug:?}"))) {
            return;
        }
        let from = number("COORD_SIM_FROM").unwrap_or(1);
        let found = KNOWN_TO_SHOW
            .iter()
            .filter(|(of, _)| *of == bug)
            .map(|(_, seed)| *seed)
            .chain(from..from + SEEDS_FOR_A_BUG)
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
