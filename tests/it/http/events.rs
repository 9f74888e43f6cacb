//! The change feed as a stream of events.

use std::collections::HashSet;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::events::{Event, Events};
use coord_tests::raw::Ask;
use coord_tests::server::{Setup, TestServer, eventually, on_each_face};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::Signal;
use serde_json::{Value, json};

use super::abuse::best_of;
use super::shorthand::{greet, send};

fn ask(more: &str) -> Ask {
    Ask::new("GET", &format!("/api/coord/events{more}"))
}

fn open(s: &TestServer, more: &str) -> Events {
    let opened = Events::open(s.address(), &ask(more)).expect("the server answers");
    opened.unwrap_or_else(|a| panic!("{}: {}", a.status, a.text()))
}

/// Opens a stream and waits until the server has said where it stands.
fn opened(s: &TestServer, more: &str) -> (Events, String) {
    let mut events = open(s, more);
    let first = events.any().unwrap().expect("a sign of life at once");
    assert!(first.name.is_empty(), "{first:?}");
    (events, first.id)
}

fn add_todo(s: &TestServer, text: &str) {
    s.post("/api/coord/todos", &json!({"text": text})).expect(201);
}

/// Kind and place of rows, as a stream or a feed brought them.
fn place(change: &Value) -> (String, i64) {
    (change["kind"].as_str().unwrap().to_owned(), change["row"]["seq"].as_i64().unwrap())
}

fn next_change(events: &mut Events) -> Event {
    let event = events.said().expect("an event");
    assert_eq!(event.name, "change", "{event:?}");
    event
}

#[test]
fn a_face_without_streams_says_where_to_ask() {
    on_each_face(|s| {
        if s.face() == "tiny-http" {
            let no = s.get("/api/coord/events").refused(501);
            assert!(no.contains("/api/coord/changes"), "{no}");
        } else {
            let head = s.ask(Ask::new("HEAD", "/api/coord/events"));
            assert_eq!(head.status, 200);
            assert_eq!(head.header("content-type"), Some("text/event-stream"));
        }
    });
}

#[test]
fn a_stranger_sees_nothing() {
    let s = Setup::new("axum").env("COORD_AUTH_TOKEN", "secret").start();
    let refused = |ask: Ask| match Events::open(s.address(), &ask).unwrap() {
        Ok(_) => 200,
        Err(answer) => answer.status,
    };
    let bearer = |token: &str| ask("").header("Authorization", &format!("Bearer {token}"));
    assert_eq!(refused(ask("")), 401);
    assert_eq!(refused(bearer("wrong")), 401);
    assert_eq!(refused(bearer("secret").header("Host", "evil.example")), 421);
    assert_eq!(refused(bearer("secret").header("Origin", "http://evil.example")), 403);
    assert_eq!(refused(bearer("secret")), 200);
}

#[test]
fn an_unknown_place_is_the_beginning_and_now_is_the_end() {
    let s = TestServer::start("axum");
    add_todo(&s, "before");
    for unknown in ["", "?since=no.1"] {
        let mut events = open(&s, unknown);
        assert_eq!(events.said().unwrap().name, "reset");
        assert_eq!(next_change(&mut events).data["row"]["text"], "before");
    }
    let now = s.get("/api/coord/changes?since=now").expect(200);
    assert_eq!((&now["changes"], &now["reset"]), (&json!([]), &json!(false)));
    let (mut events, cursor) = opened(&s, "?since=now");
    assert_eq!(now["cursor"], cursor);
    let began = Instant::now();
    add_todo(&s, "after");
    assert_eq!(next_change(&mut events).data["row"]["text"], "after");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn a_reader_sees_what_concerns_it() {
    let s = TestServer::start("axum");
    for name in ["A/x", "B/y", "C/z"] {
        greet(&s, name);
    }
    let (mut events, _) = opened(&s, "?since=now&machine=B&project_key=p");
    send(&s, "A/x", Some("C/z"), "not for B").expect(201);
    s.post("/api/coord/todos", &json!({"text": "1", "project_key": "q"})).expect(201);
    send(&s, "A/x", Some("B/y"), "for B").expect(201);
    s.post("/api/coord/todos", &json!({"text": "2", "project_key": "p"})).expect(201);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let event = next_change(&mut events);
        if event.data["kind"] != "session" {
            let row = &event.data["row"];
            seen.push(row["body"].as_str().or(row["text"].as_str()).unwrap().to_owned());
        }
    }
    assert_eq!(seen, ["for B", "2"]);
}

