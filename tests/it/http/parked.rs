//! Calls that wait for their answers: many at once, callers that hang up, restarts.

use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Ask, Conn};
use coord_tests::server::{Setup, TestServer, eventually, on_each_face};
use serde_json::{Value, json};

fn ask(engineer: &str, pattern: &str, wait: u64) -> Ask {
    Ask::new("POST", "/claims").json(&json!({"engineer": engineer, "repo": "o/r",
        "claims": [{"type": "file", "pattern": pattern}], "wait_seconds": wait}))
}

fn queue(s: &TestServer) -> Vec<Value> {
    let body = s.get("/requests?queued=true").expect(200);
    body["requests"].as_array().unwrap().clone()
}

fn first_id(answer: &Value) -> String {
    answer["claim_ids"][0].as_str().unwrap().to_owned()
}

/// A call that waits, on a connection of its own.
fn parked(s: &TestServer, ask: &Ask) -> Conn {
    let mut conn = s.conn();
    conn.send(&ask.bytes("127.0.0.1")).unwrap();
    conn
}

fn waiting(s: &TestServer, n: usize) {
    eventually(Duration::from_secs(20), "all wait", || {
        let metrics = s.get("/metrics").text();
        metrics.lines().any(|l| l == format!("coord_queue_waiting {n}.0"))
    });
}

