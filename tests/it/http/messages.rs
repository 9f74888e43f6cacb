//! Messages: who gets them, and what is known of their reading.

use coord_tests::raw::Ask;
use coord_tests::server::{TestServer, on_each_face};
use serde_json::{Value, json};

use super::shorthand::{column, greet, id, send, text};

fn unread(s: &TestServer, session: &str) -> Vec<String> {
    let list = s.get(&format!("/api/coord/messages?to_session={session}&unread_only=true"));
    column(&list.expect(200), "messages", "body")
}

fn read(s: &TestServer, message: &str, session: &str) -> coord_tests::raw::Answer {
    s.ask(Ask::new("PUT", &format!("/api/coord/messages/{message}/read?session_id={session}")))
}

#[test]
fn a_broadcast_is_unread_for_each_session_by_itself() {
    on_each_face(|s| {
        for session in ["A/1", "B/1", "C/1"] {
            greet(s, session);
        }
        let first = id(&send(s, "A/1", None, "one").expect(201));
        let second = id(&send(s, "A/1", Some("ALL_SESSIONS"), "two").expect(201));
        assert_eq!(unread(s, "B/1"), ["one", "two"]);
        assert!(unread(s, "A/1").is_empty(), "a sender does not get its own broadcast");

        // Out of order, twice, and by one session only.
        for _ in 0..2 {
            assert!(read(s, &second, "B/1").expect(200)["read_at"].is_string());
        }
        assert_eq!(
            (unread(s, "B/1"), unread(s, "C/1")),
            (vec!["one".into()], vec!["one".into(), "two".into()])
        );
        read(s, &first, "B/1").expect(200);
        send(s, "C/1", None, "three").expect(201);
        assert_eq!(unread(s, "B/1"), ["three"]);
        assert_eq!(unread(s, "A/1"), ["three"]);
        assert_eq!(unread(s, "C/1"), ["one", "two"]);
        // A session that appears only now sees them all.
        assert_eq!(unread(s, "D/1"), ["one", "two", "three"]);

        let nameless = s.ask(Ask::new("PUT", &format!("/api/coord/messages/{first}/read")));
        assert!(nameless.refused(422).contains("session_id"));
        s.get("/api/coord/messages?to_session=ALL_SESSIONS").refused(422);
    });
}

#[test]
fn a_machines_mailbox_is_read_once_for_all() {
    on_each_face(|s| {
        greet(s, "BOX/one");
        greet(s, "BOX/two");
        greet(s, "ELSE/one");
        let mail = id(&send(s, "X/x", Some("BOX/claude-main"), "to the machine").expect(201));
        assert_eq!(unread(s, "BOX/one"), ["to the machine"]);
        assert_eq!(unread(s, "BOX/two"), ["to the machine"]);
        assert!(unread(s, "ELSE/one").is_empty());
        read(s, &mail, "ELSE/one").refused(403);
        read(s, &mail, "BOX/two").expect(200);
        assert!(unread(s, "BOX/one").is_empty());
        let one = s.get("/api/coord/messages?to_session=BOX/one").expect(200);
        assert!(one["messages"][0]["read_at"].is_string(), "{one}");
    });
}

#[test]
fn a_persons_mailbox() {
    on_each_face(|s| {
        let register = |session: &str, user: &str| {
            s.post("/api/coord/sessions", &json!({"session_id": session, "user": user})).expect(200)
        };
        register("BOX/s1", "ada");
        register("BOX/s2", "bob");
        send(s, "X/x", Some("BOX/ada"), "for ada").expect(201);
        assert_eq!(unread(s, "BOX/s1"), ["for ada"]);
        assert!(unread(s, "BOX/s2").is_empty());
        assert_eq!(register("BOX/s1", "ada")["unread"][0]["body"], "for ada");
        assert_eq!(register("BOX/s2", "bob")["unread_count"], 0);
        send(s, "X/x", Some("BOX/eve"), "nobody").refused(404);
        send(s, "X/x", Some("NOWHERE/ada"), "nobody").refused(404);
    });
}

