//! `coord claim`.

use std::fmt::Write as _;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::exit;
use coord_protocol::request::{Method, Request};
use coord_protocol::wire::{ClaimItem, ClaimType, CreateClaims, ITEMS_MAX, Urgency};
use serde_json::Value;

use super::ends::release_of;
use super::steps::next_steps;
use super::wait::{Waited, at_server, look};
use super::{UrgencyArg, at_any_depth, examine, project, wanted};
use crate::cli::reading::Query;
use crate::cli::writing::{OnceArg, send, told};
use crate::config::pattern::Wanted;
use crate::context::Context;
use crate::send::{Fate, TRY_BUDGET};
use crate::ui::claim_words::{granted, ids};
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};
use crate::ui::write_words::wished;

/// Granted claims come back as rows.
const CLAIMS: &str = "/claims?rows=true";
/// Looking into all files together takes no longer.
const EXAMINED_WITHIN: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord claim src/auth/login.ts --description \"new login form\"
  coord claim src/auth/login.ts --symbol LoginForm::submit --symbol validate
  coord claim 'src/auth/**' docs/auth.md --ttl 8
  coord claim src/a.ts src/b.ts --symbol src/a.ts#run
  coord claim package.json --shared --wait 120 --urgency high

A path that is there is meant from this folder. Everything else is a pattern as in .gitignore, from the
top of the project: `src/auth` means all below it, a name without `/` means that name at any depth.
All of it is granted, or nothing. Use `coord claim` for what you are about to work on; `coord lock` is
for one file for minutes (lock acquire) and for things that are no files (lock claim p deploy:prod).")]
pub(in crate::cli) struct Args {
    /// Paths, or patterns as in .gitignore
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// Only this symbol, as in `Parent::child`; FILE#NAME where several files are claimed
    #[arg(long = "symbol", value_name = "NAME")]
    symbols: Vec<String>,
    /// Files that many need: for a short time, and whole
    #[arg(long, conflicts_with_all = ["symbols", "module"])]
    shared: bool,
    /// A part of the project, whole: it gives way to no claim on symbols
    #[arg(long, conflicts_with = "symbols")]
    module: bool,
    /// Give way to no claim on symbols
    #[arg(long)]
    no_narrow: bool,
    /// Hours until it ends by itself, 1 to 720 [default: the server's, 4]
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(i64).range(1..=720))]
    ttl: Option<i64>,
    /// Wait at the server for what is in the way, 1 to 600 s
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=600))]
    wait: Option<u16>,
    /// Who waits more urgently is served first
    #[arg(long, value_name = "HOW", default_value = "normal", hide_default_value = true)]
    urgency: UrgencyArg,
    /// What for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Where the work is done [default: the branch that is checked out]
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// The project [default: the one of this folder]
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    #[command(flatten)]
    once: OnceArg,
}

pub(in crate::cli) fn run(cx: &Context, a: Args) -> Result<Report, CliError> {
    if a.files.len() > ITEMS_MAX {
        let why = format!("more than {ITEMS_MAX} files in one claim; claim a folder");
        return Err(CliError::new(exit::USAGE, why));
    }
    let repo = project(cx, a.project.as_deref())?;
    let found = a.files.iter().map(|f| wanted(cx, f, &repo)).collect::<Result<Vec<_>, _>>()?;
    let items = items(cx, &a, &found)?;
    let again = command(&a);
    let ask = CreateClaims {
        engineer: cx.session.id.clone(),
        claims: items,
        branch: a.branch.clone().or_else(|| cx.project.branch.clone()),
        description: a.description.clone().filter(|d| !d.is_empty()),
        ttl_hours: a.ttl,
        repo: Some(repo.clone()),
        session_id: Some(cx.session.id.clone()),
        wait_seconds: None,
        urgency: Urgency::from(a.urgency),
    };
    let report = match a.wait {
        Some(seconds) => claim_waiting(cx, &ask, seconds, &a.once),
        None => claim_now(cx, &ask, a.once),
    };
    let anywhere = at_any_depth(a.files.iter().zip(&found));
    let report = report.map_err(|e| {
        let e = next_steps(cx, e, &repo, &again);
        anywhere.iter().fold(e, CliError::hint)
    })?;
    let report = match report.json["outcome"].as_str() {
        Some("queued") => report
            .note("  nothing of it is held: only the server grants it, when the queue gets there"),
        _ => report,
    };
    Ok(anywhere.iter().fold(report, |r, why| r.note(format!("note: {why}"))))
}

