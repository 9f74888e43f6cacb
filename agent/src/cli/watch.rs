//! `coord watch`.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use coord_protocol::exit;
use coord_protocol::session::machine_of;
use coord_protocol::wire::{Change, ChangeFeed};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::reading::{Query, encode};
use super::watch_words::Seen;
use super::writing::refused;
use crate::context::Context;
use crate::remote::breaker::{Leave, May};
use crate::remote::events::next;
use crate::remote::verdict::is_ours;
use crate::remote::{Incoming, Outgoing, Stream};
use crate::ui::neutral;
use crate::ui::report::{CliError, finish, line_now, say_now};

/// The cursor for "from now on".
const NOW: &str = "now";
/// After a failure, the next try is so far away, doubled with each further one ...
const PAUSE_FIRST: Duration = Duration::from_millis(500);
/// ... up to this.
const PAUSE_MAX: Duration = Duration::from_secs(15);
/// The workstation's own store is looked at this often; a server that streams nothing, less.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const ASK_EVERY: Duration = Duration::from_secs(2);
const ASK_WITHIN: Duration = Duration::from_secs(5);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line is one change. A change that was overtaken by another one before it could be shown is not
shown by itself. With --json each line is one object; its `cursor` can be given to --since.")]
pub(super) struct Args {
    /// Begin behind this cursor instead of now
    #[arg(long, value_name = "CURSOR")]
    since: Option<String>,
    /// Only this project, and what belongs to no project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

/// Why the watch does not go on.
enum End {
    /// Nobody reads it any more.
    Unheard,
    /// It makes no sense.
    Error(CliError),
}

impl From<io::Error> for End {
    fn from(e: io::Error) -> Self {
        if e.kind() == io::ErrorKind::BrokenPipe {
            return Self::Unheard;
        }
        Self::Error(CliError::new(exit::NOT_DURABLE, format!("stdout: {e}")))
    }
}

/// Why there is nothing to hear just now.
struct Pause {
    why: String,
    /// As long as the server asked for.
    asked: Option<Duration>,
}

impl Pause {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), asked: None }
    }
}

/// Watches until Ctrl-C, or until nobody reads it; the exit status.
pub(super) fn main(cx: &Context, a: Args, as_json: bool) -> u8 {
    end_when_asked_to();
    let scope = scope(cx, a.project.as_deref());
    let cursor = a.since.unwrap_or_else(|| NOW.to_owned());
    let watch = Watch { cx, as_json, scope, cursor, seen: Seen::default(), is_away: false };
    match watch.run() {
        End::Unheard => exit::DONE,
        End::Error(e) => finish(Err(e), as_json),
    }
}

/// Ctrl-C is how a watch ends: nothing went wrong.
fn end_when_asked_to() {
    if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
        thread::spawn(move || {
            if signals.forever().next().is_some() {
                std::process::exit(i32::from(exit::DONE));
            }
        });
    }
}

/// What of the feed is wanted, as it stands in the address. Of messages: broadcasts and what this
/// workstation's sessions write and get.
fn scope(cx: &Context, project: Option<&str>) -> String {
    let mut machines = vec![encode(&cx.machine)];
    machines.extend(machine_of(&cx.session.id).filter(|m| *m != cx.machine).map(encode));
    Query::default()
        .and("machine", Some(&machines.join(",")))
        .and("project_key", project.map(encode).as_deref())
        .on("")
}

fn note(what: &str) {
    say_now(&format!("coord: {}\n", neutral::line(what)));
}

struct Watch<'a> {
    cx: &'a Context,
    as_json: bool,
    scope: String,
    cursor: String,
    seen: Seen,
    /// The reader knows that the server is away.
    is_away: bool,
}

