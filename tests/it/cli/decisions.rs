//! Decisions in full (seed 003).

use serde_json::json;

use super::common::{desk, home, rows, server, text, texts};

#[test]
fn a_decision_says_all_there_is_to_it_and_goes_through_its_states() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let made = desk.json(&[
        "decision",
        "add",
        "database-schema",
        "One table",
        "--description",
        "Claims of all kinds",
        "--status",
        "proposed",
        "--alternative",
        "two tables",
        "--alternative",
        "a file",
        "--file",
        "schema.sql",
        "--depends-on",
        "DEC-20260101-0001",
    ]);
    let id = text(&made["result"]["display_id"]).to_owned();
    home.coord(&["decision", "show", &id])
        .exits(0)
        .says("Claims of all kinds")
        .says("status: proposed")
        .says("instead of: a file")
        .says("file: schema.sql")
        .says("rests on: DEC-20260101-0001");
    home.coord(&["decision", "status", &id, "implemented"]).exits(0).says("is implemented");
    home.coord(&["decision", "status", &id, "someday"]).exits(1).complains("someday");
    home.coord(&["decision", "status", "DEC-19700101-0001", "accepted"]).exits(1);
    desk.coord(&["decision", "add", "x", "t", "--status", "maybe"]).exits(1).complains("maybe");
    desk.coord(&["decision", "add", "database-schema", "Two", "--supersedes", &id]).exits(0);
    let old = desk.json(&["decision", "show", &id]);
    assert_eq!(old["status"], "superseded", "{old}");
}

#[test]
fn decisions_are_listed_by_number_and_time() {
    let server = server();
    let desk = desk(&server);
    for n in 0..3 {
        desk.coord(&["decision", "add", "testing", &format!("d{n}")]).exits(0);
    }
    let titles = |more: &[&str]| {
        let answer = desk.json(&[&["decision", "list"], more].concat());
        texts(rows(&answer, "decisions"), "title")
    };
    assert_eq!(titles(&[]), ["d2", "d1", "d0"]);
    assert_eq!(titles(&["--limit", "1"]), ["d2"]);
    assert_eq!(titles(&["--since", "2000-01-01T00:00:00Z"]).len(), 3);
    assert!(titles(&["--until", "2000-01-01T00:00:00Z"]).is_empty());
    assert!(titles(&["--since", "2999-01-01T00:00:00Z"]).is_empty());
    desk.coord(&["decision", "list", "--until", "soon"]).exits(1).complains("soon");
}

#[test]
fn an_imported_decision_keeps_its_id_when_it_is_free() {
    let server = server();
    let add = |display: &str| {
        let ask = json!({"category": "c", "title": "t", "display_id": display,
            "decided_at": "2026-01-08T10:00:00Z"});
        let made = server.post("/api/coord/decisions", &ask).expect(201);
        assert_eq!(made["decided_at"], "2026-01-08T10:00:00Z");
        text(&made["display_id"]).to_owned()
    };
    assert_eq!(add("DEC-20260108-0007"), "DEC-20260108-0007");
    assert_eq!(add("DEC-20260108-0007"), "DEC-20260108-0008", "it is taken");
    assert_eq!(add("DEC-20260108-0003"), "DEC-20260108-0003");
    assert_eq!(add("nonsense"), "DEC-20260108-0009");
    assert_eq!(add("DEC-20260108-9999"), "DEC-20260108-9999");
    assert_eq!(add(""), "DEC-20260108-10000", "wider, never again from the start");
}
