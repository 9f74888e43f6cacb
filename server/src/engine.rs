//! The threads that run the service: one writer that commits many requests in one transaction and
//! answers after the commit, and readers beside it. Faces hand in a [`Call`] and a function that
//! takes the [`Reply`]; nobody waits on a thread for somebody else's disk.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coord_protocol::id::parse_key;
use coord_protocol::limits::TOUCH_EVERY;
use coord_protocol::time::Millis;
use rusqlite::Connection;
use tracing::{error, info, warn};

use crate::api::{self, Call, Follow, Handler, Matched, Reply, Resume, Routed};
use crate::edge::{LeaseClock, OsRng, SystemClock};
use crate::http::gate::Gate;
use crate::metrics::{Counters, Waiting};
use crate::parked::{Hold, Lefts, Slot};
use crate::pulse::{Listener, Pulse};
use crate::service::chores::Chores;
use crate::service::once::{Parked, Told, forget_old_keys};
use crate::service::{Answer, Cx, Rules};
use crate::start::begin;
use crate::store::{Counts, Store, StoreError, Stored, Tx, View};

/// Requests that may wait for the writer; beyond, callers are told to come again.
const WAITING_MAX: usize = 4_096;
/// Requests committed together at most.
const GROUP_MAX: usize = 256;
/// Reading threads; more than the cores gains nothing.
const READERS: usize = 3;
/// Writes between two rounds of forgetting old keys.
const FORGET_EVERY: usize = 10_000;
/// Sessions remembered for that; beyond, the memory starts anew.
const TOUCHED_MAX: usize = 10_000;
/// Without work, the time is noted this often.
const TICK: Duration = Duration::from_mins(1);
/// While anybody waits, claims that are over by time are looked for this often.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long a health probe waits for the writer.
const PROBE_WAIT: Duration = Duration::from_millis(900);
/// Exit status when the disk failed a sync: what is on it is no longer known (G34).
const EXIT_SYNC_FAILED: i32 = 74;

/// Takes the reply; called once, from a thread of the engine.
pub type Done = Box<dyn FnOnce(Reply) + Send>;

/// Sessions that were noted as alive, and when: not every look into an inbox is a write.
type Touched = Mutex<HashMap<String, Millis>>;