/// What is asked for, checked as far as that can be done here.
fn items(cx: &Context, a: &Args, found: &[Wanted]) -> Result<Vec<ClaimItem>, CliError> {
    let of_files = symbols_of(a)?;
    let until = cx.clock.boot().plus(EXAMINED_WITHIN);
    let mut items = Vec::with_capacity(found.len());
    for (wanted, raw) in found.iter().zip(&of_files) {
        let symbols = examine::names(raw)?;
        if let (Some(file), Some(names)) = (&wanted.file, &symbols) {
            examine::check(file, &wanted.pattern, names, &mut || cx.clock.boot() < until)?;
        }
        items.push(ClaimItem {
            claim_type: match (a.shared, a.module) {
                (true, _) => ClaimType::SharedFile,
                (_, true) => ClaimType::Module,
                (false, false) => ClaimType::File,
            },
            pattern: wanted.pattern.clone(),
            symbols,
            narrowable: a.no_narrow.then_some(false),
        });
    }
    Ok(items)
}

/// The symbols of each file, in the order of the files.
fn symbols_of(a: &Args) -> Result<Vec<Vec<String>>, CliError> {
    let mut of_files = vec![Vec::new(); a.files.len()];
    for symbol in &a.symbols {
        let named = a
            .files
            .iter()
            .enumerate()
            .find_map(|(n, f)| Some((n, symbol.strip_prefix(f.as_str())?.strip_prefix('#')?)));
        match named {
            Some((n, name)) => of_files[n].push(name.to_owned()),
            None if a.files.len() == 1 => of_files[0].push(symbol.clone()),
            None => {
                let why = format!("of which file is the symbol {}?", line(symbol));
                let hint = format!("write --symbol {}#{}", line(&a.files[0]), line(symbol));
                return Err(CliError::new(exit::USAGE, why).hint(hint));
            }
        }
    }
    Ok(of_files)
}

fn request(cx: &Context, ask: &CreateClaims) -> Request {
    let mut request = cx.request(Method::Post, CLAIMS, Some(ask));
    let team = &cx.rules.team;
    let shared = ask.claims.iter().any(|i| i.claim_type == ClaimType::SharedFile);
    let hours = ask.ttl_hours.map(|h| Duration::from_hours(h.unsigned_abs()));
    let good_for = if shared { team.ttl_shared } else { hours.unwrap_or(team.ttl_default) };
    request.not_after = Some(cx.clock.wall().plus(good_for).to_string());
    request
}

fn words(answer: &Value) -> String {
    granted(answer).unwrap_or_else(|| "claimed".to_owned())
}

fn claim_now(cx: &Context, ask: &CreateClaims, once: OnceArg) -> Result<Report, CliError> {
    let request = request(cx, ask);
    let what = format!("claim on {}", line(&wished(&request)));
    send(cx, &once.into(), request, &what, words)
}

/// Waits at the server. What cannot wait there goes the way of every other claim, without the wait.
fn claim_waiting(
    cx: &Context,
    ask: &CreateClaims,
    seconds: u16,
    once: &OnceArg,
) -> Result<Report, CliError> {
    crate::cli::reading::see_off(cx);
    let waiting = CreateClaims { wait_seconds: Some(i64::from(seconds)), ..ask.clone() };
    let mut request = request(cx, &waiting);
    once.name(&mut request);
    let id = request.id.clone().unwrap_or_default();
    let whom = || {
        let query = Query::default().and("queued", Some("true"));
        let path = query.and("requester", Some(&ask.engineer)).on("/requests");
        whom(&look(cx, &path)?, &id, seconds)
    };
    let what = format!("claim on {}", line(&wished(&request)));
    match at_server(cx, &request, Duration::from_secs(u64::from(seconds)), &whom) {
        Waited::Told(fate) => {
            note(cx, &request, &fate);
            if cx.aside.is_over() {
                give_back(cx, &fate);
            }
            told(fate, &id, &what, words)
        }
        Waited::Away(why) => {
            if cx.aside.is_over() {
                return Err(CliError::new(exit::REFUSED, "the wait was broken off"));
            }
            cx.aside.say(&format!("it cannot be waited now: {}", line(&why)));
            // Under an id of its own: it is another wish.
            let report = claim_now(cx, ask, OnceArg::default())?;
            Ok(report.note("  it was not waited for what may be in the way"))
        }
    }
}

