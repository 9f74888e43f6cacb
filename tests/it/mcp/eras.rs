//! The protocol itself: what is offered, and how each era is answered.

use std::time::{Duration, Instant};

use coord_tests::mcp::{Client, MODERN};
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::program;

/// Revisions that begin with a handshake.
const LEGACY: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];

fn alone() -> Workstation {
    Workstation::new("BOX", "ann", "local")
}

fn hello(revision: &str) -> Value {
    let me = json!({"name": "t", "version": "0"});
    json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": me})
}

#[test]
fn a_handshake_agrees_on_what_the_client_asks_for() {
    let at = alone();
    for revision in LEGACY {
        let mut client = Client::open(program(&at));
        let answer = client.ask("initialize", &hello(revision));
        assert_eq!(answer["protocolVersion"], revision);
        assert_eq!(answer["serverInfo"]["name"], "coord");
        assert!(answer["instructions"].as_str().is_some_and(|i| i.contains("coord_claim")));
        assert_eq!(answer["resultType"], Value::Null, "{answer}");
        client.notify("notifications/initialized", &json!({}));
        let list = client.ask("tools/list", &json!({}));
        assert_eq!((&list["resultType"], &list["_meta"]), (&Value::Null, &Value::Null), "{list}");
        client.ask("ping", &json!({}));
    }
    for unknown in ["1999-01-01", MODERN] {
        let answer = Client::open(program(&at)).ask("initialize", &hello(unknown));
        assert_eq!(answer["protocolVersion"], "2025-11-25", "asked for {unknown}");
    }
}

#[test]
fn the_modern_era_needs_no_handshake() {
    let at = alone();
    let mut client = Client::modern(program(&at));
    let found = client.ask("server/discover", &json!({}));
    let versions = found["supportedVersions"].clone();
    assert!(versions.as_array().unwrap().contains(&json!(MODERN)), "{found}");
    assert_eq!(
        (&found["resultType"], &found["cacheScope"]),
        (&json!("complete"), &json!("private"))
    );
    assert!(found["ttlMs"].is_u64() && found["capabilities"]["tools"].is_object(), "{found}");
    let list_changed = found["capabilities"].to_string().contains("listChanged");
    assert!(!list_changed, "nobody shall subscribe to what never changes");
    for (method, params) in [
        ("tools/list", json!({})),
        ("resources/list", json!({})),
        ("resources/templates/list", json!({})),
        ("prompts/list", json!({})),
        ("resources/read", json!({"uri": "coord://status"})),
    ] {
        let result = client.ask(method, &params);
        assert_eq!(result["resultType"], "complete", "{method}");
        assert!(result["ttlMs"].is_u64() && result["cacheScope"].is_string(), "{method}: {result}");
        let info = &result["_meta"]["io.modelcontextprotocol/serverInfo"];
        assert_eq!(info["name"], "coord", "{method}: {result}");
    }
    let error =
        |client: &mut Client, method: &str| client.exchange(method, &json!({}))["error"].clone();
    for gone in ["ping", "initialize", "logging/setLevel", "resources/subscribe"] {
        let params = json!({"protocolVersion": MODERN, "capabilities": {}, "level": "info",
            "clientInfo": {"name": "t", "version": "0"}, "uri": "coord://mail"});
        for params in [params, json!({})] {
            assert_eq!(client.exchange(gone, &params)["error"]["code"], -32601, "{gone}");
        }
    }
    assert_eq!(error(&mut client, "no/such")["code"], -32601);
    let old = client.with_meta("io.modelcontextprotocol/protocolVersion", &json!("2031-01-01"));
    let mut old = old;
    let refused = error(&mut old, "tools/list");
    assert_eq!(refused["code"], -32022, "{refused}");
    assert_eq!(refused["data"]["requested"], "2031-01-01");
    assert_eq!(refused["data"]["supported"], versions, "{refused}");
}

#[test]
fn what_a_modern_request_must_say_is_asked_for() {
    let mut client = Client::open(program(&alone()));
    let bare = client.exchange("tools/list", &json!({}));
    assert_eq!(bare["error"]["code"], -32602, "{bare}");
    let half = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": MODERN}});
    let half = client.exchange("tools/list", &half);
    assert_eq!(half["error"]["code"], -32602, "{half}");
    // And the other era is still open.
    let answer = client.ask("initialize", &hello("2025-06-18"));
    assert_eq!(answer["protocolVersion"], "2025-06-18");
}

#[test]
fn both_eras_are_served_by_one_process_once_hands_were_shaken() {
    let mut client = Client::start(program(&alone()));
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}});
    let modern = client.ask("tools/list", &json!({"_meta": meta}));
    assert_eq!(modern["resultType"], "complete");
    assert_eq!(client.ask("tools/list", &json!({}))["resultType"], Value::Null);
}

