//! `coord hotspots`: what is refused most often.

use clap::Subcommand;
use coord_protocol::request::Method;
use coord_protocol::time::Millis;
use serde::Deserialize;
use serde_json::{Value, json};

use super::wanted;
use crate::cli::reading::{Query, count_of, listed, read};
use crate::cli::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  coord hotspots --days 7
  coord hotspots promote package.json
  coord hotspots promote src/app.ts --split"
)]
pub(in crate::cli) struct Args {
    /// In so many days, 1 to 90 [default: the server's, 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=90))]
    days: Option<u8>,
    /// Refused so often at least [default: the server's, 5]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    min: Option<u32>,
    /// Only this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Put a pattern into the ownership document: as a shared file, held for a short time only
    Promote {
        /// The file or pattern
        pattern: String,
        /// As a file that is to be claimed by symbols instead
        #[arg(long)]
        split: bool,
        /// Why, for the document
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        write: WriteArgs,
    },
}

#[derive(Debug, Deserialize)]
struct Hotspot {
    #[serde(default)]
    repo: Option<String>,
    pattern: String,
    attempts: u64,
    #[serde(default)]
    distinct_attempters: u64,
    #[serde(default)]
    last_attempt: Option<Millis>,
}

#[derive(Debug, Deserialize)]
struct Hotspots {
    hotspots: Vec<Hotspot>,
}

pub(in crate::cli) fn run(cx: &Context, a: Args) -> Result<Report, CliError> {
    if let Some(Verb::Promote { pattern, split, note, write }) = a.verb {
        return promote(cx, (&pattern, split, note), &write);
    }
    let (days, min) = (a.days.map(|d| d.to_string()), a.min.map(|m| m.to_string()));
    let query = Query::default()
        .and("days", days.as_deref())
        .and("min_attempts", min.as_deref())
        .and("repo", a.project.as_deref());
    let (found, raw): (Hotspots, _) = read(cx, &query.on("/metrics/hotspots"))?;
    let rows: Vec<_> = found.hotspots.iter().map(row).collect();
    Ok(listed(&rows, "no hot spots", raw))
}

fn row(h: &Hotspot) -> String {
    let attempts = usize::try_from(h.attempts).unwrap_or(usize::MAX);
    let last = h.last_attempt.map(|t| format!(", last {t}")).unwrap_or_default();
    format!(
        "{}  {}  refused {}, by {}{last}",
        line(h.repo.as_deref().unwrap_or("-")),
        line(&h.pattern),
        count_of(attempts, "time"),
        h.distinct_attempters
    )
}

fn promote(
    cx: &Context,
    (pattern, split, note): (&str, bool, Option<String>),
    write: &WriteArgs,
) -> Result<Report, CliError> {
    let key = cx.project.key.clone();
    let pattern = wanted(cx, pattern, key.as_deref().unwrap_or_default())?.pattern;
    let action = if split { "split" } else { "shared_file" };
    let body = json!({"action": action, "pattern": pattern, "repo": key, "note": note});
    let request = cx.request(Method::Post, "/metrics/hotspots/promote", Some(&body));
    let what = format!("promotion of {}", line(&pattern));
    send(cx, write, request, &what, |answer| {
        let said = answer.get("pattern").and_then(Value::as_str).unwrap_or(&pattern);
        let how = if split { "is to be claimed by symbols" } else { "is a shared file" };
        format!("{} {how} from now on; `coord owners show` shows it", line(said))
    })
}
