//! Each tool with a server, without one, and against somebody else.

use std::fs;

use coord_tests::mcp::Client;
use serde_json::{Value, json};

use super::{call, desk, home, program_of, refused, said, server, text};

#[track_caller]
fn id(answer: &Value) -> &str {
    answer["ids"][0].as_str().unwrap_or_else(|| panic!("no id in {answer}"))
}

#[test]
fn mail_goes_both_ways_and_is_read_once() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let mut b = Client::modern(program_of(&home, "HOME/b"));
    said(&mut b, "coord_status", &json!({}));
    let sent =
        said(&mut a, "coord_send", &json!({"to": "HOME/b", "subject": "Hi", "body": "there"}));
    assert_eq!(sent["outcome"], "done");
    assert!(text(&sent["text"]).starts_with("sent to HOME/b"), "{sent}");
    assert_eq!(said(&mut b, "coord_status", &json!({}))["unread"], 1);
    let inbox = said(&mut b, "coord_inbox", &json!({}));
    assert!(text(&inbox["text"]).contains("MESSAGE FROM DESK/a"), "{inbox}");
    assert!(text(&inbox["text"]).contains("not by your user"), "{inbox}");
    let message = id(&inbox).to_owned();
    coord_tests::server::eventually(
        std::time::Duration::from_secs(5),
        "it counts as offered",
        || {
            let all = server.get("/api/coord/messages?to_session=HOME/b").expect(200);
            all["messages"][0]["offered_at"].is_string()
        },
    );
    let after = said(&mut b, "coord_inbox", &json!({"read": [message]}));
    assert_eq!((&after["unread"], &after["ids"]), (&json!(0), &json!([])), "{after}");
    assert!(text(&after["text"]).contains("no unread messages"), "{after}");
    let all = said(&mut b, "coord_inbox", &json!({"all": true}));
    assert_eq!(all["ids"], json!([message]));
    let unknown =
        refused(&mut a, "coord_send", &json!({"to": "NOBODY/x", "subject": "s", "body": "b"}));
    assert_eq!(unknown["outcome"], "refused");
    assert!(text(&unknown["text"]).contains("known sessions"), "{unknown}");
    refused(&mut a, "coord_send", &json!({"to": "ALL", "subject": "s", "body": "-"}));
}

#[test]
fn claims_keep_others_out_and_can_be_asked_for() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    for at in [&desk, &home] {
        fs::create_dir_all(at.project().join("src")).unwrap();
        fs::write(at.project().join("src/a.ts"), "export class A { b() {} }\n").unwrap();
    }
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let mut b = Client::modern(program_of(&home, "HOME/b"));
    let file = json!({"files": ["src/a.ts"]});
    assert!(text(&said(&mut a, "coord_claims", &file)["text"]).contains("is free"));
    let wish = json!({"files": ["src/a.ts"], "description": "form", "hours": 2, "urgency": "high"});
    let granted = said(&mut a, "coord_claim", &wish);
    assert_eq!(granted["outcome"], "done", "{granted}");
    let claim = id(&granted).to_owned();
    let held = said(&mut b, "coord_claims", &file);
    assert_eq!((&held["outcome"], &held["held_by"][0]["by"]), (&json!("held"), &json!("DESK/a")));
    let no = refused(&mut b, "coord_claim", &file);
    assert_eq!((&no["outcome"], &no["held_by"][0]["claim"]), (&json!("held"), &json!(claim)));
    assert!(text(&no["text"]).contains("is held by DESK/a"), "{no}");
    let list = said(&mut b, "coord_claims", &json!({}));
    assert_eq!(list["ids"], json!([claim]));
    // The holder is asked, and narrows.
    let asked = said(&mut b, "coord_request", &json!({"ask": "src/a.ts", "reason": "hotfix"}));
    let request = text(&asked["id"]).to_owned();
    let inbox = said(&mut a, "coord_request", &json!({}));
    assert!(text(&inbox["text"]).contains("HOME/b asks for src/a.ts"), "{inbox}");
    let none = refused(&mut a, "coord_request", &json!({"respond": request}));
    assert!(text(&none["text"]).contains("decision"), "{none}");
    let yes = json!({"respond": request, "decision": "approve", "note": "yours"});
    assert!(text(&said(&mut a, "coord_request", &yes)["text"]).contains("approved"));
    // Only the symbol, and given back.
    let symbol = json!({"files": ["src/a.ts"], "symbols": ["A::b"]});
    said(&mut b, "coord_claim", &symbol);
    let back = said(&mut b, "coord_release", &json!({"claims": ["src/a.ts"]}));
    assert!(text(&back["text"]).contains("released 1 claim"), "{back}");
    let nothing = refused(&mut b, "coord_release", &json!({"claims": ["src/a.ts"]}));
    assert!(text(&nothing["text"]).contains("you hold no claim"), "{nothing}");
    said(&mut b, "coord_release", &json!({"all": true}));
    let typo = refused(&mut a, "coord_claim", &json!({"files": ["src/a.ts"], "symbols": ["A::c"]}));
    assert!(text(&typo["text"]).contains("A::c"), "{typo}");
}

