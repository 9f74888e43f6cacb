//! The threads that run the service: one writer that commits many requests in one transaction and
//! answers after the commit, and readers beside it. Faces hand in a [`Call`] and a function that
//! takes the [`Reply`]; nobody waits on a thread for somebody else's disk.

mod checkout;
mod reader;
mod waiting;
mod writer;

use std::collections::HashMap;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use coord_protocol::id::parse_key;
use coord_protocol::limits::TOUCH_EVERY;
use coord_protocol::time::Millis;

use checkout::{Asking, ask_checkout, look_into};
use reader::Reader;
use writer::Writer;

use crate::api::{self, Call, Follow, Handler, Matched, Reply, Resume, Routed};
use crate::checkout::Checkout;
use crate::edge::{LeaseClock, OsRng, SystemClock};
use crate::http::gate::Gate;
use crate::metrics::{Counters, Waiting};
use crate::parked::Lefts;
use crate::pulse::{Listener, Pulse};
use crate::service::chores::Chores;
use crate::service::once::Told;
use crate::service::{Answer, Cx, Rules};
use crate::start::begin;
use crate::store::{Counts, Store, Stored, Tx, View};

/// Requests that may wait for the writer; beyond, callers are told to come again.
const WAITING_MAX: usize = 4_096;
/// Reading threads; more than the cores gains nothing.
const READERS: usize = 3;
/// Sessions remembered for that; beyond, the memory starts anew.
const TOUCHED_MAX: usize = 10_000;
/// How long a health probe waits for the writer.
const PROBE_WAIT: Duration = Duration::from_millis(900);

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
    /// Writes that a look at a checkout comes before.
    checkout: Option<SyncSender<Asking>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts writer and readers over an open store.
    pub fn start(
        store: Store,
        rules: Rules,
        gate: Gate,
        checkout: Option<Checkout>,
    ) -> Stored<Self> {
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
            lingers_until: clock.now(),
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
                checkout: checkout.map(|c| look_into(c, Arc::clone(&clock), writes.clone())),
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
            Routed::To(Handler::Meta, _) => {
                return done(Reply::meta(
                    self.inner.gate.has_token(),
                    self.inner.checkout.is_some(),
                ));
            }
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
                let concerned = api::concerns_checkout(&call);
                let work = Box::new(Work { call, handler: start, params, done });
                match self.inner.checkout.as_ref().filter(|_| concerned) {
                    Some(to) => ask_checkout(to, work, resume),
                    None => self.submit(Job::Write(work, Some(resume))),
                }
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
