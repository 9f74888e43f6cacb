//! The queue for claims against an oracle that knows only sets of paths: random schedules of claims,
//! waits, cancels, releases, expiries, callers that leave, and restarts. Nobody overlaps, nobody is
//! served twice or after leaving, nobody is overtaken, and everybody is served in the end.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::time::Millis;
use coord_server::api::Call;
use coord_server::inline::Inline;
use coord_server::service::Rules;
use coord_server::service::once::Parked;
use serde_json::{Value, json};

const SCHEDULES: u64 = 1_000;
const STEPS: usize = 40;
const ENGINEERS: usize = 6;
const URGENCIES: [&str; 4] = ["low", "normal", "high", "blocking"];
/// After so long a waiter ranks one class higher.
const BOOST_MS: i64 = 60_000;

/// Patterns and the paths that they mean, by hand.
const WISHES: [(&str, &[u8]); 7] = [
    ("src/a.ts", &[0]),
    ("src/b.ts", &[1]),
    ("src/*.ts", &[0, 1]),
    ("lib/**", &[2, 3]),
    ("lib/x/y.rs", &[2]),
    ("**/z.rs", &[3, 4]),
    ("doc/z.rs", &[4]),
];

/// Chance by seed.
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, n: usize) -> usize {
        usize::try_from(self.u64() % n as u64).unwrap()
    }
}

impl Rng for Dice {
    fn u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut x = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

/// A clock that stands where it was put.
struct At(i64);

impl Clock for At {
    fn wall(&self) -> Millis {
        Millis(self.0)
    }
    fn boot(&self) -> Millis {
        Millis(self.0)
    }
    fn sleep(&self, _: Duration) {}
}

/// What somebody waits for, as the oracle knows it.
#[derive(Clone)]
struct Waiter {
    who: String,
    paths: BTreeSet<u8>,
    class: i64,
    order: usize,
    since: i64,
    until: i64,
    call: Call,
    parked: Parked,
}

/// Live claims: id, engineer, paths.
type Live = Rc<Vec<(String, String, BTreeSet<u8>)>>;

struct World {
    engine: Inline,
    dice: Dice,
    now: i64,
    order: usize,
    asked: u64,
    waiting: BTreeMap<String, Waiter>,
    /// Ids of all that ever were granted, cancelled, or left.
    over: BTreeSet<String>,
    seen: BTreeMap<&'static str, usize>,
    known: RefCell<Option<Live>>,
}

fn paths_of(pattern: &str) -> BTreeSet<u8> {
    let known = WISHES.iter().find(|(p, _)| *p == pattern).expect("a known pattern");
    known.1.iter().copied().collect()
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rules = Rules::default();
        rules.team.age_boost = Some(Duration::from_millis(BOOST_MS.unsigned_abs()));
        Self {
            engine: Inline::in_memory(rules, "queue").unwrap(),
            dice: Dice(AtomicU64::new(seed)),
            now: 1_700_000_000_000,
            order: 0,
            asked: 0,
            waiting: BTreeMap::new(),
            over: BTreeSet::new(),
            seen: BTreeMap::new(),
            known: RefCell::new(None),
        }
    }

