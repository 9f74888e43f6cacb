//! Many mutations in one request.

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{PROJECT, column, id, uuid};

const BATCH: &str = "/api/coord/batch";

fn entry(id: &str, method: &str, path: &str, body: &Value) -> Value {
    json!({"id": id, "method": method, "path": path, "body": body})
}

fn claim(key: &str, session: &str, resource: &str) -> Value {
    let body = json!({"project_key": PROJECT, "session_id": session, "resource": resource});
    entry(key, "POST", "/api/coord/locks", &body)
}

fn message(key: &str, text: &str) -> Value {
    entry(key, "POST", "/api/coord/messages", &json!({"from_session": "M/a", "body": text}))
}

fn run(s: &TestServer, entries: &[Value]) -> Answer {
    s.post(BATCH, &json!({"entries": entries}))
}

fn statuses(done: &Value) -> Vec<i64> {
    let results = done["results"].as_array().unwrap();
    results.iter().map(|r| r["status"].as_i64().unwrap()).collect()
}

#[test]
fn entries_are_done_in_order_each_with_its_own_answer() {
    on_each_face(|s| {
        let lock = uuid();
        let end = format!("/api/coord/locks/{lock}?session_id=M/a");
        let done = run(
            s,
            &[
                claim(&lock, "M/a", "x"),
                claim("second", "M/b", "./x"),
                entry("gone", "DELETE", &end, &Value::Null),
                claim("third", "M/b", "x"),
                message("m", "after all that"),
            ],
        )
        .expect(200);
        assert_eq!(statuses(&done), [201, 409, 200, 201, 201]);
        assert_eq!(column(&done, "results", "id"), [&lock, "second", "gone", "third", "m"]);
        assert_eq!(id(&done["results"][0]["body"]), lock);
        assert!(done["results"][1]["body"]["detail"].as_str().unwrap().contains("M/a"));
        let held = s.get("/api/coord/locks").expect(200);
        assert_eq!(column(&held, "locks", "session_id"), ["M/b"]);
    });
}

#[test]
fn a_bad_entry_stops_nobody_else() {
    on_each_face(|s| {
        let nested = json!({"entries": [message("inner", "from within")]});
        let done = run(
            s,
            &[
                message("m1", "first"),
                entry("nowhere", "POST", "/api/coord/nothing", &Value::Null),
                entry("method", "PATCH", "/api/coord/locks", &Value::Null),
                entry("probe", "POST", "/health", &Value::Null),
                entry("host", "POST", "http://elsewhere/api/coord/locks", &Value::Null),
                entry("climbs", "POST", "/api/../x", &Value::Null),
                entry("no key", "POST", "/api/coord/locks", &Value::Null),
                entry("nested", "POST", BATCH, &nested),
                entry("empty", "POST", "/api/coord/messages", &Value::Null),
                entry("text", "POST", "/api/coord/messages", &json!("{\"broken")),
                message("m2", "last"),
            ],
        )
        .expect(200);
        let wanted = [201, 404, 405, 405, 400, 400, 400, 400, 400, 400, 201];
        assert_eq!(statuses(&done), wanted, "{done}");
        let kept = s.get("/api/coord/messages").expect(200);
        assert_eq!(column(&kept, "messages", "body"), ["first", "last"]);
    });
}

#[test]
fn a_body_may_be_a_text_that_holds_json() {
    on_each_face(|s| {
        let body = json!({"from_session": "M/a", "body": "x"}).to_string();
        let done = run(s, &[entry("t", "POST", "/api/coord/messages", &json!(body))]).expect(200);
        assert_eq!(statuses(&done), [201]);
    });
}

