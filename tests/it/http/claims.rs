//! Team claims where it gets hard: keys of calls that wait, partners, renewals, what stands beside what.

use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Answer, Ask, Conn};
use coord_tests::server::{Setup, TestServer, eventually, on_each_face};
use serde_json::{Value, json};

const KEY: &str = "0193c2a0-0000-7000-8000-00000000beef";

fn wish(who: &str, items: &Value, wait: u32) -> Value {
    json!({"engineer": who, "session_id": format!("M/{who}"), "repo": "o/r", "claims": items,
        "wait_seconds": wait})
}

fn whole(patterns: &[&str]) -> Value {
    patterns.iter().map(|p| json!({"type": "file", "pattern": p})).collect()
}

fn parts(pattern: &str, symbols: &[&str]) -> Value {
    json!({"type": "file", "pattern": pattern, "symbols": symbols})
}

fn claim(s: &TestServer, who: &str, items: &Value) -> Answer {
    s.post("/claims", &wish(who, items, 0))
}

fn ids(answer: &Answer) -> Vec<String> {
    let body = answer.expect(200);
    body["claim_ids"].as_array().unwrap().iter().map(|i| i.as_str().unwrap().to_owned()).collect()
}

fn release(s: &TestServer, ids: &[String]) {
    s.post("/claims/release", &json!({"claim_ids": ids})).expect(200);
}

fn parked(s: &TestServer, who: &str, pattern: &str, key: Option<&str>) -> Conn {
    let mut ask = Ask::new("POST", "/claims").json(&wish(who, &whole(&[pattern]), 60));
    if let Some(key) = key {
        ask = ask.key(key);
    }
    let before = queue(s);
    let mut conn = s.conn();
    conn.send(&ask.bytes("127.0.0.1")).unwrap();
    // The same request again takes the place of the one before it.
    eventually(Duration::from_secs(5), "it waits", || {
        let now = queue(s);
        now > before || (now == before && key.is_some() && before > 0)
    });
    conn
}

fn queue(s: &TestServer) -> usize {
    let body = s.get("/requests?queued=true").expect(200);
    body["requests"].as_array().unwrap().len()
}

fn live(s: &TestServer, who: &str) -> Vec<Value> {
    let body = s.get(&format!("/claims?engineer={who}&full=true")).expect(200);
    body["claims"].as_array().unwrap().clone()
}

#[test]
fn nobody_is_told_of_claims_that_it_lost() {
    let s = Setup::new("axum").start();
    for round in 0..5 {
        let key = format!("0193c2a0-0000-7000-8000-00000000000{round}");
        let held = ids(&claim(&s, "a", &whole(&["x.ts"])));
        drop(parked(&s, "b", "x.ts", Some(&key)));
        // Served at once or not at all: its caller is gone, whether that was seen already or not.
        release(&s, &held);
        let retry = Ask::new("POST", "/claims").key(&key).json(&wish("b", &whole(&["x.ts"]), 60));
        thread::sleep(Duration::from_millis(300 * (round % 2)));
        let told = ids(&s.ask(retry));
        let has: Vec<String> =
            live(&s, "b").iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(told, has, "round {round}");
        release(&s, &told);
    }
}

#[test]
fn the_newest_connection_has_the_place() {
    let s = Setup::new("axum").start();
    let held = ids(&claim(&s, "a", &whole(&["x.ts"])));
    let mut first = parked(&s, "b", "x.ts", Some(KEY));
    let mut second = parked(&s, "b", "x.ts", Some(KEY));
    first.answer().unwrap().refused(409);
    release(&s, &held);
    let told = ids(&second.answer().unwrap());
    // That the older one goes means nothing.
    drop(first);
    thread::sleep(Duration::from_millis(500));
    assert_eq!(live(&s, "b")[0]["id"], told[0].as_str());
}

#[test]
fn a_key_is_of_one_request() {
    let s = Setup::new("axum").start();
    let held = ids(&claim(&s, "a", &whole(&["x.ts"])));
    for key in [KEY, "no-uuid"] {
        let mut waits = parked(&s, "b", "x.ts", Some(key));
        let other = Ask::new("POST", "/claims").key(key).json(&wish("eve", &whole(&["y.ts"]), 60));
        s.ask(other).refused(422);
        // A place's id is no key to it.
        let rows = s.get("/requests?queued=true").expect(200);
        let place = rows["requests"][0]["queue_id"].as_str().unwrap().to_owned();
        let thief =
            Ask::new("POST", "/claims").key(&place).json(&wish("eve", &whole(&["z.ts"]), 60));
        assert_eq!(live(&s, "eve").len(), 0);
        let got = s.ask(thief);
        if place == key {
            got.refused(422);
        } else {
            release(&s, &ids(&got));
        }
        let cancelled = s.delete(&format!("/requests/{place}")).expect(200);
        assert_eq!(cancelled["cancelled"], true);
        waits.answer().unwrap().expect(409);
    }
    release(&s, &held);
}

