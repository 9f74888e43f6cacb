//! Waiting for a claim through the bridge: `claim_files` with `wait_seconds` and `urgency`,
//! `my_requests` with `queued`, `cancel_queue_request`.

use std::thread;
use std::time::{Duration, Instant};

use coord_tests::server::eventually;
use serde_json::{Value, json};

use super::bridge::agents;
use super::judged::{Judged, keys, rows, text};

/// Longest wait for something that needs no time.
const SOON: Duration = Duration::from_secs(10);
/// What a waiter asks for in these tests; the bridge gives up after 30.
const WAIT: u64 = 20;

/// Who waits, as the server shows it.
fn waiters(s: &Judged) -> Vec<Value> {
    rows(&s.get("/requests?queued=true").expect(200), "requests")
}

fn until_waiting(s: &Judged, n: usize) -> Vec<Value> {
    let mut seen = Vec::new();
    eventually(SOON, "a waiter stands in the queue", || {
        seen = waiters(s);
        seen.len() == n
    });
    seen
}

#[test]
fn a_release_wakes_who_waits() {
    let Some((s, [mut a, mut b])) = agents("peer::queue", ["alice", "bob"]) else { return };
    let held = a.claimed("src/hot.ts");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let wish = json!({"patterns": ["src/hot.ts"], "wait_seconds": WAIT, "urgency": "high"});
            (b.claim(wish), Instant::now())
        });
        until_waiting(&s, 1);
        let released = Instant::now();
        a.call("release_claims", &json!({"claim_ids": [held]}));
        let (said, woken) = waiting.join().unwrap();
        assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(1), "{said}");
        assert_eq!(said["conflicts"], json!([]));
        let took = woken.saturating_duration_since(released);
        assert!(took < Duration::from_secs(5), "it was not woken but waited: {took:?}");
        assert_eq!(s.claims_of("bob")[0]["id"], said["claim_ids"][0]);
        assert_eq!(waiters(&s), [Value::Null; 0]);
    });
}

#[test]
fn a_wait_that_is_over_is_the_conflict() {
    let Some((s, [mut a, mut b])) = agents("peer::queue", ["alice", "bob"]) else { return };
    let held = a.claimed("src/hot.ts");
    let began = Instant::now();
    let said = b.claim(json!({"patterns": ["src/hot.ts"], "wait_seconds": 1}));
    assert!(began.elapsed() >= Duration::from_secs(1), "it did not wait");
    assert_eq!(said["conflicts"][0]["conflicting_claim"]["id"], json!(held));
    // Who has left is not granted anything.
    a.call("release_claims", &json!({"claim_ids": [held]}));
    assert_eq!(s.claims_of("bob"), [Value::Null; 0]);
    assert_eq!(waiters(&s), [Value::Null; 0]);
}

#[test]
fn a_waiter_is_seen_and_cancelled() {
    let Some((s, [mut a, mut b, mut desk])) = agents("peer::queue", ["alice", "bob", "bob"]) else {
        return;
    };
    let held = a.claimed("src/hot.ts");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let said = b.claim(json!({"patterns": ["src/hot.ts"], "wait_seconds": WAIT}));
            (said, Instant::now())
        });
        until_waiting(&s, 1);
        let mine = desk.call("my_requests", &json!({"queued": true}));
        assert_eq!(mine["queued"], true);
        let entry = &rows(&mine, "requests")[0];
        assert_entry(entry, &held);
        let others = a.call("my_requests", &json!({"queued": true}));
        assert_eq!(rows(&others, "requests"), [Value::Null; 0]);
        let id = text(&entry["queue_id"]);
        let cancel = |who: &str| json!({"queue_id": id, "engineer": who});
        let no = json!({"ok": true, "cancelled": false, "queue_id": id});
        let yes = json!({"ok": true, "cancelled": true, "queue_id": id});
        assert_eq!(desk.call("cancel_queue_request", &cancel("carol")), no);
        let cancelled = Instant::now();
        assert_eq!(desk.call("cancel_queue_request", &cancel("bob")), yes);
        let (said, woken) = waiting.join().unwrap();
        assert_eq!(said["conflicts"][0]["conflicting_claim"]["id"], json!(held));
        let took = woken.saturating_duration_since(cancelled);
        assert!(took < Duration::from_secs(5), "it was not woken but waited: {took:?}");
        assert_eq!(desk.call("cancel_queue_request", &cancel("bob")), no, "it is over");
    });
    a.call("release_claims", &json!({"claim_ids": [held]}));
    assert_eq!(s.claims_of("bob"), [Value::Null; 0], "a waiter that was cancelled got it");
    let unknown = desk.call("cancel_queue_request", &json!({"queue_id": "nope"}));
    assert_eq!(unknown, json!({"ok": true, "cancelled": false, "queue_id": "nope"}));
}

