//! Sending what is stored: one thread for each receiver, so that a slow one delays nobody else. A lane
//! takes what is due on a reading connection, sends it with no transaction open, and has the writer
//! note what came of it before it goes on. An event is sent at least once; its delivery id tells a
//! second time from a second event.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver as Told, RecvTimeoutError, Sender as Tell, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use coord_protocol::edge::Clock;
use coord_protocol::time::Millis;
use rusqlite::Connection;
use tracing::{error, info, warn};

use super::retry::{Fate, Retry};
use super::send::{Delivery, Outcome, Sender};
use super::{Outlet, WebhookSettings};
use crate::edge::SystemClock;
use crate::engine::{Aside, Engine};
use crate::store::{DueDelivery, Store, Stored, View};

/// Taken in one look.
const ROUND_MAX: usize = 50;
/// After the database did not answer, the next look comes no sooner.
const PAUSE: Duration = Duration::from_secs(1);
/// Between two rounds of clearing up.
const CLEAR_UP_EVERY: Duration = Duration::from_mins(1);
/// What was delivered is kept this long.
const DELIVERED_KEPT: Duration = Duration::from_hours(7 * 24);
/// What was given up is kept this long.
const EXHAUSTED_KEPT: Duration = Duration::from_hours(30 * 24);
/// Rows kept of each of these.
const ENDED_MAX: usize = 100_000;
/// Events that wait for one receiver; beyond, the oldest are given up.
const WAITING_MAX: usize = 100_000;
/// At a stop, a lane that is at work gets this long.
const STOP_WITHIN: Duration = Duration::from_millis(1_500);

/// The lanes before they begin: connections are open, nothing is sent.
pub struct Hooks {
    settings: WebhookSettings,
    outlet: &'static Outlet,
    conns: Vec<Connection>,
}

impl Hooks {
    /// Opens a reading connection for each receiver.
    pub fn new(settings: &WebhookSettings, store: &Store) -> Stored<Self> {
        let conns = settings.receivers.iter().map(|_| store.connect_read());
        Ok(Self {
            settings: settings.clone(),
            // The settings of a server live as long as its process.
            outlet: Box::leak(Box::new(Outlet::new(settings))),
            conns: conns.collect::<Result<_, _>>()?,
        })
    }

    /// What the rules need to know.
    pub fn outlet(&self) -> &'static Outlet {
        self.outlet
    }

    /// Begins to send.
    pub fn start(self, engine: &Engine) -> Lanes {
        let bell = Arc::new(Bell::default());
        let (tell, ended) = channel();
        let count = self.settings.receivers.len();
        for (at, (receiver, conn)) in self.settings.receivers.iter().zip(self.conns).enumerate() {
            info!("webhooks go to {}", receiver.label());
            let lane = Lane {
                label: receiver.label().to_owned(),
                sender: Sender::new(receiver, self.settings.secret.clone()),
                retry: self.settings.retry,
                interval: self.settings.interval,
                conn,
                engine: engine.clone(),
                bell: Arc::clone(&bell),
                outlet: self.outlet,
                is_first: at == 0,
                cleared_up: None,
                health: Health::Fine,
                _ended: tell.clone(),
            };
            let run = move || lane.run();
            thread::Builder::new()
                .name(format!("hook-{at}"))
                .spawn(run)
                .expect("threads can be started");
        }
        let (outlet, rings) = (self.outlet, Arc::clone(&bell));
        engine.on_commit(Box::new(move || {
            if outlet.take_note() {
                rings.ring();
            }
        }));
        Lanes { bell, count, ended }
    }
}

/// The running lanes.
pub struct Lanes {
    bell: Arc<Bell>,
    count: usize,
    /// Closed when no lane is left.
    ended: Told<()>,
}

impl Lanes {
    /// Ends them; one that waits for its receiver is left behind after 1.5 s. What it was sending is
    /// sent again by the next run.
    pub fn stop(self) {
        self.bell.stop();
        if let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(STOP_WITHIN) {
            info!("a receiver of webhooks (of {}) was not waited for", self.count);
        }
    }
}

/// Wakes lanes.
#[derive(Default)]
struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Default)]
struct Rung {
    times: u64,
    stop: bool,
}

