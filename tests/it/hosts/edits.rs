//! Edits: what they claim, and who is refused.

use std::fs;

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};
use coord_tests::workstation::Workstation;
use serde_json::json;

use super::common::{last_held, locks, server};

in_hosts! {
    claude = Claude: an_edit_claims_until_the_session_ends, a_foreign_claim_refuses_the_edit,
        a_claim_in_local_authority_counts_too, a_notebook_is_a_file_too;
    codex = Codex: an_edit_claims_until_the_session_ends, a_foreign_claim_refuses_the_edit,
        a_claim_in_local_authority_counts_too, a_patch_in_a_shell_command_is_an_edit,
        all_files_of_a_patch_or_none;
    copilot = Copilot: an_edit_claims_until_the_session_ends, a_foreign_claim_refuses_the_edit;
}

fn written(desk: &Workstation, file: &str, text: &str) {
    fs::write(desk.project().join(file), text).unwrap();
}

fn read(desk: &Workstation, file: &str) -> String {
    fs::read_to_string(desk.project().join(file)).unwrap()
}

fn an_edit_claims_until_the_session_ends(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let mut script = vec![host.creates(&desk, "a.rs", "fn a() {}").held()];
    script.push(Turn::say("done").held());
    let model = Model::start(script);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    assert_eq!(locks(&desk), [], "before the edit");
    model.go();
    model.holds();
    assert_eq!(read(&desk, "a.rs"), "fn a() {}\n");
    let held = locks(&desk);
    assert_eq!(held.len(), 1, "{held:?}");
    assert_eq!(held[0].0, "a.rs");
    assert!(held[0].1.starts_with(&format!("DESK/{}-", host.name())), "{held:?}");
    model.go();
    run.wait().exits(0);
    assert_eq!(locks(&desk), [], "after the session");
}

fn a_foreign_claim_refuses_the_edit(hosts: &Hosts, host: Host) {
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[host]);
    let other = hosts.desk("LAPTOP", "ben", &server.url(), &[]);
    written(&desk, "a.rs", "one\n");
    let acquire = ["lock", "acquire", "a.rs", "the new parser"];
    other.run(&acquire).session("LAPTOP/claude-ben").done().exits(0);
    refused(hosts, host, &desk);
}

fn a_claim_in_local_authority_counts_too(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("LAPTOP", "ann", "local", &[host]);
    written(&desk, "a.rs", "one\n");
    let acquire = ["lock", "acquire", "a.rs", "the new parser"];
    desk.run(&acquire).session("LAPTOP/claude-ben").done().exits(0);
    refused(hosts, host, &desk);
}

/// The model is told who holds the file and what for, and the file is as it was.
fn refused(hosts: &Hosts, host: Host, desk: &Workstation) {
    let mut script = host.changes(desk, "a.rs", "one", "two");
    script.push(Turn::say("then not"));
    let model = Model::start(script);
    hosts.run(host, desk, &model, "please do the work").done().exits(0);
    model.last().shows("LAPTOP/claude-ben").shows("the new parser").shows("Nothing was changed");
    assert_eq!(read(desk, "a.rs"), "one\n");
}

fn a_patch_in_a_shell_command_is_an_edit(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("LAPTOP", "ann", "local", &[host]);
    fs::create_dir(desk.project().join("src")).unwrap();
    written(&desk, "src/a.rs", "one\n");
    desk.run(&["lock", "acquire", "src/a.rs"]).session("LAPTOP/claude-ben").done().exits(0);
    let patch = "cd src && apply_patch <<'EOF'\n*** Begin Patch\n*** Update File: a.rs\n@@\n\
                 -one\n+two\n*** End Patch\nEOF";
    let model = Model::start([host.runs(patch), Turn::say("then not")]);
    hosts.run(host, &desk, &model, "please do the work").done().exits(0);
    model.last().shows("LAPTOP/claude-ben");
    assert_eq!(read(&desk, "src/a.rs"), "one\n");
}

fn all_files_of_a_patch_or_none(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("LAPTOP", "ann", "local", &[host]);
    written(&desk, "b.rs", "one\n");
    desk.run(&["lock", "acquire", "b.rs"]).session("LAPTOP/claude-ben").done().exits(0);
    let patch = "*** Begin Patch\n*** Add File: a.rs\n+new\n*** Update File: b.rs\n@@\n-one\n\
                 +two\n*** End Patch\n";
    let model = Model::start([Turn::patch(patch), Turn::say("then not").held()]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds().shows("LAPTOP/claude-ben");
    assert!(!desk.project().join("a.rs").exists());
    let held = locks(&desk);
    assert_eq!(held, [("b.rs".to_owned(), "LAPTOP/claude-ben".to_owned())]);
    model.go();
    run.wait().exits(0);
}

fn a_notebook_is_a_file_too(hosts: &Hosts, host: Host) {
    let desk = hosts.desk("LAPTOP", "ann", "local", &[host]);
    let cell = json!({"cell_type": "code", "id": "c1", "metadata": {}, "outputs": [],
        "execution_count": null, "source": "one"});
    let notebook = json!({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5});
    written(&desk, "n.ipynb", &notebook.to_string());
    desk.run(&["lock", "acquire", "n.ipynb"]).session("LAPTOP/claude-ben").done().exits(0);
    let path = desk.project().join("n.ipynb");
    let edit = json!({"notebook_path": path, "cell_id": "c1", "new_source": "two"});
    let model = Model::start([
        Turn::call("Read", json!({"file_path": path})),
        Turn::call("NotebookEdit", edit),
        Turn::say("then not"),
    ]);
    hosts.run(host, &desk, &model, "please do the work").done().exits(0);
    model.last().shows("LAPTOP/claude-ben").shows("Nothing was changed");
    assert_eq!(read(&desk, "n.ipynb"), notebook.to_string());
}

/// Two clients in one work tree, each about to change the same line.
#[test]
fn of_two_that_race_for_a_file_one_edits() {
    let Some(hosts) = Hosts::installed("of_two_that_race_for_a_file_one_edits") else { return };
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[Host::Claude, Host::Codex]);
    written(&desk, "a.rs", "one\n");
    let racer = |host: Host, to: &str| {
        let mut script = last_held(host.changes(&desk, "a.rs", "one", to));
        script.push(Turn::say("done").held());
        let model = Model::start(script);
        let run = hosts.run(host, &desk, &model, "please do the work").start();
        (model, run)
    };
    let racers = [racer(Host::Claude, "claude"), racer(Host::Codex, "codex")];
    for (model, _) in &racers {
        model.holds();
    }
    for (model, _) in &racers {
        model.go();
    }
    let refused = |model: &Model| model.holds().shown().contains("Nothing was changed");
    let refused: Vec<bool> = racers.iter().map(|(model, _)| refused(model)).collect();
    let text = read(&desk, "a.rs");
    match refused[..] {
        [false, true] => assert_eq!(text, "claude\n"),
        [true, false] => assert_eq!(text, "codex\n"),
        _ => panic!("refused: {refused:?}, the file holds {text:?}"),
    }
    for (model, run) in racers {
        model.go();
        run.wait().exits(0);
    }
}
