//! Percentiles and rates, for the benches.

use std::time::Duration;

/// Sorted durations of a series.
pub struct Series(Vec<Duration>);

impl Series {
    /// Of what was measured, in any order; not empty.
    pub fn of(mut all: Vec<Duration>) -> Self {
        all.sort_unstable();
        Self(all)
    }

    /// What this share (0 to 1) of them did not exceed.
    pub fn at(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((self.0.len() as f64 - 1.0) * share).round() as usize;
        self.0[at]
    }
}

/// Milliseconds.
pub fn ms(d: Duration) -> f64 {
    d.as_secs_f64() * 1e3
}

/// Prints a rate.
#[expect(clippy::cast_precision_loss, clippy::print_stdout, reason = "a rate for people")]
pub fn report_rate(name: &str, n: usize, took: Duration) {
    let secs = took.as_secs_f64();
    println!("{name:40} {:8.0}/s  ({n} in {secs:.2} s)", n as f64 / secs);
}
