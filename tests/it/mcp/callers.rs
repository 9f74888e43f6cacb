//! Whose a call is, by each way in which that can be known.

use std::fs;

use coord_agent::config::tool_call;
use coord_agent::outbox::real_disk::RealDisk;
use coord_tests::mcp::Client;
use serde_json::{Value, json};

use super::{desk, program, program_of, said, server, text};

#[track_caller]
fn who(client: &mut Client, arguments: &Value) -> String {
    text(&said(client, "coord_status", arguments)["session"]).to_owned()
}

#[test]
fn by_argument_variable_or_what_the_host_says_in_the_call() {
    let server = server();
    let at = desk(&server);
    let codex = json!("0199abcd-1111-2222");
    let mut client = Client::start(program(&at)).with_meta("sessionId", &codex);
    assert_eq!(who(&mut client, &json!({})), "DESK/codex-0199abcd");
    assert_eq!(who(&mut client, &json!({"session": "other"})), "DESK/other");
    let mut client = Client::start(program(&at)).with_meta("threadId", &codex);
    assert_eq!(who(&mut client, &json!({})), "DESK/codex-0199abcd");
    let mut client = Client::start(program_of(&at, "DESK/set")).with_meta("sessionId", &codex);
    assert_eq!(who(&mut client, &json!({})), "DESK/set");
    let of_host = at.run(&["mcp"]).env("CLAUDE_CODE_SESSION_ID", "aaaa-bbbb-cccc").into_command();
    assert_eq!(who(&mut Client::modern(of_host), &json!({})), "DESK/claude-aaaabbbb");
}

#[test]
fn one_server_serves_several_conversations() {
    let server = server();
    let at = desk(&server);
    let mut client = Client::start(program(&at));
    for (n, id) in ["1111aaaa", "2222bbbb", "1111aaaa"].iter().enumerate() {
        let todo = format!("of {n}");
        let params = json!({"name": "coord_status", "arguments": {}, "_meta": {"sessionId": id}});
        let answer = client.ask("tools/call", &params);
        assert_eq!(answer["structuredContent"]["session"], format!("DESK/codex-{id}"));
        let params = json!({"name": "coord_lock", "arguments": {"resource": todo},
            "_meta": {"sessionId": id}});
        assert_eq!(client.ask("tools/call", &params)["isError"], false);
    }
    let locks = server.get("/api/coord/locks").expect(200);
    let holders: Vec<_> =
        locks["locks"].as_array().unwrap().iter().map(|l| text(&l["session_id"])).collect();
    assert_eq!(holders.iter().filter(|h| h.ends_with("1111aaaa")).count(), 2, "{holders:?}");
}

#[test]
fn by_the_note_of_the_hook_before_the_call() {
    let server = server();
    let at = desk(&server);
    // As after /clear: the environment still names the conversation before.
    let stale = at.run(&["mcp"]).env("CLAUDE_CODE_SESSION_ID", "old1-old1").into_command();
    let state = RealDisk::at(&at.state());
    tool_call::note(&state, "toolu_1", "DESK/claude-new2new2").unwrap();
    let call = json!("toolu_1");
    let mut client = Client::modern(stale).with_meta("claudecode/toolUseId", &call);
    assert_eq!(who(&mut client, &json!({})), "DESK/claude-new2new2");
    assert_eq!(who(&mut client, &json!({})), "DESK/claude-old1old1", "a note is for one call");
}

#[test]
fn by_the_only_session_of_the_host_that_works_here() {
    let server = server();
    let at = desk(&server);
    let tree = at.project().display().to_string();
    let register = |id: &str| {
        let body = json!({"session_id": id, "machine": "DESK", "tool": "gemini",
            "project_key": "app", "worktree": tree});
        server.post("/api/coord/sessions", &body).expect(200);
    };
    let gemini = |client: &mut Client| {
        let me = json!({"name": "gemini-cli-mcp-client", "version": "1"});
        client.ask(
            "initialize",
            &json!({"protocolVersion": "2025-06-18", "capabilities": {},
            "clientInfo": me}),
        );
    };
    let mut client = Client::open(program(&at));
    gemini(&mut client);
    let alone = who(&mut client, &json!({}));
    assert!(alone.starts_with("DESK/gemini-"), "{alone}");
    register("DESK/gemini-12345678");
    at.coord(&["session", "list"]).exits(0);
    assert_eq!(who(&mut client, &json!({})), "DESK/gemini-12345678");
    register("DESK/gemini-87654321");
    at.coord(&["session", "list"]).exits(0);
    assert_eq!(who(&mut client, &json!({})), alone, "two are none, and the process stays itself");
}

#[test]
fn the_project_is_where_the_host_says() {
    let server = server();
    let at = desk(&server);
    let other = at.home().join("elsewhere");
    fs::create_dir_all(other.join(".claude")).unwrap();
    fs::write(other.join("here.rs"), "").unwrap();
    let command = at.run(&["mcp"]).env("CLAUDE_PROJECT_DIR", &other.display().to_string());
    let mut client = Client::start(command.session("DESK/x").into_command());
    said(&mut client, "coord_claim", &json!({"files": ["here.rs"]}));
    let claims = server.get("/claims?full=true").expect(200);
    assert_eq!(claims["claims"][0]["repo"], "elsewhere", "{claims}");
}

#[test]
fn a_name_that_no_session_has_is_refused() {
    let server = server();
    let at = desk(&server);
    let mut client = Client::start(program(&at));
    let answer = super::refused(&mut client, "coord_status", &json!({"session": "a\u{1b}b"}));
    assert!(text(&answer["text"]).contains("\\u{1b}"), "{answer}");
}
