//! What a session is told, and when.

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};

use super::common::{let_a_look_be_due, locks, mail, rows, server};

in_hosts! {
    claude = Claude: a_session_is_told_its_mail_and_is_seen, locks_end_with_the_session,
        a_conversation_that_goes_on_is_told_once, a_compacted_one_is_told_again,
        what_is_sent_during_a_run_arrives_at_the_next_tool_call;
    codex = Codex: a_session_is_told_its_mail_and_is_seen,
        a_conversation_that_goes_on_is_told_once, a_compacted_one_is_told_again,
        what_is_sent_during_a_run_arrives_at_the_next_tool_call;
    copilot = Copilot: what_is_sent_during_a_run_arrives_at_the_next_tool_call;
}

fn a_session_is_told_its_mail_and_is_seen(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    mail(&server, "ALL_SESSIONS", "Pipeline ready", "go on with the parser");

    let model = Model::start([host.runs("git status --short"), Turn::say("done").held()]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    model.asked()[0].shows("MESSAGE FROM ELSEWHERE/x").shows("go on with the parser");
    let sessions = rows(&desk.json(&["session", "list"]), "sessions");
    let named = format!("DESK/{}-", host.name());
    let here =
        |s: &serde_json::Value| s["session_id"].as_str().is_some_and(|id| id.starts_with(&named));
    assert_eq!(sessions.iter().filter(|s| here(s)).count(), 1, "{sessions:?}");
    model.go();
    run.wait().exits(0);
}

fn a_conversation_that_goes_on_is_told_once(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    mail(&server, "ALL_SESSIONS", "Pipeline ready", "b");
    let first = Model::start([Turn::say("done")]);
    hosts.run(host, &desk, &first, "begin").done().exits(0);
    let second = Model::start([Turn::say("done")]);
    hosts.goes_on(host, &desk, &second, "go on").done().exits(0);
    second.last().shows("begin").shows_times(1, "MESSAGE FROM");
}

fn a_compacted_one_is_told_again(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    mail(&server, "ALL_SESSIONS", "Pipeline ready", "b");
    let model = match host {
        Host::Codex => {
            // It compacts by itself when the model is nearly full.
            let script = [host.runs("true").nearly_full(), Turn::say("a summary")];
            let model = Model::start(script);
            hosts.run(host, &desk, &model, "begin").done().exits(0);
            model
        }
        Host::Claude | Host::Copilot => {
            let first = Model::start([Turn::say("done")]);
            hosts.run(host, &desk, &first, "begin").done().exits(0);
            let summary = Model::start([Turn::say("a summary"), Turn::say("more of it")]);
            hosts.goes_on(host, &desk, &summary, "/compact").done().exits(0);
            let model = Model::start([Turn::say("done")]);
            hosts.goes_on(host, &desk, &model, "go on").done().exits(0);
            model
        }
    };
    model.last().shows("a summary").shows_times(1, "MESSAGE FROM");
}

fn locks_end_with_the_session(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let model = Model::start([host.runs("coord lock acquire a.rs work"), Turn::say("done").held()]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    let held = locks(&desk);
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].1.starts_with(&format!("DESK/{}-", host.name())), "{held:?}");
    model.go();
    run.wait().exits(0);
    assert_eq!(locks(&desk), []);
}

fn what_is_sent_during_a_run_arrives_at_the_next_tool_call(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let script = [host.runs("true").held(), host.runs("true").held(), Turn::say("done").held()];
    let model = Model::start(script);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    mail(&server, "ALL_SESSIONS", "Stop the line", "the build is broken");
    let_a_look_be_due();
    model.go();
    model.holds().shows_times(1, "MESSAGE FROM ELSEWHERE/x").shows("the build is broken");
    let_a_look_be_due();
    model.go();
    model.holds().shows_times(1, "MESSAGE FROM ELSEWHERE/x");
    model.go();
    run.wait().exits(0);
}
