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
/// The revision without a handshake.
pub const MODERN: &str = "2026-07-28";

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
    /// What came besides the answers that were waited for.
    heard: Vec<Value>,
    /// `_meta` of every request; null for none.
    meta: Value,
}

impl Client {
    /// Starts the server and shakes hands.
    #[track_caller]
    pub fn start(command: Command) -> Self {
        let mut client = Self::open(command);
        let me = json!({"name": "coord-tests", "version": "0"});
        let hello = json!({"protocolVersion": REVISION, "capabilities": {}, "clientInfo": me});
        let answer = client.ask("initialize", &hello);
        assert!(answer["capabilities"]["tools"].is_object(), "no tools: {answer}");
        client.notify("notifications/initialized", &json!({}));
        client
    }

    /// Starts the server and speaks to it without a handshake.
    #[track_caller]
    pub fn modern(command: Command) -> Self {
        let mut client = Self::open(command);
        client.meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "coord-tests", "version": "0"},
        });
        client
    }

    /// Starts the server and says nothing.
    #[track_caller]
    pub fn open(mut command: Command) -> Self {
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
        Self { child, stdin, messages, next: 0, heard: Vec::new(), meta: Value::Null }
    }

    /// With this in `_meta` of every request from now on.
    pub fn with_meta(mut self, name: &str, value: &Value) -> Self {
        self.meta[name] = value.clone();
        self
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
    pub fn ask(&mut self, method: &str, params: &Value) -> Value {
        let message = self.exchange(method, params);
        assert!(message["error"].is_null(), "{method}: {}", message["error"]);
        message["result"].clone()
    }

    /// Sends a request and waits for its answer, be it an error.
    #[track_caller]
    pub fn exchange(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params);
        self.answer(id)
    }

    /// Sends a request; its id.
    #[track_caller]
    pub fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.next += 1;
        let mut params = params.clone();
        for (name, value) in self.meta.as_object().into_iter().flatten() {
            params["_meta"][name] = value.clone();
        }
        let id = self.next;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.line(&message.to_string());
        id
    }

    /// Waits for the answer to a request.
    #[track_caller]
    pub fn answer(&mut self, id: u64) -> Value {
        loop {
            let message = self.hear(PATIENCE).unwrap_or_else(|| panic!("no answer to {id}"));
            if message["id"] == id {
                return message;
            }
            self.heard.push(message);
        }
    }

    /// What came besides answers that were waited for, so far.
    pub fn heard(&self) -> &[Value] {
        &self.heard
    }

    /// The next message, if one comes in time.
    pub fn hear(&mut self, within: Duration) -> Option<Value> {
        self.messages.recv_timeout(within).ok()
    }

    /// Sends a notification.
    #[track_caller]
    pub fn notify(&mut self, method: &str, params: &Value) {
        let message = json!({"jsonrpc": "2.0", "method": method, "params": params});
        self.line(&message.to_string());
    }

    /// Sends a line, whatever it is.
    #[track_caller]
    pub fn line(&mut self, text: &str) {
        let pipe = self.stdin.as_mut().expect("open until the end");
        writeln!(pipe, "{text}").and_then(|()| pipe.flush()).expect("the server reads");
    }

    /// Whether its process goes on.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
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
