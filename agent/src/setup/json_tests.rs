//! Merging into JSON, and out of it again.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const HOOKS: &str = include_str!("../../../skill/coord/hooks/hooks.json");
const SERVER: &str = include_str!("../../../skill/coord/.mcp.json");

fn merged(text: &str) -> String {
    put(Some(text), HOOKS).unwrap().text
}

fn value(text: &str) -> Value {
    parse(text).unwrap().to_serde_value().unwrap()
}

#[test]
fn a_new_file_is_the_template() {
    for text in [None, Some(""), Some(" \n"), Some("\u{feff}")] {
        assert_eq!(put(text, HOOKS).unwrap(), Put::of(HOOKS));
    }
    assert_eq!(take(HOOKS, HOOKS, None).unwrap(), None);
    assert_eq!(take(HOOKS, HOOKS, Some("{}")).unwrap().map(|t| value(&t)), Some(json!({})));
}

#[test]
fn a_file_goes_with_ours_unless_a_comment_stands_in_it() {
    let template =
        "{\"$schema\": \"https://x/y\", \"mcp\": {\"coord\": {\"command\": [\"coord\", \"mcp\"]}}}";
    assert_eq!(take(template, template, None).unwrap(), None);
    let noted = format!("// mine\n{template}");
    assert!(take(&noted, template, None).unwrap().unwrap().contains("mine"));
}

#[test]
fn what_is_there_stays_to_the_byte() {
    let text = "{\n\t// mine\n\t\"b\": [1, 2,\n\t3],\n\t\"hooks\": {\n\t\t\"Stop\": [\n\t\t\t{ \"hooks\": [{ \"type\": \"command\", \"command\": \"make\" }] } /* keep */\n\t\t]\n\t},\n\t\"a\": 1.50e3\n}";
    let with = merged(text);
    for part in ["// mine\n\t\"b\": [1, 2,\n\t3],", "/* keep */", "\"a\": 1.50e3\n}"] {
        assert!(with.contains(part), "{part} in {with}");
    }
    assert!(!with.ends_with('\n') && with.contains("\n\t\t\"SessionStart\": ["), "{with}");
    let stop = &value(&with)["hooks"]["Stop"];
    assert_eq!(stop[0]["hooks"][0]["command"], "make", "ours go to the end");
    assert_eq!(stop[1]["hooks"][0]["command"], "coord hook claude || true");
    assert_eq!(merged(&with), with);
    let without = take(&with, HOOKS, None).unwrap().unwrap();
    assert_eq!(value(&without), value(text));
    assert!(without.contains("// mine") && without.contains("/* keep */"), "{without}");
}

#[test]
fn line_ends_and_marks_of_the_file_are_kept() {
    let text = "\u{feff}{\r\n  \"a\": 1\r\n}\r\n";
    let with = merged(text);
    assert!(with.starts_with('\u{feff}') && with.ends_with("}\r\n"));
    assert_eq!(with.matches('\n').count(), with.matches("\r\n").count(), "{with:?}");
}

#[test]
fn older_entries_of_ours_are_brought_up_to_date_in_their_places() {
    let text = r#"{"hooks": {"PostToolUse": [
        {"hooks": [{"type": "command", "command": "/opt/bin/coord hook claude"}]},
        {"hooks": [{"type": "command", "command": "make"}]}
    ]}}"#;
    let with = value(&merged(text));
    let list = &with["hooks"]["PostToolUse"];
    assert_eq!(list.as_array().unwrap().len(), 2, "{list}");
    assert_eq!(list[0]["hooks"][0]["command"], "coord hook claude || true");
    let mixed = r#"{"hooks": {"Stop": [{"hooks": [
        {"type": "command", "command": "coord hook claude"}, {"type": "prompt", "prompt": "x"}
    ]}]}}"#;
    let with = merged(mixed);
    assert_eq!(value(&with)["hooks"]["Stop"], value(mixed)["hooks"]["Stop"]);
    let without = take(&with, HOOKS, Some(mixed)).unwrap().unwrap();
    let left = json!([{"hooks": [{"type": "prompt", "prompt": "x"}]}]);
    assert_eq!(value(&without)["hooks"]["Stop"], left);
}

