//! Swarm: each seed first draws which kinds of fault exist at all, and how often (4.3). A mix of
//! everything at once would hide what only shows in pairs.

use crate::chance::Chance;
use crate::net::Fate;

/// The faults of one seed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Faults {
    /// A process dies, per million yields.
    pub(crate) kill: u64,
    /// A workstation loses power, per million yields.
    pub(crate) power_cut: u64,
    /// A call is held up, per million yields.
    pub(crate) stall: u64,
    /// The server goes away for a while, per million yields.
    pub(crate) outage: u64,
    /// A workstation loses its network for a while, per million yields.
    pub(crate) partition: u64,
    /// A wall clock steps, per million yields.
    pub(crate) clock_step: u64,
    /// Nobody does anything for hours or days, per million chances for that.
    pub(crate) lull: u64,
    /// A write finds the disk full half way, per million.
    pub(crate) disk_full: u64,
    /// A sync of a file fails, per million.
    pub(crate) file_sync: u64,
    /// A sync of a folder fails, per million.
    pub(crate) folder_sync: u64,
    /// Network calls that have another fate than delivery, per million ...
    pub(crate) net: u64,
    /// ... and which fates those are.
    pub(crate) fates: Vec<Fate>,
    /// This system cannot tell whether a file is held open for writing.
    pub(crate) cannot_tell: bool,
    /// The server knows no batches.
    pub(crate) no_batch: bool,
    /// How many entries the server fails on: each holds its queue up for an hour.
    pub(crate) poisons: u64,
    /// The scheduler stays with the running process, per million.
    pub(crate) sticky: u64,
}

impl Faults {
    /// The faults of a seed.
    pub(crate) fn draw(chance: &mut Chance) -> Self {
        let mut some = |rates: &[u64]| if chance.hit(500_000) { *chance.pick(rates) } else { 0 };
        let clock_step = some(&[300, 2_000]);
        Self {
            kill: some(&[500, 3_000, 10_000]),
            power_cut: some(&[200, 1_000, 4_000]),
            stall: some(&[5_000, 50_000, 200_000]),
            outage: some(&[200, 1_000, 3_000]),
            partition: some(&[200, 1_000]),
            clock_step,
            lull: some(&[5_000, 50_000]),
            disk_full: some(&[5_000, 50_000]),
            file_sync: some(&[5_000, 50_000]),
            folder_sync: some(&[5_000, 50_000]),
            net: some(&[100_000, 300_000, 600_000]),
            // Without a way to tell, files count as quiet by the wall clock: such a system needs
            // one that does not leap.
            cannot_tell: some(&[1]) > 0 && some(&[1]) > 0 && clock_step == 0,
            no_batch: some(&[1]) > 0 && some(&[1]) > 0,
            poisons: some(&[0, 1, 2]),
            sticky: some(&[500_000, 900_000]),
            fates: Fate::BAD.iter().filter(|_| some(&[1]) > 0).flat_map(|f| weighted(*f)).collect(),
        }
    }
}

/// Strangers say many different things, so they come more often.
fn weighted(fate: Fate) -> Vec<Fate> {
    vec![fate; if fate == Fate::Stranger { 3 } else { 1 }]
}
