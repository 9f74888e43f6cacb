//! Events that are sent to receivers: signed, again after failures, to nobody who was not meant.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use coord_server::webhooks::address::{AllowList, Receiver};
use coord_tests::hooks::{HookReceiver, Manners, Received};
use coord_tests::raw::Answer;
use coord_tests::server::{Setup, TestServer, eventually};
use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, params};
use serde_json::json;
use sha2::Sha256;

const SECRET: &str = "s3cret-key";
const SOON: Duration = Duration::from_secs(10);

fn hooked(receivers: &[&HookReceiver]) -> Setup {
    let all = |f: fn(&HookReceiver) -> String| {
        receivers.iter().map(|r| f(r)).collect::<Vec<_>>().join(", ")
    };
    Setup::new("axum")
        .env("COORD_WEBHOOK_URL", &all(HookReceiver::url))
        .env("COORD_WEBHOOK_ALLOW_HOSTS", &all(HookReceiver::host))
        .env("COORD_WEBHOOK_SECRET", SECRET)
        .env("COORD_WEBHOOK_DELIVERY_INTERVAL_SEC", "1")
        .env("COORD_WEBHOOK_RETRY_BACKOFF_SEC", "1")
}

/// The name under which events are stored for a receiver.
fn label(url: &str, host: &str) -> String {
    let allow = AllowList::parse(host).unwrap();
    Receiver::parse(url, &allow).unwrap().label().to_owned()
}

/// Puts an event for a receiver into the database, as a commit before a crash would have.
fn stored(s: &TestServer, to: &str, id: &str, payload: &str) {
    let conn = Connection::open(s.database()).unwrap();
    conn.busy_timeout(SOON).unwrap();
    conn.execute(
        "INSERT INTO webhook_outbox
         (id, receiver, event_type, payload, state, due_at, created_at, updated_at)
         VALUES (?1, ?2, 'claim_granted', ?3, 'pending', 0, 0, 0)",
        params![id, to, payload],
    )
    .unwrap();
}

/// State, attempts and last outcome of a delivery.
fn row(s: &TestServer, id: &str) -> (String, i64, String) {
    let conn = Connection::open(s.database()).unwrap();
    conn.query_row(
        "SELECT state, attempts, COALESCE(last_outcome, '') FROM webhook_outbox WHERE id = ?1",
        [id],
        |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
    )
    .unwrap()
}

fn ended_as(s: &TestServer, id: &str, state: &str, attempts: i64, outcome: &str) {
    let wanted = (state.to_owned(), attempts, outcome.to_owned());
    eventually(SOON, &format!("{id} ends as {wanted:?}"), || row(s, id) == wanted);
}

fn signature(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().iter().map(|b| format!("{b:02x}")).collect()
}

#[track_caller]
fn is_signed(got: &Received) {
    let (at, id) = (got.header("x-coord-timestamp"), got.header("x-coord-delivery-id"));
    assert_eq!(got.header("x-coord-signature"), signature(&[&got.body]));
    let whole = signature(&[at.as_bytes(), b".", id.as_bytes(), b".", &got.body]);
    assert_eq!(got.header("x-coord-signature-v2"), whole);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now - at.parse::<u64>().unwrap() < 60, "{at} is not about now ({now})");
}

#[test]
fn an_event_comes_signed() {
    let r = HookReceiver::start(Manners::statuses(&[204]));
    let s = hooked(&[&r]).env("COORD_LOG_LEVEL", "trace").start();
    let payload = "{\"detail\": {\"n\": \"\\u00e9\"}, \"event_type\": \"claim_granted\"}";
    stored(&s, &label(&r.url(), &r.host()), "id-1", payload);
    ended_as(&s, "id-1", "delivered", 1, "status 204");
    let [got] = r.got().try_into().unwrap();
    assert_eq!(got.line, "POST /hook/s3cret-path?x=1 HTTP/1.1");
    assert_eq!(got.body, payload.as_bytes());
    assert_eq!(got.header("content-type"), "application/json");
    assert_eq!(got.header("x-coord-event-type"), "claim_granted");
    assert_eq!(got.header("x-coord-delivery-id"), "id-1");
    assert_eq!(got.header("host"), r.host());
    is_signed(&got);
    for secret in [SECRET, "s3cret-path"] {
        assert!(!s.log().contains(secret), "{}", s.log());
    }
    assert!(s.log().contains(&format!("webhooks go to http://{}", r.host())), "{}", s.log());
}

