//! Claims on files, sessions that are silent, and conversations that are over (seed 003).

use std::thread;
use std::time::Duration;

use coord_tests::raw::Answer;
use coord_tests::server::{Setup, TestServer, faces, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{PROJECT, id, release, text};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn file(s: &TestServer, session: &str, name: &str, more: &Value) -> Answer {
    let mut ask = json!({"project_key": PROJECT, "session_id": session, "resource": name,
        "kind": "file"});
    if let (Some(all), Some(more)) = (ask.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    s.post("/api/coord/locks", &ask)
}

fn state(s: &TestServer, session: &str, name: &str) -> Value {
    let path =
        format!("/api/coord/file?project_key={PROJECT}&resource={name}&session_id={session}");
    s.get(&path).expect(200)
}

#[test]
fn a_file_knows_what_was_in_it() {
    on_each_face(|s| {
        let lock = file(s, "M/a", "src/[x].rs", &json!({"content": A})).expect(201);
        assert_eq!((&lock["kind"], &lock["content_then"]), (&json!("file"), &json!(A)), "{lock}");
        assert!((lock["ttl_hours"].as_f64().unwrap() - 300.0 / 3600.0).abs() < 1e-9);
        let patch = |session: &str, more: &Value| {
            let mut ask = json!({"session_id": session});
            ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            s.patch(&format!("/api/coord/locks/{}", id(&lock)), &ask)
        };
        let edited = patch("M/a", &json!({"content": B, "ttl_hours": 1})).expect(200);
        assert_eq!((&edited["content_then"], &edited["content_now"]), (&json!(A), &json!(B)));
        assert_eq!(edited["ttl_hours"], 1.0);
        // What it began with stays, whoever asks again.
        let again = file(s, "M/a", "src/[x].rs", &json!({"content": B})).expect(200);
        assert_eq!((&again["content_then"], &again["content_now"]), (&json!(A), &json!(B)));
        patch("M/b", &json!({})).refused(403);
        patch("M/a", &json!({"content": "x"})).refused(422);
        patch("M/a", &json!({"ttl_hours": -1})).refused(422);
        file(s, "M/a", "y", &json!({"content": "x"})).refused(422);
        file(s, "M/a", "y", &json!({"kind": "folder"})).refused(422);
        assert_eq!(state(s, "M/b", "src/[x].rs")["lock"]["session_id"], "M/a");
        release(s, "M/a", &id(&lock)).expect(200);
        let over = patch("M/a", &json!({})).refused(410);
        assert!(over.contains("released"), "{over}");
        assert_eq!(state(s, "M/a", "src/[x].rs")["mine"]["end_reason"], "released");
        s.patch("/api/coord/locks/none", &json!({"session_id": "M/a"})).refused(404);
    });
}

#[test]
fn a_claim_of_hours_does_not_become_one_of_minutes() {
    on_each_face(|s| {
        let ask = json!({"project_key": PROJECT, "session_id": "M/a", "resource": "x"});
        let lock = s.post("/api/coord/locks", &ask).expect(201);
        let again = file(s, "M/a", "x", &json!({"content": A})).expect(200);
        assert_eq!((&again["kind"], &again["ttl_hours"]), (&json!("lock"), &lock["ttl_hours"]));
        assert_eq!(again["content_then"], A);
        file(s, "M/a", "y", &json!({})).expect(201);
        let longer = json!({"project_key": PROJECT, "session_id": "M/a", "resource": "y"});
        assert_eq!(s.post("/api/coord/locks", &longer).expect(200)["kind"], "lock");
    });
}

#[test]
fn two_steps_are_for_lapsed_claims_only() {
    for face in faces() {
        let s = Setup::new(face).env("COORD_FILE_LOCK_TTL", "1").start();
        let steps = json!({"two_step": true});
        let first = file(&s, "M/a", "x", &steps).expect(201);
        file(&s, "M/b", "x", &steps).refused(409);
        thread::sleep(Duration::from_millis(1_200));
        let cleared = file(&s, "M/b", "x", &steps).expect(200);
        assert_eq!(
            (&cleared["outcome"], &cleared["ended"][0]["id"]),
            (&json!("cleared"), &first["id"])
        );
        file(&s, "M/b", "x", &steps).expect(201);
    }
}

#[test]
fn silent_sessions_end_on_the_way_of_other_wishes() {
    for face in faces() {
        let s = Setup::new(face)
            .env("COORD_SESSION_STALE_AFTER", "1")
            .env("COORD_FILE_LOCK_TTL", "600")
            .start();
        let register = |who: &str, project: &str| {
            s.post("/api/coord/sessions", &json!({"session_id": who, "project_key": project}))
                .expect(200)
        };
        let beat = |who: &str| {
            s.post("/api/coord/sessions/heartbeat", &json!({"session_id": who, "strict": true}))
        };
        beat("M/a").refused(404);
        register("M/a", PROJECT);
        register("M/far", "elsewhere");
        beat("M/a").expect(200);
        let lock = file(&s, "M/a", "x", &json!({})).expect(201);
        thread::sleep(Duration::from_millis(2_500));
        assert_eq!(s.get("/api/coord/sessions/M%2Fa").expect(200)["status"], "stale");
        let here = json!({"project_key": PROJECT});
        let done = s.post("/api/coord/sessions/cleanup", &here).expect(200);
        assert_eq!(done["session_ids"], json!(["M/a"]), "only of the project: {done}");
        assert_eq!(done["lock_ids"], json!([lock["id"]]), "{done}");
        assert_eq!(s.get("/api/coord/sessions/M%2Ffar").expect(200)["status"], "stale");
        register("M/b", PROJECT);
        assert_eq!(s.get("/api/coord/sessions/M%2Ffar").expect(200)["status"], "ended");
        beat("M/a").refused(410);
        // Another word of it makes it alive, but not registered.
        s.post("/api/coord/sessions/heartbeat", &json!({"session_id": "M/a"})).expect(200);
        assert_eq!(s.get("/api/coord/sessions/M%2Fa").expect(200)["status"], "active");
        beat("M/a").refused(410);
        register("M/a", PROJECT);
        beat("M/a").expect(200);
        s.post("/api/coord/sessions/end", &json!({"session_id": "M/a"})).expect(200);
        beat("M/a").refused(404);
    }
}

#[test]
fn a_newer_conversation_shuts_the_older_one_out() {
    on_each_face(|s| {
        let begin = || {
            let ask = json!({"session_id": "M/a", "fresh": true});
            s.post("/api/coord/sessions", &ask).expect(200)["session"]["generation"].clone()
        };
        let old = begin();
        let lock = file(s, "M/a", "x", &json!({"generation": old})).expect(201);
        assert_eq!(lock["generation"], old);
        let new = begin();
        assert_ne!(old, new);
        let no = file(s, "M/a", "y", &json!({"generation": old})).expect(409);
        assert_eq!(no["generation"], new, "{no}");
        let ask = json!({"session_id": "M/a", "generation": old});
        s.patch(&format!("/api/coord/locks/{}", id(&lock)), &ask).refused(409);
        s.post("/api/coord/sessions/heartbeat", &ask).refused(409);
        let path = |g: &Value| {
            format!("/api/coord/locks/{}?session_id=M%2Fa&generation={g}", text(&lock, "id"))
        };
        s.delete(&path(&old)).refused(409);
        s.delete(&path(&json!(1.5))).refused(422);
        s.delete(&path(&new)).expect(200);
    });
}
