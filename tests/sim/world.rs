//! The simulated world and its yield points. Everything that is simulated lies behind one mutex;
//! whoever holds the baton is alone with it.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use coord_protocol::time::Millis;

use crate::chance::Chance;
use crate::faults::Faults;
use crate::files::Pid;
use crate::history::History;
use crate::leases::{Clocks, Leases};
use crate::ledger::Ledger;
use crate::machine::Machine;
use crate::net::Late;
use crate::planted::Planted;
use crate::scheduler::{Scheduler, Standing};
use crate::server::Server;
use crate::trace::Trace;

/// Where every simulation's time begins: 2026-05-12.
const BEGINNING: i64 = 1_778_599_800_000;
/// Microseconds of a minute.
pub(crate) const MINUTE: u64 = 60_000_000;
/// Microseconds of an hour.
pub(crate) const HOUR: u64 = 60 * MINUTE;
/// Most threads of a simulation.
pub(crate) const THREADS_MAX: usize = 48;

/// What a killed process unwinds with.
struct Killed;

/// A process: one run of the command, or a foreign program.
#[derive(Debug)]
pub(crate) struct Process {
    /// On which workstation.
    pub(crate) machine: usize,
    thread: usize,
    /// It is dead: disk and network refuse everything from it.
    pub(crate) dead: bool,
}

/// All that is simulated.
pub(crate) struct World {
    /// Chance.
    pub(crate) chance: Chance,
    /// Who runs, and when.
    pub(crate) scheduler: Scheduler,
    /// Which faults this seed has.
    pub(crate) faults: Faults,
    /// The bug that is planted, if any.
    pub(crate) planted: Option<Planted>,
    /// What happened.
    pub(crate) trace: Trace,
    /// What must have happened.
    pub(crate) ledger: Ledger,
    /// What sessions believe to hold.
    pub(crate) leases: Leases,
    /// What they did with locks.
    pub(crate) history: History,
    /// The server.
    pub(crate) server: Server,
    /// Requests still on their way.
    pub(crate) late: Vec<Late>,
    /// Workstations.
    pub(crate) machines: Vec<Machine>,
    /// All processes that ever were.
    pub(crate) processes: Vec<Process>,
    /// Some clock has leapt: nobody can say by it how long something took.
    pub(crate) clocks_leapt: bool,
    /// Yields until the workload is told to end.
    pub(crate) steps_left: u64,
    /// The first promise that was broken.
    pub(crate) failure: Option<String>,
}

