//! A replica beside an engine in memory.

use coord_protocol::request::Method;
use serde_json::json;

use super::*;
use crate::edge::{OsRng, SystemClock};
use crate::inline::Inline;

const SERVER: &str = "coord-test";

struct Desk {
    server: Inline,
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let server = Inline::in_memory(Rules::default(), SERVER).unwrap();
        Self { server, dir: tempfile::tempdir().unwrap() }
    }

    fn replica(&self) -> Replica<'static> {
        open(self.dir.path(), Rules::default(), &SystemClock, &OsRng, "b").unwrap()
    }

    fn ask(&self, method: &str, target: &str, body: &Value) -> Reply {
        let call = Call {
            method: method.into(),
            target: target.into(),
            body: body.to_string().into_bytes(),
            ..Call::default()
        };
        self.server.call(&call, SystemClock.wall(), &OsRng, true).unwrap()
    }

    /// Reads the feed to its end, in small pieces.
    fn pull(&self, r: &Replica<'_>) {
        loop {
            let place = r.place("").unwrap();
            let from = place.cursor.as_deref().unwrap_or_default();
            let target = format!("/api/coord/changes?limit=2&since={from}");
            let feed = self.ask("GET", &target, &Value::Null).body;
            let feed: ChangeFeed = serde_json::from_str(&feed).unwrap();
            assert!(r.absorb("", &place, &feed).unwrap());
            if !feed.more {
                return;
            }
        }
    }
}

fn get(r: &Replica<'_>, target: &str, anything_waits: bool) -> Value {
    let call = Call { method: "GET".into(), target: target.into(), ..Call::default() };
    let answer = r.read(&call, "", anything_waits).unwrap().expect("the server was heard");
    assert_eq!(answer.reply.status, 200, "{}", answer.reply.body);
    serde_json::from_str(&answer.reply.body).unwrap()
}

fn post(id: u128, what: &str, body: Value) -> Waiting {
    let request = Request {
        id: Some(coord_protocol::id::Uuid::from_u128(id).to_string()),
        ..Request::new(Method::Post, format!("/api/coord/{what}"), Some(body))
    };
    Waiting { request, past: false, waited: Duration::ZERO }
}

fn claim(id: u128, session: &str, resource: &str) -> Waiting {
    let ask = json!({"project_key": "p", "session_id": session, "resource": resource});
    post(id, "locks", ask)
}

#[test]
fn it_shows_what_the_server_said_and_what_waits_on_top() {
    let desk = Desk::new();
    let mut r = desk.replica();
    let todos = |r: &Replica<'_>, waits| get(r, "/api/coord/todos", waits)["todos"].clone();
    assert_eq!(r.age().unwrap(), None);
    let target =
        Call { method: "GET".into(), target: "/api/coord/todos".into(), ..Call::default() };
    assert!(r.read(&target, "", false).unwrap().is_none(), "never heard is not the same as empty");
    for n in 0..5 {
        desk.ask("POST", "/api/coord/todos", &json!({"text": n.to_string()}));
    }
    desk.pull(&r);
    assert_eq!(todos(&r, false).as_array().unwrap().len(), 5);
    assert_eq!(r.seen().feed_head().unwrap(), 0, "nobody reads a feed of the copy");
    let waiting = vec![post(1, "todos", json!({"text": "mine"}))];
    r.refresh("1", || waiting.clone()).unwrap();
    let all = todos(&r, true);
    assert_eq!((all[5]["text"].as_str(), &all[5]["queued"]), (Some("mine"), &json!(true)));
    assert_eq!(all[0]["queued"], Value::Null);
    // The next one is added to what is there.
    let more = [waiting.clone(), vec![post(2, "todos", json!({"text": "more"}))]].concat();
    r.refresh("2", || more.clone()).unwrap();
    assert_eq!(todos(&r, true).as_array().unwrap().len(), 7);
    // The server has the first one: it is no longer only here.
    desk.ask("POST", "/api/coord/todos", &json!({"text": "mine, over there"}));
    desk.pull(&r);
    r.refresh("3", || more[1..].to_vec()).unwrap();
    let all = todos(&r, true);
    let texts: Vec<_> = all.as_array().unwrap().iter().map(|t| t["text"].clone()).collect();
    assert_eq!(texts, ["0", "1", "2", "3", "4", "mine, over there", "more"]);
    assert_eq!(get(&r, "/api/coord/todos", false)["count"], 6);
}

