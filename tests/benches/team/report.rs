//! Tables of what was measured.

use std::collections::BTreeMap;
use std::time::Duration;

use coord_tests::series::ms;

use crate::load::Load;
use crate::sides::{Kind, Side};
use crate::work::Work;

/// One measurement, as it is printed.
#[derive(Debug, Clone, Copy)]
struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
    n: usize,
    failed: usize,
}

/// Prints what one side needed to get ready.
pub(crate) fn print_prepared(side: &Side, live: usize, loaded: Duration) {
    let (started, memory) = (ms(side.started), side.memory());
    let filled = loaded.as_secs_f64();
    println!(
        "{:8} ready after {started:6.0} ms; {live} claims made in {filled:.2} s; {memory} MiB",
        name(side.kind)
    );
}

/// All measurements of a run.
#[derive(Default)]
pub(crate) struct Report {
    /// By work, connections, live claims and side.
    figures: BTreeMap<(Work, usize, usize, Kind), Figures>,
}

impl Report {
    /// Keeps one measurement.
    pub(crate) fn measured(
        &mut self,
        kind: Kind,
        live: usize,
        work: Work,
        connections: usize,
        load: &Load,
    ) {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let per_second = load.n as f64 / load.busy.as_secs_f64();
        let (p50, p99) = (ms(load.took.at(0.5)), ms(load.took.at(0.99)));
        let figures = Figures { per_second, p50, p99, n: load.n, failed: load.failed };
        self.figures.insert((work, connections, live, kind), figures);
    }

    /// Prints both sides and how many times better ours is.
    pub(crate) fn print_level(&self, live: usize) {
        println!("\n{live} live claims; latencies in ms, over connections that stay");
        println!(
            "{:18} {:>5} | {:>9} {:>8} {:>8} | {:>8} {:>9} {:>9} {:>5} {:>6} | {:>7} {:>7} {:>7}",
            "",
            "conns",
            "ours/s",
            "p50",
            "p99",
            "peer/s",
            "p50",
            "p99",
            "n",
            "failed",
            "rate x",
            "p50 x",
            "p99 x"
        );
        for ((work, connections, ours), theirs) in self.pairs(live) {
            println!(
                "{:18} {connections:5} | {:9.0} {:8.3} {:8.3} | {:8.1} {:9.1} {:9.1} {:5} {:6} | {:7.1} {:7.1} {:7.1}",
                work.name(),
                ours.per_second,
                ours.p50,
                ours.p99,
                theirs.per_second,
                theirs.p50,
                theirs.p99,
                theirs.n,
                theirs.failed,
                ours.per_second / theirs.per_second,
                theirs.p50 / ours.p50,
                theirs.p99 / ours.p99,
            );
        }
        println!();
    }

    /// Prints, per side, how the median grows with the live claims.
    pub(crate) fn print_growth(&self) {
        println!("growth of the median with the live claims, ms (and as a multiple of the first)");
        let mut rows: BTreeMap<(Work, usize, Kind), Vec<(usize, f64)>> = BTreeMap::new();
        for (&(work, connections, live, kind), figures) in &self.figures {
            rows.entry((work, connections, kind)).or_default().push((live, figures.p50));
        }
        for ((work, connections, kind), levels) in rows {
            let first = levels[0].1;
            print!("{:18} {connections:5} {:8}", work.name(), name(kind));
            for (live, p50) in levels {
                print!("  {live:>6}: {p50:9.3} ({:6.1}x)", p50 / first);
            }
            println!();
        }
    }

    fn pairs(&self, live: usize) -> Vec<((Work, usize, Figures), Figures)> {
        let ours = self.figures.iter().filter(|(k, _)| k.2 == live && k.3 == Kind::Ours);
        ours.filter_map(|(&(work, connections, ..), ours)| {
            let theirs = self.figures.get(&(work, connections, live, Kind::Theirs))?;
            Some(((work, connections, *ours), *theirs))
        })
        .collect()
    }
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Ours => "coord",
        Kind::Theirs => "peer",
    }
}
