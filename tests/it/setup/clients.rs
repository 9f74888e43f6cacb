//! The real clients look at what was written: their own checks find nothing to complain of.

use std::fs;
use std::path::Path;

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};
use coord_tests::server::{TestServer, faces};
use coord_tests::workstation::Workstation;

use super::common::{git, put};

/// The plugin's folder.
fn plugin() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../skill/coord");
    fs::canonicalize(folder).unwrap().display().to_string()
}

/// A workstation with an empty repository.
fn desk(hosts: &Hosts) -> Workstation {
    let desk = hosts.desk("DESK", "ann", "local", &[]);
    git(&desk.project(), &["commit", "-q", "--allow-empty", "-m", "m"]);
    desk
}

#[test]
fn claude_code_validates_the_plugin() {
    let Some(hosts) = Hosts::installed("claude_code_validates_the_plugin") else { return };
    let desk = desk(&hosts);
    let validate = |args: &[&str]| {
        let args = [&["plugin", "validate", "--strict"], args].concat();
        hosts.program(Host::Claude, &desk, &args).done()
    };
    validate(&[&plugin()]).exits(0).says("Validation passed");
    validate(&["--profile", "directory", &plugin()]).exits(0).says("found nothing to report");
    // It would find something.
    let broken = put(&desk, "p/.claude-plugin/plugin.json", "{\"name\": \"p\", \"unknown\": 1}");
    let broken = broken.parent().unwrap().parent().unwrap().display().to_string();
    validate(&[&broken]).exits(1);
}

#[test]
fn claude_code_reads_what_init_wrote() {
    let Some(hosts) = Hosts::installed("claude_code_reads_what_init_wrote") else { return };
    let desk = desk(&hosts);
    desk.coord(&["init", "--all", "--git-hooks"]).exits(0);
    let doctor = |desk: &Workstation| {
        let ran = hosts.program(Host::Claude, desk, &["doctor"]).done();
        ran.told()
    };
    let told = doctor(&desk);
    assert!(told.contains("Claude Code doctor") && !told.contains("Invalid"), "{told}");
    let mut list = hosts.program(Host::Claude, &desk, &["mcp", "get", "coord"]).done();
    list.exits(0).says("coord").says("mcp");
    // It would say so.
    put(&desk, "app/.claude/settings.json", "{\"hooks\": {\"Stop\": [{\"hooks\": 7}]}}");
    assert!(doctor(&desk).contains("Invalid"), "{}", doctor(&desk));
}

/// Codex trusts the project, as its user has said.
fn trust(desk: &Workstation) {
    let root = fs::canonicalize(desk.project()).unwrap();
    let trusted = format!("[projects.\"{}\"]\ntrust_level = \"trusted\"\n", root.display());
    let config = desk.home().join(".codex/config.toml");
    let before = fs::read_to_string(&config).unwrap_or_default();
    put(desk, ".codex/config.toml", format!("{before}{trusted}"));
}

/// `coord doctor`, with the real Codex on the PATH.
fn examined(hosts: &Hosts, desk: &Workstation) -> String {
    let coord = coord_tests::bins::bin("coord");
    let programs = hosts.programs().display();
    let path = format!("{}:{programs}:/usr/bin:/bin", coord.parent().unwrap().display());
    desk.run(&["doctor"]).env("PATH", &path).done().out()
}

#[test]
fn codex_lists_the_hooks_that_init_wrote_and_doctor_sees_their_trust() {
    let test = "codex_lists_the_hooks_that_init_wrote_and_doctor_sees_their_trust";
    let Some(hosts) = Hosts::installed(test) else { return };
    let desk = desk(&hosts);
    desk.coord(&["init", "--tool", "codex"]).exits(0);
    let told = examined(&hosts, &desk);
    assert!(told.contains("is not trusted: Codex skips"), "{told}");
    trust(&desk);
    let told = examined(&hosts, &desk);
    assert!(told.contains("8 of 8 hooks are not trusted"), "{told}");
    let mut servers = hosts.program(Host::Codex, &desk, &["mcp", "get", "coord"]).done();
    servers.exits(0).says("enabled: true").says("args: mcp");
}

#[test]
fn codex_takes_the_plugin_as_it_is() {
    let Some(hosts) = Hosts::installed("codex_takes_the_plugin_as_it_is") else { return };
    let desk = desk(&hosts);
    let codex = |args: &[&str]| hosts.program(Host::Codex, &desk, args).done();
    codex(&["plugin", "marketplace", "add", &plugin()]).exits(0).says("coord");
    codex(&["plugin", "add", "coord@coord"]).exits(0);
    let told = examined(&hosts, &desk);
    assert!(told.contains("ok    codex         wired in the plugin"), "{told}");
    assert!(told.contains("8 of 8 hooks are not trusted"), "{told}");
    codex(&["mcp", "list"]).exits(0).says("coord");
}

#[test]
fn copilot_takes_the_plugin_as_it_is() {
    let Some(hosts) = Hosts::installed("copilot_takes_the_plugin_as_it_is") else { return };
    let desk = desk(&hosts);
    let copilot = |args: &[&str]| hosts.program(Host::Copilot, &desk, args).done();
    copilot(&["plugin", "marketplace", "add", &plugin()]).exits(0).says("coord");
    copilot(&["plugin", "install", "coord@coord"]).exits(0).says("Installed 2 skills");
}

/// After `coord init --all` and the user's trust, an edit claims its file: also where a client runs the
/// hooks of two files for one event.
fn init_is_all_it_needs(test: &str, host: Host) {
    let Some(hosts) = Hosts::installed(test) else { return };
    let server = TestServer::start(faces()[0]);
    let desk = hosts.desk("DESK", "ann", &server.url(), &[]);
    desk.coord(&["init", "--all"]).exits(0);
    trust(&desk);
    let folders = format!("{{\"trusted_folders\": [\"{}\"]}}", desk.project().display());
    put(&desk, ".copilot/config.json", folders);
    let body = serde_json::json!({"from_session": "ELSEWHERE/x", "to_session": "ALL_SESSIONS",
        "subject": "Pipeline ready", "body": "b"});
    server.post("/api/coord/messages", &body).expect(201);
    let model = Model::start([host.creates(&desk, "a.rs", "fn a() {}"), Turn::say("done").held()]);
    let run = hosts.run(host, &desk, &model, "please do the work").start();
    model.holds();
    let locks = desk.json(&["lock", "list"]);
    let locks = locks["locks"].as_array().unwrap();
    let holder = format!("DESK/{}-", host.name());
    let held = |l: &&serde_json::Value| {
        l["resource"] == "a.rs" && l["session_id"].as_str().is_some_and(|s| s.starts_with(&holder))
    };
    assert_eq!(locks.iter().filter(held).count(), 1, "{locks:?}");
    model.go();
    run.wait().exits(0);
    assert!(desk.project().join("a.rs").exists());
    model.last().shows_times(1, "MESSAGE FROM ELSEWHERE/x");
}

#[test]
fn claude_code_claims_after_init() {
    init_is_all_it_needs("claude_code_claims_after_init", Host::Claude);
}

#[test]
fn codex_claims_after_init() {
    init_is_all_it_needs("codex_claims_after_init", Host::Codex);
}

#[test]
fn copilot_claims_after_init() {
    init_is_all_it_needs("copilot_claims_after_init", Host::Copilot);
}
