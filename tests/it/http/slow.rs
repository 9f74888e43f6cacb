//! Clients that take their time, against the default face: cut off in the end, in nobody's way
//! until then. And the end of the server itself, which waits for what is under way.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Ask, Conn};
use coord_tests::server::{TestServer, eventually, faces};
use rustix::net::sockopt::set_socket_recv_buffer_size;
use rustix::process::Signal;
use serde_json::json;

use super::abuse::{at_rest, best_of, recovers};

/// Sends a piece every now and then until the server closes; how long that took.
fn drip(mut conn: Conn, piece: &[u8]) -> Duration {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(40) {
        if conn.send(piece).is_err() || conn.closed_within(Duration::from_millis(200)) {
            return began.elapsed();
        }
    }
    panic!("a dripping client is never cut off");
}

#[test]
fn half_open_connections_keep_nobody_out() {
    let s = TestServer::start("axum");
    let half_open: Vec<_> = (0..600)
        .map(|n| {
            let mut stream = TcpStream::connect(s.address()).unwrap();
            if n % 2 == 0 {
                let _ = stream.write_all(b"GET /health HTTP/1.1\r\n");
            }
            stream
        })
        .collect();
    let took = best_of(3, || drop(s.get("/health").expect(200)));
    assert!(took < Duration::from_secs(1), "{took:?}");
    super::shorthand::greet(&s, "M/a");
    assert!(s.threads() < 64, "{} threads", s.threads());
    // They have no more than the places there are.
    eventually(Duration::from_secs(3), "the table is bounded", || s.descriptors() < 300);
    drop(half_open);
    recovers(&s);
}

#[test]
fn slow_bodies_are_in_nobodys_way() {
    let s = TestServer::start("axum");
    let slow: Vec<_> = (0..100)
        .map(|_| {
            let mut conn = s.conn();
            conn.send(b"POST /api/coord/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n{\"p")
                .unwrap();
            conn
        })
        .collect();
    let took = best_of(5, || drop(s.get("/api/coord/status").expect(200)));
    assert!(took < Duration::from_millis(100), "{took:?}");
    let took = best_of(5, || drop(super::shorthand::claim(&s, "M/a", "x")));
    assert!(took < Duration::from_millis(100), "{took:?}");
    drop(slow);
    recovers(&s);
}

#[test]
fn the_slow_are_cut_off() {
    let s = TestServer::start("axum");
    thread::scope(|scope| {
        scope.spawn(|| {
            let took = drip(s.conn(), b"G");
            assert!((4..8).contains(&took.as_secs()), "a request line took {took:?}");
        });
        scope.spawn(|| {
            let mut conn = s.conn();
            conn.send(b"GET /health HTTP/1.1\r\n").unwrap();
            let took = drip(conn, b"X: y\r\n");
            assert!((4..8).contains(&took.as_secs()), "a head took {took:?}");
        });
        scope.spawn(|| {
            let mut conn = s.conn();
            conn.ask(&Ask::new("GET", "/health")).unwrap().expect(200);
            let took = drip(conn, b"");
            assert!(took < Duration::from_secs(40), "an idle connection stays");
        });
        scope.spawn(|| {
            let mut conn = s.conn();
            conn.send(b"POST /api/coord/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\n")
                .unwrap();
            let took = drip(conn, b" ");
            assert!((13..19).contains(&took.as_secs()), "a body took {took:?}");
        });
        scope.spawn(who_does_not_read);
    });
    recovers(&s);
}

/// An answer that nobody takes, and one that is taken a byte now and then.
fn who_does_not_read() {
    let s = TestServer::start("axum");
    let long = json!({"from_session": "M/a", "body": "x".repeat(250_000)});
    for _ in 0..60 {
        s.post("/api/coord/messages", &long).expect(201);
    }
    let before = at_rest(&s);
    // A page of a list is bounded, and fits into the system's buffers: ask for many.
    let ask = b"GET /api/coord/messages?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20);
    let [deaf, mut nibbler] = [(); 2].map(|()| {
        let mut stream = TcpStream::connect(s.address()).unwrap();
        set_socket_recv_buffer_size(&stream, 4_096).unwrap();
        stream.write_all(&ask).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        stream
    });
    let began = Instant::now();
    eventually(Duration::from_secs(5), "both are at it", || s.descriptors() >= before + 2);
    eventually(Duration::from_secs(25), "answers that nobody takes are given up", || {
        let _ = std::io::Read::read(&mut nibbler, &mut [0; 16]);
        s.descriptors() <= before
    });
    assert!(began.elapsed() > Duration::from_secs(10), "cut off after {:?}", began.elapsed());
    drop((deaf, nibbler));
    recovers(&s);
}

/// A claim whose head the server has for sure, and whose body is on its way.
fn under_way(s: &TestServer, resource: usize) -> Conn {
    let lock = json!({"project_key": "p", "session_id": "M/a", "resource": resource.to_string()});
    let body = lock.to_string();
    let mut conn = s.conn();
    let head = format!(
        "POST /api/coord/locks HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    conn.send(head.as_bytes()).unwrap();
    assert!(conn.told_to_go_on().unwrap());
    conn.send(body.as_bytes()).unwrap();
    conn
}

#[test]
fn an_end_that_waits_for_what_is_under_way() {
    for face in faces() {
        let mut s = TestServer::start(face);
        let foreign = rusqlite::Connection::open(s.database()).unwrap();
        foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
        let asked: Vec<_> = (0..4).map(|n| under_way(&s, n)).collect();
        let threads = s.threads();
        s.signal(Signal::TERM);
        eventually(Duration::from_secs(2), "it begins to end", || match s.face() {
            // Its workers end; it takes connections to the last.
            "tiny-http" => s.threads() + 20 < threads,
            _ => Conn::open(s.address()).is_err(),
        });
        foreign.execute_batch("ROLLBACK").unwrap();
        for mut conn in asked {
            // Granted, unless this machine took so long that the server gave up waiting.
            let status = conn.answer().unwrap().status;
            assert!(matches!(status, 201 | 503), "{status}");
        }
        assert_eq!(s.wait().code(), Some(0));
    }
}

#[test]
fn an_end_in_the_middle_of_a_request() {
    let mut s = TestServer::start("axum");
    let body = json!({"from_session": "M/a", "body": "half"}).to_string();
    let mut conn = s.conn();
    let head = format!(
        "POST /api/coord/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(body.len() / 2);
    conn.send(format!("{head}{first}").as_bytes()).unwrap();
    let mut idle = s.conn();
    idle.ask(&Ask::new("GET", "/health")).unwrap().expect(200);
    let began = Instant::now();
    s.signal(Signal::TERM);
    eventually(Duration::from_secs(2), "nobody new is let in", || Conn::open(s.address()).is_err());
    conn.send(rest.as_bytes()).unwrap();
    conn.answer().unwrap().expect(201);
    assert_eq!(s.wait().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    s.restart();
    assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 1);
}

#[test]
fn an_end_while_nothing_happens_is_quick() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut s = TestServer::start("axum");
        let _half_open = s.conn();
        let began = Instant::now();
        s.signal(signal);
        assert_eq!(s.wait().code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
