//! Histories of locks and claims under load, with a server that is killed again and again: is there an
//! order, one after the other, that explains what everybody was told?

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::linear::{Did, Op, check};
use coord_tests::raw::{Answer, Ask, Conn};
use coord_tests::server::TestServer;
use serde_json::{Value, json};

const CALLERS: usize = 8;
const OPERATIONS: usize = 150;
const KILLS: usize = 5;
const GROUPS: usize = 4;
const HOUR_MS: u64 = 3_600_000;

/// Two files and a pattern over both.
fn resource(group: usize, which: usize) -> String {
    format!("g{group}/{}", ["a", "b", "*"][which])
}

fn touch(a: &str, b: &str) -> bool {
    let folder = |r: &str| r.split('/').next().map(str::to_owned);
    a == b || (folder(a) == folder(b) && (a.ends_with('*') || b.ends_with('*')))
}

struct Load {
    address: SocketAddr,
    began: Instant,
    done: AtomicUsize,
    history: Mutex<Vec<Op>>,
}

/// One caller: half of them take locks, half team claims; what they hold is in each other's way.
struct Caller<'a> {
    load: &'a Load,
    number: usize,
    conn: Option<Conn>,
    seed: u64,
    held: BTreeMap<String, String>,
}

impl Caller<'_> {
    fn chance(&mut self, n: usize) -> usize {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        usize::try_from((self.seed >> 33) % n as u64).unwrap()
    }

    fn session(&self) -> String {
        format!("M/{}", self.number)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.load.began.elapsed().as_millis()).unwrap()
    }

    /// Asks under one key until it is answered, however often the server dies.
    fn ask(&mut self, ask: &Ask) -> Answer {
        loop {
            if self.conn.is_none() {
                self.conn = Conn::open(self.load.address).ok();
            }
            match self.conn.as_mut().and_then(|c| c.ask(ask).ok()) {
                Some(a) if a.status != 503 => return a,
                Some(_) => {}
                None => self.conn = None,
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn run(&mut self) {
        for n in 0..OPERATIONS {
            let key = format!("0193c2a0-0000-7000-8000-{:08x}{n:04x}", self.number);
            let release = !self.held.is_empty() && self.chance(2) == 0;
            let asked = self.now();
            let (resource, did) = if release { self.release(&key) } else { self.claim(&key) };
            let answered = self.now();
            let op = Op { session: self.session(), resource, asked, answered, did };
            self.load.history.lock().unwrap().push(op);
            self.load.done.fetch_add(1, Ordering::SeqCst);
            thread::sleep(Duration::from_millis(3));
        }
    }

    fn takes_locks(&self) -> bool {
        self.number.is_multiple_of(2)
    }

    fn claim(&mut self, key: &str) -> (String, Did) {
        let resource = resource(self.chance(GROUPS), self.chance(3));
        let (target, body) = if self.takes_locks() {
            let body = json!({"project_key": "o/r", "session_id": self.session(),
                "resource": resource});
            ("/api/coord/locks", body)
        } else {
            let item = json!({"type": "file", "pattern": resource, "narrowable": false});
            let body = json!({"engineer": self.session(), "session_id": self.session(),
                "repo": "o/r", "claims": [item]});
            ("/claims?rows=true", body)
        };
        let answer = self.ask(&Ask::new("POST", target).key(key).json(&body));
        let told = answer.json();
        let did = if answer.status == 409 { refused(&told) } else { self.granted(&answer, &told) };
        (resource, did)
    }

    fn granted(&mut self, answer: &Answer, told: &Value) -> Did {
        assert!(matches!(answer.status, 200 | 201), "{}: {told}", answer.status);
        let lock = if self.takes_locks() { told } else { &told["locks"][0] };
        let id = lock["id"].as_str().unwrap().to_owned();
        let hours = if self.takes_locks() { 2 } else { 4 };
        let resource = lock["resource"].as_str().unwrap().to_owned();
        if self.held.insert(id.clone(), resource).is_some() {
            return Did::Renewed(id, hours * HOUR_MS);
        }
        Did::Granted(id, lock["fence"].as_i64().unwrap(), hours * HOUR_MS)
    }

    fn release(&mut self, key: &str) -> (String, Did) {
        let at = self.chance(self.held.len());
        let (id, resource) = self.held.iter().nth(at).map(|(i, r)| (i.clone(), r.clone())).unwrap();
        self.held.remove(&id);
        let ask = if self.takes_locks() {
            let who = self.session();
            Ask::new("DELETE", &format!("/api/coord/locks/{id}?session_id={who}"))
        } else {
            let body = json!({"claim_ids": [id], "engineer": self.session()});
            Ask::new("POST", "/claims/release").json(&body)
        };
        let told = self.ask(&ask.key(key)).expect(200);
        let ended = told["released"] == true || told["released"] == 1;
        (resource, if ended { Did::Released(id) } else { Did::WasOver(id) })
    }
}

fn refused(told: &Value) -> Did {
    let ids = told["conflicts"].as_array().unwrap().iter().map(|c| {
        let id =
            if c["lock"].is_object() { &c["lock"]["id"] } else { &c["conflicting_claim"]["id"] };
        id.as_str().unwrap().to_owned()
    });
    Did::Refused(ids.collect())
}

#[test]
fn of_locks_and_claims_over_five_kills() {
    let mut s = TestServer::start("axum");
    let load = Load {
        address: s.address(),
        began: Instant::now(),
        done: AtomicUsize::new(0),
        history: Mutex::new(Vec::new()),
    };
    thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| {
                let load = &load;
                let seed = 77 + number as u64 * 1_000_003;
                scope.spawn(move || {
                    let held = BTreeMap::new();
                    Caller { load, number, conn: None, seed, held }.run();
                })
            })
            .collect();
        for kill in 1..=KILLS {
            let after = kill * CALLERS * OPERATIONS / (KILLS + 1);
            while load.done.load(Ordering::SeqCst) < after {
                assert!(!callers.iter().all(thread::ScopedJoinHandle::is_finished));
                thread::sleep(Duration::from_millis(2));
            }
            s.kill9();
            s.restart();
        }
    });
    let history = load.history.into_inner().unwrap();
    assert_eq!(history.len(), CALLERS * OPERATIONS);
    let count = |f: fn(&Did) -> bool| history.iter().filter(|o| f(&o.did)).count();
    assert!(count(|d| matches!(d, Did::Granted(..))) > 150);
    assert!(count(|d| matches!(d, Did::Refused(_))) > 150);
    assert!(count(|d| matches!(d, Did::Released(_))) > 100);
    for group in 0..GROUPS {
        let of = |o: &&Op| o.resource.starts_with(&format!("g{group}/"));
        let ops: Vec<Op> = history.iter().filter(of).cloned().collect();
        if let Err(why) = check(&ops, touch) {
            panic!("group {group}, {} operations: {why}", ops.len());
        }
    }
}
