//! A scripted model: what a host's client asks instead of its vendor's, on loopback. It answers with
//! the turns of a script, one after the other, and keeps what it was asked.

mod anthropic;
mod responses;

use std::collections::VecDeque;
use std::io::{BufReader, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::{Asked as Request, Listener, PATIENCE, locked, read_request};

/// Longest wait for a client to ask, and for a test to let a held answer go.
const WAITS_AT_MOST: Duration = Duration::from_secs(45);
/// What a model that is nearly full reports, so that a client compacts the conversation.
const NEARLY_FULL: u64 = 900_000;

/// Bytes that a failed test shows of what the model was shown.
const END_SHOWN: usize = 4_000;

/// What the model does at its turn.
#[derive(Debug, Clone)]
enum Does {
    /// Says this and ends its turn.
    Says(String),
    /// Calls a tool, of a namespace where the client has them.
    Calls { namespace: Option<String>, tool: String, input: Value },
    /// Calls the tool whose input is plain text.
    Patches(String),
}

/// One answer of the model.
#[derive(Debug, Clone)]
pub struct Turn {
    does: Does,
    held: bool,
    tokens: u64,
}

impl Turn {
    fn new(does: Does) -> Self {
        Self { does, held: false, tokens: 10 }
    }

    /// Says something and ends the turn.
    pub fn say(text: &str) -> Self {
        Self::new(Does::Says(text.to_owned()))
    }

    /// Calls a tool.
    pub fn call(tool: &str, input: Value) -> Self {
        Self::new(Does::Calls { namespace: None, tool: tool.to_owned(), input })
    }

    /// Calls a tool of an MCP server as Codex names it.
    pub fn call_within(namespace: &str, tool: &str, input: Value) -> Self {
        let namespace = Some(namespace.to_owned());
        Self::new(Does::Calls { namespace, tool: tool.to_owned(), input })
    }

    /// Calls `apply_patch` as Codex has it: with text.
    pub fn patch(text: &str) -> Self {
        Self::new(Does::Patches(text.to_owned()))
    }

    /// The answer waits until the test lets it go ([`Model::go`]).
    pub fn held(mut self) -> Self {
        self.held = true;
        self
    }

    /// With a report that the conversation has become too long.
    pub fn nearly_full(mut self) -> Self {
        self.tokens = NEARLY_FULL;
        self
    }
}

/// A request that the model was sent.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its body.
    pub body: Value,
    /// When it was there.
    pub at: Instant,
}

impl Asked {
    /// All text that it shows to the model, tools aside.
    pub fn shown(&self) -> String {
        let mut all = Vec::new();
        for part in ["system", "instructions", "messages", "input"] {
            texts(&self.body[part], &mut all);
        }
        all.join("\n")
    }

    /// Checks that the model is shown this.
    #[track_caller]
    pub fn shows(&self, words: &str) -> &Self {
        let shown = self.shown();
        assert!(shown.contains(words), "no {words:?} in what the model is shown: {}", end(&shown));
        self
    }

    /// Checks how often the model is shown this.
    #[track_caller]
    pub fn shows_times(&self, times: usize, words: &str) -> &Self {
        let shown = self.shown();
        let found = shown.matches(words).count();
        assert_eq!(found, times, "{words:?} in what the model is shown: {}", end(&shown));
        self
    }
}

/// Clients begin with pages of instructions; what a test is about stands at the end.
fn end(shown: &str) -> &str {
    &shown[shown.ceil_char_boundary(shown.len().saturating_sub(END_SHOWN))..]
}