#[test]
fn todos_and_locks() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let mut b = Client::start(program_of(&home, "HOME/b"));
    let added = said(&mut a, "coord_todo", &json!({"add": "Update it", "user": "howard"}));
    let todo = text(&added["id"]).to_owned();
    let list = said(&mut b, "coord_todo", &json!({"user": "howard"}));
    assert_eq!(list["ids"], json!([todo]), "{list}");
    assert!(text(&said(&mut b, "coord_todo", &json!({"done": todo}))["text"]).contains("done"));
    assert_eq!(said(&mut b, "coord_todo", &json!({}))["ids"], json!([]));
    refused(&mut b, "coord_todo", &json!({"done": "nothing"}));
    let deploy = json!({"resource": "deploy:prod", "description": "0.3", "hours": 1});
    let lock = said(&mut a, "coord_lock", &deploy);
    let no = refused(&mut b, "coord_lock", &json!({"resource": "deploy:prod"}));
    assert_eq!(no["outcome"], "held", "{no}");
    let list = said(&mut b, "coord_lock", &json!({}));
    assert_eq!(list["ids"], json!([lock["id"]]), "{list}");
    refused(&mut b, "coord_lock", &json!({"release": lock["id"]}));
    said(&mut a, "coord_lock", &json!({"release": lock["id"]}));
    assert_eq!(said(&mut b, "coord_lock", &json!({}))["ids"], json!([]));
}

#[test]
fn resources_say_what_tools_say() {
    let server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.run(&["status"]).session("HOME/b").done().exits(0);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    said(&mut a, "coord_claim", &json!({"files": ["src/**"]}));
    let sent = home.run(&["msg", "send", "DESK/a", "Hi", "there"]).session("HOME/b").done();
    assert!(sent.out().contains("sent"), "{}", sent.told());
    for (uri, words) in [
        ("coord://status", "you are DESK/a"),
        ("coord://claims", "src/**"),
        ("coord://mail", "MESSAGE FROM HOME/b"),
    ] {
        let read = a.ask("resources/read", &json!({"uri": uri}));
        let content = &read["contents"][0];
        assert_eq!((&content["uri"], &content["mimeType"]), (&json!(uri), &json!("text/plain")));
        assert!(text(&content["text"]).contains(words), "{uri}: {content}");
    }
}

/// Every tool while the server is away: writes are kept, claims are judged by what is known here,
/// answers say how old they are.
#[test]
fn everything_works_while_the_server_is_away() {
    let mut server = server();
    let desk = desk(&server);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    said(&mut a, "coord_claim", &json!({"files": ["docs/**"]}));
    said(&mut a, "coord_status", &json!({}));
    said(&mut a, "coord_claims", &json!({}));
    said(&mut a, "coord_todo", &json!({"add": "from before"}));
    said(&mut a, "coord_todo", &json!({}));
    server.kill9();
    let queued = said(&mut a, "coord_send", &json!({"to": "ALL", "subject": "s", "body": "b"}));
    assert_eq!(queued["outcome"], "queued", "{queued}");
    assert!(text(&queued["text"]).contains("not sent yet"), "{queued}");
    for (tool, arguments) in
        [("coord_todo", json!({"add": "later"})), ("coord_release", json!({"claims": ["docs/**"]}))]
    {
        assert_eq!(said(&mut a, tool, &arguments)["outcome"], "queued", "{tool}");
    }
    let held = said(&mut a, "coord_claim", &json!({"files": ["src/**"], "wait_seconds": 5}));
    assert!(["queued", "provisional"].contains(&text(&held["outcome"])), "{held}");
    let lock = said(&mut a, "coord_lock", &json!({"resource": "deploy:prod"}));
    assert_eq!((&lock["outcome"], &lock["provisional"]), (&json!("provisional"), &json!(true)));
    for (tool, arguments) in [
        ("coord_status", json!({})),
        ("coord_inbox", json!({})),
        ("coord_claims", json!({})),
        ("coord_claims", json!({"files": ["other.rs"]})),
        ("coord_todo", json!({})),
        ("coord_lock", json!({})),
        ("coord_request", json!({})),
    ] {
        let known = said(&mut a, tool, &arguments);
        assert!(known["known_secs_ago"].is_u64(), "{tool}: {known}");
        assert!(text(&known["text"]).contains("(as of "), "{tool}: {known}");
    }
    let sync = said(&mut a, "coord_sync", &json!({}));
    assert!(sync["waiting"].as_u64().is_some_and(|n| n >= 4), "{sync}");
    server.restart();
    desk.close_breaker();
    let sync = said(&mut a, "coord_sync", &json!({}));
    assert_eq!(sync["waiting"], 0, "{sync}");
    let todos = server.get("/api/coord/todos").expect(200);
    assert!(todos.to_string().contains("later"), "{todos}");
}

/// A command in a host's sandbox can only leave its write in the work tree.
#[test]
fn what_waits_in_the_work_tree_goes_out_with_the_next_call() {
    let server = server();
    let desk = desk(&server);
    let line =
        json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": "from the sandbox"}});
    desk.write_queue(format!("{line}\n"));
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let list = said(&mut a, "coord_todo", &json!({}));
    assert!(text(&list["text"]).contains("from the sandbox"), "{list}");
    assert!(desk.queue().is_empty());
}

#[test]
fn what_nothing_is_known_of_is_an_error_that_says_so() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let away = refused(&mut a, "coord_status", &json!({}));
    assert_eq!(away["outcome"], "away", "{away}");
    let answer = a.exchange("resources/read", &json!({"uri": "coord://status"}));
    assert_eq!(answer["error"]["code"], -32603, "{answer}");
}

#[test]
fn a_broken_identity_is_told_to_the_model_and_ends_nothing() {
    let server = server();
    let desk = desk(&server);
    let mut a = Client::start(program_of(&desk, "DESK/a"));
    let identity = fs::read(desk.identity_file()).unwrap();
    fs::write(desk.identity_file(), "{").unwrap();
    let broken = refused(&mut a, "coord_status", &json!({}));
    assert_eq!(broken["outcome"], "broken", "{broken}");
    assert!(text(&broken["text"]).contains("identity.json"), "{broken}");
    fs::write(desk.identity_file(), identity).unwrap();
    assert_eq!(call(&mut a, "coord_status", &json!({}))["isError"], false);
}
