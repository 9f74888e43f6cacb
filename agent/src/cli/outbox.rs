//! `coord outbox`: what the server has not acknowledged, and what it never will.

use std::io::{self, BufRead, Read};
use std::time::Duration;

use clap::Subcommand;
use coord_protocol::edge::fresh_id;
use coord_protocol::exit;
use coord_protocol::request::Request;
use serde_json::{Value, json};

use super::writing::not_kept;
use crate::context::Context;
use crate::outbox::append::append;
use crate::outbox::dead::{self, Letter};
use crate::outbox::disk::{Disk, Guard, Share};
use crate::outbox::files::DRAIN_LOCK;
use crate::outbox::line::{self, LINE_BYTES_MAX, Line};
use crate::outbox::rewrite::rewrite;
use crate::outbox::{journal, view};
use crate::ui::neutral;
use crate::ui::report::{CliError, Report};
use crate::ui::write_words::what;

/// How long a change waits for a running sync.
const LOCK_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List writes that wait here
    List,
    /// Show one of them, or one dead letter, whole
    Show {
        /// Its id
        id: String,
    },
    /// List dead letters: what was refused or is no entry, with the reason
    Dead,
    /// Put a dead letter back into the queue, under a new id
    Retry {
        /// Its id
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// All that can be put back
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Take a waiting write out of the queue, unsent; or a dead letter away
    Drop {
        /// Its id
        #[arg(required_unless_present = "all_dead")]
        id: Option<String>,
        /// All dead letters
        #[arg(long, conflicts_with = "id")]
        all_dead: bool,
    },
    /// Queue entries read from stdin, one JSON object a line, durably and whole
    #[command(after_help = "\
Example:
  jq -nc '{method:\"POST\",path:\"/api/coord/todos\",body:{text:\"x\"}}' | coord outbox append")]
    Append,
}

pub(super) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::List => list(cx),
        Verb::Show { id } => show(cx, &id),
        Verb::Dead => dead_letters(cx),
        Verb::Retry { id, .. } => retry(cx, id.as_deref()),
        Verb::Drop { id, .. } => drop_entry(cx, id.as_deref()),
        Verb::Append => append_stdin(cx),
    }
}

fn broken(e: &io::Error) -> CliError {
    CliError::new(exit::NOT_DURABLE, format!("the outbox: {e}"))
}

fn list(cx: &Context) -> Result<Report, CliError> {
    let pending = view::pending(&cx.outbox).map_err(|e| broken(&e))?;
    let rows: Vec<_> = pending.entries.iter().map(|e| row(&e.request)).collect();
    let text = if rows.is_empty() { "nothing waits".to_owned() } else { rows.join("\n") };
    let entries: Vec<_> = pending.entries.iter().map(|e| in_json(&e.request)).collect();
    let letters = dead::list(&cx.outbox).map_err(|e| broken(&e))?.len();
    let report = Report::new(text, json!({"waiting": entries, "dead": letters}));
    Ok(match letters {
        0 => report,
        n => report.note(format!("{n} dead letters: `coord outbox dead`")),
    })
}

fn in_json(r: &Request) -> Value {
    let mut value = json!(r);
    value["what"] = Value::String(what(r));
    value
}

fn row(r: &Request) -> String {
    let ts = r.ts.as_deref().unwrap_or("-");
    let id = r.id.as_deref().unwrap_or("(no id yet)");
    format!("{}  {}  {}", neutral::line(id), neutral::line(ts), what(r))
}

fn show(cx: &Context, id: &str) -> Result<Report, CliError> {
    let pending = view::pending(&cx.outbox).map_err(|e| broken(&e))?;
    if let Some(e) = pending.entries.iter().find(|e| e.request.id.as_deref() == Some(id)) {
        return Ok(Report::new(neutral::line(&e.text), json!({"waiting": e.request})));
    }
    let letters = dead::list(&cx.outbox).map_err(|e| broken(&e))?;
    match letters.iter().find(|l| l.id.as_deref() == Some(id)) {
        Some(l) => Ok(Report::new(letter_row(l), json!({"dead": l}))),
        None => Err(unknown(id)),
    }
}

fn unknown(id: &str) -> CliError {
    let id = neutral::line(id);
    CliError::new(exit::REFUSED, format!("neither a waiting write nor a dead letter: {id}"))
        .hint("`coord outbox list` and `coord outbox dead` show what there is")
}

fn dead_letters(cx: &Context) -> Result<Report, CliError> {
    let letters = dead::list(&cx.outbox).map_err(|e| broken(&e))?;
    let rows: Vec<_> = letters.iter().map(letter_row).collect();
    let text = if rows.is_empty() { "no dead letters".to_owned() } else { rows.join("\n") };
    Ok(Report::new(text, json!({"dead": letters})))
}

fn letter_row(l: &Letter) -> String {
    let id = l.id.as_deref().unwrap_or("(no entry)");
    let status = l.status.map(|s| format!(" {s}")).unwrap_or_default();
    let text = l.text.as_deref().or(l.hex.as_deref()).unwrap_or_default();
    format!(
        "{}  {}{status}  {}\n    {}",
        neutral::line(id),
        l.at,
        neutral::brief(&l.reason),
        neutral::brief(text)
    )
}