impl World {
    /// Microseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        self.scheduler.now()
    }

    /// The true wall clock time.
    pub(crate) fn true_time(&self) -> Millis {
        Millis(BEGINNING + i64::try_from(self.now() / 1000).unwrap_or(i64::MAX))
    }

    /// The wall clock of a workstation.
    pub(crate) fn wall(&self, machine: usize) -> Millis {
        Millis(self.true_time().0 + self.machines[machine].off)
    }

    /// The clocks of all workstations.
    pub(crate) fn clocks(&self) -> Vec<Clocks> {
        (0..self.machines.len()).map(|m| self.clocks_of(m)).collect()
    }

    /// The clocks of a workstation.
    pub(crate) fn clocks_of(&self, machine: usize) -> Clocks {
        Clocks { wall: self.wall(machine), boot: self.machines[machine].boot(self.now()) }
    }

    /// Whether the workload is to end.
    pub(crate) fn is_over(&self) -> bool {
        self.steps_left == 0 || self.failure.is_some()
    }

    /// Whether a fault of this rate strikes now.
    pub(crate) fn strikes(&mut self, rate: impl Fn(&Faults) -> u64) -> bool {
        self.chance.hit(rate(&self.faults))
    }

    /// Notes an event.
    pub(crate) fn note(&mut self, text: &str) {
        self.trace.note(self.scheduler.now(), text);
    }

    /// Counts a rare branch.
    pub(crate) fn mark(&mut self, name: &'static str) {
        self.trace.mark(self.scheduler.now(), name);
    }

    /// Counts many of them at once.
    pub(crate) fn mark_often(&mut self, name: &'static str, times: usize) {
        (0..times).for_each(|_| self.mark(name));
    }

    /// A promise is broken.
    pub(crate) fn fail(&mut self, what: String) {
        self.note(&what);
        self.failure.get_or_insert(what);
    }

    /// Ends a process as the kernel does.
    pub(crate) fn kill(&mut self, pid: Pid) {
        let Process { machine, thread, dead } = self.processes[pid];
        if dead {
            return;
        }
        self.processes[pid].dead = true;
        self.machines[machine].files.forget(pid);
        self.scheduler.set(thread, Standing::Ready);
        self.scheduler.wake_for_locks();
    }

    /// Switches a workstation off.
    fn cut_power(&mut self, machine: usize) {
        self.mark("power cut");
        self.note(&format!("M{machine} goes dark"));
        self.ledger.before_power_cut(machine, &self.machines[machine].files);
        for pid in 0..self.processes.len() {
            if self.processes[pid].machine == machine {
                self.kill(pid);
            }
        }
        let for_so_long = self.chance.between(1_000_000, 30_000_000);
        let back_at = self.now() + for_so_long;
        self.machines[machine].dark_until = back_at;
        if self.machines[machine].lose_power(&mut self.chance, back_at) {
            self.mark("reboot without replica");
        }
        self.leases.lose(machine);
    }

    /// The server goes away until then.
    pub(crate) fn crash_server(&mut self, back_at: u64) {
        let truth = self.true_time();
        self.server.crash(truth, back_at, self.planted);
    }

    /// Nobody does anything for a long time.
    fn lull(&mut self) {
        if self.processes.iter().any(|p| !p.dead) || !self.strikes(|f| f.lull) {
            return;
        }
        self.mark("lull");
        let most = *self.chance.pick(&[10 * MINUTE, 3 * HOUR, 72 * HOUR]);
        let for_so_long = self.chance.between(MINUTE, most);
        self.scheduler.pass(for_so_long);
        // No request is on its way for that long.
        self.late.clear();
    }

    /// A wall clock leaps.
    fn step_clock(&mut self, machine: usize) {
        self.mark("clock step");
        self.clocks_leapt = true;
        let span = *self.chance.pick(&[5_000, 3_600_000, 3_600_000 * 24 * 365]);
        let step = i64::try_from(self.chance.below(2 * span)).unwrap_or(0);
        let off = step - i64::try_from(span).unwrap_or(0);
        // Which one, the seed says: the server's machine has a clock, too.
        if self.chance.hit(300_000) {
            self.server.off = off;
        } else {
            self.machines[machine].off = off;
            self.leases.lose_provisional(machine);
        }
    }

    /// What befalls the world at a yield of this process.
    fn misfortune(&mut self, pid: Pid) {
        let machine = self.processes[pid].machine;
        if self.strikes(|f| f.kill) && !self.processes[pid].dead {
            self.mark("kill");
            self.kill(pid);
        }
        if self.strikes(|f| f.power_cut) {
            self.cut_power(machine);
        }
        if self.strikes(|f| f.outage) {
            self.mark("outage");
            let for_so_long = self.chance.between(100_000, 5 * MINUTE);
            let back_at = self.now() + for_so_long;
            self.crash_server(back_at);
        }
        if self.strikes(|f| f.partition) {
            self.mark("partition");
            let most = *self.chance.pick(&[30 * MINUTE, 30 * MINUTE, 6 * HOUR, 72 * HOUR]);
            let for_so_long = self.chance.between(1_000_000, most);
            self.machines[machine].cut_off_until = self.now() + for_so_long;
        }
        if self.strikes(|f| f.clock_step) {
            self.step_clock(machine);
        }
    }

    /// A dead process goes no further. Not a panic: no hook is run, nothing is printed.
    fn unless_dead(&self, pid: Pid) {
        if self.processes[pid].dead || self.failure.is_some() {
            resume_unwind(Box::new(Killed));
        }
    }

    fn hand_on(&mut self) {
        self.scheduler.hand_on(&mut self.chance, self.faults.sticky);
    }
}

/// The world, and whose turn it is.
pub(crate) struct Sim {
    world: Mutex<World>,
    turns: Vec<Condvar>,
}

impl Sim {
    /// A world whose first thread has the baton.
    pub(crate) fn new(world: World) -> Arc<Self> {
        let turns = (0..THREADS_MAX).map(|_| Condvar::new()).collect();
        Arc::new(Self { world: Mutex::new(world), turns })
    }