const WRITERS: usize = 4;
const EACH: usize = 125;

#[test]
fn a_stream_is_the_feed_while_many_write() {
    let s = TestServer::start("axum");
    let (mut events, cursor) = opened(&s, "?since=now");
    let streamed = thread::scope(|scope| {
        for writer in 0..WRITERS {
            let s = &s;
            scope.spawn(move || {
                let mut conn = s.conn();
                for n in 0..EACH {
                    let body = json!({"text": format!("{writer}-{n}")});
                    let ask = Ask::new("POST", "/api/coord/todos").json(&body);
                    conn.ask(&ask).unwrap().expect(201);
                }
            });
        }
        (0..WRITERS * EACH).map(|_| next_change(&mut events)).collect::<Vec<_>>()
    });
    let feed = s.get(&format!("/api/coord/changes?since={cursor}")).expect(200);
    let wanted: Vec<_> = feed["changes"].as_array().unwrap().iter().map(place).collect();
    let got: Vec<_> = streamed.iter().map(|e| place(&e.data)).collect();
    assert_eq!(got, wanted);
    assert_eq!(streamed.last().unwrap().id, feed["cursor"].as_str().unwrap());
    // Each event's id is a place to go on from.
    let rest = format!("/api/coord/changes?since={}", streamed[250].id);
    assert_eq!(s.get(&rest).expect(200)["changes"].as_array().unwrap().len(), 500 - 251);
}

/// Reads until the stream breaks or `all` are there; the last id.
fn read_on(events: &mut Events, seen: &mut Vec<i64>, all: usize, mut last: String) -> String {
    while seen.len() < all {
        let Some(event) = events.said() else { break };
        assert_eq!(event.name, "change");
        seen.push(event.data["row"]["seq"].as_i64().unwrap());
        last = event.id;
    }
    last
}

