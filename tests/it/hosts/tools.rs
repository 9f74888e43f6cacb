//! The tools of `coord mcp` in the real clients: a call is its session's, as that session's hooks are.

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};
use serde_json::json;

use super::common::{locks, rows, server};

in_hosts! {
    claude = Claude: what_a_tool_does_its_session_has_done;
    codex = Codex: what_a_tool_does_its_session_has_done;
}

fn what_a_tool_does_its_session_has_done(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let model = Model::start([
        host.creates(&desk, "a.rs", "fn a() {}"),
        host.asks_coord("send", json!({"to": "ALL", "subject": "hello", "body": "by a tool"})),
        host.asks_coord("lock", json!({"resource": "deploy:prod"})),
        Turn::say("done").held(),
    ]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    let sent = rows(&server.get("/api/coord/messages").expect(200), "messages");
    assert_eq!(sent.len(), 1, "{sent:?}");
    let me = sent[0]["from_session"].as_str().unwrap_or_default();
    assert!(me.starts_with(&format!("DESK/{}-", host.name())), "{me}");
    let mine = |what: &str| (what.to_owned(), me.to_owned());
    assert_eq!(locks(&desk), [mine("a.rs"), mine("deploy:prod")]);
    model.go();
    run.wait().exits(0);
    assert_eq!(locks(&desk), []);
}
