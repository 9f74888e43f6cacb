//! The runs: many seeds, each of which must keep every promise; and planted bugs, each of which must
//! be found.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use crate::planted::Planted;
use crate::simulation::{Outcome, simulate};
use crate::trace::Marks;

/// Seeds of a plain run.
const SEEDS: u64 = 200;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Runs seeds on all cores, and hands each outcome on.
fn run_seeds(seeds: std::ops::RangeInclusive<u64>, each: impl Fn(u64, Outcome) + Sync) {
    let next = AtomicU64::new(*seeds.start());
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() {
                        return;
                    }
                    each(seed, simulate(seed, None, false));
                }
            });
        }
    });
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
    let total = Mutex::new((Marks::new(), 0, Vec::new()));
    run_seeds(1..=seeds, |seed, outcome| {
        let (marks, origins, failures) = &mut *total.lock().expect("nobody panicked with it");
        for (name, n) in outcome.marks {
            *marks.entry(name).or_insert(0) += n;
        }
        *origins += outcome.origins;
        failures.extend(outcome.failure.map(|why| (seed, why)));
    });
    let (marks, origins, failures) = total.into_inner().expect("nobody panicked with it");
    eprintln!("{seeds} seeds, {origins} intents, {:?}: {marks:#?}", begun.elapsed());
    for (seed, why) in &failures {
        eprintln!(
            "seed {seed}: {why}\n  COORD_SIM_SEED={seed} COORD_SIM_TRACE=1 \
             cargo test -p coord-tests --test sim all_promises -- --nocapture"
        );
    }
    assert!(failures.is_empty(), "{} of {seeds} seeds broke a promise", failures.len());
}

#[test]
#[ignore]
fn planted() {
    for bug in Planted::ALL {
        let found =
            (1..=100).find_map(|seed| Some((seed, simulate(seed, Some(bug), false).failure?)));
        eprintln!("{bug:?}: {found:?}");
    }
}
