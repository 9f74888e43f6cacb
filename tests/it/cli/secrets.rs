//! The token goes to the server it was made for, and nowhere else.

use std::fs;

use coord_tests::fault::{Fault, FaultServer, refusing};
use coord_tests::server::{Setup, TestServer, faces};
use coord_tests::workstation::{Workstation, chmod, files_below, holds};
use serde_json::json;

use super::common::{desk, server};

const CANARY: &str = "canary-7f3a9b-token";

fn guarded() -> TestServer {
    let setup = Setup::new(faces()[0]).env("COORD_ALLOW_INSECURE_NO_AUTH", "");
    setup.env("COORD_AUTH_TOKEN", CANARY).start()
}

#[test]
fn the_token_is_in_no_file_and_no_words() {
    let mut server = guarded();
    let desk = Workstation::new("DESK", "mike", &server.url()).env("COORD_AUTH_TOKEN", CANARY);
    let mut words = Vec::new();
    let mut ran = |args: &[&str], code| {
        let mut ran = desk.coord(args);
        ran.exits(code);
        words.push(ran.told());
    };
    ran(&["msg", "send", "ALL", "s", "b"], 0);
    ran(&["status", "--json"], 0);
    server.kill9();
    ran(&["msg", "send", "ALL", "s", "b"], 0);
    ran(&["msg", "send", "NOBODY", "s", "b"], 0);
    ran(&["todo", "list"], 0);
    ran(&["outbox", "list", "--json"], 0);
    desk.hook(&desk.event("SessionEnd", "abc", &json!({})));
    server.restart();
    ran(&["sync", "--json"], 0);
    ran(&["outbox", "dead", "--json"], 0);
    desk.run(&["hook", "claude"]).stdin("rubbish").done().exits(0);
    assert!(words.iter().all(|w| !w.contains(CANARY)), "{words:?}");
    let files = [files_below(desk.home()), files_below(server.dir())].concat();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert!(!holds(&file, CANARY), "the token is in {}", file.display());
    }
    assert!(!server.log().contains(CANARY));
}

#[test]
fn a_wrong_or_missing_token_is_an_answer_and_nothing_is_queued() {
    let server = guarded();
    let desk = Workstation::new("DESK", "mike", &server.url());
    let wrong = "wrong-canary-token";
    for run in [
        desk.run(&["todo", "add", "t"]),
        desk.run(&["todo", "add", "t"]).env("COORD_AUTH_TOKEN", wrong),
    ] {
        let mut ran = run.done();
        ran.exits(1).complains("COORD_AUTH_TOKEN");
        assert!(!ran.told().contains(wrong), "{}", ran.told());
    }
    assert!(desk.queue().is_empty());
    desk.run(&["status"]).env("COORD_AUTH_TOKEN", "two words").done().exits(78);
    // What waits stays, until the door opens.
    let entry = json!({"method": "POST", "path": "/api/coord/todos", "body": {"text": "t"}});
    desk.write_queue(format!("{entry}\n"));
    desk.coord(&["sync"]).exits(0).says("1 write waits here");
    desk.run(&["sync", "--force"]).env("COORD_AUTH_TOKEN", CANARY).done().exits(0).says("sent 1");
}

#[test]
fn a_token_file_is_read_and_a_broken_one_named() {
    let server = guarded();
    let desk = Workstation::new("DESK", "mike", &server.url());
    let file = desk.home().join("secret");
    fs::write(&file, format!("{CANARY}\n")).unwrap();
    chmod(&file, 0o600);
    for path in [file.to_str().unwrap(), "~/secret"] {
        desk.write_identity(&json!({"coord_api": server.url(), "coord_token_file": path}));
        desk.coord(&["status"]).exits(0);
    }
    fs::remove_file(&file).unwrap();
    desk.coord(&["status"]).exits(78).complains("secret");
}

#[test]
fn redirects_are_not_followed() {
    for status in
        ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let target = FaultServer::start(Fault::page("200 OK"));
        let there = format!("{}/api/coord/messages", target.url());
        let redirecting = FaultServer::start(Fault::redirect(status, &there));
        let desk =
            Workstation::new("DESK", "mike", &redirecting.url()).env("COORD_AUTH_TOKEN", CANARY);
        desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0).says("queued");
        desk.close_breaker();
        desk.coord(&["todo", "list"]).exits(69);
        desk.coord(&["sync", "--force"]).exits(0).says("1 write waits here");
        assert!(redirecting.connections() >= 3);
        assert!(redirecting.heads()[0].contains(CANARY), "the server itself gets the token");
        assert_eq!(target.connections(), 0, "{status}: the redirect was followed");
    }
}

#[test]
fn proxies_from_the_environment_are_ignored() {
    let server = server();
    let dead = refusing();
    let spy = FaultServer::start(Fault::page("200 OK"));
    let mut desk = desk(&server);
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
        desk = desk.env(name, &dead);
    }
    desk = desk.env("ALL_PROXY", &spy.url()).env("all_proxy", &spy.url());
    desk.coord(&["msg", "send", "ALL", "s", "b"]).exits(0).says("sent to everybody");
    desk.coord(&["status"]).exits(0);
    assert_eq!(spy.connections(), 0);
}

#[test]
fn the_token_of_the_local_server_goes_to_no_other_address() {
    let server = server();
    let desk = Workstation::bare();
    desk.json(&["start", "--background", "--port", "0"]);
    let token = fs::read_to_string(desk.state().join("token")).unwrap();
    // A name that is not this machine's loopback address; it is the same listener all the same.
    let spy = FaultServer::start(Fault::Silent);
    let elsewhere = spy.url().replace("127.0.0.1", "0.0.0.0");
    desk.run(&["todo", "list"]).env("COORD_API_URL", &elsewhere).done().exits(69);
    assert_eq!(spy.connections(), 1);
    assert!(spy.heads().iter().all(|h| !h.contains(token.trim())), "{:?}", spy.heads());
    desk.run(&["status"]).env("COORD_API_URL", &server.url()).done().exits(0);
}
