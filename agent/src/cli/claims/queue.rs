//! `coord queue`: who waits for what.

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::request::{Method, Request};
use coord_protocol::time::Millis;
use serde::Deserialize;
use serde_json::Value;

use crate::cli::reading::{Query, encode, listed, read};
use crate::cli::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::claim_words::symbols;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  coord queue
  coord queue --mine
  coord queue cancel 0198f2c4-7a3e-7bb2-9d2f-0c1f6f0f7a11"
)]
pub(in crate::cli) struct Args {
    /// Only this session's
    #[arg(long)]
    mine: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Leave the queue: who waits there is told what is in its way
    Cancel {
        /// Its place: the first column of `coord queue`
        id: String,
        #[command(flatten)]
        write: WriteArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Waiter {
    queue_id: String,
    #[serde(default)]
    blocking_engineer: Option<String>,
    #[serde(default)]
    blocking_pattern: Option<String>,
    requester_engineer: String,
    requester_pattern: String,
    #[serde(default)]
    symbols: Option<Vec<String>>,
    #[serde(default)]
    position: u64,
    expires_at: Millis,
    #[serde(default)]
    urgency: String,
}

#[derive(Debug, Deserialize)]
struct Waiters {
    requests: Vec<Waiter>,
}

pub(in crate::cli) fn run(cx: &Context, a: Args) -> Result<Report, CliError> {
    if let Some(Verb::Cancel { id, write }) = a.verb {
        return cancel(cx, &id, &write);
    }
    let query = Query::default()
        .and("queued", Some("true"))
        .and("requester", a.mine.then_some(cx.session.id.as_str()));
    let (found, raw): (Waiters, _) = read(cx, &query.on("/requests"))?;
    let rows: Vec<_> = found.requests.iter().map(row).collect();
    Ok(listed(&rows, "nobody waits", raw))
}

fn row(w: &Waiter) -> String {
    let by = w.blocking_engineer.as_deref().map_or("who comes first".to_owned(), line);
    let what = w.blocking_pattern.as_deref().map(|p| format!(" ({})", line(p)));
    format!(
        "{}  {}  waits for {}{}, place {}, {}, until {}: {by}{}",
        line(&w.queue_id),
        line(&w.requester_engineer),
        line(&w.requester_pattern),
        symbols(w.symbols.as_deref()),
        w.position,
        line(if w.urgency.is_empty() { "normal" } else { &w.urgency }),
        w.expires_at,
        what.map(|w| format!("{w} is in the way")).unwrap_or_default()
    )
}

/// The write by which this session leaves the queue.
pub(super) fn leave(cx: &Context, id: &str) -> Request {
    let query = Query::default().and("engineer", Some(&cx.session.id));
    let path = query.on(&format!("/requests/{}", encode(id)));
    cx.request(Method::Delete, &path, None::<&Value>)
}

fn cancel(cx: &Context, id: &str, write: &WriteArgs) -> Result<Report, CliError> {
    let request = leave(cx, id);
    let name = line(id);
    let report = send(cx, write, request, &format!("leave of the queue as {name}"), |_| {
        format!("{name} waits no more")
    })?;
    if report.json["result"]["cancelled"] == false {
        let why = format!("{name} does not wait, or is not yours");
        return Err(CliError::new(exit::REFUSED, why)
            .hint("`coord queue --mine` shows where you wait")
            .facts(report.json));
    }
    Ok(report)
}
