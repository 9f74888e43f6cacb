//! The one writer: many requests in one transaction, answers after its commit.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use coord_protocol::time::Millis;
use rusqlite::Connection;
use tracing::{error, info, warn};

use super::waiting::{LOOK_EVERY, ParkedCall};
use super::{Done, Job, Touched, Work, WriteHandler};
use crate::api::{self, Call, Reply, Resume};
use crate::edge::{LeaseClock, OsRng, SystemClock};
use crate::metrics::Counters;
use crate::parked::{Hold, Lefts, Slot};
use crate::pulse::Pulse;
use crate::service::chores::Chores;
use crate::service::once::forget_old_keys;
use crate::service::{Cx, Rules, Waits};
use crate::store::{Counts, Store, StoreError, Stored, Tx};

/// Requests committed together at most.
const GROUP_MAX: usize = 256;
/// Writes between two rounds of forgetting old keys.
const FORGET_EVERY: usize = 10_000;
/// Without work, the time is noted this often.
const TICK: Duration = Duration::from_mins(1);
/// Exit status when the disk failed a sync: what is on it is no longer known (G34).
const EXIT_SYNC_FAILED: i32 = 74;

pub(super) struct Writer {
    pub(super) conn: Connection,
    pub(super) touched: Arc<Touched>,
    pub(super) pulse: Arc<Pulse>,
    pub(super) store: Arc<Store>,
    pub(super) rules: Rules,
    pub(super) clock: Arc<LeaseClock<SystemClock>>,
    pub(super) since_forget: usize,
    /// Rows that the connection had changed when the last group was committed.
    pub(super) changes_before: u64,
    /// What the rules counted since the last commit.
    pub(super) counts: Counts,
    pub(super) counters: Arc<Counters>,
    /// Calls that wait for their answers.
    pub(super) parked: HashMap<String, ParkedCall>,
    /// Those of them that may have one now.
    pub(super) woken: Vec<String>,
    /// Those whose callers are gone.
    pub(super) lefts: Lefts,
    /// When somebody last looked after those who wait.
    pub(super) looked_at: Millis,
    pub(super) chores: Chores,
    /// Until then it may turn out that somebody left who was answered.
    pub(super) lingers_until: Millis,
}

/// Replies of a group, which go out after its commit.
#[derive(Default)]
pub(super) struct Replies {
    pub(super) direct: Vec<(Done, Reply)>,
    /// To parked calls.
    pub(super) late: Vec<(String, Reply)>,
    /// Callers that were seen to have left.
    pub(super) left: Vec<Arc<Slot>>,
    /// Calls that were parked in this group.
    pub(super) begun: Vec<String>,
}