fn texts<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(all) => all.iter().for_each(|v| texts(v, into)),
        Value::Object(all) => all.values().for_each(|v| texts(v, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[derive(Default)]
struct State {
    script: VecDeque<Turn>,
    asked: Vec<Asked>,
    /// Answers that were held back, and those that were let go.
    held: usize,
    gone: usize,
    over: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    /// Waits until `done`; whether it came to that.
    fn wait(&self, mut done: impl FnMut(&State) -> bool) -> (MutexGuard<'_, State>, bool) {
        let state = locked(&self.state);
        let waited = self.changed.wait_timeout_while(state, WAITS_AT_MOST, |s| !done(s) && !s.over);
        let (mut state, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
        let came = done(&mut state);
        (state, came)
    }

    /// The next turn, once it may be answered.
    fn turn(&self, body: Value) -> Turn {
        let mut state = locked(&self.state);
        state.asked.push(Asked { body, at: Instant::now() });
        let turn = state.script.pop_front().unwrap_or_else(|| Turn::say("nothing is left to do"));
        if turn.held {
            state.held += 1;
        }
        let mine = state.held;
        drop(state);
        self.changed.notify_all();
        if turn.held {
            let _ = self.wait(|s| s.gone >= mine);
        }
        turn
    }
}

/// The model of one client's run.
pub struct Model {
    listener: Listener,
    shared: Arc<Shared>,
}

impl Model {
    /// Starts one with this script.
    pub fn start(script: impl IntoIterator<Item = Turn>) -> Self {
        let shared = Arc::new(Shared::default());
        locked(&shared.state).script = script.into_iter().collect();
        let mine = Arc::clone(&shared);
        let listener = Listener::start(move |stream, _| {
            let _ = stream.set_read_timeout(Some(PATIENCE));
            let mut stream = BufReader::new(stream);
            // A client that went away is nothing to complain of.
            let Ok(asked) = read_request(&mut stream) else { return };
            let _ = stream.get_mut().write_all(answer(&asked, &mine).as_bytes());
        });
        Self { listener, shared }
    }

    /// Its base address, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.listener.address)
    }

    /// Waits until it was asked for a turn that is held, which it has not let go yet, and tells what
    /// it was asked.
    #[track_caller]
    pub fn holds(&self) -> Asked {
        let (state, came) = self.shared.wait(|s| s.held > s.gone);
        assert!(came, "the client did not come as far; it asked {} times", state.asked.len());
        state.asked.last().cloned().expect("it was asked")
    }

    /// Lets the held answer go.
    pub fn go(&self) {
        locked(&self.shared.state).gone += 1;
        self.shared.changed.notify_all();
    }

    /// What it was asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.state).asked.clone()
    }

    /// The last that it was asked.
    #[track_caller]
    pub fn last(&self) -> Asked {
        self.asked().pop().expect("it was asked")
    }

    /// Whether all its turns were asked for.
    pub fn is_done(&self) -> bool {
        locked(&self.shared.state).script.is_empty()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        locked(&self.shared.state).over = true;
        self.shared.changed.notify_all();
        // The threads of connections notice within a moment.
        thread::yield_now();
    }
}

/// The whole answer to a request, head and body.
fn answer(asked: &Request, shared: &Shared) -> String {
    let line = asked.head.lines().next().unwrap_or_default();
    let body: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    if line.starts_with("POST /v1/messages/count_tokens") {
        return plain("200 OK", "{\"input_tokens\":10}");
    }
    if line.starts_with("POST /v1/messages") {
        // Titles and the like are asked for on the side, without tools.
        let aside = body["tools"].as_array().is_none_or(Vec::is_empty);
        let model = body["model"].clone();
        let turn = if aside { Turn::say("a word aside") } else { shared.turn(body) };
        return stream(&anthropic::events(&model, &turn));
    }
    if line.starts_with("POST /v1/responses") {
        return stream(&responses::events(&shared.turn(body)));
    }
    plain("404 Not Found", "{}")
}

fn plain(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
}

/// Server-sent events, named by the `type` of each.
fn stream(events: &[Value]) -> String {
    let name = |event: &Value| event["type"].as_str().unwrap_or_default().to_owned();
    let events = events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", name(e)));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
    std::iter::once(head.to_owned()).chain(events).collect()
}

/// A name that no other call or answer of this process has.
fn fresh(kind: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("{kind}_{:06}", NEXT.fetch_add(1, Ordering::Relaxed))
}
