//! What is refused, with which status and which words.

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{TestServer, on_each_face};
use serde_json::json;

const LOCKS: &str = "/api/coord/locks";
const MIB: usize = 1024 * 1024;

fn post(s: &TestServer, body: impl Into<Vec<u8>>) -> Answer {
    s.ask(Ask::new("POST", LOCKS).header("Content-Type", "application/json").body(body))
}

#[test]
fn paths_that_lead_nowhere() {
    on_each_face(|s| {
        for path in [
            "/",
            "/api/coord",
            "/api/coord/",
            "/api/coord/locks/",
            "/api/coord/locks/a/b",
            "/api//coord/locks",
            "/API/coord/locks",
            "/../../etc/passwd",
            "/api/coord/%6Cocks",
            "/health/",
            "/%ff%fe",
        ] {
            let answer = s.get(path);
            let detail = answer.refused(404);
            assert!(detail.contains("coord ") && detail.contains("no such path"), "{detail}");
        }
        for path in
            ["/api/coord/locks/%ff", "/api/coord/locks/..%2f..%2fetc", "/api/coord/todos/%00"]
        {
            s.get(path).refused(404);
        }
    });
}

#[test]
fn methods_that_a_path_has_not() {
    on_each_face(|s| {
        for (method, path, allow) in [
            ("PATCH", LOCKS, "GET, POST, DELETE"),
            ("PUT", "/api/coord/locks/x", "GET, PATCH, DELETE"),
            ("POST", "/health", "GET"),
            ("DELETE", "/api/coord/messages/x/read", "PUT"),
            ("BREW", "/api/coord/status", "GET"),
            ("OPTIONS", "/api/coord/components", "GET, PUT"),
            ("get", "/api/coord/status", "GET"),
        ] {
            let answer = s.ask(Ask::new(method, path));
            assert!(answer.refused(405).contains(allow));
            assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
        }
    });
}

#[test]
fn bodies_that_are_no_json() {
    on_each_face(|s| {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
        let abyss = "[".repeat(200_000);
        for (body, word) in [
            (&b""[..], "empty"),
            (b" \r\n ", "empty"),
            (b"{", "bad JSON"),
            (b"hello", "bad JSON"),
            (b"{'project_key': 'p'}", "bad JSON"),
            (b"{\"project_key\": \"\xff\xfe\"}", "bad JSON"),
            (b"\x00\x01", "bad JSON"),
            (b"{\"project_key\":\"p\",\"session_id\":\"M/a\",\"resource\":\"x\"} {}", "bad JSON"),
            (deep.as_bytes(), "nested"),
            (abyss.as_bytes(), "nested"),
        ] {
            let detail = post(s, body).refused(400);
            assert!(detail.contains(word), "{detail}");
        }
        assert_eq!(s.get(LOCKS).expect(200)["count"], 0);
    });
}

#[test]
fn bodies_of_the_wrong_shape() {
    on_each_face(|s| {
        for body in ["[]", "null", "7", "\"text\"", "{}", "{\"project_key\": 7}"] {
            post(s, body).refused(422);
        }
        let missing = json!({"project_key": "p", "session_id": "M/a"});
        assert!(s.post(LOCKS, &missing).refused(422).contains("resource"));
        // Fields of later versions are no error.
        let later = json!({"project_key": "p", "session_id": "M/a", "resource": "x",
                           "later": {"deep": [1, 2]}});
        s.post(LOCKS, &later).expect(201);
    });
}

#[test]
fn bodies_that_are_too_large() {
    on_each_face(|s| {
        let lock = json!({"project_key": "p", "session_id": "M/a", "resource": "x"}).to_string();
        let padded = |n: usize| format!("{lock}{}", " ".repeat(n - lock.len()));
        assert!(post(s, padded(MIB + 1)).refused(413).contains("1048576"));
        post(s, padded(3 * MIB)).refused(413);
        assert_eq!(s.get(LOCKS).expect(200)["count"], 0);
        post(s, padded(MIB)).expect(201);
        // Announced only: nobody has to send 20 MiB to learn that it is too much.
        let mut conn = s.conn();
        let head =
            format!("POST {LOCKS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20971520\r\n\r\n");
        conn.send(head.as_bytes()).unwrap();
        conn.answer().unwrap().refused(413);
    });
}

#[test]
fn bodies_in_chunks() {
    on_each_face(|s| {
        let chunked = |total: usize| {
            let mut conn = s.conn();
            let head = format!(
                "POST {LOCKS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            );
            let lock = r#"{"project_key":"p","session_id":"M/a","resource":"x"}"#;
            let mut bytes = format!("{head}{:x}\r\n{lock}\r\n", lock.len()).into_bytes();
            for _ in 0..total / 65_536 {
                bytes.extend_from_slice(b"10000\r\n");
                bytes.resize(bytes.len() + 65_536, b' ');
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            // The answer may come before the end of the body.
            let _ = conn.send(&bytes);
            conn.answer().unwrap()
        };
        if s.face() == "tiny-http" {
            chunked(0).refused(411);
        } else {
            chunked(131_072).expect(201);
            chunked(2 * MIB).refused(413);
        }
    });
}

#[test]
fn compressed_bodies() {
    on_each_face(|s| {
        let ask = Ask::new("POST", LOCKS).header("Content-Encoding", "gzip").body("\x1f\u{8b}");
        s.ask(ask).refused(415);
    });
}

#[test]
fn limits_and_cursors() {
    on_each_face(|s| {
        for path in [
            "locks",
            "messages",
            "components",
            "workflows",
            "work-items",
            "todos",
            "sessions",
            "decisions",
        ] {
            for bad in ["0", "-1", "501", "x", "1.5", "99999999999999999999"] {
                let detail = s.get(&format!("/api/coord/{path}?limit={bad}")).refused(422);
                assert!(detail.contains("limit") && detail.contains("500"), "{detail}");
            }
            s.get(&format!("/api/coord/{path}?limit=500")).expect(200);
            s.get(&format!("/api/coord/{path}?limit=")).expect(200);
        }
        s.get("/api/coord/messages?after=x").refused(422);
        s.get("/api/coord/decisions?since=yesterday").refused(422);
    });
}

#[test]
fn every_answer_says_whose_it_is() {
    on_each_face(|s| {
        let instance = s.get("/health").expect(200)["instance"].as_str().unwrap().to_owned();
        assert!(instance.starts_with("coord-"), "{instance}");
        for answer in [
            s.get("/health"),
            s.get("/readyz"),
            s.get("/api/coord/status"),
            s.get("/nowhere"),
            s.ask(Ask::new("PATCH", LOCKS)),
            post(s, "{"),
            post(s, vec![b' '; MIB + 1]),
            s.ask(Ask::new("GET", LOCKS).header("Host", "evil.example")),
        ] {
            assert_eq!(answer.header("coord-instance"), Some(instance.as_str()), "{answer:?}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert!(answer.header("access-control-allow-origin").is_none());
        }
    });
}

#[test]
fn head_is_get_without_the_body() {
    on_each_face(|s| {
        let mut conn = s.conn();
        for path in ["/health", "/api/coord/status", LOCKS] {
            assert_eq!(conn.ask(&Ask::new("HEAD", path)).unwrap().status, 200);
            // A body that came nevertheless would be read as this answer.
            conn.ask(&Ask::new("GET", path)).unwrap().expect(200);
        }
        assert_eq!(conn.ask(&Ask::new("HEAD", "/nowhere")).unwrap().status, 404);
    });
}
