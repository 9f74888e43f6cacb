//! Codex runs a hook only once its user has trusted it, word by word.

use std::fmt::Write as _;
use std::fs;

use coord_tests::hosts::{Host, Hosts};
use coord_tests::model::{Model, Turn};
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::common::{rows, server};

/// The project's hooks, as Codex sees them.
fn codex_hooks(hosts: &Hosts, desk: &Workstation) -> Vec<Value> {
    let asked = json!({"cwds": [desk.project()]});
    let list = hosts.codex_server(desk).ask("hooks/list", &asked);
    let here = rows(&list, "data").remove(0);
    assert_eq!((&here["warnings"], &here["errors"]), (&json!([]), &json!([])), "{here}");
    rows(&here, "hooks")
}

#[test]
fn codex_lists_each_hook_and_runs_it_once_it_is_trusted() {
    let Some(hosts) = Hosts::installed("codex_lists_each_hook") else { return };
    let server = server();
    let desk = hosts.desk("DESK", "ann", &server.url(), &[Host::Codex]);
    let hooks = codex_hooks(&hosts, &desk);
    let mut events: Vec<&str> = hooks.iter().filter_map(|h| h["eventName"].as_str()).collect();
    events.sort_unstable();
    events.dedup();
    assert_eq!(
        events,
        [
            "postToolUse",
            "preCompact",
            "preToolUse",
            "sessionEnd",
            "sessionStart",
            "stop",
            "userPromptSubmit"
        ]
    );
    for hook in &hooks {
        assert_eq!(hook["enabled"], true, "{hook}");
        assert_eq!(hook["command"], "coord hook codex || true", "{hook}");
    }
    let live_sessions = || {
        let model = Model::start([Turn::say("done").held()]);
        let run = hosts.run_with_trust(&desk, &model, "please do the work").start();
        model.holds();
        let sessions = rows(&server.get("/api/coord/sessions").expect(200), "sessions").len();
        model.go();
        run.wait().exits(0);
        sessions
    };
    assert!(hooks.iter().all(|h| h["trustStatus"] == "untrusted"), "{hooks:?}");
    assert_eq!(live_sessions(), 0, "what is not trusted is not run");
    trust(&desk, &hooks);
    let hooks = codex_hooks(&hosts, &desk);
    assert!(hooks.iter().all(|h| h["trustStatus"] == "trusted"), "{hooks:?}");
    assert_eq!(live_sessions(), 1);
}

/// Writes down what its user does on the screen `/hooks`.
fn trust(desk: &Workstation, hooks: &[Value]) {
    let config = desk.home().join(".codex/config.toml");
    let mut text = fs::read_to_string(&config).unwrap();
    for hook in hooks {
        let (key, hash) = (&hook["key"], &hook["currentHash"]);
        writeln!(text, "[hooks.state.{key}]\ntrusted_hash = {hash}").unwrap();
    }
    fs::write(config, text).unwrap();
}