#[test]
fn a_strict_reader_takes_neither_comments_nor_trailing_commas() {
    for good in ["", " \n", "{}", "\u{feff}{\"a\": \"// no comment, }\"}\r\n"] {
        assert_eq!(strict(good, Host::Claude), Ok(()), "{good:?}");
    }
    for (text, line, what) in [
        ("// x\n{}", 1, "comments"),
        ("{\n \"a\": 1 /* x */\n}", 2, "comments"),
        ("{}\n\n// x", 3, "comments"),
        ("{\n \"a\": [1,],\n \"b\": 1\n}", 2, "trailing commas"),
        ("{\n \"a\": 1,\n}", 2, "trailing commas"),
    ] {
        let damage = strict(text, Host::Codex).unwrap_err();
        assert!(damage.why.starts_with(&format!("Codex CLI reads no {what}")), "{damage}");
        assert_eq!(damage.line, Some(line), "{text}");
    }
}

#[test]
fn somebody_elses_server_keeps_its_name() {
    let foreign =
        "{\"mcpServers\": {\"coord\": {\"command\": \"npx\", \"args\": [\"coord-mcp\"]}}}";
    let with = put(Some(foreign), SERVER).unwrap();
    assert_eq!((with.text.as_str(), with.skipped.len()), (foreign, 1));
    assert_eq!(take(foreign, SERVER, None).unwrap().as_deref(), Some(foreign));
    let own = "{\"mcpServers\": {\"coord\": {\"command\": \"/x/coord\", \"args\": [\"mcp\"], \"env\": {\"A\": \"b\"}}}}";
    assert_eq!(put(Some(own), SERVER).unwrap(), Put::of(own), "an arrangement of the user's stays");
    assert_eq!(take(own, SERVER, None).unwrap(), None);
}

#[test]
fn damage_is_named_with_its_place() {
    for (text, line, why) in [
        ("{\n\"a\": ,\n}", Some(2), ""),
        ("{\n'a': 1}", Some(2), ""),
        ("[]", None, "top"),
        ("{\"hooks\": 1}", None, "hooks is not an object"),
        ("{\"hooks\": {\"Stop\": {}}}", None, "hooks.Stop is not a list"),
        ("{\"hooks\": {}, \"hooks\": {}}", None, "hooks stands there twice"),
        ("{} {}", Some(1), ""),
    ] {
        let damage = put(Some(text), HOOKS).unwrap_err();
        assert_eq!(damage.line, line, "{text}: {damage}");
        assert!(damage.why.contains(why), "{text}: {damage}");
    }
    assert!(put(Some(&"[".repeat(100_000)), HOOKS).is_err(), "depth is bounded");
}

/// Settings of somebody else's: what a host could find there, and what it could not.
fn settings() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z \"\\\\/\u{e9}]{0,8}".prop_map(Value::from),
    ];
    let any = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    });
    let group = "[a-z ]{1,9}"
        .prop_map(|c| json!({"hooks": [{"type": "command", "command": format!("x{c}")}]}));
    let event = prop_oneof![Just("Stop"), Just("SessionStart"), Just("Other")];
    let hooks = prop::collection::btree_map(
        event.prop_map(str::to_owned),
        prop::collection::vec(group, 0..3).prop_map(Value::from),
        0..3,
    );
    let rest = prop::collection::btree_map("[a-g]{1,5}", any, 0..5);
    (rest, prop::option::of(hooks)).prop_map(|(rest, hooks)| {
        let mut all: serde_json::Map<_, _> = rest.into_iter().collect();
        all.extend(hooks.map(|h| ("hooks".to_owned(), Value::Object(h.into_iter().collect()))));
        Value::Object(all)
    })
}

proptest! {
    #[test]
    fn merging_adds_ours_and_taking_removes_them(all in settings(), pretty: bool, crlf: bool) {
        let text = if pretty { serde_json::to_string_pretty(&all) } else { serde_json::to_string(&all) };
        let text = text.unwrap();
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        let with = merged(&text);
        prop_assert_eq!(&merged(&with), &with, "twice is once");
        let found = value(&with);
        for (name, groups) in value(HOOKS)["hooks"].as_object().unwrap() {
            let ours = groups.as_array().unwrap();
            let there = found["hooks"][name].as_array().unwrap();
            prop_assert_eq!(&there[there.len() - ours.len()..], &ours[..]);
        }
        let without = take(&with, HOOKS, Some(&text)).unwrap().unwrap();
        prop_assert_eq!(value(&without), all);
    }
}
