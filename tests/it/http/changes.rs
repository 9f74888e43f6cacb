//! The change feed.

use coord_tests::server::{TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::greet;

fn ask(s: &TestServer, since: &str, more: &str) -> Value {
    s.get(&format!("/api/coord/changes?since={since}{more}")).expect(200)
}

/// Follows the feed to its end: the changes and the last cursor.
fn follow(s: &TestServer, since: &str, more: &str) -> (Vec<Value>, String) {
    let (mut all, mut cursor) = (Vec::new(), since.to_owned());
    for _ in 0..100 {
        let page = ask(s, &cursor, &format!("&limit=3{more}"));
        all.extend(page["changes"].as_array().expect("changes").clone());
        cursor = page["cursor"].as_str().expect("a cursor").to_owned();
        if page["more"] == false {
            return (all, cursor);
        }
    }
    panic!("a feed without end");
}

fn kinds(changes: &[Value]) -> Vec<&str> {
    changes.iter().map(|c| c["kind"].as_str().unwrap()).collect()
}

#[test]
fn each_row_comes_once_as_it_stands_now() {
    on_each_face(|s| {
        greet(s, "A/x");
        let todo = s.post("/api/coord/todos", &json!({"text": "one"})).expect(201);
        for n in 0..5 {
            s.post("/api/coord/todos", &json!({"text": format!("more {n}")})).expect(201);
        }
        let done = json!({"status": "done"});
        let id = todo["id"].as_str().unwrap();
        s.patch(&format!("/api/coord/todos/{id}"), &done).expect(200);
        let (all, cursor) = follow(s, "", "");
        let todos: Vec<_> = all.iter().filter(|c| c["kind"] == "todo").collect();
        assert_eq!(todos.len(), 6, "{all:#?}");
        // The one that changed last comes last, in its last state.
        assert_eq!(todos[5]["row"]["id"], id);
        assert_eq!(todos[5]["row"]["status"], "done");
        let nothing = ask(s, &cursor, "");
        assert_eq!(nothing["changes"], json!([]));
        assert_eq!((&nothing["reset"], &nothing["cursor"]), (&json!(false), &json!(cursor)));
        s.put("/api/coord/components/p/c", &json!({"state": "built"})).expect(200);
        let (new, _) = follow(s, &cursor, "");
        assert_eq!(kinds(&new), ["component", "component_change"]);
    });
}

#[test]
fn only_what_concerns_the_caller() {
    on_each_face(|s| {
        for name in ["A/x", "B/y", "C/z"] {
            greet(s, name);
        }
        let send = |from: &str, to: &str| {
            let m = json!({"from_session": from, "to_session": to, "subject": "s"});
            s.post("/api/coord/messages", &m).expect(201)["id"].as_str().unwrap().to_owned()
        };
        let to_b = send("A/x", "B/y");
        let to_c = send("A/x", "C/z");
        send("B/y", "C/z");
        send("C/z", "ALL_SESSIONS");
        for (id, by) in [(&to_b, "B/y"), (&to_c, "C/z")] {
            let path = format!("/api/coord/messages/{id}/read?session_id={by}");
            s.put(&path, &json!({})).expect(200);
        }
        for (project, text) in [(Some("p"), "1"), (Some("q"), "2"), (None, "3")] {
            s.post("/api/coord/todos", &json!({"text": text, "project_key": project})).expect(201);
        }
        let (b, _) = follow(s, "", "&machine=B&project_key=p,other");
        let rows = |kind: &str, field: &str| -> Vec<String> {
            let of_kind = b.iter().filter(|c| c["kind"] == kind);
            of_kind.map(|c| c["row"][field].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(rows("message", "to_session"), ["C/z", "ALL_SESSIONS", "B/y"]);
        assert_eq!(rows("receipt", "session_id"), ["B/y"]);
        assert_eq!(rows("todo", "text"), ["1", "3"]);
        let (a, _) = follow(s, "", "&machine=A");
        assert_eq!(kinds(&a).iter().filter(|k| **k == "receipt").count(), 2, "of what A sent");
        assert_eq!(kinds(&a).iter().filter(|k| **k == "todo").count(), 3);
    });
}

#[test]
fn a_cursor_outlives_a_restart_but_not_another_database() {
    let mut s = TestServer::start("axum");
    s.post("/api/coord/todos", &json!({"text": "1"})).expect(201);
    let (_, cursor) = follow(&s, "", "");
    s.term();
    let copy = s.dir().join("before.db");
    std::fs::copy(s.database(), &copy).unwrap();
    s.restart();
    s.post("/api/coord/todos", &json!({"text": "2"})).expect(201);
    let (new, later) = follow(&s, &cursor, "");
    assert_eq!(kinds(&new), ["todo"]);
    assert_eq!(ask(&s, &cursor, "")["reset"], false);
    for strange in ["", "no", "x.1", "first.99", &format!("{later}9")] {
        assert_eq!(ask(&s, strange, "")["reset"], true, "{strange:?}");
    }
    // An older copy of the file is put in its place: what came after it never was.
    s.term();
    std::fs::copy(&copy, s.database()).unwrap();
    s.restart();
    s.post("/api/coord/todos", &json!({"text": "3"})).expect(201);
    s.post("/api/coord/todos", &json!({"text": "4"})).expect(201);
    assert_eq!(ask(&s, &later, "")["reset"], true);
}