#[track_caller]
fn assert_entry(entry: &Value, held: &str) {
    let names = [
        "blocking_claim_id",
        "blocking_engineer",
        "blocking_pattern",
        "claim_type",
        "enqueued_at",
        "expires_at",
        "granted_claim_id",
        "kind",
        "position",
        "queue_id",
        "requester_engineer",
        "requester_pattern",
        "state",
        "symbols",
    ];
    for name in names {
        assert!(keys(entry).contains(&name), "no {name}: {entry}");
    }
    assert_eq!((&entry["kind"], &entry["state"]), (&json!("queued"), &json!("waiting")));
    assert_eq!(entry["blocking_claim_id"], json!(held));
    assert_eq!(entry["blocking_engineer"], "alice");
    assert_eq!((&entry["requester_engineer"], &entry["position"]), (&json!("bob"), &json!(1)));
    assert_eq!((&entry["granted_claim_id"], &entry["symbols"]), (&Value::Null, &Value::Null));
}

#[test]
fn the_more_urgent_is_served_first() {
    let Some((s, [mut a, mut b, mut c])) = agents("peer::queue", ["alice", "bob", "carol"]) else {
        return;
    };
    let held = a.claimed("src/hot.ts");
    let wish =
        |urgency: &str| json!({"patterns": ["src/hot.ts"], "wait_seconds": 6, "urgency": urgency});
    thread::scope(|scope| {
        let calm = scope.spawn(|| b.claim(wish("low")));
        until_waiting(&s, 1);
        let urgent = scope.spawn(|| c.claim(wish("blocking")));
        until_waiting(&s, 2);
        a.call("release_claims", &json!({"claim_ids": [held]}));
        let (calm, urgent) = (calm.join().unwrap(), urgent.join().unwrap());
        assert_eq!(urgent["claim_ids"].as_array().map(Vec::len), Some(1), "{urgent}");
        assert_eq!(calm["claim_ids"], json!([]), "{calm}");
    });
}

/// What the other one gets wrong: who else ends a claim, and what a waiter is given.
#[test]
fn each_end_of_a_claim_serves_the_whole_wish() {
    let Some((s, [mut a, mut b])) = agents("peer::queue", ["alice", "bob"]) else { return };
    if !s.is_ours() {
        return;
    }
    for end in ["session", "approved", "narrowed"] {
        let held = a.claim(json!({"patterns": ["src/**"]}))["claim_ids"][0].clone();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                b.claim(json!({"patterns": ["free.ts", "src/hot.ts"], "wait_seconds": WAIT}))
            });
            until_waiting(&s, 1);
            if end == "session" {
                a.call("release_session", &json!({}));
            } else {
                let asked = json!({"claim_id": held, "requester": "bob", "wait_seconds": 0});
                let request = text(&s.post("/requests", &asked).expect(200)["id"]);
                a.call(
                    "respond_to_request",
                    &json!({"request_id": request, "decision": end,
                    "narrowed_pattern": "src/cold.ts"}),
                );
            }
            let said = waiting.join().unwrap();
            assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(2), "{end}: {said}");
        });
        b.call("release_session", &json!({}));
        a.call("release_session", &json!({}));
    }
}