#[test]
fn a_batch_twice_is_a_batch_once() {
    on_each_face(|s| {
        let entries = [message("m1", "one"), claim("c", "", "x"), message("m2", "two")];
        let ask = Ask::new("POST", BATCH).key("whole").json(&json!({"entries": entries}));
        let first = s.ask(ask.clone());
        assert_eq!(statuses(&first.expect(200)), [201, 422, 201]);
        let again = s.ask(ask);
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        assert_eq!(again.header("coord-entry"), Some("whole"));

        // Without a key of the whole, each entry answers from its own memory.
        let by_entry = run(s, &entries).expect(200);
        assert_eq!(statuses(&by_entry), [201, 422, 201]);
        for n in 0..3 {
            let (new, old) = (&by_entry["results"][n], &first.json()["results"][n]);
            assert_eq!((&new["replayed"], &new["body"]), (&json!(true), &old["body"]));
        }
        // And an entry sent alone is the same entry.
        let alone = Ask::new("POST", "/api/coord/messages").key("m1").json(&entries[0]["body"]);
        assert_eq!(s.ask(alone).header("idempotency-replayed"), Some("true"));
        run(s, &[message("m1", "something else")]).expect(200)["results"][0]["status"]
            .as_i64()
            .filter(|status| *status == 422)
            .expect("another body under a used key is refused");
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 2);
    });
}

#[test]
fn how_large_a_batch_may_be() {
    on_each_face(|s| {
        let many =
            |n: usize| -> Vec<Value> { (0..n).map(|at| message(&format!("n{at}"), "x")).collect() };
        run(s, &many(501)).refused(413);
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 0);
        assert_eq!(run(s, &many(500)).expect(200)["results"].as_array().unwrap().len(), 500);
        let list = s.get("/api/coord/messages?limit=500").expect(200);
        assert_eq!(list["count"], 500);
        assert_eq!(run(s, &[]).expect(200)["results"], json!([]));
    });
}

#[test]
fn an_entry_without_an_id_refuses_the_whole_batch() {
    on_each_face(|s| {
        let mut nameless = message("", "two");
        nameless.as_object_mut().unwrap().remove("id");
        run(s, &[message("m1", "one"), nameless]).refused(422);
        s.post(BATCH, &json!({"entries": [{"id": "x", "method": "GET", "path": "/x"}]}))
            .refused(422);
        s.post(BATCH, &json!({})).refused(422);
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 0);
    });
}

#[test]
fn a_claim_past_its_time_is_history() {
    on_each_face(|s| {
        let mut late = claim("late", "M/a", "x");
        late["past"] = json!(true);
        let done = run(s, &[late]).expect(200);
        assert_eq!(done["results"][0]["body"]["outcome"], "past", "{done}");
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 0);
        assert_eq!(statuses(&run(s, &[claim("new", "M/b", "x")]).expect(200)), [201]);
    });
}

#[test]
fn a_batch_under_the_key_of_its_own_entry_does_nothing() {
    on_each_face(|s| {
        let key = uuid();
        let body =
            json!({"entries": [entry(&key, "POST", "/api/coord/todos", &json!({"text": "t"}))]});
        s.ask(Ask::new("POST", BATCH).key(&key).json(&body)).expect(409);
        assert_eq!(s.get("/api/coord/todos").expect(200)["count"], 0);
    });
}

#[test]
fn what_waited_in_a_queue_is_no_sign_of_life() {
    let s = coord_tests::server::Setup::new("axum").env("COORD_STALE_AFTER", "1").start();
    let held = run(&s, &[claim(&uuid(), "OLD/a", "r")]).expect(200);
    assert_eq!(statuses(&held), [201]);
    std::thread::sleep(std::time::Duration::from_millis(1_300));
    // Somebody sends what the silent session had queued long ago.
    let late = entry(
        &uuid(),
        "POST",
        "/api/coord/messages",
        &json!({"from_session": "OLD/a", "body": "x"}),
    );
    run(&s, &[late]).expect(200);
    let mine = run(&s, &[claim(&uuid(), "NEW/a", "r")]).expect(200);
    assert_eq!(statuses(&mine), [201], "{mine}");
    assert_eq!(mine["results"][0]["body"]["released_stale"][0]["session_id"], "OLD/a");
}
