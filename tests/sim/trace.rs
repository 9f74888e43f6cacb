//! What happened: a hash of every decision and result, so that the same seed can be shown to do
//! the same; the words themselves when somebody wants to read them; and counts of rare branches.

use std::collections::BTreeMap;

/// The record of one simulation.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    hash: u64,
    loud: bool,
    marks: Marks,
}

/// How often each rare branch was taken.
pub(crate) type Marks = BTreeMap<&'static str, u64>;

impl Trace {
    /// An empty record; a loud one is printed while it grows.
    pub(crate) fn new(loud: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, loud, marks: Marks::new() }
    }

    /// One more event.
    pub(crate) fn note(&mut self, now: u64, text: &str) {
        for b in now.to_le_bytes().iter().chain(text.as_bytes()) {
            self.hash = (self.hash ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.loud {
            eprintln!("{:>14.6} {text}", std::time::Duration::from_micros(now).as_secs_f64());
        }
    }

    /// A rare branch was taken.
    pub(crate) fn mark(&mut self, now: u64, name: &'static str) {
        *self.marks.entry(name).or_insert(0) += 1;
        self.note(now, name);
    }

    /// The hash so far.
    pub(crate) fn hash(&self) -> u64 {
        self.hash
    }

    /// The counts so far.
    pub(crate) fn marks(&self) -> &Marks {
        &self.marks
    }
}
