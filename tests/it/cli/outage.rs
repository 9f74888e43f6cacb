//! The server was away for a day, and eight sessions went on writing.

use std::collections::HashMap;
use std::fmt::Write as _;

use coord_protocol::id::Uuid;
use coord_protocol::time::Millis;
use serde_json::json;

use super::common::{all_messages, desk, rows, server, text};

const WRITES: usize = 10_000;
const SESSIONS: usize = 8;
/// In the midst of it stands one that the server will never take.
const POISONED: usize = 4_321;
/// The session of that one, the one whose claim is past, and the one that syncs.
const UNLUCKY: &str = "DESK/s1";
const LATE: &str = "DESK/s2";
const SYNCS: &str = "DESK/s0";
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The queue as eight sessions left it, evenly over a day that ends now.
fn queue() -> String {
    let now: i64 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map(|d| i64::try_from(d.as_millis()).unwrap())
        .unwrap();
    let mut text = String::new();
    for n in 0..WRITES {
        let at = now - DAY_MS + DAY_MS / i64::try_from(WRITES).unwrap() * i64::try_from(n).unwrap();
        let session = format!("DESK/s{}", n % SESSIONS);
        let mut entry = json!({
            "ts": Millis(at).to_string(), "method": "POST", "path": "/api/coord/messages",
            "body": {"from_session": session, "to_session": "ALL_SESSIONS", "body": n.to_string()},
            "id": Uuid::from_u128(0x7000_8000_0000_0000_0000 + n as u128).to_string(),
            "session": session,
        });
        if n == POISONED {
            entry["body"]["to_session"] = json!("NOWHERE/nobody");
        }
        // A claim of a day ago is history, and nothing else of it.
        if n == 10 {
            entry["path"] = json!("/api/coord/locks");
            entry["body"] = json!({"project_key": "p", "session_id": session, "resource": "old"});
            entry["not_after"] = json!(Millis(at + 7_200_000).to_string());
        }
        writeln!(text, "{entry}").unwrap();
    }
    text
}

#[test]
fn ten_thousand_writes_of_a_day_arrive_once_in_order_and_the_bad_one_is_set_aside() {
    let server = server();
    let desk = desk(&server);
    desk.write_queue(queue());
    let began = std::time::Instant::now();
    let synced = desk.run(&["sync", "--json"]).session(SYNCS).done();
    eprintln!("{WRITES} writes in {:?}", began.elapsed());
    let report = synced.json();
    assert_eq!(rows(&report, "applied").len(), WRITES - 1);
    let refused = rows(&report, "rejected");
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(text(&refused[0]["answer"]["detail"]).contains("NOWHERE/nobody"), "{refused:?}");
    assert_eq!((&report["waiting"], &report["stopped"]), (&json!(0), &json!(null)));
    let mut last: HashMap<String, usize> = HashMap::new();
    let arrived = all_messages(&server);
    assert_eq!(arrived.len(), WRITES - 2);
    for m in &arrived {
        let (from, n) = (text(&m["from_session"]).to_owned(), text(&m["body"]).parse().unwrap());
        let before = last.insert(from, n);
        assert!(before.is_none_or(|b| b < n), "{n} after {before:?}");
    }
    assert_eq!(server.get("/api/coord/locks").expect(200)["count"], 0);
    // The session whose write was refused is told so by its next hook, the others what was done.
    let start = desk.event("SessionStart", "x", &json!({"source": "startup"})).to_string();
    let hook = |session: &str| {
        let run = desk.run(&["hook", "claude"]).env("COORD_SESSION_ID", session);
        run.stdin(start.clone()).done().out()
    };
    let unlucky = hook(UNLUCKY);
    assert!(unlucky.contains("1250 writes of yours") && unlucky.contains("1249 of them done"));
    assert!(unlucky.contains("NOWHERE/nobody"), "{unlucky}");
    assert!(hook(LATE).contains("came after its time"), "the old claim");
    assert!(!hook(SYNCS).contains("writes of yours"), "it was told by sync itself");
    let dead = desk.json(&["outbox", "dead"]);
    assert_eq!(rows(&dead, "dead").len(), 1, "{dead}");
    assert!(!desk.queue_file().exists());
}
