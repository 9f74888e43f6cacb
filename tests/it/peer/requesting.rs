//! Asking a holder through the bridge: `request_release`, `pending_requests`, `respond_to_request`,
//! `wait_for_request`, `my_requests`.

use std::thread;
use std::time::{Duration, Instant};

use coord_tests::server::eventually;
use serde_json::{Value, json};

use super::bridge::{Bridge, agents};
use super::judged::{Judged, keys, rows, text};

const SOON: Duration = Duration::from_secs(10);
const REQUEST: [&str; 16] = [
    "claim_id",
    "created_at",
    "decided_at",
    "decided_by_engineer",
    "decided_by_session_id",
    "decision",
    "id",
    "note",
    "original_expires_at",
    "reason",
    "requested_pattern",
    "requested_scope",
    "requester_engineer",
    "requester_session_id",
    "shortened_expires_at",
    "urgency",
];

/// Files a request and does not wait; its id.
#[track_caller]
fn asked(bridge: &mut Bridge, claim: &str) -> String {
    let said = bridge.call(
        "request_release",
        &json!({"claim_id": claim, "reason": "hotfix", "wait_seconds": 0}),
    );
    assert_eq!(said["decision"], "pending", "{said}");
    text(&said["id"])
}

#[track_caller]
fn answered(bridge: &mut Bridge, request: &str, mut more: Value) -> Value {
    more["request_id"] = json!(request);
    bridge.call("respond_to_request", &more)
}

fn claim(s: &Judged, engineer: &str) -> Value {
    let claims = s.claims_of(engineer);
    assert_eq!(claims.len(), 1, "{claims:?}");
    claims[0].clone()
}

#[test]
fn a_request_shortens_the_claim_and_reaches_the_holder() {
    let Some((s, [mut a, mut b])) = agents("peer::requesting", ["alice", "bob"]) else { return };
    let held = a.claimed("src/api/**");
    let before = claim(&s, "alice");
    let said = b.call(
        "request_release",
        &json!({"claim_id": held, "reason": "hotfix", "urgency": "high", "wait_seconds": 0,
            "requested_scope": "src/api/db.ts"}),
    );
    assert_eq!(keys(&said), REQUEST);
    for (name, value) in [
        ("claim_id", json!(held)),
        ("requester_engineer", json!("bob")),
        ("requester_session_id", json!("s-bob")),
        ("requested_pattern", json!("src/api/**")),
        ("requested_scope", json!("src/api/db.ts")),
        ("reason", json!("hotfix")),
        ("urgency", json!("high")),
        ("decision", json!("pending")),
        ("original_expires_at", before["expires_at"].clone()),
        ("decided_at", Value::Null),
    ] {
        assert_eq!(said[name], value, "{name}: {said}");
    }
    let after = claim(&s, "alice");
    assert_eq!(after["ttl_shortened"], 1);
    assert_eq!(after["expires_at"], said["shortened_expires_at"]);
    assert!(text(&after["expires_at"]) < text(&before["expires_at"]));
    let inbox = rows(&a.call("pending_requests", &json!({})), "pending");
    assert_eq!(inbox.len(), 1, "{inbox:?}");
    assert_eq!((&inbox[0]["kind"], &inbox[0]["id"]), (&json!("request"), &said["id"]));
    let holder = (&inbox[0]["holder_engineer"], &inbox[0]["holder_pattern"]);
    assert_eq!(holder, (&json!("alice"), &json!("src/api/**")));
    // Another session's inbox can be looked at by its name.
    let other = b.call("pending_requests", &json!({"session_id": "s-alice"}));
    assert_eq!(other["count"], 1);
    assert_eq!(b.call("pending_requests", &json!({}))["count"], 0);
    let mine = rows(&b.call("my_requests", &json!({})), "requests");
    assert_eq!((mine.len(), &mine[0]["id"]), (1, &said["id"]));
    assert_eq!(mine[0]["claim_released_at"], Value::Null);
    assert_eq!(a.call("my_requests", &json!({}))["count"], 0);
}

#[test]
fn approved() {
    let Some((s, [mut a, mut b])) = agents("peer::requesting", ["alice", "bob"]) else { return };
    let held = a.claimed("src/api/**");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let ask = json!({"claim_id": held, "reason": "hotfix", "wait_seconds": 20});
            b.call("request_release", &ask)
        });
        let mut inbox = Vec::new();
        eventually(SOON, "the request reaches the holder", || {
            inbox = rows(&a.call("pending_requests", &json!({})), "pending");
            !inbox.is_empty()
        });
        let id = text(&inbox[0]["id"]);
        let said = answered(&mut a, &id, json!({"decision": "approved", "note": "take it"}));
        assert_eq!((&said["decision"], &said["note"]), (&json!("approved"), &json!("take it")));
        assert_eq!(said["decided_by_session_id"], "s-alice");
        let told = waiting.join().unwrap();
        assert_eq!((&told["id"], &told["decision"]), (&json!(id), &json!("approved")));
    });
    assert_eq!(s.claims_of("alice"), [Value::Null; 0]);
    b.claimed("src/api/db.ts");
    assert_eq!(b.call("my_requests", &json!({}))["count"], 0, "nothing is pending");
    assert_eq!(b.call("my_requests", &json!({"decision": "approved"}))["count"], 1);
    assert_eq!(b.call("my_requests", &json!({"decision": ""}))["count"], 1);
}

