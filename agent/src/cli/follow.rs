//! Following what changes, at the server or in the workstation's own store, across restarts of either.

use std::io;
use std::thread;
use std::time::{Duration, Instant};

use coord_protocol::exit;
use coord_protocol::session::machine_of;
use coord_protocol::wire::{Change, ChangeFeed};
use serde_json::Value;

use super::reading::{Query, encode};
use super::writing::refused;
use crate::context::Context;
use crate::remote::breaker::{Leave, May};
use crate::remote::events::next;
use crate::remote::verdict::is_ours;
use crate::remote::{Incoming, Outgoing, Stream};
use crate::ui::report::{CliError, finish};

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

/// Why following does not go on.
pub(super) enum End {
    /// With this status: there is nothing more to do, or nobody to do it for.
    Status(u8),
    /// It makes no sense.
    Error(CliError),
}

impl End {
    /// The exit status, once an error is told.
    pub(super) fn finish(self, as_json: bool) -> u8 {
        match self {
            Self::Status(status) => status,
            Self::Error(e) => finish(Err(e), as_json),
        }
    }
}

/// Why there is nothing to hear just now.
pub(super) struct Pause {
    why: String,
    /// As long as the server asked for.
    asked: Option<Duration>,
}

impl Pause {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), asked: None }
    }
}

/// What ends a connection other than its own end.
pub(super) enum Break {
    /// For a while.
    Pause(Pause),
    /// For good.
    End(End),
}

impl From<Pause> for Break {
    fn from(pause: Pause) -> Self {
        Self::Pause(pause)
    }
}

impl From<End> for Break {
    fn from(end: End) -> Self {
        Self::End(end)
    }
}

impl From<io::Error> for Break {
    fn from(e: io::Error) -> Self {
        Self::End(if e.kind() == io::ErrorKind::BrokenPipe {
            // That nobody reads it any more is no failure.
            End::Status(exit::DONE)
        } else {
            End::Error(CliError::new(exit::NOT_DURABLE, format!("stdout: {e}")))
        })
    }
}

/// Who is told.
pub(super) trait Listener {
    /// From here on no change is missed.
    fn connected(&mut self) -> Result<(), Break> {
        Ok(())
    }
    /// Something changed; the cursor is the place behind it.
    fn change(&mut self, change: &Change, cursor: Option<&str>) -> Result<(), Break>;
    /// What happened up to now cannot be told from what was: the server does not know our place.
    fn reset(&mut self) -> Result<(), Break>;
    /// How the connection stands.
    fn note(&mut self, what: &str);
}

/// A place in the order of changes, and what of it is wanted.
pub(super) struct Follow<'a> {
    cx: &'a Context,
    scope: String,
    cursor: String,
    /// The listener knows that the server is away.
    is_away: bool,
}

impl<'a> Follow<'a> {
    /// From a cursor, or from now on. Of messages: broadcasts and what this workstation's sessions write
    /// and get.
    pub(super) fn new(cx: &'a Context, since: Option<String>, project: Option<&str>) -> Self {
        let mut machines = vec![encode(&cx.machine)];
        machines.extend(machine_of(&cx.session.id).filter(|m| *m != cx.machine).map(encode));
        let scope = Query::default()
            .and("machine", Some(&machines.join(",")))
            .and("project_key", project.map(encode).as_deref())
            .on("");
        Self { cx, scope, cursor: since.unwrap_or_else(|| NOW.to_owned()), is_away: false }
    }

    /// Follows until the listener ends it.
    pub(super) fn run(mut self, to: &mut dyn Listener) -> End {
        let mut pause = PAUSE_FIRST;
        loop {
            let began = Instant::now();
            match self.hear(to) {
                Ok(()) => {
                    pause = PAUSE_FIRST;
                    // A server that ends every stream at once is not asked all the time.
                    thread::sleep(PAUSE_FIRST.saturating_sub(began.elapsed()));
                }
                Err(Break::Pause(p)) => {
                    if !self.is_away {
                        to.note(&format!("{}; trying again", p.why));
                    }
                    self.is_away = true;
                    thread::sleep(p.asked.unwrap_or(pause).min(PAUSE_MAX));
                    pause = if began.elapsed() > PAUSE_MAX * 2 {
                        PAUSE_FIRST
                    } else {
                        PAUSE_MAX.min(pause * 2)
                    };
                }
                Err(Break::End(end)) => return end,
            }
        }
    }

