//! Time and randomness of a simulated process.

use std::sync::Arc;
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::time::Millis;

use crate::files::Pid;
use crate::world::Sim;

/// The clocks of a process's workstation. Looking at one is no yield point: nothing else can be
/// seen to change by it.
pub(crate) struct SimClock {
    /// The world.
    pub(crate) sim: Arc<Sim>,
    /// Whose clock.
    pub(crate) pid: Pid,
}

impl Clock for SimClock {
    fn wall(&self) -> Millis {
        let world = self.sim.look();
        world.wall(world.processes[self.pid].machine)
    }

    fn boot(&self) -> Millis {
        let world = self.sim.look();
        world.clocks_of(world.processes[self.pid].machine).boot
    }

    fn sleep(&self, d: Duration) {
        self.sim.sleep(self.pid, u64::try_from(d.as_micros()).unwrap_or(u64::MAX));
    }
}

/// Randomness from the seed.
pub(crate) struct SimRng {
    /// The world.
    pub(crate) sim: Arc<Sim>,
}

impl Rng for SimRng {
    fn u64(&self) -> u64 {
        self.sim.look().chance.next()
    }
}