/// What was granted to somebody who has lost interest.
fn give_back(cx: &Context, fate: &Fate) {
    let Fate::Done { answer, .. } = fate else { return };
    let ids = ids(answer);
    if !ids.is_empty() {
        // Nobody hears how it ends; what cannot be sent is queued.
        let _ = cx.write(&release_of(cx, &ids), TRY_BUDGET);
    }
}

/// The server has answered outside of the usual way.
fn note(cx: &Context, request: &Request, fate: &Fate) {
    if let (Fate::Done { answer, .. }, Some(standin)) = (fate, cx.standin()) {
        // What cannot be noted comes with the next pull.
        let _ = standin.note(request, answer);
    }
}

/// For whom a waiter waits, in the list of waiters.
fn whom(list: &Value, id: &str, seconds: u16) -> Option<String> {
    let all = list["requests"].as_array()?;
    let mine = all.iter().find(|r| r["queue_id"] == id)?;
    let place = mine["position"].as_u64().unwrap_or(1);
    let place = if place > 1 { format!(", place {place} in the queue") } else { String::new() };
    let by = line(mine["blocking_engineer"].as_str().unwrap_or("who comes first"));
    let what = mine["blocking_pattern"].as_str().map(|p| format!(" ({})", line(p)));
    Some(format!("waiting up to {seconds} s for {by}{}{place}", what.unwrap_or_default()))
}

/// The command once more, without `--wait` and `--id`.
fn command(a: &Args) -> String {
    let mut out = "coord claim".to_owned();
    let mut option = |name: &str, value: &str| {
        let _ = write!(out, " {name}{}", word(value));
    };
    a.files.iter().for_each(|f| option("", f));
    a.symbols.iter().for_each(|s| option("--symbol ", s));
    let flags = [(a.shared, "--shared"), (a.module, "--module"), (a.no_narrow, "--no-narrow")];
    flags.iter().filter(|(on, _)| *on).for_each(|(_, flag)| option("", flag));
    let ttl = a.ttl.map(|t| t.to_string());
    let texts = [
        ("--ttl ", &ttl),
        ("--description ", &a.description),
        ("--branch ", &a.branch),
        ("--project ", &a.project),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            option(name, value);
        }
    }
    line(&out)
}

/// A word as a shell reads it.
pub(super) fn word(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use serde_json::json;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn args(words: &[&str]) -> Result<Args, clap::Error> {
        Line::try_parse_from(std::iter::once(&"claim").chain(words)).map(|l| l.args)
    }

    #[test]
    fn the_command_once_more() {
        let a = args(&[
            "a b.ts",
            "src/x.ts",
            "--symbol",
            "src/x.ts#A::b",
            "--ttl",
            "3",
            "--wait",
            "9",
            "--description",
            "it's",
        ])
        .unwrap();
        assert_eq!(
            command(&a),
            "coord claim 'a b.ts' src/x.ts --symbol 'src/x.ts#A::b' --ttl 3 --description \
             'it'\\''s'"
        );
    }

    #[test]
    fn symbols_belong_to_files() {
        let of = |words: &[&str]| symbols_of(&args(words).unwrap());
        assert_eq!(of(&["a.ts", "--symbol", "A", "--symbol", "#b"]).unwrap(), [["A", "#b"]]);
        let two = of(&["a.ts", "b.ts", "--symbol", "b.ts#B"]).unwrap();
        assert_eq!(two, [vec![], vec!["B".to_owned()]]);
        let e = of(&["a.ts", "b.ts", "--symbol", "B"]).unwrap_err();
        assert!(e.exit == exit::USAGE && e.hints[0].contains("a.ts#B"), "{e:?}");
    }

    #[test]
    fn bounds_of_arguments() {
        for bad in [
            &["a", "--ttl", "0"][..],
            &["a", "--ttl", "721"],
            &["a", "--wait", "0"],
            &["a", "--wait", "601"],
            &["a", "--urgency", "soon"],
            &["a", "--symbol", "x", "--shared"],
            &[],
        ] {
            assert!(args(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn for_whom_it_waits() {
        let list = json!({"requests": [
            {"queue_id": "other", "blocking_engineer": "C/z"},
            {"queue_id": "q", "blocking_engineer": "B/y\u{1b}", "blocking_pattern": "src/**",
             "position": 2},
        ]});
        assert_eq!(
            whom(&list, "q", 60).unwrap(),
            "waiting up to 60 s for B/y\\u{1b} (src/**), place 2 in the queue"
        );
        assert_eq!(whom(&list, "absent", 60), None);
    }
}
