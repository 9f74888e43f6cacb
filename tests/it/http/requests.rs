//! Release requests: who may decide what, and what becomes of the holder's time.

use std::thread;
use std::time::Duration;

use coord_protocol::time::Millis;
use coord_tests::raw::Answer;
use coord_tests::server::{TestServer, eventually, on_each_face};
use serde_json::{Value, json};

fn claim(s: &TestServer, who: &str, pattern: &str, symbols: &[&str]) -> Answer {
    let item = json!({"type": "file", "pattern": pattern, "symbols": symbols, "narrowable": false});
    s.post(
        "/claims",
        &json!({"engineer": who, "session_id": format!("M/{who}"), "repo": "o/r", "claims": [item]}),
    )
}

fn id_of(answer: &Answer) -> String {
    answer.expect(200)["claim_ids"][0].as_str().unwrap().to_owned()
}

fn file(s: &TestServer, claim: &str, who: &str, wait: u32) -> Answer {
    s.post(
        "/requests",
        &json!({"claim_id": claim, "requester": who, "session_id": format!("M/{who}"),
            "reason": "hotfix", "urgency": "high", "wait_seconds": wait}),
    )
}

fn request(s: &TestServer, claim: &str, who: &str) -> String {
    file(s, claim, who, 0).expect(200)["id"].as_str().unwrap().to_owned()
}

fn respond(s: &TestServer, request: &str, who: &str, what: &Value) -> Answer {
    let mut body = what.clone();
    body["engineer"] = json!(who);
    s.post(&format!("/requests/{request}/respond"), &body)
}

/// The claim, live or not.
fn row(s: &TestServer, id: &str) -> Value {
    let all = s.get("/claims?active_only=false&full=true").expect(200);
    let found = all["claims"].as_array().unwrap().iter().find(|c| c["id"] == id);
    found.cloned().unwrap_or_else(|| panic!("no claim {id}"))
}

/// Until when the claim is held.
fn end_of(s: &TestServer, id: &str) -> Millis {
    Millis::parse(row(s, id)["expires_at"].as_str().unwrap()).unwrap()
}

#[test]
fn time_is_cut_and_given_back() {
    on_each_face(|s| {
        let id = id_of(&claim(s, "ann", "a.ts", &[]));
        let whole = end_of(s, &id);
        let (one, two) = (request(s, &id, "bob"), request(s, &id, "cleo"));
        let cut = end_of(s, &id);
        assert!(cut < whole && row(s, &id)["ttl_shortened"] == 1);
        respond(s, &one, "ann", &json!({"decision": "denied"})).expect(200);
        assert_eq!(end_of(s, &id), cut, "the other one is still open");
        // Meanwhile the holder asks for more: it has that once all is decided.
        let more = json!({"engineer": "ann", "ttl_hours": 20});
        s.post(&format!("/claims/{id}/extend"), &more).expect(200);
        assert_eq!(end_of(s, &id), cut);
        respond(s, &two, "ann", &json!({"decision": "denied"})).expect(200);
        assert!(end_of(s, &id) > whole && row(s, &id)["ttl_shortened"] == 0);
    });
}

