//! A database that is away, busy, somebody else's, or of another time.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{Setup, TestServer, eventually, faces, on_each_face};
use rusqlite::Connection;
use serde_json::json;

use super::shorthand::{PROJECT, claim, greet, send, text, uuid};

/// The answer that the protocol document promises when the database is away.
#[track_caller]
fn come_again(answer: &Answer) {
    let body = answer.expect(503);
    assert_eq!(answer.header("retry-after"), Some("30"), "{answer:?}");
    assert_eq!(
        body,
        json!({"detail": "Database unavailable. Retry after 30 seconds.", "retry_after": 30})
    );
}

fn health(s: &TestServer) -> (String, String) {
    let health = s.get("/health").expect(200);
    (text(&health, "status"), text(&health, "database"))
}

#[test]
fn away_and_back() {
    on_each_face(|s| {
        claim(s, "M/a", "x").expect(201);
        let aside = s.dir().join("aside");
        fs::rename(s.database(), &aside).unwrap();
        let key = uuid();
        let keyed = || {
            let body = json!({"project_key": PROJECT, "session_id": "M/a", "resource": "y"});
            s.ask(Ask::new("POST", "/api/coord/locks").key(&key).json(&body))
        };
        for _ in 0..2 {
            come_again(&claim(s, "M/b", "y"));
            come_again(&keyed());
            come_again(&s.get("/api/coord/locks"));
            come_again(&s.get("/api/coord/messages?to_session=M/a"));
            come_again(&s.post("/api/coord/batch", &json!({"entries": []})));
            assert_eq!(health(s), ("degraded".into(), "disconnected".into()));
            assert_eq!(s.get("/readyz").expect(503)["status"], "degraded");
        }
        assert!(
            !s.database().exists(),
            "the server made an empty database in place of the lost one"
        );

        fs::rename(&aside, s.database()).unwrap();
        assert_eq!(health(s), ("ok".into(), "connected".into()));
        s.get("/readyz").expect(200);
        let again = keyed();
        again.expect(201);
        assert_eq!(again.header("idempotency-replayed"), None, "a 503 was remembered");
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 2);
    });
}

#[test]
fn who_asked_for_mail_meanwhile_is_known_afterwards() {
    on_each_face(|s| {
        let aside = s.dir().join("aside");
        fs::rename(s.database(), &aside).unwrap();
        come_again(&s.get("/api/coord/messages?to_session=LATE/s"));
        // Writes are done in order: this one was tried after the sign of life.
        come_again(&claim(s, "M/a", "x"));
        fs::rename(&aside, s.database()).unwrap();
        s.get("/api/coord/messages?to_session=LATE/s").expect(200);
        send(s, "M/a", Some("LATE/s"), "hello").expect(201);
    });
}

#[test]
fn another_file_in_its_place_is_not_used() {
    on_each_face(|s| {
        claim(s, "M/a", "x").expect(201);
        fs::rename(s.database(), s.dir().join("aside")).unwrap();
        fs::write(s.database(), b"").unwrap();
        come_again(&claim(s, "M/a", "y"));
        come_again(&s.get("/api/coord/locks"));
        assert_eq!(fs::metadata(s.database()).unwrap().len(), 0);
    });
}

#[test]
fn held_by_a_foreign_program() {
    on_each_face(|s| {
        claim(s, "M/a", "x").expect(201);
        let foreign = Connection::open(s.database()).unwrap();
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        let began = Instant::now();
        come_again(&claim(s, "M/a", "y"));
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        // Reads go on.
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 1);
        let began = Instant::now();
        assert_eq!(health(s).0, "degraded");
        s.get("/readyz").expect(503);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        thread::scope(|scope| {
            for n in 0..16 {
                scope.spawn(move || come_again(&claim(s, "M/a", &format!("r{n}"))));
            }
        });
        foreign.execute_batch("ROLLBACK").unwrap();
        claim(s, "M/a", "y").expect(201);
        assert_eq!(health(s).0, "ok");
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 2);
    });
}

#[test]
fn a_short_foreign_transaction_is_waited_for() {
    on_each_face(|s| {
        let foreign = Connection::open(s.database()).unwrap();
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        thread::scope(|scope| {
            let waiting = scope.spawn(|| claim(s, "M/a", "x"));
            thread::sleep(Duration::from_millis(200));
            foreign.execute_batch("COMMIT").unwrap();
            waiting.join().unwrap().expect(201);
        });
    });
}

#[test]
fn one_server_per_database() {
    for face in faces() {
        let mut first = TestServer::start(face);
        let second = Setup::new(face).database(&first.database()).try_start();
        let refused = second.err().expect("a second server took the same database");
        assert_eq!(refused.status.code(), Some(65), "{refused:?}");
        assert!(refused.log.contains("in use by another coord server"), "{refused:?}");
        claim(&first, "M/a", "x").expect(201);
        first.kill9();
        let third = Setup::new(face).database(&first.database()).start();
        assert_eq!(third.get("/api/coord/locks").expect(200)["count"], 1);
    }
}

#[test]
fn a_newer_schema_is_left_alone() {
    for face in faces() {
        let mut s = TestServer::start(face);
        claim(&s, "M/a", "x").expect(201);
        assert!(s.term().success());
        let file = Connection::open(s.database()).unwrap();
        file.execute_batch("PRAGMA user_version = 999").unwrap();
        drop(file);
        let before = fs::read(s.database()).unwrap();
        let refused = Setup::new(face).database(&s.database()).try_start();
        let refused = refused.err().expect("a newer schema was opened");
        assert_eq!(refused.status.code(), Some(65), "{refused:?}");
        assert!(refused.log.contains("999"), "{refused:?}");
        assert!(fs::read(s.database()).unwrap() == before, "the file was changed");
    }
}

#[test]
fn damage_is_refused_and_kept() {
    for face in faces() {
        let mut s = TestServer::start(face);
        greet(&s, "M/a");
        assert!(s.term().success());
        fs::write(s.database(), b"this was a database once; now it is a text file of no use")
            .unwrap();
        let refused = Setup::new(face).database(&s.database()).try_start();
        let refused = refused.err().expect("a damaged database was opened");
        assert_eq!(refused.status.code(), Some(65), "{refused:?}");
        assert!(refused.log.contains("damaged"), "{refused:?}");
        assert!(fs::read(s.database()).unwrap().starts_with(b"this was a database"));
        assert!(s.dir().join("coordination.db.damaged").exists());
    }
}

#[test]
fn a_missing_folder_is_made_and_nobody_else_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    let database = home.path().join("deep/er/c.db");
    let s = Setup::new(faces()[0]).shell("umask 000").database(&database).start();
    claim(&s, "M/a", "x").expect(201);
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(database.parent().unwrap()), 0o700);
    for file in fs::read_dir(database.parent().unwrap()).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn nothing_is_lost_at_a_clean_end() {
    for face in faces() {
        let mut s = TestServer::start(face);
        claim(&s, "M/a", "x").expect(201);
        assert_eq!(s.term().code(), Some(0));
        s.restart();
        assert_eq!(s.get("/api/coord/locks").expect(200)["count"], 1);
        eventually(Duration::from_secs(2), "the server is well", || health(&s).0 == "ok");
    }
}
