//! Who is let in: the token, and the checks against web pages that speak for their reader.

use coord_tests::raw::Ask;
use coord_tests::server::{Setup, faces};
use serde_json::json;

const STATUS: &str = "/api/coord/status";

fn with_token(face: &str) -> coord_tests::server::TestServer {
    Setup::new(face)
        .env("COORD_ALLOW_INSECURE_NO_AUTH", "")
        .env("COORD_AUTH_TOKEN", "s3cret-t0ken")
        .start()
}

#[test]
fn the_token_opens() {
    for face in faces() {
        let s = with_token(face);
        let bearer = |value: &str| Ask::new("GET", STATUS).header("Authorization", value);
        s.ask(bearer("Bearer s3cret-t0ken")).expect(200);
        assert_eq!(s.get(STATUS).refused(401), "Missing bearer token");
        for wrong in ["", "s3cret-t0ken", "Basic czNjcmV0", "Basic s3cret-t0ken"] {
            s.ask(bearer(wrong)).refused(401);
        }
        // Which part is wrong is not told.
        for wrong in ["Bearer x", "Bearer s3cret-t0keN", "Bearer s3cret-t0ken2", "Bearer s3cret"] {
            assert_eq!(s.ask(bearer(wrong)).refused(401), "Invalid bearer token");
        }
        assert!(!s.log().contains("s3cret-t0ken"), "the token stands in the log");
    }
}

#[test]
fn without_a_token_nothing_is_read_written_or_told() {
    for face in faces() {
        let s = with_token(face);
        let lock = json!({"project_key": "p", "session_id": "M/a", "resource": "x"});
        s.post("/api/coord/locks", &lock).refused(401);
        s.post("/api/coord/batch", &json!({"entries": []})).refused(401);
        s.delete("/api/coord/locks?session_id=M/a&release_all=true").refused(401);
        // Also not, which paths exist.
        s.get("/nowhere").refused(401);
        s.ask(Ask::new("PATCH", "/api/coord/locks")).refused(401);
        let mine =
            Ask::new("GET", "/api/coord/locks").header("authorization", "Bearer s3cret-t0ken");
        assert_eq!(s.ask(mine).expect(200)["count"], 0);
        for (open, status) in [("/health", "ok"), ("/readyz", "ready")] {
            assert_eq!(s.get(open).expect(200)["status"], status);
        }
    }
}

#[test]
fn no_server_without_a_word_about_tokens() {
    for face in faces() {
        let refused = Setup::new(face).env("COORD_ALLOW_INSECURE_NO_AUTH", "").try_start();
        let refused = refused.err().expect("a server without a token started");
        assert_eq!(refused.status.code(), Some(78), "{refused:?}");
        assert!(refused.log.contains("COORD_AUTH_TOKEN"), "{refused:?}");
    }
}

#[test]
fn hosts() {
    for face in faces() {
        let s = Setup::new(face).env("COORD_ALLOWED_HOSTS", "coord.lan, other.lan").start();
        let host = |name: &str| s.ask(Ask::new("GET", STATUS).header("Host", name));
        for ours in [
            "127.0.0.1:1",
            "localhost",
            "LOCALHOST:9",
            "[::1]:80",
            "10.0.0.7",
            "Coord.LAN:8080",
            "other.lan",
        ] {
            host(ours).expect(200);
        }
        for foreign in [
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "coord.lan.evil",
        ] {
            assert!(host(foreign).refused(421).contains("COORD_ALLOWED_HOSTS"));
        }
    }
}

#[test]
fn origins() {
    for face in faces() {
        let s = coord_tests::server::TestServer::start(face);
        let body = json!({"from_session": "M/a", "body": "x"});
        let from = |origin: &str| {
            s.ask(Ask::new("POST", "/api/coord/messages").header("Origin", origin).json(&body))
        };
        from(&s.url()).expect(201);
        for foreign in
            ["http://evil.example", "http://localhost:1", "null", "https://127.0.0.1", "file://"]
        {
            from(foreign).refused(403);
        }
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 1);
        let read = Ask::new("GET", STATUS).header("Origin", "http://evil.example");
        s.ask(read).refused(403);
    }
}
