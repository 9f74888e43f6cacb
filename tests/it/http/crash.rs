//! kill -9 under load: what was acknowledged is there, once, and retries are safe.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use coord_tests::raw::{Ask, Conn};
use coord_tests::server::{TestServer, eventually, faces};
use rusqlite::Connection;
use serde_json::json;

use super::shorthand::{column, id, text};

const WRITERS: usize = 8;
const KILLS: usize = 10;
/// Acknowledged messages between two kills, at least.
const PER_ROUND: usize = 60;
const ACKNOWLEDGED_MIN: usize = 500;

/// What the writers know.
struct Load {
    address: SocketAddr,
    stop: AtomicBool,
    acknowledged: AtomicUsize,
    retried: AtomicUsize,
    /// Text of each acknowledged message, and the id that was given for it.
    ids: Mutex<HashMap<String, String>>,
}

impl Load {
    /// Writes until told to stop; the last message is finished too.
    fn write(&self, writer: usize) {
        let mut conn = None;
        for n in 0.. {
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            let told = self.until_acknowledged(&mut conn, &format!("w{writer}-{n}"));
            self.ids.lock().unwrap().insert(format!("w{writer}-{n}"), told);
            self.acknowledged.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Sends a message under its key until it is acknowledged, however often the server dies.
    fn until_acknowledged(&self, conn: &mut Option<Conn>, text: &str) -> String {
        let body = json!({"from_session": "M/load", "body": text});
        let ask = Ask::new("POST", "/api/coord/messages").key(text).json(&body);
        loop {
            if conn.is_none() {
                *conn = Conn::open(self.address).ok();
            }
            let answer = conn.as_mut().and_then(|c| c.ask(&ask).ok());
            match answer {
                Some(a) if a.status == 201 => {
                    if a.header("idempotency-replayed").is_some() {
                        self.retried.fetch_add(1, Ordering::SeqCst);
                    }
                    return id(&a.json());
                }
                Some(a) if a.status == 503 => {}
                Some(a) => panic!("{}: {}", a.status, a.text()),
                None => *conn = None,
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn acknowledged_is_there_once_after_kill_9() {
    for face in faces() {
        let mut s = TestServer::start(face);
        let load = Load {
            address: s.address(),
            stop: AtomicBool::new(false),
            acknowledged: AtomicUsize::new(0),
            retried: AtomicUsize::new(0),
            ids: Mutex::default(),
        };
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let load = &load;
                scope.spawn(move || load.write(writer));
            }
            let stopped = StopAtEnd(&load.stop);
            for _ in 0..KILLS {
                let goal = load.acknowledged.load(Ordering::SeqCst) + PER_ROUND;
                eventually(Duration::from_secs(30), "the writers get on", || {
                    load.acknowledged.load(Ordering::SeqCst) >= goal
                });
                s.kill9();
                s.restart();
            }
            drop(stopped);
        });
        let ids = load.ids.into_inner().unwrap();
        assert!(ids.len() >= ACKNOWLEDGED_MIN, "only {} acknowledged", ids.len());
        eprintln!(
            "{face}: {} acknowledged over {KILLS} kills, {} of them from memory",
            ids.len(),
            load.retried.into_inner()
        );
        all_there_once(&s, &ids);
        s.kill9();
        sound(&s);
    }
}

/// Ends the writers also when the test fails before its end.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

fn all_there_once(s: &TestServer, ids: &HashMap<String, String>) {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    let mut after = 0;
    loop {
        let page = s.get(&format!("/api/coord/messages?limit=500&after={after}")).expect(200);
        let rows =
            column(&page, "messages", "body").into_iter().zip(column(&page, "messages", "id"));
        for (body, id) in rows {
            found.entry(body).or_default().push(id);
        }
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => break,
        }
    }
    for (text, id) in ids {
        assert_eq!(found.get(text).map(Vec::as_slice), Some(&[id.clone()][..]), "{text}");
    }
    assert_eq!(found.len(), ids.len(), "messages that nobody was told of after all retries");
    // Any of them once more: the same answer, and nothing new.
    let (body, known) = ids.iter().next().unwrap();
    let again = json!({"from_session": "M/load", "body": body});
    let again = s.ask(Ask::new("POST", "/api/coord/messages").key(body).json(&again));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!(&id(&again.expect(201)), known);
}

fn sound(s: &TestServer) {
    let file = Connection::open(s.database()).unwrap();
    let verdict: String = file.query_row("PRAGMA integrity_check", [], |r| r.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn leases_survive_a_crash_and_fences_still_grow() {
    for face in faces() {
        let mut s = TestServer::start(face);
        let claim = |s: &TestServer, resource: &str| super::shorthand::claim(s, "M/a", resource);
        let first = claim(&s, "x").expect(201);
        s.kill9();
        s.restart();
        super::shorthand::claim(&s, "M/b", "x").refused(409);
        let second = claim(&s, "y").expect(201);
        assert!(second["fence"].as_i64() > first["fence"].as_i64());
        let renewed = claim(&s, "x").expect(200);
        assert_eq!(renewed["fence"], first["fence"]);
        assert!(text(&renewed, "expires_at") >= text(&first, "expires_at"));
    }
}