#[test]
fn who_decides() {
    on_each_face(|s| {
        let owners = "areas:\n  x: {paths: [\"x/**\"], owners: [olga]}\n";
        s.ask(coord_tests::raw::Ask::new("POST", "/config/ownership").body(owners)).expect(200);
        let id = id_of(&claim(s, "ann", "x/a.ts", &[]));
        file(s, &id, "ann", 0).refused(409);
        file(s, "nope", "bob", 0).refused(404);
        let asked = request(s, &id, "bob");
        let yes = json!({"decision": "approved"});
        respond(s, &asked, "bob", &yes).refused(403);
        respond(s, &asked, "zed", &yes).refused(403);
        respond(s, &asked, "olga", &json!({"decision": "maybe"})).refused(400);
        respond(s, &asked, "olga", &json!({"decision": "narrowed"})).refused(400);
        assert_eq!(respond(s, &asked, "olga", &yes).expect(200)["decision"], "approved");
        assert!(row(s, &id)["released_at"].is_string());
        // Too late: on record, and nothing changes.
        let late = respond(s, &asked, "ann", &json!({"decision": "denied"})).expect(200);
        assert_eq!(late["decision"], "approved");
        let events = s.get(&format!("/requests/{asked}/events")).expect(200);
        let kinds: Vec<&str> = events["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["event_type"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["filed", "responded", "responded-late"]);
        file(s, &id, "bob", 0).refused(409);
    });
}

#[test]
fn narrowing_keeps_what_the_claim_is() {
    on_each_face(|s| {
        let id = id_of(&claim(s, "ann", "src/**", &["Router", "close"]));
        let asked = request(s, &id, "bob");
        let narrow = |to: &str| json!({"decision": "narrowed", "narrowed_pattern": to});
        respond(s, &asked, "ann", &narrow("lib/x.ts")).refused(400);
        respond(s, &asked, "ann", &narrow("src/a.ts")).expect(200);
        let live = s.get("/claims?engineer=ann&full=true").expect(200);
        let new = &live["claims"][0];
        assert_eq!(live["count"], 1);
        assert_eq!((&new["pattern"], &new["scope_type"]), (&json!("src/a.ts"), &json!("symbol")));
        assert_eq!(new["symbols"], json!(["Router", "close"]));
        claim(s, "bob", "src/b.ts", &[]).expect(200);
        claim(s, "bob", "src/a.ts", &["Router::x"]).expect(409);
    });
}

#[test]
fn coexisting_is_between_two() {
    on_each_face(|s| {
        let id = id_of(&claim(s, "ann", "src/a.ts", &[]));
        claim(s, "zed", "src/b.ts", &[]).expect(200);
        let whole = end_of(s, &id);
        let asked = request(s, &id, "bob");
        let coexist = |with: &str| json!({"decision": "coexist", "coexist_pattern": with});
        // Only what the holder holds is the holder's to share.
        respond(s, &asked, "ann", &coexist("**")).refused(400);
        respond(s, &asked, "ann", &coexist("src/b.ts")).refused(400);
        respond(s, &asked, "ann", &coexist("src/a.ts")).expect(200);
        assert!(end_of(s, &id) >= whole && row(s, &id)["ttl_shortened"] == 0);
        let bobs = s.get("/claims?engineer=bob").expect(200)["claims"][0].clone();
        assert!(bobs["coexists_with"].as_str().unwrap().contains(&id));
        // Both go on; a third does not get in.
        claim(s, "bob", "src/a.ts", &[]).expect(200);
        claim(s, "ann", "src/a.ts", &[]).expect(200);
        claim(s, "cleo", "src/a.ts", &[]).expect(409);
        let safe = s.get("/conflicts?pattern=src/a.ts&engineer=bob&session_id=M/bob&repo=o/r");
        assert_eq!(safe.expect(200)["safe"], true);
    });
}

#[test]
fn an_end_settles_what_was_asked() {
    on_each_face(|s| {
        let id = id_of(&claim(s, "ann", "a.ts", &[]));
        let asked = request(s, &id, "bob");
        s.post("/claims/release", &json!({"claim_ids": [id], "engineer": "ann"})).expect(200);
        let row = s.get(&format!("/requests/{asked}")).expect(200);
        assert_eq!(row["decision"], "resolved");
        claim(s, "bob", "a.ts", &[]).expect(200);
    });
}

#[test]
fn who_waits_for_a_decision_hears_it() {
    on_each_face(|s| {
        let id = id_of(&claim(s, "ann", "a.ts", &[]));
        thread::scope(|scope| {
            let bob = scope.spawn(|| file(s, &id, "bob", 20));
            let inbox = || s.get("/sessions/M%2Fann/pending_requests").expect(200);
            eventually(Duration::from_secs(5), "the holder sees it", || inbox()["count"] == 1);
            let pending = inbox()["pending"][0].clone();
            assert_eq!(
                (&pending["kind"], &pending["reason"]),
                (&json!("request"), &json!("hotfix"))
            );
            let asked = pending["id"].as_str().unwrap().to_owned();
            respond(s, &asked, "ann", &json!({"decision": "denied", "note": "soon"})).expect(200);
            let told = bob.join().unwrap().expect(200);
            assert_eq!((&told["decision"], &told["note"]), (&json!("denied"), &json!("soon")));
        });
        // Nobody answers: the request is told as it stands.
        assert_eq!(file(s, &id, "cleo", 1).expect(200)["decision"], "pending");
    });
}
