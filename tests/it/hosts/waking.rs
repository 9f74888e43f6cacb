//! An idle session of Claude Code hears of mail without anybody typing a word.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use coord_tests::hosts::Hosts;
use coord_tests::model::{Asked, Model, Turn};
use coord_tests::server::TestServer;
use coord_tests::workstation::{Workstation, has_tool};
use serde_json::json;

use super::common::{mail, server};

/// Time for the first answer to be shown and its Stop hooks to be over.
const IDLE_AFTER: Duration = Duration::from_secs(2);

/// Opens a session, waits until it is idle, and sends it a message: the turn that comes of it.
fn is_woken(hosts: &Hosts, server: &TestServer, desk: &Workstation, args: &[&str]) -> Asked {
    let model = Model::start([Turn::say("hello").held(), Turn::say("I see").held()]);
    let _terminal = hosts.at_terminal(desk, &model, args);
    model.holds();
    model.go();
    thread::sleep(IDLE_AFTER);
    assert_eq!(model.asked().len(), 1, "it is idle");
    mail(server, "ALL_SESSIONS", "wake up", "there is work");
    let woken = model.holds();
    woken.shows("ELSEWHERE/x").shows("there is work");
    woken
}

#[test]
fn by_the_monitor_of_the_plugin() {
    let test = "by_the_monitor_of_the_plugin";
    let Some(hosts) = Hosts::installed(test).filter(|_| has_tool(test, "script")) else { return };
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[]);
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("../skill/coord");
    let plugin = plugin.display().to_string();
    is_woken(&hosts, &server, &desk, &["--plugin-dir", &plugin]).shows("Monitor event");
}

/// Without the plugin: a Stop hook that waits in the background.
#[test]
fn by_a_stop_hook_that_waits() {
    let test = "by_a_stop_hook_that_waits";
    let Some(hosts) = Hosts::installed(test).filter(|_| has_tool(test, "script")) else { return };
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[]);
    let waits = json!({"type": "command", "command": "coord wake", "asyncRewake": true,
        "timeout": 600});
    let settings = json!({"hooks": {"Stop": [{"hooks": [waits]}]}}).to_string();
    fs::create_dir_all(desk.project().join(".claude")).unwrap();
    fs::write(desk.project().join(".claude/settings.json"), settings).unwrap();
    is_woken(&hosts, &server, &desk, &[]).shows("Stop hook");
}
