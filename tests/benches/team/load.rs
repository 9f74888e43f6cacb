//! Fills a server and asks it, over connections that stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Ask, Conn};
use coord_tests::series::Series;
use serde_json::{Value, json};

use crate::sides::{Kind, Side};
use crate::work::{Work, claims, post};

/// Claims in one request while a server is filled.
const BATCH: usize = 500;
/// Claims of a connection before it lets go of them, unmeasured, so that the number of live claims
/// stays what it is called.
const ROUND: usize = 10;
/// How long one kind of question is asked; a round that has begun asks each connection once at least.
const BOX: Duration = Duration::from_secs(4);
/// A connection that was silent for longer is opened anew: the other side closes it after five
/// seconds, and waits for the slowest of a round can be longer.
const SILENCE: Duration = Duration::from_secs(2);
/// First file that nobody holds.
const FREE: usize = 1_000_000;

/// Answers of one kind of question.
pub(crate) struct Load {
    pub(crate) took: Series,
    pub(crate) n: usize,
    /// Questions that got no answer or an error; never ours.
    pub(crate) failed: usize,
    /// Time in which they were asked, without letting go.
    pub(crate) busy: Duration,
}

/// Has one engineer claim this many files; how long it took.
pub(crate) fn fill(side: &Side, live: usize) -> Duration {
    let began = Instant::now();
    let mut conn = side.conn();
    for first in (0..live).step_by(BATCH) {
        let files = first..live.min(first + BATCH);
        let ask = post("/claims", &claims("crew", files));
        conn.ask(&ask).expect("an answer").expect(200);
    }
    began.elapsed()
}

/// Asks for a while over this many connections, one engineer each.
pub(crate) fn run(side: &Side, work: Work, connections: usize) -> Load {
    let rounds = Rounds {
        line: Barrier::new(connections),
        until: Instant::now() + BOX,
        over: AtomicBool::new(false),
        busy: Mutex::new(Duration::ZERO),
    };
    let askers = (0..connections).map(|k| Asker::new(side, work, k));
    let done: Vec<Asker> = thread::scope(|scope| {
        let rounds = &rounds;
        let threads: Vec<_> = askers.map(|a| scope.spawn(move || a.all(rounds))).collect();
        threads.into_iter().map(|t| t.join().expect("an asker")).collect()
    });
    let faults: Vec<&String> = done.iter().flat_map(|a| &a.faults).collect();
    let failed = faults.len();
    assert!(side.kind == Kind::Theirs || failed == 0, "{}: {faults:?}", work.name());
    let all: Vec<Duration> = done.into_iter().flat_map(|a| a.took).collect();
    assert!(!all.is_empty(), "{}: no answer at all", work.name());
    let busy = rounds.busy.into_inner().unwrap_or_else(PoisonError::into_inner);
    Load { n: all.len(), failed, took: Series::of(all), busy }
}

/// What the askers of one run share.
struct Rounds {
    line: Barrier,
    until: Instant,
    over: AtomicBool,
    busy: Mutex<Duration>,
}

/// Asks over one connection. It notes what goes wrong and goes on: the others would wait for it at
/// the line for ever.
struct Asker<'a> {
    side: &'a Side,
    conn: Conn,
    answered: Instant,
    work: Work,
    engineer: usize,
    /// The next file of its own.
    next: usize,
    took: Vec<Duration>,
    faults: Vec<String>,
}

impl<'a> Asker<'a> {
    fn new(side: &'a Side, work: Work, engineer: usize) -> Self {
        Self {
            side,
            conn: side.conn(),
            answered: Instant::now(),
            work,
            engineer,
            next: FREE * (engineer + 1),
            took: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// All begin and end each round together.
    fn all(mut self, rounds: &Rounds) -> Self {
        loop {
            // One looks at the clock for all.
            if rounds.line.wait().is_leader() {
                rounds.over.store(Instant::now() >= rounds.until, Ordering::Relaxed);
            }
            rounds.line.wait();
            if rounds.over.load(Ordering::Relaxed) {
                return self;
            }
            let began = Instant::now();
            let held = self.round(rounds.until);
            if rounds.line.wait().is_leader() {
                *rounds.busy.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
            }
            self.let_go(&held);
        }
    }

    fn round(&mut self, until: Instant) -> Vec<Value> {
        let mut held = Vec::new();
        for asked in 0..ROUND {
            if asked > 0 && Instant::now() >= until {
                break;
            }
            let ask = self.work.ask(self.engineer, self.next);
            self.next += 1;
            let Some((took, body)) = self.ask(&ask) else { continue };
            self.took.push(took);
            if self.work == Work::Claim {
                held.push(body["claim_ids"][0].clone());
            }
        }
        held
    }

    fn let_go(&mut self, held: &[Value]) {
        if !held.is_empty() {
            let answer = self.ask(&post("/claims/release", &json!({"claim_ids": held})));
            if answer.is_some_and(|(_, body)| body["released"] != held.len()) {
                self.faults.push("not all were released".to_owned());
            }
        }
    }

    /// How long an answer took, and for a claim or a release what it says.
    fn ask(&mut self, ask: &Ask) -> Option<(Duration, Value)> {
        if self.answered.elapsed() > SILENCE {
            self.conn = self.side.conn();
        }
        let began = Instant::now();
        let answer = self.conn.ask(ask);
        self.answered = Instant::now();
        let took = self.answered - began;
        match answer {
            Ok(a) if a.status == 200 && self.work == Work::Claim => Some((took, a.json())),
            Ok(a) if a.status == 200 => Some((took, Value::Null)),
            Ok(a) => self.fault(a.text()),
            Err(e) => self.fault(e.to_string()),
        }
    }

    fn fault<T>(&mut self, what: String) -> Option<T> {
        self.faults.push(what);
        // After an error the other closes the connection.
        self.conn = self.side.conn();
        None
    }
}
