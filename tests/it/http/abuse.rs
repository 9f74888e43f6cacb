//! Floods and oversize, against the default face. After each of them the server answers again.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use coord_tests::raw::{Ask, Conn};
use coord_tests::server::{Setup, TestServer, eventually};
use rustix::net::sockopt::set_socket_linger;
use rustix::process::Signal;
use serde_json::json;

const MIB: usize = 1024 * 1024;
const THREADS_MAX: usize = 64;

fn server() -> TestServer {
    TestServer::start("axum")
}

/// The server is well again, and soon.
#[track_caller]
pub(super) fn recovers(s: &TestServer) {
    eventually(Duration::from_secs(2), "the server answers again", || {
        Conn::open(s.address())
            .and_then(|mut c| c.ask(&Ask::new("GET", "/health").closing()))
            .is_ok_and(|a| a.status == 200 && a.json()["status"] == "ok")
    });
}

/// Descriptors of the server at rest: connections that were just closed linger for a moment, so
/// the fewest of a while count.
pub(super) fn at_rest(s: &TestServer) -> usize {
    recovers(s);
    let counts = (0..30).map(|_| {
        thread::sleep(Duration::from_millis(10));
        s.descriptors()
    });
    counts.min().unwrap()
}

/// The best of some requests: a blocked server is slow in all of them, a busy machine is not.
pub(super) fn best_of(tries: usize, mut request: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..tries)
        .map(|_| {
            let began = Instant::now();
            request();
            began.elapsed()
        })
        .collect();
    times.sort();
    times[0]
}

#[test]
fn a_monstrous_length_is_refused() {
    let mut s = server();
    for length in
        ["30000000000", "9223372036854775807", "18446744073709551615", "18446744073709551616"]
    {
        let mut conn = s.conn();
        let head = format!(
            "POST /api/coord/locks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n"
        );
        conn.send(head.as_bytes()).unwrap();
        let status = conn.answer().unwrap().status;
        assert!(matches!(status, 400 | 413 | 431), "{status} to {length}");
    }
    assert!(s.alive());
    recovers(&s);
    assert!(s.memory() < 100 * MIB);
}

#[test]
fn heads_that_are_too_large() {
    let s = server();
    let line = |n: usize| format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "x".repeat(n));
    let header = |n: usize| {
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(n))
    };
    let headers = |n: usize| {
        let many = "X: 1\r\n".repeat(n);
        format!("GET /health HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")
    };
    for (bytes, wanted) in [
        (line(15_000), 404),
        (line(17_000), 431),
        (line(70_000), 431),
        (header(15_000), 200),
        (header(17_000), 431),
        (headers(63), 200),
        (headers(64), 431),
        (headers(1_000), 431),
    ] {
        let mut conn = s.conn();
        let _ = conn.send(bytes.as_bytes());
        let got = conn.answer().unwrap().status;
        // A request line alone that does not fit has a status of its own.
        assert!(got == wanted || (got == 414 && bytes.len() > 60_000), "{got}, not {wanted}");
    }
    recovers(&s);
}

#[test]
fn an_endless_head_is_not_kept() {
    let s = server();
    let before = s.memory();
    let mut conn = s.conn();
    conn.send(b"GET / HTTP/1.1\r\nX: ").unwrap();
    let chunk = vec![b'x'; MIB];
    let sent = (0..150).take_while(|_| conn.send(&chunk).is_ok()).count();
    assert!(sent < 150, "the server took a head of 150 MiB");
    assert!(s.memory() < before + 20 * MIB);
    recovers(&s);
}

#[test]
fn request_lines_of_another_protocol() {
    let s = server();
    let (descriptors, threads) = (at_rest(&s), s.threads());
    for _ in 0..100 {
        let mut conn = s.conn();
        let _ = conn.send(b"GET / HTTP/2.0\r\n\r\n");
        let _ = conn.answer();
    }
    recovers(&s);
    eventually(Duration::from_secs(5), "threads and descriptors come back", || {
        s.threads() <= threads + 8 && s.descriptors() <= descriptors + 8
    });
}