impl Bell {
    fn state(&self) -> MutexGuard<'_, Rung> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self) {
        self.state().times += 1;
        self.rung.notify_all();
    }

    fn stop(&self) {
        self.state().stop = true;
        self.rung.notify_all();
    }

    fn is_over(&self) -> bool {
        self.state().stop
    }

    fn times(&self) -> u64 {
        self.state().times
    }

    /// Waits until it has rung more often than `heard`, for this long at most.
    fn wait(&self, heard: u64, most: Duration) {
        let until = Instant::now() + most;
        let mut state = self.state();
        while !state.stop && state.times == heard {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.rung.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How it goes with a receiver: each change is logged once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Fine,
    Failing,
    GivingUp,
}

struct Lane {
    label: String,
    sender: Sender,
    retry: Retry,
    interval: Duration,
    conn: Connection,
    engine: Engine,
    bell: Arc<Bell>,
    outlet: &'static Outlet,
    /// Clears up for all.
    is_first: bool,
    cleared_up: Option<Instant>,
    health: Health,
    /// Dropped with the lane.
    _ended: Tell<()>,
}

impl Lane {
    fn run(mut self) {
        while !self.bell.is_over() {
            let heard = self.bell.times();
            let done = self.clear_up().and_then(|()| self.round());
            let pause = done.unwrap_or_else(|e| {
                warn!("webhooks to {}: {e}", self.label);
                PAUSE.max(self.interval)
            });
            self.bell.wait(heard, pause);
        }
    }

    /// Sends what is due; then, how long there is nothing to do.
    fn round(&mut self) -> Stored<Duration> {
        let due =
            View::new(&self.conn).due_deliveries(&self.label, self.engine.now(), ROUND_MAX)?;
        for delivery in due {
            if self.bell.is_over() {
                return Ok(Duration::ZERO);
            }
            self.deliver(&delivery)?;
        }
        let next = View::new(&self.conn).next_delivery(&self.label)?;
        let wait = next.map_or(self.interval, |t| t.since(self.engine.now()));
        Ok(wait.min(self.interval))
    }

    fn deliver(&mut self, due: &DueDelivery) -> Stored<()> {
        // Whoever cleared up meanwhile has taken it out.
        let Some(payload) = View::new(&self.conn).delivery_payload(due.seq)? else { return Ok(()) };
        let delivery = Delivery {
            id: &due.id,
            event_type: &due.event_type,
            payload: &payload,
            timestamp: SystemClock.wall().0.div_euclid(1000),
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| self.sender.send(delivery)));
        let outcome = outcome.unwrap_or_else(|_| {
            error!("webhooks to {}: the sender panicked", self.label);
            Outcome { taken: false, words: "not sent".to_owned() }
        });
        let now = self.engine.now();
        let fate = self.retry.fate(outcome.taken, due.attempts, now);
        self.tell(fate, &outcome.words);
        self.note(due.seq, fate, &outcome.words, now);
        Ok(())
    }

    /// Has the outcome written down. Not before that is done goes the lane on: it would send the same
    /// again.
    fn note(&self, seq: i64, fate: Fate, words: &str, now: Millis) {
        let job = || -> Aside {
            let words = words.to_owned();
            Box::new(move |tx, _| tx.note_delivery(seq, fate, &words, now))
        };
        while !self.engine.aside(job()) && !self.bell.is_over() {
            self.bell.wait(self.bell.times(), PAUSE);
        }
    }

    fn tell(&mut self, fate: Fate, words: &str) {
        let health = match fate {
            Fate::Delivered => Health::Fine,
            // What comes after an event was given up fails, too, but is nothing new.
            Fate::Failed(_) if self.health == Health::GivingUp => Health::GivingUp,
            Fate::Failed(_) => Health::Failing,
            Fate::Exhausted => Health::GivingUp,
        };
        if health == self.health {
            return;
        }
        self.health = health;
        match health {
            Health::Fine => info!("webhooks to {} arrive again", self.label),
            Health::Failing => warn!("webhooks to {} fail, and are retried: {words}", self.label),
            Health::GivingUp => warn!("webhooks to {} are given up: {words}", self.label),
        }
    }

    /// Keeps the outbox bounded. The writer is asked for what there is to do; when it cannot, the next
    /// round does it.
    fn clear_up(&mut self) -> Stored<()> {
        if self.cleared_up.is_some_and(|t| t.elapsed() < CLEAR_UP_EVERY) {
            return Ok(());
        }
        self.cleared_up = Some(Instant::now());
        let view = View::new(&self.conn);
        if view.waiting_deliveries(&self.label)? > WAITING_MAX {
            let label = self.label.clone();
            self.engine.aside(Box::new(move |tx, cx| {
                let n = tx.give_up_oldest(&label, WAITING_MAX, cx.now)?;
                warn!("webhooks to {label}: too many wait, {n} were given up");
                Ok(())
            }));
        }
        if !self.is_first {
            return Ok(());
        }
        let known = self.outlet.receivers();
        if view.has_strangers(known)? {
            self.engine.aside(Box::new(move |tx, cx| {
                let n = tx.give_up_strangers(known, cx.now)?;
                warn!("{n} webhooks were given up: their receivers are not configured any more");
                Ok(())
            }));
        }
        self.engine.aside(Box::new(|tx, cx| {
            tx.forget_deliveries("delivered", cx.now.before(DELIVERED_KEPT), ENDED_MAX)?;
            tx.forget_deliveries("exhausted", cx.now.before(EXHAUSTED_KEPT), ENDED_MAX)?;
            Ok(())
        }));
        Ok(())
    }
}
