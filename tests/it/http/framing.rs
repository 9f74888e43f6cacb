//! Requests that are no HTTP, or whose end is doubtful: refused, and never a second request.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use coord_tests::server::{TestServer, faces, on_each_face};

/// Sends bytes; the status of the answer, or `None` when the connection was closed without one.
fn status(s: &TestServer, bytes: &[u8]) -> Option<u16> {
    let mut conn = s.conn();
    let _ = conn.send(bytes);
    match conn.answer() {
        Ok(answer) => Some(answer.status),
        Err(e) => {
            let waited = matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!waited, "no answer and no end to {:?}", String::from_utf8_lossy(bytes));
            None
        }
    }
}

#[test]
fn heads_that_are_no_http() {
    let s = TestServer::start("axum");
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /health\r\n\r\n",
        b"GET /health HTTP/2.0\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        b"GET /he alth HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n folded: x\r\n\r\n",
        b"GET /health HTTP/1.1\r\nA\x00B: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ] {
        let answer = status(&s, bytes);
        assert!(
            answer.is_none_or(|status| (400..500).contains(&status)),
            "{answer:?} to {:?}",
            String::from_utf8_lossy(bytes)
        );
    }
    s.get("/health").expect(200);
}

#[test]
fn lengths_that_are_doubtful() {
    on_each_face(|s| {
        let message = r#"{"from_session":"M/a","body":"x"}"#;
        let n = message.len();
        for framing in [
            format!("Content-Length: {n}\r\nContent-Length: {}", n + 1),
            format!("Content-Length: -{n}"),
            format!("Content-Length: +{n}"),
            "Content-Length: abc".to_owned(),
            format!("Content-Length: {n}, {n}0"),
            "Content-Length: 99999999999999999999999".to_owned(),
            "Transfer-Encoding: identity".to_owned(),
            "Transfer-Encoding: xchunked".to_owned(),
            "Transfer-Encoding: chunked, identity".to_owned(),
        ] {
            let bytes = format!(
                "POST /api/coord/messages HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n{message}"
            );
            let answer = status(s, bytes.as_bytes());
            assert!(answer.is_none_or(|a| (400..500).contains(&a)), "{answer:?} to {framing}");
        }
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 0);
    });
}

#[test]
fn a_broken_chunk_is_no_request() {
    let s = TestServer::start("axum");
    let head = "POST /api/coord/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let message = r#"{"from_session":"M/a","body":"x"}"#;
    for body in [
        format!("zz\r\n{message}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{message}0\r\n\r\n", message.len()),
        format!("ffffffffffffffffff\r\n{message}\r\n0\r\n\r\n"),
    ] {
        let answer = status(&s, format!("{head}{body}").as_bytes());
        assert!(answer.is_none_or(|a| a == 400), "{answer:?} to {body}");
    }
    assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 0);
}

#[test]
fn requests_in_a_row_are_answered_in_order() {
    on_each_face(|s| {
        let mut conn = s.conn();
        let mut bytes = Vec::new();
        for path in ["/health", "/nowhere", "/api/coord/status", "/api/coord/locks/x", "/readyz"] {
            bytes.extend(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes());
        }
        conn.send(&bytes).unwrap();
        let statuses: Vec<_> = (0..5).map(|_| conn.answer().unwrap().status).collect();
        assert_eq!(statuses, [200, 404, 200, 404, 200]);
    });
}

#[test]
fn old_clients() {
    for face in faces() {
        let s = TestServer::start(face);
        let mut conn = s.conn();
        conn.send(b"GET /health HTTP/1.0\r\n\r\n").unwrap();
        conn.answer().unwrap().expect(200);
        assert!(conn.closed_within(Duration::from_secs(5)), "an HTTP/1.0 connection stays open");
        let mut conn = s.conn();
        conn.send(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let began = Instant::now();
        conn.answer().unwrap().expect(200);
        assert!(conn.closed_within(Duration::from_secs(5)), "asked to close, it stays open");
        assert!(began.elapsed() < Duration::from_secs(3));
    }
}

#[test]
fn a_client_may_ask_before_it_sends() {
    on_each_face(|s| {
        let body = r#"{"from_session":"M/a","body":"x"}"#;
        let head = |n: usize| {
            format!(
                "POST /api/coord/messages HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\
                 Content-Length: {n}\r\n\r\n"
            )
        };
        let mut conn = s.conn();
        conn.send(head(body.len()).as_bytes()).unwrap();
        // The client of these tests skips the 100; the body follows whether it came or not.
        conn.send(body.as_bytes()).unwrap();
        conn.answer().unwrap().expect(201);
        let mut conn = s.conn();
        conn.send(head(20_971_520).as_bytes()).unwrap();
        conn.answer().unwrap().refused(413);
    });
}
