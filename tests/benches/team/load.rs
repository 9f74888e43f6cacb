//! Fills a server and asks it, over connections that stay.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::Conn;
use coord_tests::series::Series;
use serde_json::{Value, json};

use crate::sides::Side;
use crate::work::{Work, claims, post};

/// Claims in one request while a server is filled.
const BATCH: usize = 500;
/// Claims of a connection before it lets go of them, unmeasured, so that the number of live claims
/// stays what it is called.
const ROUND: usize = 10;
/// How long one kind of question is asked; a round that has begun asks each connection once at least.
const BOX: Duration = Duration::from_secs(4);
/// First file that nobody holds.
const FREE: usize = 1_000_000;

/// Answers of one kind of question.
pub(crate) struct Load {
    pub(crate) took: Series,
    pub(crate) n: usize,
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
    let ask = |k: usize| Asker { conn: side.conn(), work, engineer: k, next: FREE * (k + 1) };
    let all: Vec<Duration> = thread::scope(|scope| {
        let rounds = &rounds;
        let threads: Vec<_> =
            (0..connections).map(|k| scope.spawn(move || ask(k).all(rounds))).collect();
        threads.into_iter().flat_map(|t| t.join().expect("an asker")).collect()
    });
    let busy = rounds.busy.into_inner().unwrap_or_else(PoisonError::into_inner);
    Load { n: all.len(), took: Series::of(all), busy }
}

/// What the askers of one run share.
struct Rounds {
    line: Barrier,
    until: Instant,
    over: AtomicBool,
    busy: Mutex<Duration>,
}

struct Asker {
    conn: Conn,
    work: Work,
    engineer: usize,
    /// The next file of its own.
    next: usize,
}

impl Asker {
    /// All begin and end each round together.
    fn all(mut self, rounds: &Rounds) -> Vec<Duration> {
        let mut took = Vec::new();
        loop {
            // One looks at the clock for all.
            if rounds.line.wait().is_leader() {
                rounds.over.store(Instant::now() >= rounds.until, Ordering::Relaxed);
            }
            rounds.line.wait();
            if rounds.over.load(Ordering::Relaxed) && !took.is_empty() {
                return took;
            }
            let began = Instant::now();
            let held = self.round(rounds.until, &mut took);
            if rounds.line.wait().is_leader() {
                *rounds.busy.lock().unwrap_or_else(PoisonError::into_inner) += began.elapsed();
            }
            self.let_go(&held);
        }
    }

    fn round(&mut self, until: Instant, took: &mut Vec<Duration>) -> Vec<Value> {
        let mut held = Vec::new();
        for asked in 0..ROUND {
            if asked > 0 && Instant::now() >= until {
                break;
            }
            let ask = self.work.ask(self.engineer, self.next);
            self.next += 1;
            let began = Instant::now();
            let answer = self.conn.ask(&ask).expect("an answer");
            took.push(began.elapsed());
            assert_eq!(answer.status, 200, "{}", answer.text());
            if self.work == Work::Claim {
                held.push(answer.json()["claim_ids"][0].clone());
            }
        }
        held
    }

    fn let_go(&mut self, held: &[Value]) {
        if !held.is_empty() {
            let ask = post("/claims/release", &json!({"claim_ids": held}));
            let released = self.conn.ask(&ask).expect("an answer").expect(200);
            assert_eq!(released["released"], held.len());
        }
    }
}
