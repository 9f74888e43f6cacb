//! Baton threads: each thread of the simulation runs only while it has the baton, hands it on at
//! every yield point, and the seed says to whom. Time leaps when nobody can run.

use crate::chance::Chance;

/// How a thread stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It can go on.
    Ready,
    /// It can go on from this moment.
    Until(u64),
    /// It goes on when somebody lets a lock go, or from this moment.
    ForLock(u64),
    /// It goes on when all others have ended.
    Last,
    /// It has ended.
    Ended,
}

/// The threads and the time.
#[derive(Debug)]
pub(crate) struct Scheduler {
    threads: Vec<Standing>,
    running: usize,
    now: u64,
}

impl Scheduler {
    /// `threads` of them, all ready; the first one runs.
    pub(crate) fn new(threads: usize) -> Self {
        Self { threads: vec![Standing::Ready; threads], running: 0, now: 0 }
    }

    /// Microseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        self.now
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, micros: u64) {
        self.now += micros;
    }

    /// Who has the baton.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Says how a thread stands.
    pub(crate) fn set(&mut self, thread: usize, standing: Standing) {
        if self.threads[thread] != Standing::Ended {
            self.threads[thread] = standing;
        }
    }

    /// Somebody let a lock go: all that wait for one look again.
    pub(crate) fn wake_for_locks(&mut self) {
        for t in &mut self.threads {
            if matches!(t, Standing::ForLock(_)) {
                *t = Standing::Ready;
            }
        }
    }

    /// Hands the baton to somebody who can run.
    pub(crate) fn hand_on(&mut self, chance: &mut Chance, sticky: u64) {
        let mut able = self.able();
        if able.is_empty() {
            let next = self.threads.iter().filter_map(|t| match t {
                Standing::Until(t) | Standing::ForLock(t) => Some(*t),
                Standing::Ready | Standing::Last | Standing::Ended => None,
            });
            match next.min() {
                Some(t) => {
                    self.now = t;
                    able = self.able();
                }
                None => able = self.all_that(|t| *t == Standing::Last),
            }
        }
        assert!(!able.is_empty(), "nobody can ever run again");
        if !(able.contains(&self.running) && chance.hit(sticky)) {
            self.running = *chance.pick(&able);
        }
        if self.threads[self.running] != Standing::Last {
            self.threads[self.running] = Standing::Ready;
        }
    }

    fn able(&self) -> Vec<usize> {
        self.all_that(|t| match t {
            Standing::Ready => true,
            Standing::Until(t) | Standing::ForLock(t) => *t <= self.now,
            Standing::Last | Standing::Ended => false,
        })
    }

    fn all_that(&self, which: impl Fn(&Standing) -> bool) -> Vec<usize> {
        let those = self.threads.iter().enumerate().filter(|(_, t)| which(t));
        those.map(|(at, _)| at).collect()
    }
}
