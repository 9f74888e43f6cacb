//! Leases: how long a lock lasts, and what keeps it.

use std::thread;
use std::time::Duration;

use coord_tests::raw::Answer;
use coord_tests::server::{Setup, TestServer, eventually, faces, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{PROJECT, claim, greet, id, release, text};

fn claim_for(s: &TestServer, session: &str, resource: &str, hours: &Value) -> Answer {
    s.post(
        "/api/coord/locks",
        &json!({"project_key": PROJECT, "session_id": session, "resource": resource,
                "ttl_hours": hours}),
    )
}

#[test]
fn how_long_a_lease_may_be() {
    on_each_face(|s| {
        let for_ever = claim_for(s, "M/a", "never", &json!(0)).expect(201);
        assert_eq!(
            (&for_ever["expires_at"], for_ever["ttl_hours"].as_f64()),
            (&Value::Null, Some(0.0))
        );
        claim(s, "M/b", "never").refused(409);
        for (at, fine) in [json!(0.5), json!(720), json!(1)].iter().enumerate() {
            let lock = claim_for(s, "M/a", &format!("fine{at}"), fine).expect(201);
            assert_eq!(lock["ttl_hours"].as_f64(), fine.as_f64());
        }
        for bad in [json!(-1), json!(720.5), json!(1e300), json!(1e-9), json!("2"), json!(true)] {
            claim_for(s, "M/a", "bad", &bad).refused(422);
        }
        claim(s, "M/b", "bad").expect(201);
    });
}

#[test]
fn asking_again_renews() {
    on_each_face(|s| {
        let first = claim(s, "M/a", "src/").expect(201);
        let again = claim_for(s, "M/a", "src/**", &json!(5)).expect(200);
        assert_eq!(
            (again["id"].clone(), again["fence"].clone()),
            (first["id"].clone(), first["fence"].clone())
        );
        assert_eq!((&again["renewed"], again["ttl_hours"].as_f64()), (&json!(true), Some(5.0)));
        assert!(text(&again, "expires_at") > text(&first, "expires_at"));
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 1);
    });
}

#[test]
fn a_lease_ends_by_itself() {
    for face in faces() {
        let s = Setup::new(face).env("COORD_LOCK_TTL", "1").start();
        let first = claim(&s, "M/a", "x").expect(201);
        claim(&s, "M/b", "x").refused(409);
        eventually(Duration::from_secs(5), "the lease ends", || {
            s.get("/api/coord/locks").expect(200)["count"] == 0
        });
        let second = claim(&s, "M/b", "x").expect(201);
        assert!(second["fence"].as_i64() > first["fence"].as_i64());
        // The old holder's release does not touch the new lock.
        let late = release(&s, "M/a", &id(&first)).expect(200);
        assert_eq!((&late["released"], text(&late, "reason").as_str()), (&json!(false), "expired"));
        claim(&s, "M/a", "x").refused(409);
    }
}

#[test]
fn a_silent_holder_makes_way() {
    for face in faces() {
        let s = Setup::new(face).env("COORD_STALE_AFTER", "1").start();
        let old = claim(&s, "M/silent", "x").expect(201);
        let kept = claim(&s, "M/silent", "y").expect(201);
        claim(&s, "M/b", "x").refused(409);
        let mut granted = Value::Null;
        eventually(Duration::from_secs(6), "the silent holder makes way", || {
            let answer = claim(&s, "M/b", "x");
            granted = answer.json();
            answer.status == 201
        });
        let ended = &granted["released_stale"];
        assert_eq!(ended.as_array().map(Vec::len), Some(1), "{granted}");
        assert_eq!((id(&ended[0]), text(&ended[0], "session_id")), (id(&old), "M/silent".into()));
        assert_eq!(text(&ended[0], "reason"), "stale");
        // What nobody asked for is still there, and soon anybody may release it.
        let mut released = Value::Null;
        eventually(Duration::from_secs(6), "the other lock is stale too", || {
            let answer = release(&s, "M/b", &id(&kept));
            released = answer.json();
            answer.status == 200
        });
        assert_eq!(text(&released, "reason"), "stale");
    }
}

#[test]
fn a_sign_of_life_keeps_a_lock() {
    let s = Setup::new("axum").env("COORD_STALE_AFTER", "3").start();
    let lock = claim(&s, "M/a", "x").expect(201);
    claim(&s, "M/quiet", "y").expect(201);
    // Until the one that is silent makes way, the other one stays.
    eventually(Duration::from_secs(10), "the quiet one makes way", || {
        greet(&s, "M/a");
        claim(&s, "M/b", "x").refused(409);
        thread::sleep(Duration::from_millis(100));
        claim(&s, "M/b", "y").status == 201
    });
    release(&s, "M/b", &id(&lock)).refused(403);
}
