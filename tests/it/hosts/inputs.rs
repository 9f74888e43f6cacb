//! What the clients hand to their hooks still has the form of what lies in `recorded/`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use coord_tests::hosts::{Host, Hosts, recorded};
use coord_tests::model::{Model, Turn};
use coord_tests::workstation::parsed;
use serde_json::Value;

in_hosts! {
    claude = Claude: inputs_have_the_form_that_was_recorded;
    codex = Codex: inputs_have_the_form_that_was_recorded;
    copilot = Copilot: inputs_have_the_form_that_was_recorded;
}

fn inputs_have_the_form_that_was_recorded(hosts: &Hosts, host: Host) {
    let desk = hosts.recording_desk(host);
    let mut script = vec![host.creates(&desk, "a.rs", "one"), host.runs("git status --short")];
    script.extend(host.changes(&desk, "a.rs", "one", "two"));
    script.push(Turn::say("done"));
    let model = Model::start(script);
    hosts.run(host, &desk, &model, "please do the work").done().exits(0);
    let mut seen = BTreeSet::new();
    for input in recorded(&desk) {
        let (name, before) = fixture(host, &input);
        assert_eq!(form(&input), form(&before), "{name}: {input}");
        seen.insert(name);
    }
    let edit = match host {
        Host::Claude | Host::Copilot => "Edit",
        Host::Codex => "apply_patch",
    };
    let [before, after] = ["PreToolUse", "PostToolUse"].map(|event| format!("{event}-{edit}"));
    for name in ["UserPromptSubmit", &before, &after, "Stop", "SessionEnd"] {
        assert!(seen.contains(name), "no {name}: {seen:?}");
    }
}

/// The recorded input of the same event and tool, and its name.
#[track_caller]
fn fixture(host: Host, input: &Value) -> (String, Value) {
    let text = |name: &str| input[name].as_str().unwrap_or_default();
    let event = text("hook_event_name");
    let kind = match (host, event) {
        (Host::Claude | Host::Codex, "SessionStart") => text("source"),
        _ => text("tool_name"),
    };
    let name = if kind.is_empty() { event.to_owned() } else { format!("{event}-{kind}") };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/hosts/recorded");
    let file = folder.join(host.name()).join(format!("{name}.json"));
    let bytes = fs::read(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    (name, parsed(&bytes))
}

/// The names of its fields, those of the tool's input, too, and what kind of value each has.
fn form(input: &Value) -> BTreeMap<String, &'static str> {
    let fields = |of: &'static str, value: &Value| {
        let all = value.as_object().into_iter().flatten();
        all.map(|(name, v)| (format!("{of}{name}"), kind(v))).collect::<Vec<_>>()
    };
    let both = [fields("", input), fields("tool_input.", &input["tool_input"])];
    both.into_iter().flatten().collect()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}
