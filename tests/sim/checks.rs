//! The end of a simulation: everything is healed, drains run until there is rest, and then every
//! promise is judged.

use std::collections::HashSet;
use std::sync::Arc;

use coord_agent::outbox::dead::{self, Letter};
use coord_agent::outbox::disk::Disk;
use coord_agent::outbox::files::{ASIDE, DEAD, JOURNAL, QUEUE, TMP_PREFIX};
use coord_agent::outbox::news::{self, Outcome};

use crate::chance::Dice;
use crate::disk::SimDisk;
use crate::faults::Faults;
use crate::kit::{DRAIN_BUDGET, Kit};
use crate::leases::Claim;
use crate::mirror;
use crate::server::Server;
use crate::world::{MINUTE, Sim};

/// Drains until there must be rest, ten minutes apart.
const DRAINS_MAX: usize = 90;

/// Ends all trouble.
pub(crate) fn heal(sim: &Arc<Sim>) {
    let mut world = sim.look();
    world.note("healed");
    world.faults = Faults { no_batch: world.faults.no_batch, ..Faults::default() };
    world.steps_left = u64::MAX;
    world.server.away_until = 0;
    for machine in &mut world.machines {
        machine.dark_until = 0;
        machine.cut_off_until = 0;
    }
}

/// Drains until nothing waits and nothing lies about; then judges.
pub(crate) fn settle(sim: &Arc<Sim>) {
    heal(sim);
    let machines = sim.look().machines.len();
    let (mut letters, mut told) = (Vec::new(), HashSet::new());
    for machine in 0..machines {
        if let Err(why) = come_to_rest(sim, machine) {
            return sim.look().fail(why);
        }
        letters.extend(sim.run(machine, 0, |pid| letters_of(sim, pid)).unwrap_or_default());
        told.extend(sim.run(machine, 0, |pid| lost_of(sim, pid)).unwrap_or_default());
    }
    for machine in 0..machines {
        if let Err(why) = mirror::check(sim, machine) {
            return sim.look().fail(why);
        }
    }
    let judged = judge(sim, &letters, &told);
    if let Err(why) = judged {
        sim.look().fail(why);
    }
}

/// Rest: the drain says so, and the disk shows it.
fn come_to_rest(sim: &Arc<Sim>, machine: usize) -> Result<(), String> {
    for _ in 0..DRAINS_MAX {
        let done = sim.run(machine, 0, |pid| {
            sim.sleep(pid, 10 * MINUTE);
            let empty = Kit::new(sim, pid).drain(DRAIN_BUDGET, false);
            (empty, remains(&SimDisk { sim: Arc::clone(sim), pid }))
        });
        match done {
            Some((true, left)) if left.is_empty() => return Ok(()),
            Some((true, left)) => {
                return Err(format!("workstation {machine}: nothing waits, but there is {left:?}"));
            }
            Some((false, _)) | None => {}
        }
        if let Some(why) = sim.look().failure.clone() {
            return Err(why);
        }
    }
    Err(format!("workstation {machine} does not come to rest"))
}

/// What of the outbox is still there.
fn remains(disk: &SimDisk) -> Vec<String> {
    let names = |dir: &str| disk.list(dir).expect("folders can be listed");
    let own = |n: &str| [QUEUE, JOURNAL].contains(&n) || n.starts_with(TMP_PREFIX);
    let top = names("").into_iter().map(|e| e.name).filter(|n| own(n));
    top.chain(names(ASIDE).into_iter().map(|e| format!("{ASIDE}/{}", e.name))).collect()
}

fn letters_of(sim: &Arc<Sim>, pid: usize) -> Vec<Letter> {
    let disk = SimDisk { sim: Arc::clone(sim), pid };
    if disk.len(DEAD).expect("it can be looked at").is_none() {
        return Vec::new();
    }
    dead::list(&disk).expect("letters can be read")
}

/// Claims that sessions here are told to have lost.
fn lost_of(sim: &Arc<Sim>, pid: usize) -> Vec<String> {
    let disk = SimDisk { sim: Arc::clone(sim), pid };
    let sessions: HashSet<String> =
        sim.look().leases.all().iter().map(|c| c.session.clone()).collect();
    let mut sessions: Vec<_> = sessions.into_iter().collect();
    sessions.sort();
    let news = |s: &String| news::of(&disk, s).expect("news can be read").items;
    let lost = sessions.iter().flat_map(news).filter(|i| i.outcome == Outcome::Lost);
    lost.map(|i| i.id).collect()
}

fn judge(sim: &Arc<Sim>, letters: &[Letter], told: &HashSet<String>) -> Result<(), String> {
    let world = &mut *sim.look();
    for letter in letters {
        let torn = letter.status.is_none();
        world.mark(if torn { "dead letter: no entry" } else { "dead letter: refused" });
        if letter.status == Some(500) {
            world.mark("dead letter: poison");
        }
    }
    world.ledger.settle(letters)?;
    for claim in world.leases.all().iter().filter(|c| c.waits) {
        settled(claim, &world.server, letters, told)?;
    }
    let operations = world.history.judge(&world.server, world.now())?;
    world.note(&format!("{operations} operations on locks"));
    world.mark_often("lock history", operations);
    let dice = Dice::new(&mut world.chance);
    world.start_server(&dice);
    let replayed = world.server.replay_all(&dice)?;
    world.note(&format!("{replayed} answers replayed"));
    let again = world.server.new_effects();
    if again.messages.is_empty() && again.todos.is_empty() && again.notices.is_empty() {
        Ok(())
    } else {
        Err(format!("replayed requests took effect again: {again:?}"))
    }
}

/// Every claim that was acknowledged as waiting was judged, and its session is told of a refusal.
fn settled(
    claim: &Claim,
    server: &Server,
    letters: &[Letter],
    told: &HashSet<String>,
) -> Result<(), String> {
    let letter = letters.iter().find(|l| l.id.as_deref() == Some(claim.key.as_str()));
    match (server.answer(&claim.key).map(|a| a.status), letter) {
        (Some(200 | 201), _) => Ok(()),
        (Some(409), _) if told.contains(&claim.key) => Ok(()),
        // Its time was over, and the server takes no batches.
        (None, Some(letter)) if letter.status == Some(410) => Ok(()),
        (status, letter) => {
            Err(format!("a claim that waited ended as {status:?}, {letter:?}: {claim:?}"))
        }
    }
}