#[test]
fn an_unknown_recipient_is_refused_unless_it_may_come_later() {
    on_each_face(|s| {
        greet(s, "BOX/known");
        let no = send(s, "BOX/known", Some("BOX/knwon"), "hello");
        assert!(no.refused(404).contains("BOX/knwon"));
        assert!(no.json()["known_sessions"].as_array().unwrap().contains(&json!("BOX/known")));
        let later = json!({"from_session": "BOX/known", "to_session": "NEW/s", "body": "welcome",
                           "may_come_later": true});
        s.post("/api/coord/messages", &later).expect(201);
        assert_eq!(unread(s, "NEW/s"), ["welcome"]);
        // To write is to be known, also to oneself.
        send(s, "FRESH/s", Some("FRESH/s"), "note to self").expect(201);
        assert_eq!(unread(s, "FRESH/s"), ["note to self"]);
    });
}

#[test]
fn what_is_no_message() {
    on_each_face(|s| {
        let post = |body: Value| s.post("/api/coord/messages", &body);
        post(json!({"from_session": "A/1"})).refused(422);
        post(json!({"from_session": "A/1", "subject": " ", "body": "\n"})).refused(422);
        post(json!({"from_session": "", "body": "x"})).refused(422);
        post(json!({"body": "x"})).refused(422);
        post(json!({"from_session": "A/1", "subject": "a\nb"})).refused(422);
        post(json!({"from_session": "A/1", "body": "x".repeat(256 * 1024 + 1)})).refused(422);
        post(json!({"from_session": "A/1", "body": "x".repeat(256 * 1024)})).expect(201);
        post(json!({"from_session": "A/1", "body": "x", "a field of next year": [1]})).expect(201);
        assert_eq!(s.get("/api/coord/messages").expect(200)["count"], 2);
    });
}

#[test]
fn receipts_tell_offered_from_read() {
    on_each_face(|s| {
        greet(s, "B/1");
        greet(s, "C/1");
        let m = id(&send(s, "A/1", None, "hello").expect(201));
        let offer = json!({"session_id": "B/1", "ids": [m, "no such message"]});
        assert_eq!(s.post("/api/coord/messages/offered", &offer).expect(200)["noted"], 1);
        // Offered is not read.
        assert_eq!(unread(s, "B/1"), ["hello"]);
        let receipts = || s.get(&format!("/api/coord/messages/{m}/receipts")).expect(200);
        let first = receipts();
        assert_eq!(column(&first, "receipts", "session_id"), ["B/1"]);
        assert!(first["receipts"][0]["offered_at"].is_string());
        assert!(first["receipts"][0]["read_at"].is_null());
        read(s, &m, "B/1").expect(200);
        read(s, &m, "C/1").expect(200);
        let both = receipts();
        assert_eq!(column(&both, "receipts", "session_id"), ["B/1", "C/1"]);
        assert!(both["receipts"][0]["read_at"].is_string(), "{both}");
        assert!(both["receipts"][1]["offered_at"].is_null(), "{both}");
        s.get("/api/coord/messages/none/receipts").refused(404);
        read(s, "none", "B/1").refused(404);
    });
}

/// The recipients of a message, each with its state.
fn states(s: &TestServer, message: &str) -> Vec<(String, String)> {
    let told = s.get(&format!("/api/coord/messages/{message}/receipts")).expect(200);
    states_of(&told["recipients"])
}

fn states_of(recipients: &Value) -> Vec<(String, String)> {
    let rows = recipients.as_array().unwrap();
    rows.iter().map(|r| (text(r, "session_id"), text(r, "state"))).collect()
}

