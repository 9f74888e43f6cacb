//! What waited in a queue is about the past: it neither ends nor begins what is there now.

use std::thread;
use std::time::Duration;

use coord_protocol::time::Millis;
use coord_tests::server::{Setup, TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{PROJECT, claim, greet, id, text, uuid};

const HOUR_MS: i64 = 3_600_000;

/// Does this as an entry that has waited for so long; gives its answer.
fn late(s: &TestServer, waited_ms: i64, method: &str, path: &str, body: &Value) -> Value {
    let entry = json!({"id": uuid(), "method": method, "path": path, "body": body,
        "session": body["session_id"], "waited_ms": waited_ms});
    let done = s.post("/api/coord/batch", &json!({"entries": [entry]})).expect(200);
    done["results"][0].clone()
}

fn register(s: &TestServer, waited_ms: i64, session: &str, task: &str) -> Value {
    let body = json!({"session_id": session, "fresh": true, "task": task, "role": "main"});
    let done = late(s, waited_ms, "POST", "/api/coord/sessions", &body);
    assert_eq!(done["status"], 200, "{done}");
    done["body"]["session"].clone()
}

fn end(s: &TestServer, waited_ms: i64, session: &str) -> Value {
    let body = json!({"session_id": session});
    let done = late(s, waited_ms, "POST", "/api/coord/sessions/end", &body);
    assert_eq!(done["status"], 200, "{done}");
    done["body"].clone()
}

fn session(s: &TestServer, name: &str) -> Value {
    s.get(&format!("/api/coord/sessions/{}", name.replace('/', "%2F"))).expect(200)
}

fn time(value: &Value, field: &str) -> i64 {
    Millis::parse(&text(value, field)).unwrap().0
}

fn now(s: &TestServer) -> i64 {
    time(&s.get("/health").expect(200), "time")
}

#[test]
fn a_late_end_of_a_session_that_was_heard_of_since_is_history() {
    on_each_face(|s| {
        let lock = claim(s, "M/a", "x").expect(201);
        let told = end(s, 60_000, "M/a");
        assert_eq!(
            (&told["released"], &told["ids"], &told["past"]),
            (&json!(0), &json!([]), &json!(true))
        );
        assert_eq!(session(s, "M/a")["status"], "active");
        assert_eq!(
            s.get(&format!("/api/coord/locks/{}", id(&lock))).expect(200)["ended_at"],
            Value::Null
        );
        // Of one that was silent since, it is the end.
        thread::sleep(Duration::from_millis(2_200));
        let told = end(s, 200, "M/a");
        assert_eq!((&told["released"], &told["past"]), (&json!(1), &Value::Null), "{told}");
        assert_eq!(session(s, "M/a")["status"], "ended");
    });
}

#[test]
fn a_late_registration_begins_nothing_anew() {
    on_each_face(|s| {
        let ask = json!({"session_id": "M/a", "fresh": true, "task": "now"});
        let live = s.post("/api/coord/sessions", &ask).expect(200)["session"].clone();
        let after = register(s, 60_000, "M/a", "then");
        for same in ["generation", "last_seen", "began_at", "ended_at", "task"] {
            assert_eq!(after[same], live[same], "{same}");
        }
        assert_eq!(after["role"], "main", "what was not known is added");
        s.post("/api/coord/sessions/end", &json!({"session_id": "M/a"})).expect(200);
        assert_eq!(register(s, 60_000, "M/a", "then")["ended_at"], session(s, "M/a")["ended_at"]);
        assert_eq!(session(s, "M/a")["status"], "ended");
    });
}

#[test]
fn a_session_that_is_heard_of_late_was_there_then() {
    on_each_face(|s| {
        let new = register(s, HOUR_MS, "M/new", "t");
        let (seen, now) = (time(&new, "last_seen"), now(s));
        assert!((now - HOUR_MS - 5_000..=now - HOUR_MS).contains(&seen), "{new}");
        assert_eq!((&new["first_seen"], &new["began_at"]), (&new["last_seen"], &new["last_seen"]));
        // What waited behind it is of the same conversation, and its end is its end.
        end(s, HOUR_MS / 2, "M/new");
        let again = register(s, HOUR_MS / 4, "M/new", "t2");
        assert_eq!((&again["ended_at"], &again["task"]), (&Value::Null, &json!("t2")), "{again}");
        assert!(again["generation"].as_i64() > new["generation"].as_i64());
        assert!(time(&again, "last_seen") <= now - HOUR_MS / 4);
    });
}

/// A lock of an hour, just granted.
fn hour(s: &TestServer) -> Value {
    claim_for(s, 1.0).expect(201)
}

fn claim_for(s: &TestServer, hours: f64) -> coord_tests::raw::Answer {
    let ask = json!({"project_key": PROJECT, "session_id": "M/a", "resource": "x",
        "ttl_hours": hours});
    s.post("/api/coord/locks", &ask)
}

fn extend(s: &TestServer, waited_ms: i64, lock: &Value, hours: f64) -> Value {
    let body = json!({"session_id": "M/a", "ttl_hours": hours});
    late(s, waited_ms, "PATCH", &format!("/api/coord/locks/{}", id(lock)), &body)
}

#[test]
fn an_extension_past_its_time_does_nothing() {
    on_each_face(|s| {
        let lock = hour(s);
        let path = format!("/api/coord/locks/{}", id(&lock));
        let entry = json!({"id": uuid(), "method": "PATCH", "path": path, "past": true,
            "body": {"session_id": "M/a", "ttl_hours": 9}});
        let done = s.post("/api/coord/batch", &json!({"entries": [entry]})).expect(200);
        let told = &done["results"][0];
        assert_eq!((&told["status"], &told["body"]["outcome"]), (&json!(200), &json!("past")));
        let after = s.get(&path).expect(200);
        assert_eq!((&after["expires_at"], &after["ttl_hours"]), (&lock["expires_at"], &json!(1.0)));
    });
}

#[test]
fn a_late_extension_counts_from_when_it_was_made() {
    on_each_face(|s| {
        let lock = hour(s);
        let granted = time(&lock, "expires_at") - HOUR_MS;
        let told = extend(s, HOUR_MS / 2, &lock, 2.0);
        let until = time(&told["body"], "expires_at") - granted - 3 * HOUR_MS / 2;
        assert!((-1_000..5_000).contains(&until), "{told}");
        // It would have been over long ago: the lock stands as it is.
        let over = extend(s, 3 * HOUR_MS, &lock, 1.0);
        assert_eq!((&over["status"], &over["body"]["outcome"]), (&json!(200), &json!("past")));
        let after = s.get(&format!("/api/coord/locks/{}", id(&lock))).expect(200);
        assert_eq!(after["expires_at"], told["body"]["expires_at"]);
    });
}

#[test]
fn a_lease_is_never_shortened() {
    on_each_face(|s| {
        let lock = claim_for(s, 5.0).expect(201);
        let again = claim_for(s, 1.0).expect(200);
        assert_eq!(again["expires_at"], lock["expires_at"]);
        let path = format!("/api/coord/locks/{}", id(&lock));
        let patched = s.patch(&path, &json!({"session_id": "M/a", "ttl_hours": 0.5})).expect(200);
        assert_eq!(patched["expires_at"], lock["expires_at"]);
        assert_eq!(claim_for(s, 0.0).expect(200)["expires_at"], Value::Null);
        assert_eq!(claim_for(s, 1.0).expect(200)["expires_at"], Value::Null);
    });
}

#[test]
fn only_who_said_that_it_was_done_cannot_be_reached() {
    let s = Setup::new("axum").env("COORD_SESSION_STALE_AFTER", "1").start();
    let state_of = |message: &str| {
        let path = format!("/api/coord/messages/{message}/receipts");
        text(&s.get(&path).expect(200)["recipients"][0], "state")
    };
    let mut sent = Vec::new();
    for to in ["B/silent", "B/done"] {
        greet(&s, to);
        let ask = json!({"from_session": "A/1", "to_session": to, "body": "b"});
        sent.push(id(&s.post("/api/coord/messages", &ask).expect(201)));
    }
    s.post("/api/coord/sessions/end", &json!({"session_id": "B/done"})).expect(200);
    thread::sleep(Duration::from_millis(2_200));
    s.post("/api/coord/sessions/cleanup", &json!({})).expect(200);
    assert_eq!(session(&s, "B/silent")["end_reason"], "stale");
    assert_eq!(sent.iter().map(|m| state_of(m)).collect::<Vec<_>>(), ["accepted", "undeliverable"]);
    greet(&s, "B/done");
    let back = session(&s, "B/done");
    assert_eq!((&back["end_reason"], state_of(&sent[1]).as_str()), (&Value::Null, "accepted"));
}
