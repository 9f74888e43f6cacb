//! Codex's own sandbox: HOME and `.git` are read-only there and no socket opens. What a command inside
//! writes waits in the work tree, and the next hook, which runs outside, sends it.

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};

use super::common::{rows, server};

in_hosts! {
    codex = Codex: what_is_sent_inside_is_delivered_by_the_next_hook;
}

/// Says so where the sandbox is not one.
const IS_CONFINED: &str = "! touch .git/x 2>/dev/null && ! touch \"$HOME/x\" 2>/dev/null && \
     ! (echo > /dev/tcp/127.0.0.1/1) 2>&1 | grep -q refused && echo confined";

fn what_is_sent_inside_is_delivered_by_the_next_hook(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("BOX", "ann", &server.url(), &[host]);
    let model = Model::start([
        host.runs(IS_CONFINED),
        host.runs("coord msg send ALL hello 'from the inside'"),
        Turn::say("done").held(),
    ]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds().shows("\nconfined\n").shows("\nqueued");
    // The hook after the command has run outside.
    assert!(desk.queue().is_empty(), "{:?}", desk.queue());
    let sent = rows(&server.get("/api/coord/messages").expect(200), "messages");
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert_eq!(sent[0]["body"], "from the inside");
    let from = sent[0]["from_session"].as_str().unwrap_or_default();
    assert!(from.starts_with("BOX/codex-"), "{from}");
    model.go();
    run.wait().exits(0);
}
