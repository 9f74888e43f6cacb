//! `coord mcp`: a client that writes lines speaks with the real program, in both eras of the protocol.

mod callers;
mod eras;
mod hostile;
mod judges;
mod restarts;
mod tools;
mod waits;

use std::process::Command;

use coord_tests::mcp::Client;
use coord_tests::server::{TestServer, faces};
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

/// A server that needs no token.
#[track_caller]
fn server() -> TestServer {
    TestServer::start(faces()[0])
}

/// A workstation of that server.
fn desk(server: &TestServer) -> Workstation {
    Workstation::new("DESK", "mike", &server.url())
}

/// Another one.
fn home(server: &TestServer) -> Workstation {
    Workstation::new("HOME", "howard", &server.url())
}

/// `coord mcp` there.
fn program(at: &Workstation) -> Command {
    at.run(&["mcp"]).into_command()
}

/// The same for a session.
fn program_of(at: &Workstation, session: &str) -> Command {
    at.run(&["mcp"]).session(session).into_command()
}

/// Calls a tool; its result.
#[track_caller]
fn call(client: &mut Client, tool: &str, arguments: &Value) -> Value {
    client.ask("tools/call", &json!({"name": tool, "arguments": arguments}))
}

/// The object of a result that is no error.
#[track_caller]
fn said(client: &mut Client, tool: &str, arguments: &Value) -> Value {
    let result = call(client, tool, arguments);
    assert_eq!(result["isError"], false, "{tool} {arguments}: {result}");
    assert_eq!(result["content"][0]["text"], result["structuredContent"]["text"]);
    result["structuredContent"].clone()
}

/// The object of a result that is an error.
#[track_caller]
fn refused(client: &mut Client, tool: &str, arguments: &Value) -> Value {
    let result = call(client, tool, arguments);
    assert_eq!(result["isError"], true, "{tool} {arguments}: {result}");
    result["structuredContent"].clone()
}

/// The text of an object.
fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