type WriteHandler = fn(&Tx<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>;
type ReadHandler = fn(&View<'_>, &Cx<'_>, &Matched<'_>) -> Answer<Told>;

struct Work<H> {
    call: Call,
    handler: H,
    params: Vec<String>,
    done: Done,
}

/// Work of the server itself for the writer: in the transaction of the others, which goes on after an
/// error; what was done before it then stays.
pub type Aside = Box<dyn FnOnce(&Tx<'_>, &Cx<'_>) -> Stored<()> + Send>;

/// What a reader is to read.
enum Look {
    Once(Box<Work<ReadHandler>>),
    /// The next piece of a stream.
    Piece(Box<Follow>, Done),
}

enum Job {
    Write(Box<Work<WriteHandler>>, Option<Resume>),
    /// A session read its mail: it is alive. Nobody waits for this.
    Touch(String),
    /// Work of the server itself; told after the commit whether it was done.
    Aside(Aside, SyncSender<bool>),
    /// Can the writer begin a transaction?
    Probe(SyncSender<bool>),
    Stop,
}

/// The running engine; cheap to clone.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    writes: SyncSender<Job>,
    reads: SyncSender<Look>,
    instance: String,
    gate: Gate,
    clock: Arc<LeaseClock<SystemClock>>,
    touched: Arc<Touched>,
    pulse: Arc<Pulse>,
    counters: Arc<Counters>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A call that waits for its answer.
struct ParkedCall {
    call: Call,
    params: Vec<String>,
    resume: Resume,
    parked: Parked,
    slot: Arc<Slot>,
}

impl Engine {
    /// Starts writer and readers over an open store.
    pub fn start(store: Store, rules: Rules, gate: Gate) -> Stored<Self> {
        let conn = store.connect()?;
        let clock = Arc::new(begin(&conn, SystemClock, &OsRng)?);
        let instance = View::new(&conn).instance()?.unwrap_or_default();
        let store = Arc::new(store);
        let (writes, jobs) = sync_channel(WAITING_MAX);
        let touched = Arc::new(Touched::default());
        let pulse = Arc::new(Pulse::default());
        let counters = Arc::new(Counters::new(api::routes()));
        let writer = Writer {
            conn,
            touched: Arc::clone(&touched),
            pulse: Arc::clone(&pulse),
            store: Arc::clone(&store),
            rules,
            clock: Arc::clone(&clock),
            since_forget: 0,
            changes_before: 0,
            counts: Counts::default(),
            counters: Arc::clone(&counters),
            parked: HashMap::new(),
            woken: Vec::new(),
            lefts: Lefts::default(),
            looked_at: clock.now(),
            chores: Chores::new(clock.now()),
        };
        let (reads, asked) = sync_channel(WAITING_MAX);
        let asked = Arc::new(Mutex::new(asked));
        for n in 0..READERS {
            let reader = Reader {
                conn: store.connect_read()?,
                store: Arc::clone(&store),
                rules,
                clock: Arc::clone(&clock),
            };
            let asked = Arc::clone(&asked);
            spawn(&format!("read-{n}"), move || reader.run(&asked));
        }
        let handle = spawn("writer", move || writer.run(&jobs));
        Ok(Self {
            inner: Arc::new(Inner {
                writes,
                reads,
                instance,
                gate,
                clock,
                touched,
                pulse,
                counters,
                writer: Mutex::new(Some(handle)),
            }),
        })
    }

    /// This database's instance name.
    pub fn instance(&self) -> &str {
        &self.inner.instance
    }

    /// Judges a call, runs it, and hands the reply to `done`. Does not block.
    pub fn handle(&self, mut call: Call, done: Done) {
        let (routed, place) = api::find_at(&call);
        let done = self.counted(&call, place, done);
        match routed {
            Routed::To(Handler::Health, _) => return self.probe(false, done),
            Routed::To(Handler::Ready, _) => return self.probe(true, done),
            Routed::To(Handler::Description, _) => return done(Reply::description()),
            Routed::To(Handler::Meta, _) => return done(Reply::meta(self.inner.gate.has_token())),
            Routed::To(Handler::Metrics(gauges), _) => {
                return self.show_metrics(call, gauges, done);
            }
            Routed::To(..) | Routed::WrongMethod(_) | Routed::Nowhere => {}
        }
        if let Err(no) = self.inner.gate.admit(&call) {
            return done(no);
        }
        // Before the route is judged: a "no" to the entry carries its key as proof, too (G12).
        if let Some(sent) = call.key.take() {
            if let Some(key) = parse_key(&sent) {
                call.key = Some(key.to_owned());
            } else {
                let why = "Idempotency-Key must be 1 to 128 printable ASCII characters";
                return done(Reply::error(400, why));
            }
        }
        let (handler, params) = match routed {
            Routed::To(handler, params) => (handler, params),
            Routed::WrongMethod(allowed) => return done(Reply::wrong_method(&call, &allowed)),
            Routed::Nowhere => return done(Reply::nowhere(&call)),
        };
        match handler {
            Handler::Write(handler) => {
                self.submit(Job::Write(Box::new(Work { call, handler, params, done }), None));
            }
            Handler::Park { start, resume } => {
                let work = Work { call, handler: start, params, done };
                self.submit(Job::Write(Box::new(work), Some(resume)));
            }
            Handler::Read(handler) => {
                self.note_reader(&call);
                self.submit_look(Look::Once(Box::new(Work { call, handler, params, done })));
            }
            Handler::Stream(_) if call.method == "HEAD" => done(Reply::stream(String::new(), None)),
            Handler::Stream(handler) => {
                self.note_reader(&call);
                let begun = Follow { call, handler, params, place: None, more: true };
                self.follow(Box::new(begun), done);
            }
            Handler::Health
            | Handler::Ready
            | Handler::Meta
            | Handler::Metrics(_)
            | Handler::Description => {}
        }
    }

    /// What is counted.
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Counts a request that a face answered by itself, because it could not be read as a whole.
    pub fn count_unread(&self, method: &str, target: &str, status: u16) {
        let call = Call { target: target.to_owned(), ..Call::default() };
        let asked = self.inner.counters.asked(method, api::find_at(&call).1);
        self.inner.counters.answered(asked, status);
    }

    fn counted(&self, call: &Call, place: Option<usize>, done: Done) -> Done {
        let counters = Arc::clone(&self.inner.counters);
        let asked = counters.asked(&call.method, place);
        Box::new(move |reply| {
            match &reply.hold {
                Some(hold) => hold.count(Waiting::new(&counters, asked)),
                None => counters.answered(asked, reply.status),
            }
            done(reply);
        })
    }

    fn show_metrics(&self, call: Call, handler: ReadHandler, done: Done) {
        let counters = Arc::clone(&self.inner.counters);
        let done: Done = Box::new(move |gauges| done(Reply::metrics(&counters, &gauges)));
        self.submit_look(Look::Once(Box::new(Work { call, handler, params: Vec::new(), done })));
    }

    /// Reads the next piece of a stream: a reply that can be followed again, or the reason why the
    /// stream ends. Does not block.
    pub fn follow(&self, stream: Box<Follow>, done: Done) {
        self.submit_look(Look::Piece(stream, done));
    }

    /// Has this called after each commit that changed something. It must not wait.
    pub fn on_commit(&self, listener: Listener) {
        self.inner.pulse.listen(listener);
    }

    /// The moment, by the clock that decisions go by.
    pub fn now(&self) -> Millis {
        self.inner.clock.now()
    }

    /// Has the writer do this, and waits until it is committed. False: it is not known to be done.
    pub fn aside(&self, work: Aside) -> bool {
        let (tell, told) = sync_channel(1);
        self.submit(Job::Aside(work, tell));
        told.recv().unwrap_or(false)
    }

    /// Stops taking work, finishes what waits, and closes the database.
    pub fn stop(&self) {
        // The writer takes jobs in order, so all that came before is finished first.
        let _ = self.inner.writes.send(Job::Stop);
        let writer = self.inner.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(handle) = writer {
            let _ = handle.join();
        }
    }

    fn submit(&self, job: Job) {
        match self.inner.writes.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => match job {
                Job::Write(w, _) => (w.done)(Reply::unavailable("Server")),
                Job::Touch(session) => {
                    let touched = self.inner.touched.lock();
                    touched.unwrap_or_else(PoisonError::into_inner).remove(&session);
                }
                // Whoever waits for it hears that it is gone.
                Job::Aside(..) | Job::Probe(_) | Job::Stop => {}
            },
        }
    }

    fn submit_look(&self, look: Look) {
        match self.inner.reads.try_send(look) {
            Ok(()) => {}
            Err(TrySendError::Full(look) | TrySendError::Disconnected(look)) => {
                look.done()(Reply::unavailable("Server"));
            }
        }
    }

    /// Whoever reads as a session, or looks into its inbox (seed 000 registers no other way), is there.
    fn note_reader(&self, call: &Call) {
        let inbox = || {
            let is_list = call.path() == "/api/coord/messages";
            is_list.then(|| call.query("to_session")).flatten()
        };
        if let Some(session) = call.session.clone().or_else(inbox) {
            self.note_alive(session);
        }
    }

    fn note_alive(&self, session: String) {
        if coord_protocol::session::check(&session).is_err() {
            return;
        }
        let now = self.inner.clock.now();
        let mut touched = self.inner.touched.lock().unwrap_or_else(PoisonError::into_inner);
        if touched.len() > TOUCHED_MAX {
            touched.clear();
        }
        let last = touched.insert(session.clone(), now);
        drop(touched);
        if last.is_none_or(|t| now.since(t) >= TOUCH_EVERY) {
            self.submit(Job::Touch(session));
        }
    }

    fn probe(&self, as_readiness: bool, done: Done) {
        let (tell, told) = sync_channel(1);
        let asked = self.inner.writes.try_send(Job::Probe(tell)).is_ok();
        let inner = Arc::clone(&self.inner);
        // A thread of its own: a probe must answer also when the disk does not.
        spawn("probe", move || {
            let healthy = asked && told.recv_timeout(PROBE_WAIT).unwrap_or(false);
            done(if healthy && as_readiness {
                Reply::ready(inner.gate.has_token())
            } else {
                Reply::health(healthy, &inner.instance, inner.clock.now(), as_readiness)
            });
        });
    }
}

fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    thread::Builder::new().name(name.to_owned()).spawn(f).expect("threads can be started")
}