#[test]
fn a_thousand_wait_and_hold_nobody_up() {
    const MANY: usize = 1_000;
    let s = Setup::new("axum").start();
    let held = first_id(&s.ask(ask("holder", "src/hot.ts", 0)).expect(200));
    let (threads, before) = (s.threads(), s.memory());
    // Of calls on connections of their own that are under way together, any may come first; the one
    // that has to be served first waits before the others ask.
    let mut first = parked(&s, &ask("w0", "src/hot.ts", 300));
    waiting(&s, 1);
    let others: Vec<Conn> =
        (1..MANY).map(|n| parked(&s, &ask(&format!("w{n}"), "src/hot.ts", 300))).collect();
    waiting(&s, MANY);
    assert!(s.threads() <= threads + 2, "{} threads, {threads} before", s.threads());
    let grown = s.memory().saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes for {MANY} that wait");
    // Others are served as if nobody waited, reads and writes.
    let mut slowest = Duration::ZERO;
    let mut conn = s.conn();
    for n in 0..200 {
        let began = Instant::now();
        let other = ask("other", &format!("lib/{n}.ts"), 0);
        conn.ask(&other).unwrap().expect(200);
        conn.ask(&Ask::new("GET", "/conflicts?pattern=lib/x&engineer=e&repo=o/r")).unwrap();
        slowest = slowest.max(began.elapsed() / 2);
    }
    assert!(slowest < Duration::from_millis(50), "{slowest:?}");
    // The first of them is served, and nobody else, in time for everybody else.
    let began = Instant::now();
    let body = json!({"claim_ids": [held], "engineer": "holder"});
    assert_eq!(s.post("/claims/release", &body).expect(200)["released"], 1);
    let served = first.answer().unwrap().expect(200);
    assert_eq!(served["claim_ids"].as_array().unwrap().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    waiting(&s, MANY - 1);
    drop((first, others));
    // All have hung up: nobody waits any more, and the one that was served has what it has.
    waiting(&s, 0);
    let live = s.get("/claims?engineer=w0").expect(200);
    assert_eq!(live["count"], 1);
}

#[test]
fn who_hangs_up_is_not_served() {
    let s = Setup::new("axum").start();
    let held = first_id(&s.ask(ask("a", "x/y.rs", 0)).expect(200));
    let gone = parked(&s, &ask("gone", "x/y.rs", 60));
    waiting(&s, 1);
    let mut stays = parked(&s, &ask("stays", "x/y.rs", 60));
    waiting(&s, 2);
    drop(gone);
    waiting(&s, 1);
    s.post("/claims/release", &json!({"claim_ids": [held]})).expect(200);
    stays.answer().unwrap().expect(200);
    assert_eq!(s.get("/claims?engineer=gone").expect(200)["count"], 0);
}

/// Ends a claim.
type End = fn(&TestServer, &str);

#[test]
fn every_end_serves() {
    on_each_face(|s| {
        let by: [(&str, End); 5] = [
            ("release", |s, id| {
                s.delete(&format!("/claims/{id}")).expect(200);
            }),
            ("session", |s, _| {
                s.post("/sessions/S/release", &json!({})).expect(200);
            }),
            ("end of the session", |s, _| {
                let end = json!({"session_id": "S"});
                s.post("/api/coord/sessions/end", &end).expect(200);
            }),
            ("by force", |s, id| {
                let how = "session_id=M/z&force=true&reason=x";
                s.delete(&format!("/api/coord/locks/{id}?{how}")).expect(200);
            }),
            ("decision", |s, id| {
                let file = json!({"claim_id": id, "requester": "w", "wait_seconds": 0});
                let request = s.post("/requests", &file).expect(200);
                let at = format!("/requests/{}/respond", request["id"].as_str().unwrap());
                let yes = json!({"decision": "approved", "engineer": "a"});
                s.post(&at, &yes).expect(200);
            }),
        ];
        for (what, end) in by {
            let hold = json!({"engineer": "a", "session_id": "S", "repo": "o/r",
                "claims": [{"type": "file", "pattern": "p/q"}]});
            let id = first_id(&s.post("/claims", &hold).expect(200));
            let mut conn = parked(s, &ask("w", "p/q", 30));
            eventually(Duration::from_secs(5), what, || queue(s).len() == 1);
            end(s, &id);
            let got = first_id(&conn.answer().unwrap().expect(200));
            assert_eq!(s.delete(&format!("/claims/{got}?engineer=w")).expect(200)["released"], 1);
        }
    });
}

#[test]
fn an_end_by_time_serves() {
    for (what, name) in [("a lock's time", "COORD_LOCK_TTL"), ("silence", "COORD_IDLE_TIMEOUT_SEC")]
    {
        let s = Setup::new("axum").env(name, "1").start();
        if name == "COORD_LOCK_TTL" {
            let lock = json!({"project_key": "o/r", "session_id": "M/a", "resource": "p/q"});
            s.post("/api/coord/locks", &lock).expect(201);
        } else {
            let hold = json!({"engineer": "a", "session_id": "S", "repo": "o/r",
                "claims": [{"type": "file", "pattern": "p/q"}]});
            s.post("/claims", &hold).expect(200);
        }
        let began = Instant::now();
        s.ask(ask("w", "p/q", 20)).expect(200);
        assert!(began.elapsed() < Duration::from_secs(4), "{what}: {:?}", began.elapsed());
    }
}

#[test]
fn waiting_has_an_end() {
    on_each_face(|s| {
        s.ask(ask("a", "p/q", 0)).expect(200);
        let began = Instant::now();
        let no = s.ask(ask("w", "p/q", 1)).expect(409);
        assert!(began.elapsed() >= Duration::from_millis(990), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(no["conflicts"][0]["conflicting_claim"]["engineer"], "a");
        assert!(queue(s).is_empty());
    });
}

#[test]
fn the_same_request_keeps_its_place_over_a_restart() {
    let key = "0193c2a0-0000-7000-8000-00000000abcd";
    let mut s = Setup::new("axum").start();
    let held = first_id(&s.ask(ask("a", "p/q", 0)).expect(200));
    let first = parked(&s, &ask("first", "p/q", 60).key(key));
    waiting(&s, 1);
    let second = parked(&s, &ask("second", "p/q", 60));
    waiting(&s, 2);
    s.kill9();
    s.restart();
    drop((first, second));
    waiting(&s, 0);
    let mut second = parked(&s, &ask("second", "p/q", 60));
    waiting(&s, 1);
    let mut first = parked(&s, &ask("first", "p/q", 60).key(key));
    waiting(&s, 2);
    s.post("/claims/release", &json!({"claim_ids": [held]})).expect(200);
    let got = first.answer().unwrap();
    let id = first_id(&got.expect(200));
    // The answer is remembered like any other.
    let again = s.ask(ask("first", "p/q", 60).key(key));
    assert_eq!(first_id(&again.expect(200)), id);
    s.post("/claims/release", &json!({"claim_ids": [id]})).expect(200);
    second.answer().unwrap().expect(200);
}

#[test]
fn a_circle_is_refused_with_its_names() {
    on_each_face(|s| {
        s.ask(ask("ann", "a.ts", 0)).expect(200);
        s.ask(ask("bob", "b.ts", 0)).expect(200);
        s.ask(ask("cleo", "c.ts", 0)).expect(200);
        thread::scope(|scope| {
            let wait = |who: &'static str, what: &'static str| {
                scope.spawn(move || s.ask(ask(who, what, 3)))
            };
            let one = wait("ann", "b.ts");
            eventually(Duration::from_secs(5), "ann waits", || queue(s).len() == 1);
            let two = wait("bob", "c.ts");
            eventually(Duration::from_secs(5), "bob waits", || queue(s).len() == 2);
            let began = Instant::now();
            let no = s.ask(ask("cleo", "a.ts", 3)).expect(409);
            assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
            let why = no["warnings"].to_string();
            for name in ["ann", "bob", "cleo"] {
                assert!(why.contains(name), "{why}");
            }
            one.join().unwrap().expect(409);
            two.join().unwrap().expect(409);
        });
    });
}
