//! Programs started again and again, in turn, and a table of how long they took.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coord_tests::series::{Series, ms};

/// Starts of each program.
const STARTS: usize = 300;

/// One row of a table: a name and what is started.
pub(crate) struct Row {
    name: &'static str,
    command: Command,
    input: &'static str,
    took: Vec<Duration>,
}

impl Row {
    pub(crate) fn new(name: &'static str, command: Command, input: &'static str) -> Self {
        Self { name, command, input, took: Vec::with_capacity(STARTS) }
    }
}

/// Starts all of them in turn, so that whatever else the machine does falls on all alike, and prints
/// the table. The first row is what the others are compared with.
pub(crate) fn measure(title: &str, mut rows: Vec<Row>, before_each: impl Fn()) {
    rows.retain_mut(|r| run_once(r).is_some());
    for _ in 0..STARTS {
        for row in &mut rows {
            before_each();
            let took = run_once(row).expect("it started before");
            row.took.push(took);
        }
    }
    before_each();
    println!("\n{title}, {STARTS} starts each, ms");
    println!("{:40} {:>8} {:>8} {:>8} {:>10}", "", "min", "p50", "p99", "p50-first");
    let mut floor = None;
    for row in rows {
        let s = Series::of(row.took);
        let (min, p50, p99) = (ms(s.at(0.0)), ms(s.at(0.5)), ms(s.at(0.99)));
        let above = p50 - *floor.get_or_insert(p50);
        println!("{:40} {min:8.2} {p50:8.2} {p99:8.2} {above:10.2}", row.name);
    }
}

/// `None` when there is no such program.
fn run_once(row: &mut Row) -> Option<Duration> {
    row.command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = row.command.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    // A program that reads no input may be gone already.
    let _ = stdin.write_all(row.input.as_bytes());
    drop(stdin);
    child.wait().ok()?;
    Some(began.elapsed())
}