struct Writer {
    conn: Connection,
    touched: Arc<Touched>,
    pulse: Arc<Pulse>,
    store: Arc<Store>,
    rules: Rules,
    clock: Arc<LeaseClock<SystemClock>>,
    since_forget: usize,
    /// Rows that the connection had changed when the last group was committed.
    changes_before: u64,
    /// What the rules counted since the last commit.
    counts: Counts,
    counters: Arc<Counters>,
    /// Calls that wait for their answers.
    parked: HashMap<String, ParkedCall>,
    /// Those of them that may have one now.
    woken: Vec<String>,
    /// Those whose callers are gone.
    lefts: Lefts,
    /// When somebody last looked after those who wait.
    looked_at: Millis,
    chores: Chores,
}

/// Replies of a group, which go out after its commit.
#[derive(Default)]
struct Replies {
    direct: Vec<(Done, Reply)>,
    /// To parked calls.
    late: Vec<(String, Reply)>,
    /// Calls that were parked in this group.
    begun: Vec<String>,
}

impl Writer {
    fn run(mut self, jobs: &Receiver<Job>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        loop {
            match jobs.recv_timeout(if self.parked.is_empty() { TICK } else { LOOK_EVERY }) {
                Ok(first) => group.push(first),
                Err(RecvTimeoutError::Timeout)
                    if !self.parked.is_empty() || self.chores.are_due(&self.now()) => {}
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
            if self.run_group(group.drain(..)) {
                break;
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
            // A call that comes again takes the place of the one whose connection was lost.
            self.parked.insert(id, ParkedCall { call, params, resume, parked, slot });
        }
        replies.direct.push((done, reply));
    }

    /// Runs something of the engine's own in the group's transaction. Whether it was done.
    fn inside(
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

    /// Callers that left, claims that are over, and answers that have come: for all that wait.
    fn look_after_parked(&mut self, state: &mut Stored<()>, replies: &mut Replies) {
        let left = std::mem::take(&mut *self.lefts.lock().unwrap_or_else(PoisonError::into_inner));
        for id in left {
            // Unless it has come again meanwhile.
            if self.parked.get(&id).is_none_or(|p| p.slot.is_left()) {
                self.parked.remove(&id);
                self.inside(state, |tx, cx| api::caller_left(tx, cx, &id));
            }
        }
        if self.parked.is_empty() {
            self.woken.clear();
            return;
        }
        let now = self.clock.now();
        if now.since(self.looked_at) >= LOOK_EVERY {
            self.looked_at = now;
            self.inside(state, api::look_after_waiters);
            let over = self.parked.values().filter(|p| p.parked.until <= now);
            self.woken.extend(over.map(|p| p.parked.id.clone()));
        }
        while let Some(id) = self.woken.pop() {
            let Some(p) = self.parked.get(&id) else { continue };
            if replies.late.iter().any(|(done, _)| *done == id) || state.is_err() {
                continue;
            }
            let cx = Cx::at(now, &self.rules, &OsRng);
            let tx = Tx::new(&self.conn);
            let answer = api::resume(&tx, &cx, &p.call, p.resume, &p.params, &p.parked);
            self.woken.extend(tx.take_woken());
            self.counts.add(tx.take_counts());
            match answer {
                Ok(Some(reply)) => replies.late.push((id, reply)),
                Ok(None) => {}
                Err(e) => *state = self.after_error(e),
            }
        }
    }

    fn answer_parked(&mut self, id: &str, reply: Reply) {
        let Some(p) = self.parked.remove(id) else { return };
        if !p.slot.complete(reply) {
            // It left before it was heard: what it was granted ends with the next group.
            self.lefts.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
        }
    }

    fn not_committed(&mut self, e: &StoreError, replies: Replies) {
        warn!("{} requests not done: {e}", replies.direct.len());
        let _ = self.conn.execute_batch("ROLLBACK");
        // Signs of life may have been among it: the next ones are to be written.
        self.touched.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
        let cx = Cx { may_wait: true, ..Cx::at(self.clock.now(), &self.rules, &OsRng) };
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
    fn after_error(&self, e: StoreError) -> Stored<()> {
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

impl Look {
    fn path(&self) -> &str {
        match self {
            Self::Once(w) => w.call.path(),
            Self::Piece(stream, _) => stream.call.path(),
        }
    }

    fn done(self) -> Done {
        match self {
            Self::Once(w) => w.done,
            Self::Piece(_, done) => done,
        }
    }
}

struct Reader {
    conn: Connection,
    store: Arc<Store>,
    rules: Rules,
    clock: Arc<LeaseClock<SystemClock>>,
}

impl Reader {
    fn run(self, asked: &Mutex<Receiver<Look>>) {
        loop {
            let next = asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(look) = next else { return };
            let reply = catch_unwind(AssertUnwindSafe(|| self.look(&look))).unwrap_or_else(|_| {
                error!("{}: the handler panicked", look.path());
                Reply::error(500, "internal error")
            });
            look.done()(reply);
        }
    }

    fn look(&self, look: &Look) -> Reply {
        let cx = Cx::at(self.clock.now(), &self.rules, &OsRng);
        let view = View::new(&self.conn);
        let read = self.store.still_there().and_then(|()| match look {
            Look::Once(w) => api::read(&view, &cx, &w.call, w.handler, &w.params),
            Look::Piece(stream, _) => api::go_on(&view, &cx, stream),
        });
        read.unwrap_or_else(|e| {
            warn!("{}: {e}", look.path());
            Reply::unavailable("Database")
        })
    }
}