#[test]
fn what_comes_out_of_a_queue_waits_for_nothing() {
    let s = Setup::new("axum").start();
    let held = ids(&claim(&s, "a", &whole(&["x.ts"])));
    drop(parked(&s, "b", "x.ts", Some(KEY)));
    eventually(Duration::from_secs(5), "it has left", || queue(&s) == 0);
    let entry = json!({"ts": "2026-11-21T00:00:00Z", "method": "POST", "path": "/claims", "id": KEY,
        "body": wish("b", &whole(&["x.ts"]), 60)});
    let done = s.post("/api/coord/batch", &json!({"entries": [entry]})).expect(200);
    assert_eq!(done["results"][0]["status"], 409);
    release(&s, &held);
    assert_eq!((live(&s, "b").len(), queue(&s)), (0, 0));
}

#[test]
fn what_ran_out_stays_over() {
    let s = Setup::new("axum").env("COORD_REQUEST_TTL_SHORT_SEC", "1").start();
    let alice = ids(&claim(&s, "alice", &json!([parts("pk/a.ts", &["f"])])));
    let carol = ids(&claim(&s, "carol", &whole(&["pk/b.ts"])));
    let file = |claim: &str, who: &str| {
        let ask = json!({"claim_id": claim, "requester": who, "wait_seconds": 0});
        s.post("/requests", &ask).expect(200)["id"].as_str().unwrap().to_owned()
    };
    let asked = file(&alice[0], "bob");
    thread::sleep(Duration::from_millis(1_200));
    let no = json!({"decision": "denied", "engineer": "alice"});
    s.post(&format!("/requests/{asked}/respond"), &no).refused(409);
    claim(&s, "dave", &whole(&["pk/a.ts"])).expect(200);
    // Whoever waits for the decision hears of the end, though nobody stands in the queue.
    let began = Instant::now();
    let ask = json!({"claim_id": carol[0], "requester": "bob", "wait_seconds": 15});
    assert_eq!(s.post("/requests", &ask).expect(200)["decision"], "expired");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_lock_that_was_asked_for_settles_it() {
    on_each_face(|s| {
        let lock = json!({"project_key": "o/r", "session_id": "M/a", "resource": "deploy"});
        let lock = s.post("/api/coord/locks", &lock).expect(201);
        let ask = json!({"claim_id": lock["id"], "requester": "bob", "wait_seconds": 0});
        let asked = s.post("/requests", &ask).expect(200);
        let at = format!("/api/coord/locks/{}?session_id=M/a", lock["id"].as_str().unwrap());
        s.delete(&at).expect(200);
        let row = s.get(&format!("/requests/{}", asked["id"].as_str().unwrap())).expect(200);
        assert_eq!(row["decision"], "resolved");
    });
}

#[test]
fn symbols_that_a_holder_grants_are_names() {
    on_each_face(|s| {
        let held = ids(&claim(s, "ann", &whole(&["a.ts"])));
        let ask = json!({"claim_id": held[0], "requester": "bob", "session_id": "M/bob",
            "wait_seconds": 0});
        let asked = s.post("/requests", &ask).expect(200);
        let at = format!("/requests/{}/respond", asked["id"].as_str().unwrap());
        let with = |symbols: &[&str]| {
            json!({"decision": "coexist", "coexist_pattern": "a.ts", "engineer": "ann",
                "coexist_symbols": symbols})
        };
        s.post(&at, &with(&["A::"])).refused(400);
        s.post(&at, &with(&["Router :: handle"])).expect(200);
        assert_eq!(live(s, "bob")[0]["symbols"], json!(["Router::handle"]));
        claim(s, "cleo", &json!([parts("a.ts", &["Router::handle"])])).expect(409);
    });
}

#[test]
fn all_partners_of_one_request_are_known() {
    on_each_face(|s| {
        claim(s, "h", &whole(&["lib/**"])).expect(200);
        let both = json!([parts("lib/a.ts", &["f"]), parts("lib/b.ts", &["f"])]);
        let got = ids(&claim(s, "p", &both));
        let known = live(s, "h")[0]["coexists_with"].as_str().unwrap().to_owned();
        assert!(got.iter().all(|id| known.contains(id)), "{known}");
        let ask = |file: &str| {
            let at = format!("/conflicts?pattern={file}&engineer=h&session_id=M/h&repo=o/r");
            s.get(&at).expect(200)["safe"].clone()
        };
        assert_eq!((ask("lib/a.ts"), ask("lib/b.ts")), (json!(true), json!(true)));
        // The holder goes on with what it has.
        assert_eq!(ids(&claim(s, "h", &whole(&["lib/**"]))).len(), 1);
        assert_eq!(live(s, "h").len(), 1);
        // The same thing twice in one request is one claim.
        let twice = ids(&claim(s, "q", &whole(&["doc/a.md", "./doc/a.md"])));
        assert_eq!((twice[0] == twice[1], live(s, "q").len()), (true, 1));
    });
}

#[test]
fn a_file_that_begins_to_give_way_serves() {
    let s = Setup::new("axum").start();
    let item =
        |gives_way: bool| json!([{"type": "file", "pattern": "a.ts", "narrowable": gives_way}]);
    claim(&s, "h", &item(false)).expect(200);
    let mut conn = s.conn();
    let ask = wish("w", &json!([parts("a.ts", &["f"])]), 30);
    conn.send(&Ask::new("POST", "/claims").json(&ask).bytes("127.0.0.1")).unwrap();
    eventually(Duration::from_secs(5), "it waits", || queue(&s) == 1);
    claim(&s, "h", &item(true)).expect(200);
    conn.answer().unwrap().expect(200);
}

#[test]
fn a_circle_that_arises_while_waiting_is_seen() {
    let s = Setup::new("axum").start();
    let x = ids(&claim(&s, "a", &whole(&["x.ts"])));
    claim(&s, "w", &whole(&["y.ts"])).expect(200);
    let mut first = parked(&s, "s", "x.ts", None);
    let second = parked(&s, "s", "y.ts", None);
    let mut third = parked(&s, "w", "x.ts", None);
    release(&s, &x);
    first.answer().unwrap().expect(200);
    let no = third.answer().unwrap().expect(409);
    assert!(no["warnings"].to_string().contains("circle"), "{no}");
    drop(second);
}

#[test]
fn a_question_counts_no_empty_session_and_all_that_wait() {
    let s = Setup::new("axum").start();
    let ask = json!({"engineer": "ann", "repo": "o/r", "claims": whole(&["x.ts"])});
    s.post("/claims", &ask).expect(200);
    let safe = |query: &str| s.get(&format!("/conflicts?{query}")).expect(200)["safe"].clone();
    assert_eq!(safe("pattern=x.ts&engineer=me&repo=o/r&session_id="), false);
    claim(&s, "me", &whole(&["gg/a.ts"])).expect(200);
    let both = wish("w", &whole(&["gg/b.ts", "x.ts"]), 30);
    let mut conn = s.conn();
    conn.send(&Ask::new("POST", "/claims").json(&both).bytes("127.0.0.1")).unwrap();
    eventually(Duration::from_secs(5), "it waits", || queue(&s) == 1);
    assert_eq!(safe("pattern=gg/**&engineer=me&repo=o/r&session_id=M/me"), false);
    claim(&s, "me", &whole(&["gg/**"])).expect(409);
}

/// Files that were worked on are names, not patterns; who holds them is said with all that is known.
#[test]
fn a_question_about_files_is_about_names_and_holders() {
    on_each_face(|s| {
        claim(s, "a", &whole(&["app/i/page.tsx", "src/**"])).expect(200);
        claim(s, "s", &json!([parts("lib/x.ts", &["A::b"])])).expect(200);
        let _waits = parked(s, "w", "src/**", None);
        let ask = |query: &str| s.get(&format!("/conflicts?engineer=q&repo=o/r&{query}"));
        let found = ask("file=app/%5Bi%5D/page.tsx&file=docs/x&file=src/b%25.ts&file=lib/x.ts");
        let found = found.expect(200);
        let all = found["conflicts"].as_array().unwrap();
        assert_eq!(all.len(), 2, "{found}");
        assert_eq!(
            (&all[0]["your_pattern"], &all[0]["engineer"]),
            (&json!("src/b%.ts"), &json!("a"))
        );
        assert_eq!(all[1]["symbols"], json!(["A::b"]));
        for known in ["claim_id", "since", "session_id"] {
            assert!(all[0][known].is_string(), "{known} in {found}");
        }
        // A pattern is answered as ever.
        let pattern = ask("pattern=src/b.ts").expect(200);
        assert_eq!(pattern["conflicts"][0]["since"], Value::Null);
        assert!(!pattern["conflicts"][0].as_object().unwrap().contains_key("claim_id"));
        // Its own are none; who only waits holds nothing.
        assert_eq!(s.get("/conflicts?engineer=a&repo=o/r&file=src/b.ts").expect(200)["safe"], true);
        let nothing = s.get("/conflicts?engineer=q&repo=o/r");
        assert_eq!(nothing.status, 400);
        for bad in ["..", "%0a", ""] {
            ask(&format!("file={bad}")).expect(400);
        }
        let many = "file=x&".repeat(2_001);
        assert!([414, 422, 431].contains(&ask(&many).status));
    });
}

#[test]
fn many_behind_one_that_waits_hold_nobody_up() {
    let s = Setup::new("axum").start();
    let held = ids(&claim(&s, "a", &whole(&["a.ts"])));
    let mut first = s.conn();
    let both = wish("w0", &whole(&["a.ts", "b.ts"]), 60);
    first.send(&Ask::new("POST", "/claims").json(&both).bytes("127.0.0.1")).unwrap();
    eventually(Duration::from_secs(5), "it waits", || queue(&s) == 1);
    let others: Vec<Conn> =
        (0..60).map(|n| parked(&s, &format!("w{}", n + 1), "b.ts", None)).collect();
    let mut slowest = Duration::ZERO;
    for n in 0..50 {
        let began = Instant::now();
        claim(&s, "other", &whole(&[&format!("lib/{n}.ts")])).expect(200);
        slowest = slowest.max(began.elapsed());
        thread::sleep(Duration::from_millis(10));
    }
    // A debug build on a busy machine: what it was before took seconds.
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
    release(&s, &held);
    first.answer().unwrap().expect(200);
    drop(others);
}

#[test]
fn hostile_requests_cost_little() {
    let s = Setup::new("axum").start();
    let began = Instant::now();
    let empty: Vec<Value> = vec![json!({}); 100_000];
    let no = s.post("/claims", &json!({"engineer": "x", "claims": empty}));
    assert_eq!(no.status, 422);
    assert!(no.text().len() < 100_000, "{} bytes", no.text().len());
    let stars = |c: char, n: usize| format!("h/{}{n}", format!("*{c}").repeat(200));
    for n in 0..10 {
        claim(&s, "a", &whole(&[&stars('a', n)]));
    }
    for n in 0..5 {
        claim(&s, "b", &whole(&[&stars('b', n)]));
    }
    let many: Vec<String> = (0..100).map(|n| stars('c', n)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    claim(&s, "c", &whole(&many)).expect(400);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn a_holder_is_told_of_what_it_did_not_end_itself() {
    let s = Setup::new("axum")
        .env("COORD_REQUEST_TTL_SHORT_SEC", "1")
        .env("COORD_IDLE_TIMEOUT_SEC", "3")
        .start();
    let owners = "areas:\n  x: {paths: [\"own/**\"], owners: [olga]}\n";
    s.ask(Ask::new("POST", "/config/ownership").body(owners)).expect(200);
    let by_owner = ids(&claim(&s, "h", &whole(&["own/a.ts"])));
    let by_force = ids(&claim(&s, "h", &whole(&["b.ts"])));
    let by_request = ids(&claim(&s, "h", &whole(&["c.ts"])));
    let by_nobody = ids(&claim(&s, "h", &whole(&["d.ts"])));
    let itself = ids(&claim(&s, "h", &whole(&["e.ts"])));
    s.delete(&format!("/claims/{}?engineer=olga", by_owner[0])).expect(200);
    let force = "session_id=M/z&force=true&reason=fire";
    s.delete(&format!("/api/coord/locks/{}?{force}", by_force[0])).expect(200);
    release(&s, &by_nobody);
    s.delete(&format!("/claims/{}?engineer=h", itself[0])).expect(200);
    let ask = json!({"claim_id": by_request[0], "requester": "w", "wait_seconds": 10});
    assert_eq!(s.post("/requests", &ask).expect(200)["decision"], "expired");
    claim(&s, "h", &whole(&["f.ts"])).expect(200);
    thread::sleep(Duration::from_millis(3_300));
    claim(&s, "next", &whole(&["f.ts"])).expect(200);
    let mail = s.get("/api/coord/messages?to_session=M/h&limit=50").expect(200);
    let ended: Vec<&str> = mail["messages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|m| m["subject"].as_str().unwrap().ends_with("has ended"))
        .map(|m| m["body"].as_str().unwrap())
        .collect();
    for (file, why) in [
        ("own/a.ts", "olga"),
        ("b.ts", "fire"),
        ("c.ts", "was not answered"),
        ("d.ts", "gave no name"),
        ("f.ts", "silent"),
    ] {
        assert!(ended.iter().any(|b| b.contains(file) && b.contains(why)), "{file}: {ended:?}");
    }
    assert_eq!(ended.len(), 5, "{ended:?}");
}