#[test]
fn without_a_secret_nothing_is_signed() {
    let r = HookReceiver::start(Manners::statuses(&[200]));
    let s = hooked(&[&r]).env("COORD_WEBHOOK_SECRET", "").start();
    stored(&s, &label(&r.url(), &r.host()), "id-1", "{}");
    ended_as(&s, "id-1", "delivered", 1, "status 200");
    let [got] = r.got().try_into().unwrap();
    assert!(!got.headers.iter().any(|(n, _)| n.contains("signature")), "{got:?}");
    assert_eq!(got.header("x-coord-delivery-id"), "id-1");
}

#[test]
fn failures_are_retried_with_longer_pauses_and_given_up() {
    let r = HookReceiver::start(Manners::statuses(&[500, 404, 503, 500, 200]));
    let s = hooked(&[&r]).env("COORD_WEBHOOK_MAX_RETRIES", "3").start();
    let to = label(&r.url(), &r.host());
    stored(&s, &to, "first", "{}");
    ended_as(&s, "first", "exhausted", 3, "status 503");
    let got = r.got();
    assert_eq!(got.len(), 3);
    assert!(got.iter().all(|g| g.header("x-coord-delivery-id") == "first"));
    got.iter().for_each(is_signed);
    let pauses = [got[1].at - got[0].at, got[2].at - got[1].at];
    for (pause, wanted) in pauses.iter().zip([1_000, 2_000]) {
        let wanted = Duration::from_millis(wanted);
        // The clock of leases counts from another moment within its millisecond.
        assert!(*pause + Duration::from_millis(20) >= wanted, "{pauses:?}");
        assert!(*pause < wanted + Duration::from_secs(5), "{pauses:?}");
    }
    stored(&s, &to, "second", "{}");
    ended_as(&s, "second", "delivered", 2, "status 200");
    // Each change is said once, not each try.
    for (words, times) in [("fail, and are retried", 1), ("given up", 1), ("arrive again", 1)] {
        assert_eq!(s.log().matches(words).count(), times, "{words}: {}", s.log());
    }
}

#[test]
fn many_arrive_in_order_of_their_time() {
    let r = HookReceiver::start(Manners::statuses(&[200]));
    let mut s = hooked(&[&r]).start();
    let to = label(&r.url(), &r.host());
    assert!(s.term().success());
    for n in 0..120 {
        stored(&s, &to, &format!("id-{n:03}"), "{}");
    }
    let conn = Connection::open(s.database()).unwrap();
    conn.execute("UPDATE webhook_outbox SET due_at = 1000 - seq", []).unwrap();
    drop(conn);
    s.restart();
    ended_as(&s, "id-000", "delivered", 1, "status 200");
    let ids: Vec<_> = r.got().iter().map(|g| g.header("x-coord-delivery-id").to_owned()).collect();
    let wanted: Vec<_> = (0..120).rev().map(|n| format!("id-{n:03}")).collect();
    assert_eq!(ids, wanted);
}

#[test]
fn a_slow_receiver_delays_nobody_else() {
    let slow = HookReceiver::start(Manners {
        delays: vec![Duration::from_secs(30)],
        ..Manners::statuses(&[200])
    });
    let fast = HookReceiver::start(Manners::statuses(&[200]));
    let s = hooked(&[&slow, &fast]).start();
    for n in 0..3 {
        stored(&s, &label(&slow.url(), &slow.host()), &format!("slow-{n}"), "{}");
    }
    eventually(SOON, "the slow one is asked", || !slow.got().is_empty());
    let began = Instant::now();
    for n in 0..3 {
        stored(&s, &label(&fast.url(), &fast.host()), &format!("fast-{n}"), "{}");
    }
    eventually(SOON, "the fast one has all", || fast.got().len() == 3);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(slow.got().len(), 1);
    // Five seconds are all that it gets; then it is the next one's turn.
    ended_as(&s, "slow-0", "failed", 1, "timeout");
    eventually(SOON, "the slow one is asked again", || slow.got().len() >= 2);
}

