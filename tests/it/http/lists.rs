//! Lists: every one is paged, by rows and by bytes, and following `next` shows each row once.

use coord_tests::server::{TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::greet;

/// Follows a list to its end; `name` is the field with the rows.
fn walk(s: &TestServer, path: &str, name: &str, limit: usize) -> Vec<Value> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    for _ in 0..50 {
        let page = s.get(&format!("{path}limit={limit}&after={after}")).expect(200);
        let rows = page[name].as_array().expect("rows").clone();
        assert!(rows.len() <= limit && page["count"] == rows.len(), "{page}");
        seen.extend(rows);
        match &page["next"] {
            Value::Null => return seen,
            Value::String(next) => after = next.replace('%', "%25"),
            next => after = next.to_string(),
        }
    }
    panic!("pages without end: {path}");
}

/// The texts of a field, sorted.
fn sorted(rows: &[Value], field: &str) -> Vec<String> {
    let mut all: Vec<_> = rows.iter().map(|r| r[field].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

fn numbers() -> Vec<String> {
    (10..17).map(|n| n.to_string()).collect()
}

#[test]
fn each_list_shows_each_row_once() {
    on_each_face(|s| {
        let flow = json!({"project_key": "p", "name": "10"});
        let flow_id = s.post("/api/coord/workflows", &flow).expect(201)["id"].clone();
        for n in numbers() {
            let post = |path: &str, body: Value| s.post(path, &body).expect(201);
            if n != "10" {
                post("/api/coord/workflows", json!({"project_key": "p", "name": n}));
            }
            let priority = n.parse::<i64>().unwrap() % 2;
            post(
                "/api/coord/work-items",
                json!({"workflow_id": flow_id, "title": n, "priority": priority}),
            );
            post("/api/coord/todos", json!({"text": n}));
            post("/api/coord/decisions", json!({"category": "c", "title": n}));
            greet(s, &format!("M{n}/x"));
            // Names that would break a cursor made of plain text.
            let odd =
                json!({"project_key": "a/b c", "component": format!("{n}/%"), "state": "built"});
            s.put("/api/coord/components", &odd).expect(200);
            s.put("/api/coord/components/p/one", &json!({"state": n})).expect(200);
        }
        let titles = |path: &str, name: &str, field: &str| sorted(&walk(s, path, name, 2), field);
        assert_eq!(titles("/api/coord/workflows?", "workflows", "name"), numbers());
        assert_eq!(titles("/api/coord/work-items?", "work_items", "title"), numbers());
        assert_eq!(titles("/api/coord/todos?", "todos", "text"), numbers());
        assert_eq!(titles("/api/coord/decisions?", "decisions", "title"), numbers());
        assert_eq!(titles("/api/coord/sessions?", "sessions", "session_id").len(), 7);
        assert_eq!(titles("/api/coord/components?", "components", "component").len(), 8);
        let history = walk(s, "/api/coord/components/p/one/history?", "history", 3);
        assert_eq!(sorted(&history, "state"), numbers());
    });
}

#[test]
fn a_page_is_bounded_in_bytes() {
    let s = TestServer::start("axum");
    let long = json!({"from_session": "M/a", "body": "x".repeat(250_000)});
    for _ in 0..20 {
        s.post("/api/coord/messages", &long).expect(201);
    }
    let first = s.get("/api/coord/messages?limit=500").expect(200);
    let rows = first["messages"].as_array().unwrap().len();
    assert!((2..=6).contains(&rows), "{rows} messages of 250 KB in one page");
    assert_eq!(walk(&s, "/api/coord/messages?", "messages", 500).len(), 20);
}

/// The longest answer that an agent reads.
const READ_AT_MOST: usize = 4 * 1024 * 1024;

#[test]
fn what_grows_when_it_is_escaped_fits_an_answer_too() {
    on_each_face(|s| {
        // Each character takes six bytes in JSON.
        let long = "\u{1}".repeat(150_000);
        for n in 0..8 {
            let claim = json!({"project_key": "p", "session_id": "M/a", "resource": format!("r{n}"),
                "description": long});
            s.post("/api/coord/locks", &claim).expect(201);
            s.post("/api/coord/messages", &json!({"from_session": "M/a", "body": long}))
                .expect(201);
        }
        greet(s, "M/b");
        let all = [
            ("/api/coord/messages?", "messages"),
            ("/api/coord/messages?to_session=M/b&", "messages"),
            ("/api/coord/messages?to_session=M/b&unread_only=true&", "messages"),
            ("/api/coord/messages?from_session=M/a&with=receipts&", "messages"),
            ("/api/coord/locks?", "locks"),
            ("/api/coord/locks?project_key=p&resource=**&", "locks"),
        ];
        for (path, name) in all {
            let bytes = s.get(&format!("{path}limit=100")).body.len();
            assert!(bytes < READ_AT_MOST, "{path}: {bytes} bytes");
            assert_eq!(walk(s, path, name, 100).len(), 8, "{path}");
        }
        let (mut cursor, mut rows) = (String::new(), 0);
        loop {
            let answer = s.get(&format!("/api/coord/changes?since={cursor}"));
            assert!(answer.body.len() < READ_AT_MOST, "changes: {} bytes", answer.body.len());
            let page = answer.expect(200);
            let got = page["changes"].as_array().expect("rows").len();
            assert!(got > 0, "a page without rows");
            rows += got;
            cursor = page["cursor"].as_str().expect("a cursor").to_owned();
            if page["more"] == false {
                break;
            }
        }
        assert_eq!(rows, 8 + 8 + 2, "claims, messages, sessions");
        let bytes = s.get("/api/coord/status").body.len();
        assert!(bytes < READ_AT_MOST, "status: {bytes} bytes");
    });
}
