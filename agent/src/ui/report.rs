//! A command's outcome, and the one place that writes it to the terminal: the answer to stdout,
//! everything else to stderr.

use std::io::{self, BufRead as _, IsTerminal as _, Write};
use std::time::Duration;

use coord_protocol::exit;
use serde_json::{Value, json};

use super::neutral;
use crate::context::Stale;
use crate::outbox::news::News;
use crate::outbox::real_disk::RealDisk;

/// Version of the `--json` object.
const JSON_VERSION: u32 = 1;

/// What a command found or did.
#[derive(Debug)]
pub struct Report {
    /// For people, without a last newline.
    pub text: String,
    /// The same for programs.
    pub json: Value,
    /// For people, beside the answer: hints and warnings.
    pub notes: Vec<String>,
    /// Messages that this puts before the session: noted as offered once it is really printed.
    pub offers: Vec<String>,
    /// News of this session's writes that this tells it, with the outboxes that keep them: forgotten
    /// once it is really printed.
    pub news: Vec<(RealDisk, News)>,
    /// Exit status.
    pub exit: u8,
}

impl Report {
    /// Done.
    pub fn new(text: impl Into<String>, json: Value) -> Self {
        Self {
            text: text.into(),
            json,
            notes: Vec::new(),
            offers: Vec::new(),
            news: Vec::new(),
            exit: exit::DONE,
        }
    }

    /// Adds a note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// Why a command did not do what was asked.
#[derive(Debug, Clone)]
pub struct CliError {
    /// Exit status.
    pub exit: u8,
    /// What is wrong, naming the thing.
    pub detail: String,
    /// What to do.
    pub hints: Vec<String>,
    /// Facts for programs.
    pub facts: Value,
}

impl CliError {
    /// An error.
    pub fn new(exit: u8, detail: impl Into<String>) -> Self {
        Self { exit, detail: detail.into(), hints: Vec::new(), facts: Value::Null }
    }

    /// Adds a next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Adds what the server said besides.
    pub fn facts(mut self, facts: Value) -> Self {
        self.facts = facts;
        self
    }
}

impl From<crate::config::ConfigError> for CliError {
    fn from(e: crate::config::ConfigError) -> Self {
        Self::new(exit::CONFIG, e.to_string())
    }
}

/// A time span as people say it.
pub fn in_words(span: Duration) -> String {
    match span.as_secs() {
        s @ 0..120 => format!("{s} s"),
        s @ 120..7_200 => format!("{} min", s / 60),
        s @ 7_200..172_800 => format!("{} h", s / 3_600),
        s => format!("{} days", s / 86_400),
    }
}

impl Report {
    /// Says that the answer comes from here alone, and how old it is.
    pub fn known_since(mut self, stale: &Stale) -> Self {
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(&stale.in_words());
        if let Some(fields) = self.json.as_object_mut() {
            let as_of = json!({"age_secs": stale.age.as_secs(), "why": stale.why});
            fields.insert("as_of".to_owned(), as_of);
        }
        self
    }
}

/// Prints an outcome and says with which status to end.
pub fn finish(outcome: Result<Report, CliError>, as_json: bool) -> u8 {
    print(outcome, as_json).0
}

/// The same; and whether all of the answer was taken.
pub fn print(outcome: Result<Report, CliError>, as_json: bool) -> (u8, bool) {
    let (stdout, stderr, code) = match outcome {
        Ok(r) if as_json => {
            let mut object = json!({"v": JSON_VERSION, "ok": true, "notes": r.notes});
            merge(&mut object, r.json);
            (json_line(&object), String::new(), r.exit)
        }
        Ok(r) => {
            let text = if r.text.is_empty() { String::new() } else { format!("{}\n", r.text) };
            (text, r.notes.iter().map(|n| format!("{n}\n")).collect(), r.exit)
        }
        Err(e) if as_json => {
            let error =
                json!({"exit": e.exit, "detail": e.detail, "hints": e.hints, "facts": e.facts});
            let object = json!({"v": JSON_VERSION, "ok": false, "error": error});
            (json_line(&object), String::new(), e.exit)
        }
        Err(e) => {
            let hints: String = e.hints.iter().map(|h| format!("  {h}\n")).collect();
            (String::new(), format!("coord: {}\n{hints}", e.detail), e.exit)
        }
    };
    // A closed pipe is the reader's choice and no error of ours.
    let _ = io::stderr().write_all(stderr.as_bytes());
    let mut out = io::stdout().lock();
    match out.write_all(stdout.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => (code, true),
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => (code, false),
        Err(_) => (exit::NOT_DURABLE, false),
    }
}

fn json_line(object: &Value) -> String {
    format!("{}\n", neutral::json(&object.to_string()))
}

fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(a), Value::Object(b)) = (into, from) {
        a.extend(b);
    }
}

/// Says something at once, beside the answer (a countdown, where a server listens).
pub fn say_now(text: &str) {
    let _ = io::stderr().write_all(text.as_bytes());
}

/// Writes one line of an answer that goes on.
pub fn line_now(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush())
}

/// Writes the answer at once, for commands that go on (`coord start`).
pub fn answer_now(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Whether a person is there to be asked.
pub fn is_dialogue() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks a person a question; only a clear yes is one.
pub fn confirm(question: &str) -> bool {
    say_now(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let heard = io::stdin().lock().read_line(&mut answer);
    heard.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes")
}