    /// The world, for whoever has the baton.
    pub(crate) fn look(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the baton.
    fn wait_for<'a>(
        &'a self,
        mut world: MutexGuard<'a, World>,
        thread: usize,
    ) -> MutexGuard<'a, World> {
        while world.scheduler.running() != thread {
            world = self.turns[thread].wait(world).unwrap_or_else(PoisonError::into_inner);
        }
        world
    }

    /// Hands the baton on, and waits until it is back.
    fn pass<'a>(
        &'a self,
        mut world: MutexGuard<'a, World>,
        thread: usize,
        standing: Standing,
    ) -> MutexGuard<'a, World> {
        world.scheduler.set(thread, standing);
        world.hand_on();
        let next = world.scheduler.running();
        if next != thread {
            self.turns[next].notify_one();
        }
        self.wait_for(world, thread)
    }

    /// A yield point of a process: others may run, time may pass, it may die.
    pub(crate) fn turn(&self, pid: Pid) -> MutexGuard<'_, World> {
        let mut world = self.look();
        world.steps_left = world.steps_left.saturating_sub(1);
        let micros = world.chance.between(1, 100);
        world.scheduler.pass(micros);
        let standing = if world.strikes(|f| f.stall) {
            let most = *world.chance.pick(&[2_000, 50_000, 400_000, 3_000_000]);
            Standing::Until(world.now() + world.chance.below(most))
        } else {
            Standing::Ready
        };
        let mut world = self.go_on(world, pid, standing);
        world.deliver_late();
        world.misfortune(pid);
        world.unless_dead(pid);
        world
    }

    /// Lets a process wait for a lock, at most until then.
    pub(crate) fn wait_for_lock<'a>(
        &'a self,
        world: MutexGuard<'a, World>,
        pid: Pid,
        until: u64,
    ) -> MutexGuard<'a, World> {
        self.go_on(world, pid, Standing::ForLock(until))
    }

    /// Lets a process sleep.
    pub(crate) fn sleep(&self, pid: Pid, micros: u64) {
        let world = self.look();
        let until = world.now() + micros;
        drop(self.go_on(world, pid, Standing::Until(until)));
    }

    fn go_on<'a>(
        &'a self,
        world: MutexGuard<'a, World>,
        pid: Pid,
        standing: Standing,
    ) -> MutexGuard<'a, World> {
        let thread = world.processes[pid].thread;
        let world = self.pass(world, thread, standing);
        world.unless_dead(pid);
        world
    }

    /// Runs a process in this thread; `None` when it was killed.
    pub(crate) fn run<T>(
        &self,
        machine: usize,
        thread: usize,
        f: impl FnOnce(Pid) -> T,
    ) -> Option<T> {
        let pid = {
            let mut world = self.look();
            world.processes.push(Process { machine, thread, dead: false });
            world.processes.len() - 1
        };
        let done = catch_unwind(AssertUnwindSafe(|| f(pid)));
        let mut world = self.look();
        world.kill(pid);
        match done {
            Ok(value) => Some(value),
            Err(why) if why.is::<Killed>() => None,
            Err(why) => {
                world.fail(format!("a process panicked: {}", words(why.as_ref())));
                None
            }
        }
    }

    /// Lets a thread rest between two processes; false when the workload is over.
    pub(crate) fn rest(&self, machine: usize, thread: usize, micros: u64) -> bool {
        let mut until = {
            let mut world = self.look();
            world.lull();
            world.now() + micros
        };
        loop {
            let world = self.look();
            let world = self.pass(world, thread, Standing::Until(until));
            if world.is_over() {
                return false;
            }
            until = world.machines[machine].dark_until;
            if until <= world.now() {
                return true;
            }
        }
    }

    /// The life of a thread: it waits for its first turn and hands the baton on at its end.
    pub(crate) fn live(&self, thread: usize, f: impl FnOnce()) {
        drop(self.wait_for(self.look(), thread));
        let done = catch_unwind(AssertUnwindSafe(f));
        let mut world = self.look();
        if let Err(why) = done {
            world.fail(format!("the workload panicked: {}", words(why.as_ref())));
        }
        world.scheduler.set(thread, Standing::Ended);
        world.hand_on();
        self.turns[world.scheduler.running()].notify_one();
    }

    /// Waits, as the first thread, until all others have ended.
    pub(crate) fn wait_for_all(&self) {
        drop(self.pass(self.look(), 0, Standing::Last));
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned())).unwrap_or_default()
}