#[test]
fn nothing_is_missed_or_doubled_over_kills() {
    const PER_ROUND: usize = 40;
    const ROUNDS: usize = 3;
    let mut s = TestServer::start("axum");
    let (mut events, mut cursor) = opened(&s, "?since=now");
    let mut seen = Vec::new();
    for round in 1..=ROUNDS {
        let over = AtomicBool::new(false);
        let address = s.address();
        thread::scope(|scope| {
            // Not every one of these is acknowledged, nor read before the kill.
            scope.spawn(|| {
                while !over.load(Ordering::SeqCst) {
                    let Ok(mut conn) = coord_tests::raw::Conn::open(address) else { continue };
                    let body = json!({"text": "t"});
                    let _ = conn.ask(&Ask::new("POST", "/api/coord/todos").json(&body).closing());
                }
            });
            let enough = round * PER_ROUND;
            cursor = read_on(&mut events, &mut seen, enough, cursor.clone());
            s.kill9();
            over.store(true, Ordering::SeqCst);
        });
        cursor = read_on(&mut events, &mut seen, usize::MAX, cursor);
        s.restart();
        let again = ask("?since=now").header("Last-Event-ID", &cursor);
        events = Events::open(s.address(), &again).unwrap().unwrap_or_else(|a| panic!("{a:?}"));
    }
    add_todo(&s, "the last one");
    let feed = s.get("/api/coord/changes?limit=500").expect(200);
    assert_eq!(feed["more"], false);
    let all: Vec<i64> = feed["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c["row"]["seq"].as_i64().unwrap())
        .collect();
    read_on(&mut events, &mut seen, all.len(), cursor);
    assert_eq!(seen, all);
    assert_eq!(seen.iter().collect::<HashSet<_>>().len(), seen.len());
    assert!(seen.len() > ROUNDS * PER_ROUND);
}

#[test]
fn a_slow_reader_is_in_nobodys_way() {
    let s = TestServer::start("axum");
    let (events, _) = opened(&s, "?since=now");
    set_socket_recv_buffer_size(events.socket(), 4_096).unwrap();
    let before = s.descriptors();
    let body = "x".repeat(250_000);
    let took = best_of(40, || drop(send(&s, "A/x", None, &body).expect(201)));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(s.memory() < 150 * 1024 * 1024, "{} bytes", s.memory());
    let mut quick = open(&s, "");
    assert_eq!(quick.said().unwrap().name, "reset");
    next_change(&mut quick);
    drop(quick);
    // Who takes nothing loses its stream.
    eventually(Duration::from_secs(25), "the stream is given up", || s.descriptors() < before);
}

#[test]
fn idle_streams_are_cheap_and_bounded() {
    let s = TestServer::start("axum");
    let threads = s.threads();
    let mut streams: Vec<_> = (0..200).map(|_| opened(&s, "?since=now").0).collect();
    assert!(s.threads() <= threads + 4, "{} threads", s.threads());
    let took = best_of(5, || drop(s.get("/api/coord/status").expect(200)));
    assert!(took < Duration::from_millis(100), "{took:?}");
    let began = Instant::now();
    add_todo(&s, "all hear of this");
    for events in &mut streams {
        next_change(events);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    // Up to the bound, and not beyond; ordinary requests have places of their own.
    streams.extend((200..256).map(|_| opened(&s, "?since=now").0));
    let Err(no) = Events::open(s.address(), &ask("")).unwrap() else { panic!("too many streams") };
    assert_eq!(no.status, 503);
    assert!(no.header("retry-after").is_some());
    let idle: Vec<_> = (0..200).map(|_| s.conn()).collect();
    s.get("/api/coord/status").expect(200);
    drop((idle, streams));
    eventually(Duration::from_secs(5), "places are given back", || {
        Events::open(s.address(), &ask("?since=now")).unwrap().is_ok()
    });
}

#[test]
fn the_end_of_the_server_ends_streams() {
    let mut s = TestServer::start("axum");
    let mut streams: Vec<_> = (0..20).map(|_| opened(&s, "?since=now").0).collect();
    let deaf = opened(&s, "?since=now").0;
    set_socket_recv_buffer_size(deaf.socket(), 4_096).unwrap();
    let body = "x".repeat(250_000);
    for _ in 0..40 {
        send(&s, "A/x", None, &body).expect(201);
    }
    let began = Instant::now();
    s.signal(Signal::TERM);
    assert_eq!(s.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    for events in &mut streams {
        let mut rest = Vec::new();
        let _ = events.socket().read_to_end(&mut rest);
    }
}

#[test]
fn a_quiet_stream_shows_that_it_lives() {
    let s = TestServer::start("axum");
    let (mut events, cursor) = opened(&s, "?since=now&project_key=p");
    // Nothing of this is for the reader; its place moves on all the same.
    s.post("/api/coord/todos", &json!({"text": "t", "project_key": "q"})).expect(201);
    let began = Instant::now();
    let sign = events.any().unwrap().expect("a sign of life");
    assert!((14..18).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert!(sign.name.is_empty() && !sign.id.is_empty() && sign.id != cursor, "{sign:?}");
    // Longer than an answer may take: an idle stream is not a slow one.
    let sign = events.any().unwrap().expect("another one");
    assert!(sign.name.is_empty());
    s.post("/api/coord/todos", &json!({"text": "t", "project_key": "p"})).expect(201);
    next_change(&mut events);
}
