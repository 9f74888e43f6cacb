//! What all reading verbs share: asking the server, and honest words when it cannot be asked.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::exit;
use coord_protocol::time::Millis;
use coord_server::api::Call;
use coord_server::replica::{is_damaged, set_damaged_aside};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::writing::{refused, waiting_here};
use crate::context::{Context, Stale};
use crate::local_server::is_loopback;
use crate::outbox::drain::{drain, fits_in_passing};
use crate::outbox::view::anything_waiting;
use crate::remote::Outgoing;
use crate::remote::breaker::{Leave, May};
pub(super) use crate::remote::query::{Query, encode};
use crate::remote::verdict::is_ours;
use crate::replica::Standin;
use crate::replica::pull::Unheard;
use crate::ui::neutral;
use crate::ui::report::{CliError, Report};

const READ_BUDGET: Duration = Duration::from_millis(1_500);
/// What the server gets when its time is over already.
const SHORTEST: Duration = Duration::from_millis(100);

/// Reads what the server knows, and what waits here on top of it. What waits goes out first, so that
/// everybody sees their own writes.
pub(super) fn read<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<(T, Value), CliError> {
    see_off(cx);
    ask(cx, path)
}

/// Sends what waits here, if that can be done in passing.
pub(super) fn see_off(cx: &Context) {
    let disk = &cx.outbox;
    if anything_waiting(disk).unwrap_or(false) && fits_in_passing(disk).unwrap_or(false) {
        // What goes wrong here is seen again by the read itself.
        let _ = drain(&cx.tools(&cx.breaker()), READ_BUDGET, Leave::Anybody);
    }
}

/// Reads, and leaves what waits here alone.
pub(super) fn ask<T: DeserializeOwned>(cx: &Context, path: &str) -> Result<(T, Value), CliError> {
    ask_as(cx, path, Leave::Anybody)
}

/// The same with more right to call.
pub(super) fn ask_as<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
    leave: Leave,
) -> Result<(T, Value), CliError> {
    let (status, text) = answer(cx, path, leave)?;
    typed(status, &text)
}

/// Asks the server itself: what it writes down that somebody looked is not the copy's to do.
pub(super) fn ask_server<T: DeserializeOwned>(
    cx: &Context,
    path: &str,
) -> Result<(T, Value), CliError> {
    see_off(cx);
    let (status, text) = of_server(cx, path, Leave::Anybody, READ_BUDGET)?;
    typed(status, &text)
}

/// Reads a text that is no JSON: its status, and what came.
pub(super) fn read_text(cx: &Context, path: &str) -> Result<(u16, String), CliError> {
    see_off(cx);
    answer(cx, path, Leave::Anybody)
}

fn typed<T: DeserializeOwned>(status: u16, text: &str) -> Result<(T, Value), CliError> {
    let value: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    if status != 200 {
        return Err(refused(status, &value, "refused"));
    }
    let typed = serde_json::from_value(value.clone()).map_err(|e| {
        CliError::new(exit::UNAVAILABLE, format!("the server's answer cannot be read: {e}"))
            .hint("client and server may be of different versions")
    })?;
    Ok((typed, value))
}

/// Pulls what is new, and answers.
fn answer(cx: &Context, path: &str, leave: Leave) -> Result<(u16, String), CliError> {
    Source::open(cx, leave, READ_BUDGET).answer(path)
}

/// Asks several questions with one look at the server. The look takes so long at most, and where there
/// is no copy, the server gets as long once more for all the questions.
pub(super) fn ask_all<T: DeserializeOwned>(
    cx: &Context,
    paths: &[String],
    budget: Duration,
) -> Result<Vec<T>, CliError> {
    let source = Source::open(cx, Leave::Anybody, budget);
    let ask = |path: &String| {
        let (status, text) = source.answer(path)?;
        Ok(typed(status, &text)?.0)
    };
    paths.iter().map(ask).collect()
}

/// Where the questions of one command are answered from: the copy here, which was brought up to date
/// if the breaker allowed. Where there is none, or the server has no feed, the server itself is asked.
struct Source<'a> {
    cx: &'a Context,
    leave: Leave,
    until: Millis,
    copy: Option<Standin<'static>>,
    unheard: Option<Unheard>,
}

impl<'a> Source<'a> {
    fn open(cx: &'a Context, leave: Leave, budget: Duration) -> Self {
        let until = cx.clock.boot().plus(budget * 2);
        let standin = cx.standin();
        let unheard = standin.as_ref().and_then(|s| cx.pull(s, budget, leave).err());
        let no_copy = matches!(unheard, Some(Unheard::Unsupported | Unheard::Replica(_)));
        Self { cx, leave, until, copy: standin.filter(|_| !no_copy), unheard }
    }