    fn saw(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    fn call(&self, method: &str, target: &str, body: &Value) -> (u16, Value, Option<Parked>) {
        self.changed();
        let call = request(method, target, body);
        let reply = self.engine.call_and_wait(&call, Millis(self.now), &self.dice).unwrap();
        (
            reply.status,
            serde_json::from_str(&reply.body).unwrap_or(Value::Null),
            reply.parked.map(|p| *p),
        )
    }

    /// Live claims: id, engineer, paths; asked for once between two changes.
    fn live(&self) -> Live {
        if let Some(known) = &*self.known.borrow() {
            return Rc::clone(known);
        }
        let reply = self.engine.call_and_wait(
            &request("GET", "/claims", &Value::Null),
            Millis(self.now),
            &self.dice,
        );
        let body: Value = serde_json::from_str(&reply.unwrap().body).unwrap();
        let row = |c: &Value| {
            let text = |name: &str| c[name].as_str().unwrap().to_owned();
            (text("id"), text("engineer"), paths_of(&text("pattern")))
        };
        let live: Live = Rc::new(body["claims"].as_array().unwrap().iter().map(row).collect());
        *self.known.borrow_mut() = Some(Rc::clone(&live));
        live
    }

    /// Something may have changed.
    fn changed(&self) {
        *self.known.borrow_mut() = None;
    }

    fn rank(&self, w: &Waiter) -> (i64, usize) {
        let class = (w.class + (self.now - w.since) / BOOST_MS).min(4);
        (-class, w.order)
    }

    fn step(&mut self) {
        match self.dice.below(20) {
            0..=9 => self.ask(),
            10..=13 => self.release(),
            14 => self.cancel(),
            15 => self.hang_up(),
            16 | 17 => self.pass_time(),
            18 => self.restart(),
            _ => self.come_again(),
        }
        self.look();
        self.settle();
        self.check();
    }

    /// A running engine does this by itself, several times a second.
    fn look(&self) {
        self.changed();
        self.engine.look_after_waiters(Millis(self.now), &self.dice).unwrap();
    }

    fn ask(&mut self) {
        let who = format!("e{}", self.dice.below(ENGINEERS));
        let many = 1 + self.dice.below(2);
        let patterns: BTreeSet<&str> =
            (0..many).map(|_| WISHES[self.dice.below(WISHES.len())].0).collect();
        let waits = self.dice.below(3) > 0;
        let class = self.dice.below(4);
        let seconds = if waits { 5 + self.dice.below(500) } else { 0 };
        let items: Vec<Value> = patterns
            .iter()
            .map(|p| json!({"type": "file", "pattern": p, "narrowable": false}))
            .collect();
        let body = json!({"engineer": who, "claims": items, "wait_seconds": seconds,
            "urgency": URGENCIES[class]});
        let mut call = request("POST", "/claims", &body);
        call.key = Some(format!("0193c2a0-0000-7000-8000-{:012x}", self.asked));
        self.asked += 1;
        let paths: BTreeSet<u8> = patterns.iter().flat_map(|p| paths_of(p)).collect();
        let in_the_way = self.live().iter().any(|(_, e, p)| *e != who && !p.is_disjoint(&paths));
        let class = i64::try_from(class).unwrap() + 1;
        let overtaken = self.overtaken_by(&who, &paths, (-class, usize::MAX));
        let behind = !self.before(&who, &paths, (-class, usize::MAX)).is_empty();
        let reply = self.engine.call_and_wait(&call, Millis(self.now), &self.dice).unwrap();
        self.changed();
        self.order += 1;
        match (reply.status, reply.parked.map(|p| *p)) {
            (200, _) => {
                assert!(!in_the_way, "{who} got {patterns:?} over somebody's claim");
                assert!(overtaken.is_empty(), "{who} overtook {overtaken:?}");
                self.saw("granted at once");
            }
            (202, Some(parked)) => {
                assert!(in_the_way || behind, "{who} waits for nothing");
                let until = self.now + i64::try_from(seconds).unwrap() * 1_000;
                let (order, since) = (self.order, self.now);
                let id = parked.id.clone();
                let w = Waiter { who, paths, class, order, since, until, call, parked };
                self.waiting.insert(id, w);
                self.saw("waits");
            }
            (409, _) => {
                assert!(in_the_way || behind, "{who} was refused for nothing");
                let circle = reply.body.contains("circle");
                assert!(seconds == 0 || circle, "not queued: {}", reply.body);
                if circle {
                    let place = (-class, usize::MAX);
                    assert!(self.waits_for(&paths, &who, place, &who), "{}", reply.body);
                    self.saw("circle");
                }
                self.saw("refused");
            }
            other => panic!("{other:?}: {}", reply.body),
        }
    }

    /// Waiters before this place that want some of these paths.
    fn before(&self, who: &str, paths: &BTreeSet<u8>, place: (i64, usize)) -> Vec<&Waiter> {
        let before =
            |w: &&Waiter| w.who != who && !w.paths.is_disjoint(paths) && self.rank(w) < place;
        self.waiting.values().filter(before).collect()
    }

    /// The same without those that wait for `who` themselves: it must not get past these.
    fn overtaken_by(&self, who: &str, paths: &BTreeSet<u8>, place: (i64, usize)) -> Vec<String> {
        let all = self.before(who, paths, place);
        let stays = |w: &&&Waiter| !self.waits_for(&w.paths, &w.who, self.rank(w), who);
        all.iter().filter(stays).map(|w| w.parked.id.clone()).collect()
    }

    /// Whether whoever wants these paths waits, over however many others, for `target`.
    fn waits_for(
        &self,
        paths: &BTreeSet<u8>,
        who: &str,
        place: (i64, usize),
        target: &str,
    ) -> bool {
        let live = self.live();
        let next = |paths: &BTreeSet<u8>, who: &str, place| -> Vec<String> {
            let blocks =
                |(_, e, p): &&(String, String, BTreeSet<u8>)| e != who && !p.is_disjoint(paths);
            let holders = live.iter().filter(blocks).map(|(_, e, _)| e.clone());
            let before = self.before(who, paths, place);
            holders.chain(before.into_iter().map(|w| w.who.clone())).collect()
        };
        let mut open = next(paths, who, place);
        let mut seen = BTreeSet::new();
        while let Some(name) = open.pop() {
            if name == target {
                return true;
            }
            if seen.insert(name.clone()) {
                for w in self.waiting.values().filter(|w| w.who == name) {
                    open.extend(next(&w.paths, &w.who, self.rank(w)));
                }
            }
        }
        false
    }

    fn release(&mut self) {
        let live = self.live();
        if live.is_empty() {
            return;
        }
        let (id, engineer, _) = &live[self.dice.below(live.len())];
        let body = json!({"claim_ids": [id], "engineer": engineer});
        let (_, body, _) = self.call("POST", "/claims/release", &body);
        assert_eq!(body["released"], 1);
        self.saw("released");
    }

    fn some_waiter(&self) -> Option<String> {
        let ids: Vec<&String> = self.waiting.keys().collect();
        (!ids.is_empty()).then(|| ids[self.dice.below(ids.len())].clone())
    }

    fn cancel(&mut self) {
        let Some(id) = self.some_waiter() else { return };
        let (_, body, _) = self.call("DELETE", &format!("/requests/{id}"), &Value::Null);
        assert_eq!(body["cancelled"], true);
        self.saw("cancelled");
    }

    fn hang_up(&mut self) {
        let Some(id) = self.some_waiter() else { return };
        self.waiting.remove(&id);
        self.over.insert(id.clone());
        self.engine.caller_left(&id, Millis(self.now), &self.dice).unwrap();
        self.saw("left");
    }

    fn pass_time(&mut self) {
        let most = [1_000, 30_000, 120_000, 5 * 3_600_000][self.dice.below(4)];
        self.now += 1 + i64::try_from(self.dice.below(most)).unwrap();
        self.look();
        self.saw("time passed");
    }

    /// Killed and started again: nobody hangs on its connections any more.
    fn restart(&mut self) {
        self.engine.restart(At(self.now), &self.dice).unwrap();
        let all = std::mem::take(&mut self.waiting);
        let back = self.dice.below(2) == 0;
        for (id, w) in all {
            // Some come again with the same request, and keep their place.
            if back && w.until > self.now {
                let call = w.call.clone();
                let reply = self.engine.call_and_wait(&call, Millis(self.now), &self.dice).unwrap();
                if let Some(parked) = reply.parked {
                    self.waiting.insert(id, Waiter { parked: *parked, ..w });
                    self.saw("came again");
                    continue;
                }
                assert_eq!(reply.status, 200, "{}", reply.body);
                self.over.insert(id);
                continue;
            }
            self.over.insert(id);
        }
        self.saw("restarted");
    }

    /// The same request once more, while it waits: its place is its own.
    fn come_again(&mut self) {
        let Some(id) = self.some_waiter() else { return };
        let call = self.waiting[&id].call.clone();
        let reply = self.engine.call_and_wait(&call, Millis(self.now), &self.dice).unwrap();
        assert_eq!(reply.parked.map(|p| p.id), Some(id));
        self.saw("repeated");
    }

    /// Those that waited and have their answer now.
    fn settle(&mut self) {
        self.changed();
        let ids: Vec<String> = self.waiting.keys().cloned().collect();
        for id in ids {
            let w = self.waiting[&id].clone();
            let answer =
                self.engine.resume(&w.call, &w.parked, Millis(self.now), &self.dice).unwrap();
            let Some(reply) = answer else { continue };
            self.changed();
            self.waiting.remove(&id);
            assert!(self.over.insert(id), "answered twice");
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            if reply.status == 200 {
                assert!(self.now < w.until, "granted after its time");
                let granted = body["claim_ids"].as_array().unwrap();
                let live = self.live();
                let mine: BTreeSet<u8> = live
                    .iter()
                    .filter(|(id, e, _)| *e == w.who && granted.iter().any(|g| g == id))
                    .flat_map(|(_, _, p)| p.clone())
                    .collect();
                assert_eq!(mine, w.paths, "all or nothing");
                self.saw("served");
            } else {
                assert_eq!(reply.status, 409);
                self.saw("waited in vain");
            }
        }
    }

    fn check(&self) {
        let live = self.live();
        for (n, (_, a, p)) in live.iter().enumerate() {
            for (_, b, q) in &live[..n] {
                assert!(a == b || p.is_disjoint(q), "{a} and {b} hold the same: {p:?} {q:?}");
            }
        }
        for w in self.waiting.values() {
            let held = live.iter().any(|(_, e, p)| *e != w.who && !p.is_disjoint(&w.paths));
            let behind = self.before(&w.who, &w.paths, self.rank(w));
            assert!(
                held || !behind.is_empty(),
                "{} waits for {:?} though nothing is in its way",
                w.who,
                w.paths
            );
        }
    }

    /// Everybody lets go of everything again and again: so many rounds later nobody waits any more.
    fn wind_up(&mut self) {
        for w in self.waiting.values_mut() {
            assert!(w.until > self.now);
        }
        let bound = self.waiting.len();
        for round in 0..=bound {
            if self.waiting.is_empty() {
                return;
            }
            assert!(round < bound, "{} still wait after {bound} rounds", self.waiting.len());
            let before = self.waiting.len();
            for (id, engineer, _) in self.live().iter() {
                let body = json!({"claim_ids": [id], "engineer": engineer});
                self.call("POST", "/claims/release", &body);
                self.look();
                self.settle();
                self.check();
            }
            assert!(self.waiting.len() < before, "a round in which nobody was served");
        }
    }
}

fn request(method: &str, target: &str, body: &Value) -> Call {
    Call {
        method: method.into(),
        target: target.into(),
        body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        ..Call::default()
    }
}

#[test]
fn a_thousand_schedules() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..SCHEDULES {
        let run = || {
            let mut world = World::new(seed * 7_919);
            for _ in 0..STEPS {
                world.step();
            }
            world.wind_up();
            world.seen
        };
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run));
        let Ok(more) = done else { panic!("schedule {seed}; see above") };
        for (what, n) in more {
            *seen.entry(what).or_default() += n;
        }
    }
    let floors = [
        ("granted at once", 4_000),
        ("waits", 5_000),
        ("served", 2_000),
        ("waited in vain", 200),
        ("cancelled", 500),
        ("left", 500),
        ("restarted", 500),
        ("came again", 200),
        ("repeated", 500),
        ("circle", 100),
    ];
    for (what, floor) in floors {
        let n = seen.get(what).copied().unwrap_or(0);
        assert!(n >= floor, "{what}: {n} times, expected {floor}; {seen:?}");
    }
}