#[test]
fn denied() {
    let Some((s, [mut a, mut b])) = agents("peer::requesting", ["alice", "bob"]) else { return };
    let held = a.claimed("src/api/**");
    let before = claim(&s, "alice");
    let id = asked(&mut b, &held);
    // Who asked earlier can wait for the answer now.
    let began = Instant::now();
    let still = b.call("wait_for_request", &json!({"request_id": id, "timeout": 0}));
    assert_eq!(still["decision"], "pending");
    assert!(began.elapsed() < Duration::from_secs(5));
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| b.call("wait_for_request", &json!({"request_id": id, "timeout": 20})));
        let said = answered(&mut a, &id, json!({"decision": "denied", "note": "in the middle"}));
        assert_eq!(said["decision"], "denied");
        let told = waiting.join().unwrap();
        assert_eq!((&told["decision"], &told["note"]), (&json!("denied"), &json!("in the middle")));
    });
    let after = claim(&s, "alice");
    assert_eq!((&after["id"], &after["ttl_shortened"]), (&json!(held), &json!(0)));
    assert_eq!(after["expires_at"], before["expires_at"]);
    // A second answer changes nothing.
    let late = answered(&mut a, &id, json!({"decision": "approved"}));
    assert_eq!(late["decision"], "denied");
    assert_eq!(claim(&s, "alice")["id"], json!(held));
}

#[test]
fn narrowed() {
    let Some((s, [mut a, mut b])) = agents("peer::requesting", ["alice", "bob"]) else { return };
    let held = a.claimed("src/api/**");
    let id = asked(&mut b, &held);
    let outside = json!({"request_id": id, "decision": "narrowed", "narrowed_pattern": "docs/**"});
    assert!(a.fails("respond_to_request", &outside).contains("400"));
    let without = json!({"request_id": id, "decision": "narrowed"});
    assert!(a.fails("respond_to_request", &without).contains("400"));
    let keep = json!({"decision": "narrowed", "narrowed_pattern": "src/api/nested.ts"});
    assert_eq!(answered(&mut a, &id, keep)["decision"], "narrowed");
    let kept = claim(&s, "alice");
    assert_eq!(kept["pattern"], "src/api/nested.ts");
    assert_eq!((&kept["session_id"], &kept["ttl_shortened"]), (&json!("s-alice"), &json!(0)));
    b.claimed("src/api/db.ts");
    let said = b.claim(json!({"patterns": ["src/api/nested.ts"]}));
    assert_eq!(said["claim_ids"], json!([]), "{said}");
}

#[test]
fn coexisting() {
    let Some((s, [mut a, mut b, mut c])) = agents("peer::requesting", ["alice", "bob", "carol"])
    else {
        return;
    };
    let held = a.claimed("src/api/**");
    let id = asked(&mut b, &held);
    let without = json!({"request_id": id, "decision": "coexist"});
    assert!(a.fails("respond_to_request", &without).contains("400"));
    let share = json!({"decision": "coexist", "coexist_pattern": "src/api/db.ts"});
    assert_eq!(answered(&mut a, &id, share)["decision"], "coexist");
    let (holder, partner) = (claim(&s, "alice"), claim(&s, "bob"));
    assert_eq!(
        (&partner["pattern"], &partner["session_id"]),
        (&json!("src/api/db.ts"), &json!("s-bob"))
    );
    for (one, other) in [(&holder, &partner), (&partner, &holder)] {
        let linked: Vec<Value> = serde_json::from_str(&text(&one["coexists_with"])).unwrap();
        assert_eq!(linked, [other["id"].clone()]);
    }
    // Both stand against everybody else, and a push of either is not stopped by the other.
    let said = c.claim(json!({"patterns": ["src/api/db.ts"]}));
    assert_eq!(rows(&said, "conflicts").len(), 2, "{said}");
    let look = json!({"files": ["src/api/db.ts"], "engineer": "bob"});
    assert_eq!(b.call("check_conflicts", &look)["safe"], true);
}

#[test]
fn what_is_not_there_or_not_asked_right() {
    let Some((s, [mut a, mut b])) = agents("peer::requesting", ["alice", "bob"]) else { return };
    let ask = |claim: &str| json!({"claim_id": claim, "reason": "r", "wait_seconds": 0});
    let said = b.call("request_release", &ask("nope"));
    assert!(text(&said["detail"]).contains("unknown claim_id 'nope'"), "{said}");
    let said = b.call("wait_for_request", &json!({"request_id": "nope", "timeout": 0}));
    assert_eq!(said, json!({"detail": "request not found"}));
    let respond = json!({"request_id": "nope", "decision": "approved"});
    assert!(b.fails("respond_to_request", &respond).contains("404"));
    let held = a.claimed("x.ts");
    let id = asked(&mut b, &held);
    let odd = json!({"request_id": id, "decision": "perhaps"});
    assert!(a.fails("respond_to_request", &odd).contains("400"));
    // A claim that has ended cannot be asked for, and its open requests are settled.
    a.call("release_claims", &json!({"claim_ids": [held]}));
    let said = b.call("request_release", &ask(&held));
    assert!(text(&said["detail"]).contains("no longer active"), "{said}");
    let told = b.call("wait_for_request", &json!({"request_id": id, "timeout": 5}));
    assert_eq!(told["decision"], "resolved");
    assert_eq!(a.call("pending_requests", &json!({}))["count"], 0);
    if s.is_ours() {
        let held = a.claimed("y.ts");
        let id = asked(&mut b, &held);
        let own = json!({"decision": "approved", "engineer": "bob"});
        s.post(&format!("/requests/{id}/respond"), &own).refused(403);
    }
}