#[test]
fn bursts_of_connections_that_stay() {
    let s = server();
    let mut staying = Vec::new();
    for round in 0..6 {
        let began = Instant::now();
        let burst: Vec<Conn> = thread::scope(|scope| {
            let all: Vec<_> = (0..64)
                .map(|_| {
                    scope.spawn(|| {
                        let mut conn = s.conn();
                        for _ in 0..3 {
                            conn.ask(&Ask::new("GET", "/api/coord/status")).unwrap().expect(200);
                        }
                        conn
                    })
                })
                .collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        let took = began.elapsed();
        assert!(took < Duration::from_secs(2), "round {round} took {took:?}");
        // They stay open through the next round.
        staying = burst;
    }
    drop(staying);
    assert!(s.threads() < THREADS_MAX, "{} threads", s.threads());
}

#[test]
fn clients_that_reset_before_they_are_accepted() {
    let mut s = server();
    let descriptors = at_rest(&s);
    for _ in 0..5 {
        s.signal(Signal::STOP);
        for n in 0..100 {
            let mut stream = TcpStream::connect(s.address()).unwrap();
            if n % 2 == 0 {
                stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            }
            // Closing with a linger of nothing sends a reset.
            set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
        }
        s.signal(Signal::CONT);
        recovers(&s);
    }
    assert!(s.alive());
    eventually(Duration::from_secs(8), "descriptors come back", || {
        s.descriptors() <= descriptors + 8
    });
}

#[test]
fn a_flood_in_one_pipeline() {
    const REQUESTS: usize = 20_000;
    let s = server();
    recovers(&s);
    let before = s.memory();
    let request = b"GET /api/coord/locks/none HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // One that reads nothing is held back, and its requests are not hoarded.
    let mut deaf = s.conn();
    deaf.socket().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let flood = request.repeat(REQUESTS * 5);
    let _ = deaf.send(&flood);
    let grown = s.memory().saturating_sub(before);
    assert!(grown < 100 * MIB, "grown by {grown}");
    recovers(&s);

    // One that reads gets every answer.
    let mut conn = s.conn();
    let mut sender = conn.socket().try_clone().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || sender.write_all(&request.repeat(REQUESTS)).unwrap());
        for _ in 0..REQUESTS {
            conn.answer().unwrap().expect(404);
        }
    });
    let grown = s.memory().saturating_sub(before);
    assert!(grown < 100 * MIB, "grown by {grown}");
    recovers(&s);
}

#[test]
fn answers_on_a_kept_connection_do_not_stall() {
    let s = server();
    let long = json!({"from_session": "M/a", "body": "x".repeat(2_500)});
    let message = s.post("/api/coord/messages", &long).expect(201);
    let target = format!("/api/coord/messages/{}", message["id"].as_str().unwrap());
    let mut conn = s.conn();
    let mut times: Vec<_> = (0..60)
        .map(|_| {
            let began = Instant::now();
            let answer = conn.ask(&Ask::new("GET", &target)).unwrap();
            assert!(answer.body.len() > 2_048);
            began.elapsed()
        })
        .collect();
    times.sort();
    // Delayed acknowledgements would hold back every one of them for 40 ms.
    assert!(times[30] < Duration::from_millis(20), "half of them take over {:?}", times[30]);
}

#[test]
fn no_descriptors_left() {
    let mut s = Setup::new("axum").shell("ulimit -n 64").start();
    recovers(&s);
    for _ in 0..3 {
        let crowd: Vec<_> = (0..100)
            .map(|_| {
                let mut stream = TcpStream::connect(s.address()).unwrap();
                let _ = stream.write_all(b"GET /health HTTP/1.1\r\n");
                stream
            })
            .collect();
        eventually(Duration::from_secs(2), "descriptors run out", || s.descriptors() >= 60);
        drop(crowd);
        recovers(&s);
        super::shorthand::greet(&s, "M/a");
    }
    assert!(s.alive());
}

#[test]
fn many_who_ask_at_once_while_the_database_is_held() {
    let s = server();
    let foreign = rusqlite::Connection::open(s.database()).unwrap();
    foreign.execute_batch("BEGIN IMMEDIATE").unwrap();
    thread::scope(|scope| {
        for n in 0..200 {
            let s = &s;
            scope.spawn(move || {
                let path = if n % 2 == 0 { "/health" } else { "/readyz" };
                Conn::open(s.address()).and_then(|mut c| c.ask(&Ask::new("GET", path))).unwrap();
            });
        }
        eventually(Duration::from_secs(2), "they wait", || s.descriptors() > 100);
        assert!(s.threads() < 2 * THREADS_MAX, "{} threads", s.threads());
    });
    foreign.execute_batch("ROLLBACK").unwrap();
    recovers(&s);
}