#[test]
fn a_missing_resource_is_named() {
    let at = alone();
    let params = json!({"uri": "coord://nothing"});
    let mut modern = Client::modern(program(&at));
    let error = modern.exchange("resources/read", &params)["error"].clone();
    assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32602), &params["uri"]));
    let mut legacy = Client::start(program(&at));
    let error = legacy.exchange("resources/read", &params)["error"].clone();
    assert_eq!((&error["code"], &error["data"]["uri"]), (&json!(-32002), &params["uri"]));
}

#[test]
fn what_is_malformed_is_a_protocol_error_and_nothing_more() {
    let at = alone();
    let mut client = Client::open(program(&at));
    // Before anything else.
    client.ask("ping", &json!({}));
    client.notify("notifications/cancelled", &json!({"requestId": 99}));
    client.notify("notifications/initialized", &json!({}));
    client.line("this is no JSON");
    let error = client.hear(Duration::from_secs(10)).unwrap();
    assert_eq!((&error["error"]["code"], &error["id"]), (&json!(-32700), &Value::Null));
    client.line("\n   ");
    client.line("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]");
    let error = client.hear(Duration::from_secs(10)).unwrap();
    assert_eq!((&error["error"]["code"], &error["id"]), (&json!(-32600), &Value::Null));
    client.line(&format!("{{\"x\":\"{}\"}}", "y".repeat(5_000_000)));
    let error = client.hear(Duration::from_secs(10)).unwrap();
    assert_eq!(error["error"]["code"], -32600, "{error}");
    client.ask("initialize", &hello("2025-06-18"));
    for (method, params, code) in [
        ("no/such", json!({}), -32601),
        ("logging/setLevel", json!({"level": "info"}), -32601),
        ("tools/call", json!({"name": "coord_nothing"}), -32602),
        ("tools/call", json!({"arguments": {}}), -32602),
        ("tools/call", json!({"name": "coord_claim", "arguments": {}}), -32602),
        ("tools/call", json!({"name": "coord_claim", "arguments": {"files": 7}}), -32602),
        ("tools/call", json!({"name": "coord_claim", "arguments": [1]}), -32602),
        ("tools/call", json!({"name": "coord_sync", "arguments": {"x": 1}}), -32602),
        ("tools/list", json!({"cursor": "x"}), -32602),
        ("prompts/get", json!({"name": "nothing"}), -32602),
        ("resources/read", json!({}), -32602),
    ] {
        let answer = client.exchange(method, &params);
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer}");
        let words = answer["error"]["message"].as_str().unwrap_or_default();
        assert!(words.len() > 5, "{answer}");
    }
    client.line("{\"jsonrpc\":\"2.0\",\"id\":\"other\",\"result\":{}}");
    client.ask("ping", &json!({}));
}

#[test]
fn what_is_offered_is_small_complete_and_in_order() {
    let at = alone();
    let mut client = Client::start(program(&at));
    let list = client.ask("tools/list", &json!({}));
    assert!(list.to_string().len() <= 7_000, "{} bytes", list.to_string().len());
    let tools = list["tools"].as_array().unwrap();
    assert!(tools.len() <= 10);
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert!(name.starts_with("coord_"), "{name}");
        for field in ["title", "description"] {
            assert!(tool[field].as_str().is_some_and(|t| !t.is_empty()), "{name}: {field}");
        }
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}: {schema}");
        }
        let hints = tool["annotations"].as_object().unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(hints[hint].is_boolean(), "{name}: {hint}");
        }
        assert_eq!(
            (&hints["destructiveHint"], &hints["openWorldHint"]),
            (&json!(false), &json!(false))
        );
    }
    assert_eq!(Client::modern(program(&at)).ask("tools/list", &json!({}))["tools"], list["tools"]);
    let prompts = client.ask("prompts/list", &json!({}));
    assert_eq!(prompts["prompts"][0]["name"], "sync");
    assert!(prompts["prompts"][0]["description"].is_string(), "{prompts}");
    let prompt = client.ask("prompts/get", &json!({"name": "sync"}));
    assert!(prompt["messages"][0]["content"]["text"].as_str().unwrap().contains("coord_sync"));
}

#[test]
fn it_ends_with_its_input() {
    let at = alone();
    let mut ran = at.run(&["mcp"]).stdin("").done();
    ran.exits(0);
    assert_eq!(ran.out(), "");
    // What was asked before the end is still answered.
    let asked = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\nnonsense\n";
    let ran = at.run(&["mcp"]).stdin(asked).done();
    let lines: Vec<Value> = ran.out().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["id"]), (2, &json!(1)), "{lines:?}");
    let meta = json!({"io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {}});
    let asked = json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params":
        {"name": "coord_status", "arguments": {}, "_meta": meta}});
    let began = Instant::now();
    let ran = at.run(&["mcp"]).stdin(format!("{asked}\n")).done();
    assert!(ran.out().contains("you are"), "{}", ran.out());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