    fn answer(&self, path: &str) -> Result<(u16, String), CliError> {
        let Some(standin) = &self.copy else { return self.of_server(path) };
        if let Some(Unheard::Refused(status, body)) = &self.unheard {
            return Ok((*status, String::from_utf8_lossy(body).into_owned()));
        }
        let call = Call { method: "GET".to_owned(), target: path.to_owned(), ..Call::default() };
        match (standin.read(&call, self.unheard.is_some()), &self.unheard) {
            (Ok(Some(known)), unheard) => {
                if let Some(why) = unheard {
                    // Asked twice in one command: the first time counts.
                    let _ = self.cx.stale.set(Stale { age: known.age, why: why.to_string() });
                }
                Ok((known.reply.status, known.reply.body))
            }
            // The beginning of a long feed was read; the rest comes with the next looks.
            (Ok(None), None | Some(Unheard::More)) => self.of_server(path),
            (Ok(None), Some(why)) => Err(away(self.cx, &why.to_string())),
            (Err(e), _) => {
                if is_damaged(&e) {
                    set_damaged_aside(&self.cx.replica_folder());
                }
                self.of_server(path)
            }
        }
    }

    fn of_server(&self, path: &str) -> Result<(u16, String), CliError> {
        let left = self.until.since(self.cx.clock.boot()).clamp(SHORTEST, READ_BUDGET);
        of_server(self.cx, path, self.leave, left)
    }
}

/// What the server said of this when it was last heard, without what only waits here.
pub(super) fn said<T: DeserializeOwned>(cx: &Context, path: &str) -> Option<T> {
    let call = Call { method: "GET".to_owned(), target: path.to_owned(), ..Call::default() };
    let answer = cx.standin()?.said(&call).ok()??;
    serde_json::from_str(&answer.reply.body).ok()
}

/// Asks the server itself.
fn of_server(
    cx: &Context,
    path: &str,
    leave: Leave,
    budget: Duration,
) -> Result<(u16, String), CliError> {
    let breaker = cx.breaker();
    if let May::Rest(left, why) = breaker.ask(leave) {
        return Err(away(cx, &Unheard::Resting { left, why }.to_string()));
    }
    let out = Outgoing { session: Some(cx.session.id.clone()), ..Outgoing::get(path) };
    let answer = cx.net.call(&out, budget).map_err(|e| {
        breaker.no_answer(&e, budget);
        away(cx, &e.to_string())
    })?;
    if !is_ours(&answer) {
        let why = format!("what answers at {} is not a coord server", cx.base);
        breaker.failed(&why, answer.retry_after);
        return Err(away(cx, &why));
    }
    if answer.status >= 500 {
        let why = format!("the server answered {}", answer.status);
        breaker.failed(&why, answer.retry_after);
        return Err(away(cx, &why));
    }
    breaker.succeeded();
    Ok((answer.status, String::from_utf8_lossy(&answer.body).into_owned()))
}

fn away(cx: &Context, why: &str) -> CliError {
    let e = CliError::new(
        exit::UNAVAILABLE,
        format!("cannot ask the server: {}; what it holds is not known here", neutral::line(why)),
    );
    let e = match waiting_here(cx) {
        0 => e,
        n => e.hint(format!("{} here; `coord outbox list` shows them", count(n, "write"))),
    };
    if is_loopback(&cx.base) {
        e.hint("if it is a server of yours, `coord start --background` starts it again")
    } else {
        e
    }
}

/// A list as an answer: says so when there is more of it than is shown.
pub(super) fn listed(rows: &[String], none: &str, raw: Value) -> Report {
    let queued = queued_rows(&raw, rows.len());
    let marked = |(row, queued): (&String, bool)| if queued { in_queue(row) } else { row.clone() };
    let text: Vec<String> = rows.iter().zip(queued).map(marked).collect();
    let text = if text.is_empty() { none.to_owned() } else { text.join("\n") };
    let cut = !raw["next"].is_null();
    let report = Report::new(text, raw);
    if cut {
        report.note(format!("these are the first {}; there are more", rows.len()))
    } else {
        report
    }
}

/// Which rows of a list answer only wait here.
fn queued_rows(raw: &Value, n: usize) -> Vec<bool> {
    let lists = raw.as_object().into_iter().flatten().filter_map(|(_, v)| v.as_array());
    let list = lists.into_iter().find(|l| l.len() == n);
    list.map_or_else(|| vec![false; n], |l| l.iter().map(|row| row["queued"] == true).collect())
}

/// A row that the server does not have yet.
pub(super) fn in_queue(row: &str) -> String {
    format!("{row}  [queued here]")
}

/// A number of things.
pub(super) fn count_of(n: usize, thing: &str) -> String {
    if n == 1 { format!("1 {thing}") } else { format!("{n} {thing}s") }
}

/// A number of things, in words.
pub(super) fn count(n: usize, thing: &str) -> String {
    match n {
        1 => format!("1 {thing} waits"),
        n => format!("{n} {thing}s wait"),
    }
}