fn owned(states: &[(&str, &str)]) -> Vec<(String, String)> {
    states.iter().map(|(s, state)| ((*s).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn a_direct_message_has_a_state_from_the_start() {
    on_each_face(|s| {
        greet(s, "B/1");
        let m = id(&send(s, "A/1", Some("B/1"), "hello").expect(201));
        assert_eq!(states(s, &m), owned(&[("B/1", "accepted")]));
        s.post("/api/coord/sessions/end", &json!({"session_id": "B/1"})).expect(200);
        assert_eq!(states(s, &m), owned(&[("B/1", "undeliverable")]));
        // The session speaks again: it can be delivered after all.
        greet(s, "B/1");
        assert_eq!(states(s, &m), owned(&[("B/1", "accepted")]));
        let offer = json!({"session_id": "B/1", "ids": [m]});
        s.post("/api/coord/messages/offered", &offer).expect(200);
        assert_eq!(states(s, &m), owned(&[("B/1", "offered")]));
        s.post("/api/coord/sessions/end", &json!({"session_id": "B/1"})).expect(200);
        assert_eq!(states(s, &m), owned(&[("B/1", "offered")]));
        read(s, &m, "B/1").expect(200);
        assert_eq!(states(s, &m), owned(&[("B/1", "read")]));
    });
}

#[test]
fn a_mailbox_is_as_far_as_one_of_its_readers() {
    on_each_face(|s| {
        for session in ["BOX/claude-main", "BOX/two"] {
            greet(s, session);
        }
        let m = id(&send(s, "A/1", Some("BOX/claude-main"), "hello").expect(201));
        let end = json!({"session_id": "BOX/claude-main"});
        s.post("/api/coord/sessions/end", &end).expect(200);
        assert_eq!(states(s, &m), owned(&[("BOX/claude-main", "accepted")]));
        read(s, &m, "BOX/two").expect(200);
        assert_eq!(states(s, &m), owned(&[("BOX/claude-main", "read"), ("BOX/two", "read")]));
    });
}

#[test]
fn a_broadcast_is_for_the_sessions_of_its_day() {
    on_each_face(|s| {
        for session in ["B/1", "C/1", "D/gone", "E/ended"] {
            greet(s, session);
        }
        s.post("/api/coord/sessions/end", &json!({"session_id": "E/ended"})).expect(200);
        let aged = "UPDATE session SET first_seen = first_seen - 90000000,
                    last_seen = last_seen - 90000000 WHERE session_id = 'D/gone'";
        assert_eq!(rusqlite::Connection::open(s.database()).unwrap().execute(aged, []), Ok(1));
        let m = id(&send(s, "A/1", None, "hello").expect(201));
        std::thread::sleep(std::time::Duration::from_millis(5));
        greet(s, "F/later");
        assert_eq!(states(s, &m), owned(&[("B/1", "accepted"), ("C/1", "accepted")]));
        read(s, &m, "F/later").expect(200);
        let offer = json!({"session_id": "C/1", "ids": [m]});
        s.post("/api/coord/messages/offered", &offer).expect(200);
        let wanted = owned(&[("B/1", "accepted"), ("C/1", "offered"), ("F/later", "read")]);
        assert_eq!(states(s, &m), wanted);
        // All messages of a sender with their recipients, in one answer.
        send(s, "A/1", Some("B/1"), "direct").expect(201);
        let list = "/api/coord/messages?from_session=A/1&with=receipts&newest_first=true";
        let list = s.get(list).expect(200);
        assert_eq!(column(&list, "messages", "body"), ["direct", "hello"]);
        let first = &list["messages"][0]["recipients"];
        assert_eq!(states_of(first), owned(&[("B/1", "accepted")]));
        assert_eq!(states_of(&list["messages"][1]["recipients"]), wanted);
    });
}

#[test]
fn what_has_expired_is_not_unread_any_more() {
    on_each_face(|s| {
        for session in ["B/1", "C/1"] {
            greet(s, session);
        }
        let post = |to: &str, hours: f64| {
            let m = json!({"from_session": "A/1", "to_session": to, "body": format!("{hours}"),
                           "expires_in_hours": hours});
            s.post("/api/coord/messages", &m)
        };
        let soon = 0.1 / 3_600.0;
        let lasting = post("B/1", 1.0).expect(201);
        assert!(lasting["expires_at"].is_string(), "{lasting}");
        assert!(post("B/1", 0.0).expect(201)["expires_at"].is_null());
        for bad in [-1.0, 721.0] {
            assert!(post("B/1", bad).refused(422).contains("expires_in_hours"));
        }
        let direct = id(&post("B/1", soon).expect(201));
        let to_all = id(&post("ALL_SESSIONS", soon).expect(201));
        let offer = json!({"session_id": "C/1", "ids": [to_all]});
        s.post("/api/coord/messages/offered", &offer).expect(200);
        std::thread::sleep(std::time::Duration::from_millis(150));
        assert_eq!(unread(s, "B/1"), ["1", "0"]);
        assert!(unread(s, "C/1").is_empty());
        let status = s.get("/api/coord/status?session_id=B/1").expect(200);
        assert_eq!(status["unread_messages"], 2);
        assert_eq!(s.get("/api/coord/status").expect(200)["unread_messages"], 2);
        let in_all = s.post("/api/coord/sessions", &json!({"session_id": "B/1"})).expect(200);
        assert_eq!(
            (&in_all["unread_count"], in_all["unread"].as_array().unwrap().len()),
            (&json!(2), 2)
        );
        assert_eq!(states(s, &direct), owned(&[("B/1", "expired")]));
        assert_eq!(states(s, &to_all), owned(&[("B/1", "expired"), ("C/1", "offered")]));
        // It is still there for who looks for it.
        assert_eq!(s.get("/api/coord/messages?to_session=B/1").expect(200)["count"], 4);
        // A mark of read broadcasts goes on over one that nobody will read.
        let next = id(&send(s, "A/1", None, "next").expect(201));
        read(s, &next, "B/1").expect(200);
        assert_eq!(unread(s, "B/1"), ["1", "0"]);
    });
}

#[test]
fn a_message_that_waited_longer_than_it_was_good_for_is_shown_to_nobody() {
    on_each_face(|s| {
        greet(s, "B/1");
        let body = json!({"from_session": "A/1", "to_session": "B/1", "body": "late",
                          "expires_in_hours": 1});
        let m = super::shorthand::uuid();
        let entry = json!({"id": m, "method": "POST", "path": "/api/coord/messages", "body": body,
                           "past": true});
        let done = s.post("/api/coord/batch", &json!({"entries": [entry]})).expect(200);
        assert_eq!(done["results"][0]["status"], 201, "{done}");
        assert!(unread(s, "B/1").is_empty());
        assert_eq!(states(s, &m), owned(&[("B/1", "expired")]));
    });
}

/// Follows the pages of an inbox.
fn pages(s: &TestServer, query: &str) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), 0);
    for _ in 0..20 {
        let page = s.get(&format!("/api/coord/messages?{query}&after={after}")).expect(200);
        seen.extend(column(&page, "messages", "body"));
        match page["next"].as_i64() {
            Some(next) => after = next,
            None => return seen,
        }
    }
    panic!("pages without end: {query}");
}

