//! The unmodified `coord-mcp`, started as an agent's host starts it.

use std::path::Path;

use coord_tests::mcp::{Called, Client};
use coord_tests::peer::{self, TOKEN};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::judged::Judged;

/// Its eleven tools.
const TOOLS: [&str; 11] = [
    "cancel_queue_request",
    "check_conflicts",
    "claim_files",
    "list_claims",
    "my_requests",
    "pending_requests",
    "release_claims",
    "release_session",
    "request_release",
    "respond_to_request",
    "wait_for_request",
];

/// A bridge process of one agent.
pub(super) struct Bridge {
    client: Client,
    /// The agent's checkout.
    folder: TempDir,
    engineer: String,
}

impl Bridge {
    /// For the agent `engineer`, whose session is `s-<engineer>`.
    pub(super) fn of(engineer: &str, s: &Judged, programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = peer::program(programs, "coord-mcp");
        command
            .current_dir(folder.path())
            .env("HOME", folder.path())
            .env("COORD_API_URL", s.url())
            .env("COORD_AUTH_TOKEN", TOKEN)
            .env("COORD_USER", engineer)
            // Without its optional grammars it fails on a file that it could read.
            .env("COORD_SYMBOL_PARSER", "regex")
            .env("COORD_SESSION_ID", format!("s-{engineer}"));
        Self { client: Client::start(command), folder, engineer: engineer.to_owned() }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Calls a tool that must not fail; what it says as text and as an object is the same.
    #[track_caller]
    pub(super) fn call(&mut self, tool: &str, arguments: &Value) -> Value {
        let Called { text, structured, failed } = self.client.call(tool, arguments);
        assert!(!failed, "{tool} {arguments}: {text}");
        let said: Value = serde_json::from_str(&text).expect("the text is JSON");
        assert_eq!(Some(&said), structured.as_ref());
        said
    }

    /// Calls a tool that must fail; what it says.
    #[track_caller]
    pub(super) fn fails(&mut self, tool: &str, arguments: &Value) -> String {
        let called = self.client.call(tool, arguments);
        assert!(called.failed, "{tool} {arguments} did not fail: {}", called.text);
        called.text
    }

    /// `claim_files` as this agent.
    #[track_caller]
    pub(super) fn claim(&mut self, mut arguments: Value) -> Value {
        arguments["engineer"] = json!(self.engineer);
        if arguments["patterns"].is_null() {
            arguments["patterns"] = json!([]);
        }
        self.call("claim_files", &arguments)
    }

    /// The same for one file, granted; the id of the claim.
    #[track_caller]
    pub(super) fn claimed(&mut self, pattern: &str) -> String {
        let said = self.claim(json!({"patterns": [pattern]}));
        assert_eq!(said["claim_ids"].as_array().map(Vec::len), Some(1), "{said}");
        said["claim_ids"][0].as_str().unwrap().to_owned()
    }
}

/// A server and the bridges of some agents; `None` where the other's programs cannot be had.
pub(super) fn agents<const N: usize>(
    test: &str,
    engineers: [&str; N],
) -> Option<(Judged, [Bridge; N])> {
    let programs = peer::programs(test)?;
    let s = Judged::start(test)?;
    let bridges = engineers.map(|e| Bridge::of(e, &s, &programs));
    Some((s, bridges))
}

#[test]
fn it_has_its_eleven_tools() {
    let Some((_s, [mut bridge])) = agents("peer::bridge", ["alice"]) else { return };
    let tools = bridge.client.tools();
    let mut names: Vec<&str> = tools.iter().filter_map(|t| t["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, TOOLS, "the tests speak of other tools");
    bridge.client.close();
}
