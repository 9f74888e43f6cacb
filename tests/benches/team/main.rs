//! Claims of teams: our server beside the service of `coord-mcp-server` 0.27.1, in one run, with the
//! same questions over the same client. `cargo bench -p coord-tests --bench team`.
//!
//! Each side starts on a new database for each number of live claims. What is measured is claimed by
//! others than who holds the live claims, so that all of them are in question. Ours commits each
//! claim to the disk before it answers; the other does not wait for the disk.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod load;
mod report;
mod sides;
mod work;

use coord_tests::bins::bin;
use coord_tests::peer;

use load::run;
use report::{Report, print_prepared};
use sides::{Kind, Side};
use work::Work;

/// Live claims while it is measured.
const LEVELS: [usize; 3] = [0, 1_000, 10_000];

fn main() {
    let Some(programs) = peer::programs("the bench team") else { return };
    // Builds our server if need be, before a clock runs.
    bin("coord-server");
    let mut report = Report::default();
    for live in LEVELS {
        for kind in [Kind::Ours, Kind::Theirs] {
            let side = Side::start(kind, &programs);
            let loaded = load::fill(&side, live);
            print_prepared(&side, live, loaded);
            for (work, connections) in [
                (Work::Claim, 1),
                (Work::Claim, 8),
                (Work::Claim, 32),
                (Work::Look, 1),
                (Work::Look, 8),
                (Work::List, 1),
                (Work::List, 8),
            ] {
                let load = run(&side, work, connections);
                report.measured(kind, live, work, connections, &load);
            }
        }
        report.print_level(live);
    }
    report.print_growth();
}