impl Writer {
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            let watches = !self.parked.is_empty() || self.clock.now() < self.lingers_until;
            match jobs.recv_timeout(if watches { LOOK_EVERY } else { TICK }) {
                Ok(first) => group.push(first),
                Err(RecvTimeoutError::Timeout) if watches || self.chores.are_due(&self.now()) => {}
                Err(RecvTimeoutError::Timeout) => {
                    self.keep_time();
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            while group.len() < GROUP_MAX
                && let Ok(next) = jobs.try_recv()
            {
                group.push(next);
            }
            let done = catch_unwind(AssertUnwindSafe(|| self.run_group(group.drain(..))));
            // Whoever asked in that group is told to come again, as their replies are gone.
            match done {
                Ok(true) => break,
                Ok(false) => {}
                Err(_) => {
                    error!("a group of requests panicked; none of it was done");
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
            }
        }
        self.keep_time();
        // All into the one file: after a clean stop it can be copied by itself.
        if let Err(e) = self.conn.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)") {
            warn!("the last checkpoint: {e}");
        }
        if let Err((_, e)) = self.conn.close() {
            warn!("closing the database: {e}");
        }
    }

    /// Notes the time, so that a restart knows until when leases were looked after.
    fn keep_time(&self) {
        let noted = self.begin_group().and_then(|()| {
            Tx::new(&self.conn).set_last_time(self.clock.now())?;
            Ok(self.conn.execute_batch("COMMIT")?)
        });
        if let Err(e) = noted {
            warn!("noting the time: {e}");
            let _ = self.conn.execute_batch("ROLLBACK");
        }
    }

    /// One transaction for the whole group; replies go out after its commit. True: stop.
    fn run_group(&mut self, group: impl Iterator<Item = Job>) -> bool {
        let mut replies = Replies::default();
        let mut probes: Vec<SyncSender<bool>> = Vec::new();
        let mut stop = false;
        let mut state = self.begin_group();
        for job in group {
            match job {
                Job::Write(w, resume) => self.run_write(w, resume, &mut state, &mut replies),
                Job::Touch(session) => {
                    self.inside(&mut state, |tx, cx| cx.touch(tx, &session));
                }
                Job::Aside(work, tell) => {
                    if self.inside(&mut state, work) {
                        probes.push(tell);
                    }
                }
                Job::Probe(tell) => probes.push(tell),
                Job::Stop => stop = true,
            }
        }
        if self.chores.are_due(&self.now()) {
            let mut chores = self.chores;
            self.inside(&mut state, |tx, cx| chores.run(tx, cx));
            self.chores = chores;
        }
        self.look_after_parked(&mut state, &mut replies);
        let before = self.changes_before;
        let counts = std::mem::take(&mut self.counts);
        if let Err(e) = state.and_then(|()| self.commit()) {
            self.not_committed(&e, replies);
            tell_all(&probes, false);
        } else {
            self.counters.add(counts);
            for (done, reply) in replies.direct {
                done(reply);
            }
            for (id, reply) in replies.late {
                self.answer_parked(&id, reply);
            }
            tell_all(&probes, true);
            if self.changes_before != before {
                self.pulse.beat();
            }
        }
        stop
    }

    fn now(&self) -> Cx<'_> {
        Cx::at(self.clock.now(), &self.rules, &OsRng)
    }

    fn run_write(
        &mut self,
        w: Box<Work<WriteHandler>>,
        resume: Option<Resume>,
        state: &mut Stored<()>,
        replies: &mut Replies,
    ) {
        let mut reply =
            if state.is_ok() { self.run_one(&w, state) } else { Reply::unavailable("Database") };
        let Work { call, params, done, .. } = *w;
        if let (Some(parked), Some(resume)) = (reply.parked.take(), resume) {
            let slot = Slot::new(&parked.id);
            reply.hold = Some(Hold::new(Arc::clone(&slot), Arc::clone(&self.lefts)));
            replies.begun.push(parked.id.clone());
            let id = parked.id.clone();
            let print = api::print_to_keep(&call);
            let call = Call { body: Vec::new(), ..call };
            let now = ParkedCall { call, print, params, resume, parked: *parked, slot };
            // A call that comes again takes the place of the one before it.
            if let Some(before) = self.parked.insert(id, now) {
                let why = "the same request was asked again on another connection";
                before.slot.supersede(Reply::error(409, why));
            }
        }
        replies.direct.push((done, reply));
    }

    /// Runs something of the engine's own in the group's transaction. Whether it was done.
    pub(super) fn inside(
        &mut self,
        state: &mut Stored<()>,
        run: impl FnOnce(&Tx<'_>, &Cx<'_>) -> Stored<()>,
    ) -> bool {
        if state.is_err() {
            return false;
        }
        let cx = Cx::at(self.clock.now(), &self.rules, &OsRng);
        let tx = Tx::new(&self.conn);
        let done = run(&tx, &cx);
        self.woken.extend(tx.take_woken());
        self.counts.add(tx.take_counts());
        if let Err(e) = done {
            warn!("work of the server itself: {e}");
            *state = self.after_error(e);
            return false;
        }
        true
    }

    fn not_committed(&mut self, e: &StoreError, replies: Replies) {
        warn!("{} requests not done: {e}", replies.direct.len());
        let _ = self.conn.execute_batch("ROLLBACK");
        // Signs of life may have been among it: the next ones are to be written.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.lefts.lock().unwrap_or_else(PoisonError::into_inner).extend(replies.left);
        for id in replies.begun {
            self.parked.remove(&id);
        }
        for (done, reply) in replies.direct {
            // Whose own fault it was hears so: come again would be bad advice.
            let to_blame = reply.status == 500;
            done(if to_blame { reply } else { Reply::unavailable("Database") });
        }
    }

    fn begin_group(&self) -> Stored<()> {
        self.store.still_there()?;
        self.conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn run_one(&mut self, w: &Work<WriteHandler>, state: &mut Stored<()>) -> Reply {
        let cx = Cx { waits: Waits::Connected, ..Cx::at(self.clock.now(), &self.rules, &OsRng) };
        let tx = Tx::new(&self.conn);
        let run = || api::write(&tx, &cx, &w.call, w.handler, &w.params);
        let ran = catch_unwind(AssertUnwindSafe(run));
        self.woken.extend(tx.take_woken());
        self.counts.add(tx.take_counts());
        match ran {
            Ok(Ok(reply)) => {
                self.since_forget += 1;
                reply
            }
            Ok(Err(e)) => {
                warn!("{} {}: {e}", w.call.method, w.call.path());
                *state = self.after_error(e);
                Reply::unavailable("Database")
            }
            Err(_) => {
                error!("{} {}: the handler panicked", w.call.method, w.call.path());
                // Nothing is known of the transaction any more: undo all of it.
                *state = Err(StoreError::Sqlite(rusqlite::Error::InvalidQuery));
                Reply::error(500, "internal error; the request was not done")
            }
        }
    }

    /// After a failed statement the others go on, unless SQLite ended the whole transaction.
    pub(super) fn after_error(&self, e: StoreError) -> Stored<()> {
        if self.conn.is_autocommit() { Err(e) } else { Ok(()) }
    }

    fn commit(&mut self) -> Stored<()> {
        let tx = Tx::new(&self.conn);
        let now = self.clock.now();
        let changes = self.conn.total_changes();
        if changes > self.changes_before {
            tx.set_last_time(now)?;
        }
        if self.since_forget >= FORGET_EVERY {
            self.since_forget = 0;
            let n = forget_old_keys(&tx, now)?;
            info!("forgot {n} idempotency keys");
        }
        let committed = self.conn.prepare_cached("COMMIT")?.execute([]);
        if let Err(e) = &committed
            && sync_failed(e)
        {
            error!("the disk failed a sync; what it holds is unknown: {e}");
            std::process::exit(EXIT_SYNC_FAILED);
        }
        committed?;
        self.changes_before = self.conn.total_changes();
        Ok(())
    }
}

/// A prober that gave up waiting needs no answer.
fn tell_all(probes: &[SyncSender<bool>], healthy: bool) {
    for p in probes {
        let _ = p.try_send(healthy);
    }
}

fn sync_failed(e: &rusqlite::Error) -> bool {
    use rusqlite::ffi::{SQLITE_IOERR_DIR_FSYNC, SQLITE_IOERR_FSYNC};
    e.sqlite_error()
        .is_some_and(|e| [SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC].contains(&e.extended_code))
}