#[test]
fn pages_of_messages() {
    on_each_face(|s| {
        greet(s, "B/1");
        for n in 0..12 {
            let (from, project) = (["A/1", "A/2"][n % 2], ["p", "q", "r"][n % 3]);
            let body = json!({"from_session": from, "to_session": "B/1", "project_key": project,
                              "body": n.to_string()});
            s.post("/api/coord/messages", &body).expect(201);
        }
        let wanted = |keep: &dyn Fn(usize) -> bool| -> Vec<String> {
            (0..12).filter(|n| keep(*n)).map(|n| n.to_string()).collect()
        };
        for inbox in ["", "to_session=B/1", "to_session=B/1&unread_only=true"] {
            let of = |more: &str| pages(s, &format!("{inbox}&limit=4{more}"));
            assert_eq!(of(""), wanted(&|_| true), "{inbox}");
            assert_eq!(of("&from_session=A/2"), wanted(&|n| n % 2 == 1), "{inbox}");
            assert_eq!(of("&project_key=q"), wanted(&|n| n % 3 == 1), "{inbox}");
            assert_eq!(of("&project_key=q&from_session=A/1"), wanted(&|n| n % 6 == 4), "{inbox}");
        }
    });
}

#[test]
fn text_comes_back_as_it_went() {
    on_each_face(|s| {
        greet(s, "B/1");
        let body =
            "tab\t newline\n nul\u{0} esc\u{1b}[2J bidi\u{202e} emoji\u{1f980} \"\\ </script>";
        send(s, "A/\u{e4}\u{1f600}", Some("B/1"), body).expect(201);
        assert_eq!(unread(s, "B/1"), [body]);
        let from = s.get("/api/coord/messages?from_session=A/%C3%A4%F0%9F%98%80").expect(200);
        assert_eq!(text(&from["messages"][0], "from_session"), "A/\u{e4}\u{1f600}");
    });
}
