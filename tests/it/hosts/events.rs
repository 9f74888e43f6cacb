//! What a session is told, and what its end does.

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};
use coord_tests::server::TestServer;
use serde_json::json;

fn a_session_is_told_its_mail_and_is_seen(host: Host, test: &str) {
    let Some(hosts) = Hosts::installed(test) else { return };
    let server = TestServer::start("axum");
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let mail = json!({"from_session": "ELSEWHERE/x", "to_session": "ALL_SESSIONS",
        "subject": "Pipeline ready", "body": "go on with the parser"});
    server.post("/api/coord/messages", &mail).expect(201);

    let model = Model::start([host.runs("git status --short"), Turn::say("done").held()]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    let first = model.asked().remove(0).shown();
    assert!(first.contains("MESSAGE FROM ELSEWHERE/x"), "{first}");
    assert!(first.contains("go on with the parser"), "{first}");
    let sessions = desk.json(&["session", "list"]);
    let named = format!("DESK/{}-", host.name());
    assert!(sessions.to_string().contains(&named), "{sessions}");
    model.go();
    run.wait().exits(0);
}

#[test]
fn claude_is_told_its_mail_and_is_seen() {
    a_session_is_told_its_mail_and_is_seen(Host::Claude, "claude_is_told_its_mail_and_is_seen");
}
