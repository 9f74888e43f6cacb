//! What goes on at the workstations: sessions that write and read, drains, programs of strangers
//! that append without lock, an editor.

use std::sync::Arc;

use crate::chance::Chance;
use crate::files::Pid;
use crate::foreign::edit;
use crate::kit::{DRAIN_BUDGET, Kit};
use crate::world::{MINUTE, Sim};

/// Who does something, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hand {
    /// What it is.
    pub(crate) role: Role,
    /// Its workstation.
    pub(crate) machine: usize,
    /// Its thread, which numbers sessions as well.
    pub(crate) thread: usize,
}

/// What a thread of the workload does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Writes through the product.
    Session,
    /// Drains the outbox now and then.
    Drainer,
    /// Appends lines of its own, without lock.
    Stranger,
    /// The same, in pieces. One at a workstation: two would write into each other.
    Dribbler,
    /// Saves the queue by rename.
    Editor,
}

/// Draws who is there.
pub(crate) fn draw_hands(chance: &mut Chance) -> Vec<Hand> {
    let mut hands = Vec::new();
    for machine in 0..=chance.index(3) {
        let some_editor = u64::from(chance.hit(300_000));
        let counts = [
            (Role::Session, chance.between(1, 5)),
            (Role::Drainer, chance.between(1, 2)),
            (Role::Stranger, chance.below(3)),
            (Role::Dribbler, chance.below(2)),
            (Role::Editor, some_editor),
        ];
        for (role, count) in counts {
            for _ in 0..count {
                // The first thread is the one that looks on.
                hands.push(Hand { role, machine, thread: hands.len() + 1 });
            }
        }
    }
    hands
}

impl Hand {
    /// Does it until the workload is over.
    pub(crate) fn work(self, sim: &Arc<Sim>) {
        while sim.rest(self.machine, self.thread, self.pause(sim)) {
            sim.run(self.machine, self.thread, |pid| match self.role {
                Role::Session => self.act(sim, pid),
                Role::Drainer => {
                    let force = sim.look().chance.hit(100_000);
                    let kit = Kit::new(sim, pid);
                    kit.drain(DRAIN_BUDGET, force);
                    kit.pull(&self.session());
                }
                Role::Stranger | Role::Dribbler => self.append(sim, pid),
                Role::Editor => edit(sim, pid),
            });
        }
    }

    fn pause(self, sim: &Arc<Sim>) -> u64 {
        let chance = &mut sim.look().chance;
        let most = match self.role {
            Role::Session => *chance.pick(&[1_000, 20_000, 1_000_000, 10_000_000, MINUTE, MINUTE]),
            Role::Drainer => *chance.pick(&[100_000, 5_000_000, MINUTE]),
            Role::Stranger | Role::Dribbler => *chance.pick(&[100_000, 2_000_000, MINUTE]),
            Role::Editor => *chance.pick(&[1_000_000, MINUTE]),
        };
        chance.below(most)
    }

    /// Its name.
    pub(crate) fn session(self) -> String {
        format!("M{}/s{}", self.machine, self.thread)
    }

    /// A session looks around, or wants something done.
    fn act(self, sim: &Arc<Sim>, pid: Pid) {
        let kit = Kit::new(sim, pid);
        let which = sim.look().chance.below(100);
        if which >= 12 {
            return self.write(sim, &kit);
        }
        if which < 9 {
            kit.pull(&self.session());
        }
        kit.read_locks();
    }
}
