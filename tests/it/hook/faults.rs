//! Faults of ours never stop an edit.

use std::fs;
use std::time::Duration;

use coord_tests::fault::refusing;
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::*;

fn goes_ahead(station: &Workstation, what: &str) {
    let mut ran = hook(station, "claude", &before(station, ID, "a.rs").to_string());
    let answer = ran.exits(0).object();
    assert!(denied(&answer).is_none(), "{what}: {answer}");
    assert!(ran.took < Duration::from_millis(1_500), "{what}: {:?}", ran.took);
}

#[test]
fn a_broken_store() {
    let desk = desk("local");
    desk.coord(&["status"]).exits(0);
    let store = desk.home().join(".local/share/coord/local.db");
    fs::write(&store, "no database at all".repeat(1000)).unwrap();
    goes_ahead(&desk, "garbage in the store");
    fs::remove_file(&store).unwrap();
    fs::create_dir(&store).unwrap();
    goes_ahead(&desk, "a folder in its place");
}

#[test]
fn a_state_folder_that_is_none() {
    let server = server();
    let desk = desk(&server.url());
    fs::create_dir_all(desk.state().parent().unwrap()).unwrap();
    let _ = fs::remove_dir_all(desk.state());
    fs::write(desk.state(), "a file").unwrap();
    goes_ahead(&desk, "a file in its place");
}

#[test]
fn a_broken_identity() {
    let desk = desk("local");
    fs::write(desk.home().join(".claude/identity.json"), "{").unwrap();
    goes_ahead(&desk, "identity.json");
    let log = fs::read_to_string(desk.state().join("agent.log")).unwrap();
    assert!(log.contains("identity.json"), "it is in the log: {log}");
}

#[test]
fn nobody_at_the_servers_address() {
    let desk = desk(&refusing());
    goes_ahead(&desk, "refusing");
    goes_ahead(&desk, "refusing, again");
}

#[test]
fn a_server_that_says_nothing() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let desk = desk(&format!("http://{}", silent.local_addr().unwrap()));
    goes_ahead(&desk, "silent");
    goes_ahead(&desk, "silent, again");
}

#[test]
fn a_token_that_is_refused() {
    let server = coord_tests::server::Setup::new("axum").env("COORD_AUTH_TOKEN", "right").start();
    let desk = desk(&server.url()).env("COORD_AUTH_TOKEN", "wrong");
    goes_ahead(&desk, "wrong token");
}

#[test]
fn it_can_be_switched_off() {
    let server = server();
    let lab = clone_on("LAB", "ann", &server.url());
    lab.coord(&["lock", "acquire", "a.rs", "mine"]).exits(0);
    let desk = desk(&server.url());
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
    let desk = desk.env("COORD_DISABLE", "1");
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
}