#[test]
fn a_redirect_is_a_failure() {
    let target = HookReceiver::start(Manners::statuses(&[200]));
    for status in [301, 302, 307, 308] {
        let headers = format!("Location: {}\r\n", target.url());
        let r = HookReceiver::start(Manners { headers, ..Manners::statuses(&[status]) });
        let s = hooked(&[&r, &target]).env("COORD_WEBHOOK_MAX_RETRIES", "1").start();
        stored(&s, &label(&r.url(), &r.host()), "id-1", "{}");
        ended_as(&s, "id-1", "exhausted", 1, &format!("status {status}"));
        assert_eq!(r.connections(), 1);
    }
    assert_eq!(target.connections(), 0, "it was followed");
}

#[test]
fn near_addresses_that_nobody_listed_are_never_connected_to() {
    let r = HookReceiver::start(Manners::statuses(&[200]));
    // Those that say so are refused at the start ...
    for url in [r.url(), r.url().replace("http://", "https://"), "https://[::1]:9/".to_owned()] {
        let setup = hooked(&[&r]).env("COORD_WEBHOOK_URL", &url);
        let refused = setup.env("COORD_WEBHOOK_ALLOW_HOSTS", "").try_start();
        let refused = refused.err().expect("a server with such a receiver started");
        assert_eq!(refused.status.code(), Some(78), "{refused:?}");
        assert!(refused.log.contains("COORD_WEBHOOK_ALLOW_HOSTS"), "{refused:?}");
        assert!(!refused.log.contains("s3cret-path"), "{refused:?}");
    }
    // ... and names, when they turn out to lead there.
    let port = r.host().split_once(':').unwrap().1.to_owned();
    let url = format!("https://localhost:{port}/x");
    let s = hooked(&[&r])
        .env("COORD_WEBHOOK_URL", &url)
        .env("COORD_WEBHOOK_ALLOW_HOSTS", "")
        .env("COORD_WEBHOOK_MAX_RETRIES", "1")
        .start();
    stored(&s, &label(&url, ""), "id-1", "{}");
    let why = "its address is not public and not in COORD_WEBHOOK_ALLOW_HOSTS";
    ended_as(&s, "id-1", "exhausted", 1, why);
    assert_eq!(r.connections(), 0);
}

#[test]
fn what_was_under_way_at_a_crash_is_sent_again_under_its_id() {
    let r = HookReceiver::start(Manners {
        delays: vec![Duration::from_secs(30), Duration::ZERO],
        ..Manners::statuses(&[200])
    });
    let mut s = hooked(&[&r]).start();
    stored(&s, &label(&r.url(), &r.host()), "id-1", "{}");
    eventually(SOON, "it is sent", || r.got().len() == 1);
    s.kill9();
    assert_eq!(row(&s, "id-1").0, "pending");
    stored(&s, &label(&r.url(), &r.host()), "id-2", "{}");
    s.restart();
    ended_as(&s, "id-1", "delivered", 1, "status 200");
    ended_as(&s, "id-2", "delivered", 1, "status 200");
    let ids: Vec<_> = r.got().iter().map(|g| g.header("x-coord-delivery-id").to_owned()).collect();
    assert_eq!(ids, ["id-1", "id-1", "id-2"]);
}

#[test]
fn a_stop_does_not_wait_for_a_slow_receiver() {
    let r = HookReceiver::start(Manners {
        delays: vec![Duration::from_secs(30)],
        ..Manners::statuses(&[200])
    });
    let mut s = hooked(&[&r]).start();
    stored(&s, &label(&r.url(), &r.host()), "id-1", "{}");
    eventually(SOON, "it is sent", || r.got().len() == 1);
    let began = Instant::now();
    assert!(s.term().success());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(row(&s, "id-1").0, "pending");
}

#[test]
fn what_waits_for_a_receiver_that_is_gone_is_given_up() {
    let r = HookReceiver::start(Manners::statuses(&[200]));
    let mut s = hooked(&[&r]).start();
    assert!(s.term().success());
    stored(&s, "http://127.0.0.1:9#00000000", "old", "{}");
    s.restart();
    ended_as(&s, "old", "exhausted", 0, "no receiver any more");
    assert_eq!(r.connections(), 0);
}