#[test]
fn a_claim_is_judged_also_where_the_server_was_never_heard() {
    let desk = Desk::new();
    let mut r = desk.replica();
    r.refresh("1", || vec![claim(1, "A/x", "src/**")]).unwrap();
    assert_eq!(r.would_answer(&claim(2, "B/y", "src/a.rs").request).unwrap().status, 409);
    assert_eq!(r.would_answer(&claim(2, "B/y", "docs/a.md").request).unwrap().status, 201);
}

#[test]
fn a_claim_is_judged_by_what_is_known_and_has_no_fence() {
    let desk = Desk::new();
    let mut r = desk.replica();
    let held = json!({"project_key": "p", "session_id": "A/x", "resource": "src/**"});
    assert_eq!(desk.ask("POST", "/api/coord/locks", &held).status, 201);
    desk.pull(&r);
    r.refresh("", Vec::new).unwrap();
    let answer = |r: &Replica<'_>, w: &Waiting| r.would_answer(&w.request).unwrap();
    let refused = answer(&r, &claim(1, "B/y", "src/a.rs"));
    assert_eq!(refused.status, 409, "{}", refused.body);
    let free = claim(2, "B/y", "docs/**");
    let granted = answer(&r, &free);
    let lock: Value = serde_json::from_str(&granted.body).unwrap();
    assert_eq!((granted.status, &lock["provisional"]), (201, &json!(true)), "{lock}");
    assert_eq!(lock["fence"], Value::Null);
    // Also when it only extends what the server granted.
    let again = answer(&r, &claim(4, "A/x", "src/**"));
    let lock: Value = serde_json::from_str(&again.body).unwrap();
    assert_eq!((&lock["renewed"], &lock["fence"]), (&json!(true), &Value::Null));
    // A trial leaves nothing; what waits does.
    assert_eq!(answer(&r, &claim(3, "B/z", "docs/a")).status, 201);
    r.refresh("1", || vec![free.clone()]).unwrap();
    assert_eq!(answer(&r, &claim(3, "B/z", "docs/a")).status, 409);
    let locks = get(&r, "/api/coord/locks", true);
    assert_eq!(locks["count"], 2);
    assert_eq!(locks["locks"][1]["provisional"], true);
    assert_eq!(locks["locks"][0]["provisional"], Value::Null);
}

#[test]
fn a_piece_that_comes_twice_or_late_changes_nothing() {
    let desk = Desk::new();
    let r = desk.replica();
    desk.ask("POST", "/api/coord/todos", &json!({"text": "1"}));
    let piece = desk.ask("GET", "/api/coord/changes", &Value::Null).body;
    let piece: ChangeFeed = serde_json::from_str(&piece).unwrap();
    desk.ask("POST", "/api/coord/todos", &json!({"text": "2"}));
    let begin = r.place("").unwrap();
    desk.pull(&r);
    assert!(!r.absorb("", &begin, &piece).unwrap());
    assert_eq!(get(&r, "/api/coord/todos", false)["count"], 2);
    // Another scope is another copy: it begins anew.
    let other = r.place("B").unwrap();
    assert_eq!(other.cursor, None);
    assert!(r.absorb("B", &other, &piece).unwrap());
    assert_eq!(get(&r, "/api/coord/todos", false)["count"], 1);
}

#[test]
fn a_piece_from_before_a_grant_does_not_hide_it() {
    let desk = Desk::new();
    let r = desk.replica();
    let begin = r.place("").unwrap();
    let piece = desk.ask("GET", "/api/coord/changes", &Value::Null).body;
    let piece: ChangeFeed = serde_json::from_str(&piece).unwrap();
    let ask = json!({"project_key": "p", "session_id": "A/x", "resource": "r"});
    let lock = desk.ask("POST", "/api/coord/locks", &ask).body;
    r.note_claim(&serde_json::from_str(&lock).unwrap(), false).unwrap();
    assert!(!r.absorb("", &begin, &piece).unwrap());
    desk.pull(&r);
    assert_eq!(get(&r, "/api/coord/locks", false)["count"], 1);
}

#[test]
fn what_is_damaged_is_set_aside() {
    let desk = Desk::new();
    desk.ask("POST", "/api/coord/todos", &json!({"text": "1"}));
    desk.pull(&desk.replica());
    fs::write(desk.dir.path().join(BASE), b"this is no database, it only takes its place").unwrap();
    let r = desk.replica();
    assert_eq!(r.age().unwrap(), None);
    desk.pull(&r);
    assert_eq!(get(&r, "/api/coord/todos", false)["count"], 1);
    assert!(desk.dir.path().join("base.db.damaged").exists());
}