/// Dead letters and journal change only under the drain's lock.
fn exclusive(cx: &Context) -> Result<Box<dyn Guard>, CliError> {
    let lock = cx.outbox.lock(DRAIN_LOCK, Share::Exclusive, LOCK_WAIT).map_err(|e| broken(&e))?;
    lock.ok_or_else(|| CliError::new(exit::REFUSED, "another sync is running; try again"))
}

fn retry(cx: &Context, id: Option<&str>) -> Result<Report, CliError> {
    let _lock = exclusive(cx)?;
    let letters = dead::list(&cx.outbox).map_err(|e| broken(&e))?;
    let wanted = |l: &Letter| id.is_none() || l.id.as_deref() == id;
    let mut kept = Vec::new();
    let mut queued = Vec::new();
    for letter in letters {
        match entry_of(&letter).filter(|_| wanted(&letter)) {
            Some(mut request) => {
                // The server has its answer to the old id on record and would give it again.
                request.id = Some(fresh_id(&cx.clock, &cx.rng).to_string());
                append(&cx.outbox, &request).map_err(|e| not_kept(&e, &request))?;
                queued.push(request.id.unwrap_or_default());
            }
            None => kept.push(letter),
        }
    }
    if let (true, Some(id)) = (queued.is_empty(), id) {
        return Err(unknown(id));
    }
    replace_letters(cx, &kept)?;
    let text = format!("{} queued again; `coord sync` sends them", queued.len());
    Ok(Report::new(text, json!({"queued": queued, "left": kept.len()})))
}

fn entry_of(letter: &Letter) -> Option<Request> {
    match line::parse(letter.text.as_deref()?.as_bytes()) {
        Line::Entry(e) => Some(e.request),
        Line::Blank | Line::Broken(_) => None,
    }
}

/// Writes the letters that stay into a new file first, so that a crash loses none.
fn replace_letters(cx: &Context, kept: &[Letter]) -> Result<(), CliError> {
    let rewritten = || -> io::Result<()> {
        if kept.is_empty() {
            return dead::clear(&cx.outbox);
        }
        dead::replace(&cx.outbox, kept)
    };
    rewritten().map_err(|e| broken(&e))
}

fn drop_entry(cx: &Context, id: Option<&str>) -> Result<Report, CliError> {
    let _lock = exclusive(cx)?;
    let letters = dead::list(&cx.outbox).map_err(|e| broken(&e))?;
    let Some(id) = id else {
        replace_letters(cx, &[])?;
        let n = letters.len();
        return Ok(Report::new(format!("{n} dead letters dropped"), json!({"dropped": n})));
    };
    let pending = view::pending(&cx.outbox).map_err(|e| broken(&e))?;
    if pending.entries.iter().any(|e| e.request.id.as_deref() == Some(id)) {
        let dropped = journal::note(&cx.outbox, &[(id.to_owned(), 0)])
            .and_then(|()| rewrite(&cx.outbox, &cx.clock, &cx.rng, LOCK_WAIT));
        dropped.map_err(|e| broken(&e))?;
    } else if letters.iter().any(|l| l.id.as_deref() == Some(id)) {
        let kept: Vec<_> = letters.into_iter().filter(|l| l.id.as_deref() != Some(id)).collect();
        replace_letters(cx, &kept)?;
    } else {
        return Err(unknown(id));
    }
    Ok(Report::new(format!("dropped {}", neutral::line(id)), json!({"dropped": id})))
}

/// Takes a write out of the queue that is good for now or never. False when it is not known to be out:
/// it may have been sent meanwhile.
pub(super) fn take_back(cx: &Context, id: &str) -> bool {
    drop_entry(cx, Some(id)).is_ok()
}

fn append_stdin(cx: &Context) -> Result<Report, CliError> {
    let mut ids = Vec::new();
    let mut input = io::stdin().lock();
    loop {
        let mut raw = Vec::new();
        let most = LINE_BYTES_MAX as u64 + 2;
        let n = (&mut input).take(most).read_until(b'\n', &mut raw);
        if n.map_err(|e| CliError::new(exit::USAGE, format!("stdin: {e}")))? == 0 {
            break;
        }
        let mut request = match line::parse(&raw) {
            Line::Blank => continue,
            Line::Entry(e) => e.request,
            Line::Broken(why) => {
                let n = ids.len() + 1;
                let e = CliError::new(exit::USAGE, format!("line {n} is no entry: {why}"));
                return Err(e.facts(json!({"queued": ids})));
            }
        };
        let id = request.id.get_or_insert_with(|| fresh_id(&cx.clock, &cx.rng).to_string());
        ids.push(id.clone());
        append(&cx.outbox, &request).map_err(|e| not_kept(&e, &request))?;
    }
    cx.remember_outbox();
    Ok(Report::new(format!("{} queued", ids.len()), json!({"queued": Value::from(ids)})))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_what_the_write_is() {
        let row_of = |text: &str| match line::parse(text.as_bytes()) {
            Line::Entry(e) => row(&e.request),
            other => panic!("{other:?}"),
        };
        let message = r#"{"method":"POST","path":"/api/coord/messages","id":"i","ts":"t","body":{"to_session":"B/x","subject":"hi"}}"#;
        assert_eq!(row_of(message), "i  t  message to B/x: hi");
        assert_eq!(row_of(r#"{"method":"DELETE","path":"/l/1"}"#), "(no id yet)  -  DELETE /l/1");
    }
}