    fn outgoing(&self, route: &str) -> Outgoing {
        let path = format!("/api/coord/{route}{}&since={}", self.scope, encode(&self.cursor));
        Outgoing::get(&path)
    }

    /// One connection, to its end.
    fn hear(&mut self, to: &mut dyn Listener) -> Result<(), Break> {
        let breaker = self.cx.breaker();
        if let May::Rest(left, why) = breaker.ask(Leave::Person) {
            return Err(Pause { why, asked: Some(left) }.into());
        }
        let stream = match self.cx.net.stream(&self.outgoing("events")) {
            Ok(Some(stream)) => stream,
            Ok(None) => return self.ask_again_and_again(to, LOOK_EVERY),
            Err(e) => {
                breaker.failed(&e.to_string(), None);
                return Err(Pause::new(e.to_string()).into());
            }
        };
        match stream.head.status {
            // Streams may all be taken while the server is well: nobody else need know.
            503 if is_ours(&stream.head) => {
                let why = stream.head.detail().unwrap_or_default();
                Err(Pause { why, asked: stream.head.retry_after }.into())
            }
            404 | 501 if is_ours(&stream.head) => self.ask_again_and_again(to, ASK_EVERY),
            _ => {
                self.judge(to, &stream.head)?;
                to.connected()?;
                self.read(to, stream)
            }
        }
    }

    /// Whether an answer is one that can be read.
    fn judge(&mut self, to: &mut dyn Listener, head: &Incoming) -> Result<(), Break> {
        let breaker = self.cx.breaker();
        if !is_ours(head) || head.status >= 500 {
            let why = format!("what answers at {} says {}", self.cx.base, head.status);
            breaker.failed(&why, head.retry_after);
            return Err(Pause { why, asked: head.retry_after }.into());
        }
        breaker.succeeded();
        if head.status != 200 {
            let value = head.json().unwrap_or(Value::Null);
            return Err(End::Error(refused(head.status, &value, "the server refused")).into());
        }
        if std::mem::take(&mut self.is_away) {
            to.note("connected again");
        }
        Ok(())
    }

    fn read(&mut self, to: &mut dyn Listener, mut stream: Stream) -> Result<(), Break> {
        loop {
            let event = match next(&mut *stream.lines) {
                Ok(Some(event)) => event,
                Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                    return Err(Pause::new(format!("what {} sends is {e}", self.cx.base)).into());
                }
                // A stream that breaks is taken up again where it was; whether the server is away
                // shows then.
                Ok(None) | Err(_) => return Ok(()),
            };
            match event.name.as_str() {
                "reset" => return self.begin_anew(to),
                "change" => {
                    if let Ok(change) = serde_json::from_str::<Change>(&event.data) {
                        to.change(&change, event.id.as_deref())?;
                    }
                }
                _ => {}
            }
            if let Some(id) = event.id {
                self.cursor = id;
            }
        }
    }

    /// Without streams: asks for what is new, until that fails.
    fn ask_again_and_again(&mut self, to: &mut dyn Listener, every: Duration) -> Result<(), Break> {
        let mut is_first = true;
        loop {
            let answer = self.cx.net.call(&self.outgoing("changes"), ASK_WITHIN).map_err(|e| {
                self.cx.breaker().failed(&e.to_string(), None);
                Pause::new(e.to_string())
            })?;
            self.judge(to, &answer)?;
            let feed: ChangeFeed = serde_json::from_slice(&answer.body)
                .map_err(|e| Pause::new(format!("the answer cannot be read: {e}")))?;
            if feed.reset {
                self.begin_anew(to)?;
                continue;
            }
            if std::mem::take(&mut is_first) {
                to.connected()?;
            }
            for change in &feed.changes {
                to.change(change, None)?;
            }
            self.cursor = feed.cursor;
            if !feed.more {
                thread::sleep(every);
            }
        }
    }

    fn begin_anew(&mut self, to: &mut dyn Listener) -> Result<(), Break> {
        NOW.clone_into(&mut self.cursor);
        to.reset()
    }
}