impl Watch<'_> {
    fn run(mut self) -> End {
        let mut pause = PAUSE_FIRST;
        loop {
            let began = Instant::now();
            match self.hear() {
                Ok(()) => {
                    pause = PAUSE_FIRST;
                    // A server that ends every stream at once is not asked all the time.
                    thread::sleep(PAUSE_FIRST.saturating_sub(began.elapsed()));
                }
                Err(Ok(p)) => {
                    if !self.is_away {
                        note(&format!("{}; trying again", p.why));
                    }
                    self.is_away = true;
                    thread::sleep(p.asked.unwrap_or(pause).min(PAUSE_MAX));
                    pause = if began.elapsed() > PAUSE_MAX * 2 {
                        PAUSE_FIRST
                    } else {
                        PAUSE_MAX.min(pause * 2)
                    };
                }
                Err(Err(end)) => return end,
            }
        }
    }

    fn outgoing(&self, route: &str) -> Outgoing {
        let path = format!("/api/coord/{route}{}&since={}", self.scope, encode(&self.cursor));
        Outgoing::get(&path)
    }

    /// One connection, to its end.
    fn hear(&mut self) -> Result<(), Result<Pause, End>> {
        let breaker = self.cx.breaker();
        if let May::Rest(left, why) = breaker.ask(Leave::Person) {
            return Err(Ok(Pause { why, asked: Some(left) }));
        }
        let stream = match self.cx.net.stream(&self.outgoing("events")) {
            Ok(Some(stream)) => stream,
            Ok(None) => return self.ask_again_and_again(LOOK_EVERY),
            Err(e) => {
                breaker.failed(&e.to_string(), None);
                return Err(Ok(Pause::new(e.to_string())));
            }
        };
        match stream.head.status {
            // Streams may all be taken while the server is well: nobody else need know.
            503 if is_ours(&stream.head) => {
                let why = stream.head.detail().unwrap_or_default();
                Err(Ok(Pause { why, asked: stream.head.retry_after }))
            }
            404 | 501 if is_ours(&stream.head) => self.ask_again_and_again(ASK_EVERY),
            _ => {
                self.judge(&stream.head)?;
                self.read(stream)
            }
        }
    }

    /// Whether an answer is one that can be read.
    fn judge(&mut self, head: &Incoming) -> Result<(), Result<Pause, End>> {
        let breaker = self.cx.breaker();
        if !is_ours(head) || head.status >= 500 {
            let why = format!("what answers at {} says {}", self.cx.base, head.status);
            breaker.failed(&why, head.retry_after);
            return Err(Ok(Pause { why, asked: head.retry_after }));
        }
        breaker.succeeded();
        if head.status != 200 {
            let value = head.json().unwrap_or(Value::Null);
            return Err(Err(End::Error(refused(head.status, &value, "the server refused"))));
        }
        if std::mem::take(&mut self.is_away) {
            note("connected again");
        }
        Ok(())
    }

    fn read(&mut self, mut stream: Stream) -> Result<(), Result<Pause, End>> {
        loop {
            let event = match next(&mut *stream.lines) {
                Ok(Some(event)) => event,
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err(Ok(Pause::new(format!("what {} sends is {e}", self.cx.base))));
                }
                // A stream that breaks is taken up again where it was; whether the server is away
                // shows then.
                Ok(None) | Err(_) => return Ok(()),
            };
            let shown = match event.name.as_str() {
                "reset" => return self.begin_anew().map_err(|e| Err(e.into())),
                "change" => match serde_json::from_str::<Change>(&event.data) {
                    Ok(change) => self.show(&change, event.id.as_deref()),
                    Err(_) => Ok(()),
                },
                _ => Ok(()),
            };
            shown.map_err(|e| Err(e.into()))?;
            if let Some(id) = event.id {
                self.cursor = id;
            }
        }
    }

    /// Without streams: asks for what is new, until that fails.
    fn ask_again_and_again(&mut self, every: Duration) -> Result<(), Result<Pause, End>> {
        loop {
            let answer = self.cx.net.call(&self.outgoing("changes"), ASK_WITHIN).map_err(|e| {
                self.cx.breaker().failed(&e.to_string(), None);
                Ok(Pause::new(e.to_string()))
            })?;
            self.judge(&answer)?;
            let feed: ChangeFeed = serde_json::from_slice(&answer.body)
                .map_err(|e| Ok(Pause::new(format!("the answer cannot be read: {e}"))))?;
            if feed.reset {
                self.begin_anew().map_err(|e| Err(e.into()))?;
                continue;
            }
            for change in &feed.changes {
                self.show(change, None).map_err(|e| Err(e.into()))?;
            }
            self.cursor = feed.cursor;
            if !feed.more {
                thread::sleep(every);
            }
        }
    }

    /// The server does not know our place: what happened since then cannot be told from what was.
    fn begin_anew(&mut self) -> io::Result<()> {
        note(
            "the server does not know this place in its history (another database, or a backup \
             that was put back): what happened meanwhile is not shown; going on from now",
        );
        NOW.clone_into(&mut self.cursor);
        self.seen = Seen::default();
        if self.as_json { line_now(&json!({"v": 1, "event": "reset"}).to_string()) } else { Ok(()) }
    }

    fn show(&mut self, change: &Change, cursor: Option<&str>) -> io::Result<()> {
        if self.as_json {
            let line = json!({"v": 1, "event": "change", "cursor": cursor, "kind": change.kind,
                              "row": change.row});
            return line_now(&neutral::json(&line.to_string()));
        }
        self.seen.line(change).map_or(Ok(()), |line| line_now(&line))
    }
}
