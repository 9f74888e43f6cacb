//! A client of the Model Context Protocol over stdio: JSON-RPC 2.0, one message per line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Longest wait for an answer; no test has a tool wait longer.
const PATIENCE: Duration = Duration::from_mins(1);
/// What the client speaks; a server may answer with another.
const REVISION: &str = "2025-06-18";

/// What a tool said.
#[derive(Debug, Clone)]
pub struct Called {
    /// Its text.
    pub text: String,
    /// Its object, if it gave one.
    pub structured: Option<Value>,
    /// Whether it calls this an error.
    pub failed: bool,
}

/// A server process and its two pipes; ends with its owner.
pub struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Value>,
    next: u64,
}

impl Client {
    /// Starts the server and shakes hands.
    #[track_caller]
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the server can be started");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is a pipe"));
        let (tell, messages) = channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).expect("only messages on stdout");
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let mut client = Self { child, stdin, messages, next: 0 };
        let me = json!({"name": "coord-tests", "version": "0"});
        let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": me});
        let answer = client.ask("initialize", &hello);
        assert!(answer["capabilities"]["tools"].is_object(), "no tools: {answer}");
        client.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        client
    }

    /// The tools, as they describe themselves.
    #[track_caller]
    pub fn tools(&mut self) -> Vec<Value> {
        let answer = self.ask("tools/list", &json!({}));
        answer["tools"].as_array().cloned().expect("a list of tools")
    }

    /// Calls a tool.
    #[track_caller]
    pub fn call(&mut self, tool: &str, arguments: &Value) -> Called {
        let answer = self.ask("tools/call", &json!({"name": tool, "arguments": arguments}));
        let content = answer["content"].as_array().expect("content");
        let texts: Vec<&str> = content.iter().filter_map(|c| c["text"].as_str()).collect();
        Called {
            text: texts.join("\n"),
            structured: answer.get("structuredContent").cloned(),
            failed: answer["isError"] == true,
        }
    }

    /// Sends a request and waits for its result.
    #[track_caller]
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.messages.recv_timeout(PATIENCE);
            let message = message.unwrap_or_else(|e| panic!("no answer to {method}: {e}"));
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {}", message["error"]);
                return message["result"].clone();
            }
        }
    }

    #[track_caller]
    fn send(&mut self, message: &Value) {
        let pipe = self.stdin.as_mut().expect("open until the end");
        writeln!(pipe, "{message}").and_then(|()| pipe.flush()).expect("the server reads");
    }

    /// Closes its input and waits until it has ended, as a host does at the end of a session.
    pub fn close(mut self) {
        self.stdin = None;
        let _ = self.child.wait();
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
