//! Idempotency keys: one effect and one answer, whatever happens in between.

use std::thread;

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{PROJECT, claim, id, release, text, uuid};

const LOCKS: &str = "/api/coord/locks";

fn lock(session: &str) -> Value {
    json!({"project_key": PROJECT, "session_id": session, "resource": "x"})
}

fn keyed(s: &TestServer, target: &str, key: &str, body: &Value) -> Answer {
    s.ask(Ask::new("POST", target).key(key).json(body))
}

#[test]
fn the_same_key_gives_the_same_answer() {
    on_each_face(|s| {
        let instance = text(&s.get("/health").expect(200), "instance");
        let key = "a-key/of.my:own";
        let first = keyed(s, LOCKS, key, &lock("M/a"));
        first.expect(201);
        assert_eq!(first.header("idempotency-replayed"), None);
        let spelled = format!(
            "  {{\"resource\": \"x\", \"session_id\": \"M/a\", \"project_key\": \"{PROJECT}\"}}\n"
        );
        for ask in [
            Ask::new("POST", LOCKS).key(key).json(&lock("M/a")),
            Ask::new("POST", LOCKS).key(&format!("\"{key}\"")).json(&lock("M/a")),
            Ask::new("POST", LOCKS).key(key).body(spelled),
        ] {
            let again = s.ask(ask);
            assert_eq!((again.status, &again.body), (201, &first.body));
            assert_eq!(again.header("idempotency-replayed"), Some("true"));
            assert_eq!(again.header("coord-entry"), Some(key));
            assert_eq!(again.header("coord-instance"), Some(instance.as_str()));
        }
        assert_eq!(first.header("coord-entry"), Some(key));
        assert_eq!(first.header("coord-instance"), Some(instance.as_str()));
        assert_eq!(s.get(LOCKS).expect(200)["count"], 1);
        let other_key = keyed(s, LOCKS, "another", &lock("M/a"));
        assert_eq!((other_key.status, &other_key.json()["renewed"]), (200, &json!(true)));
    });
}

#[test]
fn a_key_belongs_to_one_request() {
    on_each_face(|s| {
        let key = uuid();
        keyed(s, LOCKS, &key, &lock("M/a")).expect(201);
        assert!(keyed(s, LOCKS, &key, &lock("M/b")).refused(422).contains(&key));
        keyed(s, "/api/coord/messages", &key, &lock("M/a")).refused(422);
        keyed(s, &format!("{LOCKS}?x=1"), &key, &lock("M/a")).refused(422);
        let put = Ask::new("PUT", "/api/coord/components").key(&key).json(&lock("M/a"));
        s.ask(put).refused(422);
        // The first answer stands.
        let again = keyed(s, LOCKS, &key, &lock("M/a"));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    });
}

#[test]
fn what_is_no_key() {
    on_each_face(|s| {
        for bad in ["", "\"\"", "two words", "a\"b", "a\\b", &"k".repeat(129)] {
            keyed(s, LOCKS, bad, &lock("M/a")).refused(400);
        }
        assert_eq!(s.get(LOCKS).expect(200)["count"], 0);
        keyed(s, LOCKS, &"k".repeat(128), &lock("M/a")).expect(201);
    });
}

#[test]
fn a_key_that_is_no_text_is_not_overlooked() {
    let s = TestServer::start("axum");
    keyed(&s, LOCKS, "caf\u{e9}", &lock("M/a")).refused(400);
    assert_eq!(s.get(LOCKS).expect(200)["count"], 0);
}

#[test]
fn a_no_is_kept_too() {
    on_each_face(|s| {
        let held = id(&claim(s, "M/b", "x").expect(201));
        let conflict = keyed(s, LOCKS, "k1", &lock("M/a"));
        conflict.refused(409);
        release(s, "M/b", &held).expect(200);
        let again = keyed(s, LOCKS, "k1", &lock("M/a"));
        assert_eq!((again.status, &again.body), (409, &conflict.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        // A new intent has a new key, and its own answer.
        keyed(s, LOCKS, "k2", &lock("M/a")).expect(201);
        let shapeless = keyed(s, LOCKS, "k3", &json!({}));
        shapeless.refused(422);
        let again = keyed(s, LOCKS, "k3", &json!({}));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
    });
}

#[test]
fn what_is_created_under_a_uuid_has_it_as_id() {
    on_each_face(|s| {
        let workflow = uuid();
        for (target, key, body) in [
            (LOCKS, uuid(), lock("M/a")),
            ("/api/coord/messages", uuid(), json!({"from_session": "M/a", "body": "x"})),
            ("/api/coord/workflows", workflow.clone(), json!({"project_key": "p", "name": "w"})),
            ("/api/coord/work-items", uuid(), json!({"workflow_id": workflow, "title": "t"})),
            ("/api/coord/todos", uuid(), json!({"text": "t"})),
            ("/api/coord/decisions", uuid(), json!({"category": "c", "title": "t"})),
        ] {
            assert_eq!(id(&keyed(s, target, &key, &body).expect(201)), key, "{target}");
            assert_eq!(id(&s.get(&format!("{target}/{key}")).expect(200)), key, "{target}");
            // The same id under another key: it exists already.
            keyed(s, target, &key.to_uppercase(), &body).refused_or_renewed(target);
        }
        let named = keyed(s, "/api/coord/todos", "no-uuid", &json!({"text": "t"})).expect(201);
        assert_ne!(id(&named), "no-uuid");
    });
}

trait Told {
    /// 409, but for a lock, which its holder only renews.
    fn refused_or_renewed(&self, target: &str);
}

impl Told for Answer {
    #[track_caller]
    fn refused_or_renewed(&self, target: &str) {
        if target == LOCKS {
            assert_eq!(self.expect(200)["renewed"], true);
        } else {
            self.refused(409);
        }
    }
}

#[test]
fn answers_survive_a_crash() {
    for face in coord_tests::server::faces() {
        let mut s = TestServer::start(face);
        let instance = text(&s.get("/health").expect(200), "instance");
        let key = uuid();
        let first = keyed(&s, LOCKS, &key, &lock("M/a"));
        first.expect(201);
        keyed(&s, LOCKS, "no", &lock("M/b")).refused(409);
        s.kill9();
        s.restart();
        assert_eq!(text(&s.get("/health").expect(200), "instance"), instance);
        let again = keyed(&s, LOCKS, &key, &lock("M/a"));
        assert_eq!((again.status, &again.body), (201, &first.body));
        assert_eq!(again.header("idempotency-replayed"), Some("true"));
        keyed(&s, LOCKS, "no", &lock("M/b")).refused(409);
        assert_eq!(s.get(LOCKS).expect(200)["count"], 1);
    }
}

#[test]
fn many_at_once_under_one_key() {
    on_each_face(|s| {
        let body = json!({"from_session": "M/a", "body": "once"});
        for _ in 0..20 {
            let key = uuid();
            let answers: Vec<Answer> = thread::scope(|scope| {
                let all: Vec<_> = (0..8)
                    .map(|_| scope.spawn(|| keyed(s, "/api/coord/messages", &key, &body)))
                    .collect();
                all.into_iter().map(|t| t.join().unwrap()).collect()
            });
            assert!(answers.iter().all(|a| a.status == 201 && a.body == answers[0].body));
            let fresh = answers.iter().filter(|a| a.header("idempotency-replayed").is_none());
            assert_eq!(fresh.count(), 1);
        }
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 20);
    });
}