/// Asks for a team claim.
fn claim(s: &TestServer, engineer: &str, pattern: &str) -> Answer {
    s.post(
        "/claims",
        &json!({"engineer": engineer, "repo": "o/r", "session_id": format!("{engineer}/1"),
            "claims": [{"type": "file", "pattern": pattern}]}),
    )
}

fn rows(s: &TestServer) -> i64 {
    let conn = Connection::open(s.database()).unwrap();
    conn.query_row("SELECT COUNT(*) FROM webhook_outbox", [], |r| r.get(0)).unwrap()
}

#[test]
fn a_granted_claim_is_announced_at_once() {
    let (one, two) = (
        HookReceiver::start(Manners::statuses(&[200])),
        HookReceiver::start(Manners::statuses(&[200])),
    );
    // Nobody looks by himself for an hour: the commit wakes the lanes.
    let s = hooked(&[&one, &two]).env("COORD_WEBHOOK_DELIVERY_INTERVAL_SEC", "3600").start();
    let granted = claim(&s, "alicé", "src/x.rs").expect(200);
    let began = Instant::now();
    eventually(SOON, "both have it", || one.got().len() + two.got().len() == 2);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let id = granted["claim_ids"][0].as_str().unwrap();
    let wanted = format!(
        "{{\"detail\": {{\"claim_ids\": [\"{id}\"], \"engineer\": \"alic\\u00e9\", \
         \"repo\": \"o/r\", \"session_id\": \"alic\\u00e9/1\"}}, \
         \"event_type\": \"claim_granted\", \"timestamp\": \""
    );
    let ids: Vec<String> = [&one, &two]
        .map(|r| {
            let got = r.got().remove(0);
            is_signed(&got);
            assert_eq!(got.header("x-coord-event-type"), "claim_granted");
            let body = String::from_utf8(got.body.clone()).unwrap();
            let time = body.strip_prefix(&wanted).and_then(|rest| rest.strip_suffix("\"}"));
            let time = time.unwrap_or_else(|| panic!("{body}"));
            assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
            got.header("x-coord-delivery-id").to_owned()
        })
        .to_vec();
    assert_ne!(ids[0], ids[1], "each receiver has deliveries of its own");
    // A refusal is no event.
    claim(&s, "bob", "src/x.rs").expect(409);
    assert_eq!(rows(&s), 2);
}

#[test]
fn only_events_that_were_asked_for_are_sent() {
    let r = HookReceiver::start(Manners::statuses(&[200]));
    let s = hooked(&[&r]).env("COORD_WEBHOOK_EVENTS", "queue_grant, auto-narrow").start();
    claim(&s, "alice", "src/x.rs").expect(200);
    assert_eq!(rows(&s), 0);
    let other = hooked(&[&r]).env("COORD_WEBHOOK_EVENTS", "queue_grant, claim_granted").start();
    claim(&other, "alice", "src/x.rs").expect(200);
    eventually(SOON, "it arrives", || r.got().len() == 1);
}

#[test]
fn a_claim_that_was_granted_before_a_crash_is_announced_after_it() {
    let r = HookReceiver::start(Manners {
        delays: vec![Duration::from_secs(30), Duration::ZERO],
        ..Manners::statuses(&[200])
    });
    let mut s = hooked(&[&r]).start();
    // The first keeps the lane busy, so the second is stored and not sent.
    claim(&s, "alice", "src/x.rs").expect(200);
    eventually(SOON, "the first is sent", || r.got().len() == 1);
    claim(&s, "alice", "src/y.rs").expect(200);
    s.kill9();
    assert_eq!((r.got().len(), rows(&s)), (1, 2));
    s.restart();
    eventually(SOON, "all arrive", || r.got().len() == 3);
    let ids: Vec<_> = r.got().iter().map(|g| g.header("x-coord-delivery-id").to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
}

#[test]
fn without_webhooks_nothing_is_stored() {
    let s = Setup::new("axum").start();
    claim(&s, "alice", "src/x.rs").expect(200);
    assert_eq!(rows(&s), 0);
}
