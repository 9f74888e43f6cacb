//! Whatever is wrong with `coord`, edits are made, and no run waits for it longer than a hook may take.

use std::fs;
use std::time::Duration;

use coord_tests::fault::{Fault, FaultServer, refusing};
use coord_tests::hosts::{Host, Hosts, system_path};
use coord_tests::model::{Model, Turn};
use coord_tests::workstation::Workstation;

use super::common::server;

in_hosts! {
    claude = Claude: a_missing_program_stops_no_edit, a_dead_server_stops_no_edit,
        a_silent_server_stops_no_edit, a_damaged_store_stops_no_edit, no_state_stops_no_edit;
    codex = Codex: a_missing_program_stops_no_edit, a_dead_server_stops_no_edit,
        a_silent_server_stops_no_edit, a_damaged_store_stops_no_edit, no_state_stops_no_edit;
    copilot = Copilot: a_missing_program_stops_no_edit, a_silent_server_stops_no_edit;
}

/// From an answer of the model to its next question there is one tool call with two hooks. A hook ends
/// within a second, and at once while the server is known to be away; the rest is for a busy machine.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(4);

/// Two edits, of which both must be made.
fn edits(hosts: &Hosts, host: Host, desk: &Workstation, env: &[(&str, &str)]) {
    let script = [
        host.creates(desk, "a.rs", "fn a() {}"),
        host.creates(desk, "b.rs", "fn b() {}"),
        Turn::say("done"),
    ];
    let model = Model::start(script);
    let run = hosts.run(host, desk, &model, "please do the work");
    let run = env.iter().fold(run, |run, (name, value)| run.env(name, value));
    run.done().exits(0);
    let asked = model.asked();
    for file in ["a.rs", "b.rs"] {
        assert!(desk.project().join(file).exists(), "no {file}: {}", model.last().shown());
    }
    for (before, after) in asked.iter().zip(&asked[1..]) {
        let took = after.at - before.at;
        assert!(took < BETWEEN_QUESTIONS, "a tool call took {took:?}");
    }
}

fn a_missing_program_stops_no_edit(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    edits(hosts, host, &desk, &[("PATH", &system_path())]);
}

fn a_dead_server_stops_no_edit(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("DESK", "ann", &refusing(), &[host]);
    edits(hosts, host, &desk, &[]);
}

fn a_silent_server_stops_no_edit(hosts: &Hosts, host: Host) {
    let silent = FaultServer::start(Fault::Silent);
    let desk = hosts.desk("DESK", "ann", &silent.url(), &[host]);
    edits(hosts, host, &desk, &[]);
    assert!(silent.connections() > 0, "hooks asked it");
}

fn a_damaged_store_stops_no_edit(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("DESK", "ann", "local", &[host]);
    desk.coord(&["lock", "acquire", "x.rs"]).exits(0);
    let mut damaged = 0;
    for file in coord_tests::workstation::files_below(desk.home()) {
        if file.extension().is_some_and(|e| e == "db") {
            fs::write(&file, "this is no database").unwrap();
            damaged += 1;
        }
    }
    assert!(damaged > 0, "there is a store");
    edits(hosts, host, &desk, &[]);
}

fn no_state_stops_no_edit(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    // A file where the folder should be: permissions do not bind root.
    fs::remove_dir_all(desk.state()).unwrap();
    fs::write(desk.state(), "").unwrap();
    edits(hosts, host, &desk, &[]);
}
