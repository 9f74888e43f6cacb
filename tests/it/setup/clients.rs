//! The real clients look at what was written: their own checks find nothing to complain of.

use std::fs;
use std::path::Path;

use coord_tests::hosts::{Host, Hosts};
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
