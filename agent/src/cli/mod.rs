//! The command line: one file per verb, each with its arguments and what it does.

mod claims;
mod codex_queue;
mod completions;
mod component;
mod coordination;
mod decision;
mod doctor;
mod ending;
mod file_lock;
mod follow;
mod generation;
mod guard;
mod lock;
mod mail;
mod msg;
mod outbox;
mod reading;
mod sent;
mod server;
mod session;
mod setup;
mod status;
mod sync;
mod text;
mod todo;
mod wake;
mod watch;
mod watch_words;
mod work;
mod workflow;
mod writing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use coord_protocol::exit;
use coord_protocol::id::Uuid;

use crate::config::env::Env;
use crate::context::{Context, Whose};
use crate::hook::news::in_words;
use crate::outbox::news::{self as outbox_news, News};
use crate::outbox::real_disk::RealDisk;
use crate::send::TRY_BUDGET;
use crate::ui::report::{CliError, Report, finish, print};

pub(crate) use session::registration;

/// Coordinate AI coding sessions across tools, people and workstations.
///
/// Messages, todos, locks and component states, kept by a small server. When the server is away,
/// writes are queued here and sent later, each exactly once.
#[derive(Debug, Parser)]
#[command(name = "coord", version, max_term_width = 100, after_help = EXAMPLES)]
struct Cli {
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  coord start --background                 start a server on this machine
  coord msg send ALL \"Deploy at 5\" \"Please hold merges\"
  coord msg inbox                          what others wrote to you
  coord todo add \"Update the runbook\" --project acme/app
  coord claim src/auth/login.ts --description \"new login form\"
  coord lock claim acme/app deploy:prod \"Release 0.3\"
  coord component set acme/app server deployed --version 0.3.0
  coord sync                               send what is queued, read what is new

Exit status: 0 done or safely queued, 1 refused, 2 usage, 10 held by somebody else,
69 server away and nothing to answer from, 74 could not be kept, 78 configuration.
See docs/cli.md for all of them.";

#[derive(Debug, Subcommand)]
enum Verb {
    /// What is going on: locks, components, workflows, sessions, unread mail
    Status(status::Args),
    /// Messages to other sessions
    #[command(subcommand)]
    Msg(msg::Verb),
    /// Todos: durable until marked done
    #[command(subcommand)]
    Todo(todo::Verb),
    /// Claim files before you work on them; refused with status 10 while somebody else holds any
    Claim(claims::claim::Args),
    /// May these files be worked on? Status 10 when somebody else holds any of them
    Conflicts(claims::list::ConflictArgs),
    /// List claims
    Claims(claims::list::ListArgs),
    /// Release claims
    Release(claims::ends::ReleaseArgs),
    /// Go on with a claim for some hours more
    Extend(claims::ends::ExtendArgs),
    /// Ask holders of claims to let go, and answer those who ask
    #[command(subcommand)]
    Request(claims::request::Verb),
    /// Who waits for what
    Queue(claims::queue::Args),
    /// Who owns which area, and what is shared there
    #[command(subcommand)]
    Owners(claims::owners::Verb),
    /// What is refused most often
    Hotspots(claims::hotspots::Args),
    /// Locks on one file for minutes, and on things that are no files
    #[command(subcommand)]
    Lock(lock::Verb),
    /// States of named components
    #[command(subcommand)]
    Component(component::Verb),
    /// Workflows: initiatives that span sessions
    #[command(subcommand)]
    Workflow(workflow::Verb),
    /// Work items of workflows
    #[command(subcommand)]
    Work(work::Verb),
    /// Who is alive
    #[command(subcommand)]
    Session(session::Verb),
    /// Decisions that others should know of
    #[command(subcommand)]
    Decision(decision::Verb),
    /// Show what changes, live, until Ctrl-C
    Watch(watch::Args),
    /// Wait for mail behind an idle session, and wake it (status 2)
    Wake(wake::Args),
    /// Who holds what is committed or pushed? For git's hooks
    #[command(subcommand)]
    Guard(guard::Verb),
    /// Take over the state of another coordination system
    #[command(subcommand)]
    Import(coordination::ImportVerb),
    /// Write the state in the form of another coordination system
    #[command(subcommand)]
    Export(coordination::ExportVerb),
    /// What coordination.sh calls
    #[command(hide = true)]
    Coordination(coordination::Args),
    /// Send what is queued, then show unread mail
    Sync(sync::Args),
    /// Writes that the server has not acknowledged
    #[command(subcommand)]
    Outbox(outbox::Verb),
    /// Start a server on this machine (in the foreground, or with --background)
    Start(server::StartArgs),
    /// Stop the server that `coord start` started
    Stop,
    /// Run a server in the foreground, set up by options and environment only
    Serve(server::ServeArgs),
    /// Wire the host tools that are used here: hooks, MCP, skills, instructions
    Init(setup::InitArgs),
    /// Take away what `coord init` put here, and nothing else
    Uninstall(setup::UninstallArgs),
    /// Look at everything that has to be right, and say what mends it; status 1 when something fails
    Doctor,
    /// Serve tools to a host over the Model Context Protocol, on stdin and stdout
    #[cfg(feature = "mcp")]
    Mcp,
    /// Answer a host tool's hook (reads its JSON on stdin; always exits 0)
    Hook {
        /// The host tool: claude
        host: String,
    },
    /// Print a script that completes commands and options in a shell
    Completions(completions::Args),
    /// Print the manual page
    Man(completions::ManArgs),
}

/// Runs a command line and says with which status to end.
pub fn main() -> ExitCode {
    let env = Env::of_process();
    // Before the parser: its usage error is status 2, and that blocks the tool in every host.
    if let Some(host) = hook_host() {
        return ExitCode::from(crate::hook::main(&host, env));
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return ExitCode::from(usage(&e)),
    };
    ExitCode::from(match cli.verb {
        Verb::Hook { host } => crate::hook::main(&host, env),
        Verb::Serve(args) => server::serve(&args, &env, cli.json),
        Verb::Init(args) => finish(setup::init(&args, &env, cli.json), cli.json),
        Verb::Uninstall(args) => finish(setup::uninstall(&args, &env, cli.json), cli.json),
        Verb::Doctor => finish(Ok(doctor::run(&env)), cli.json),
        Verb::Guard(verb) => guard::main(env, &verb, cli.json),
        Verb::Completions(args) => finish(Ok(completions::completions(&args)), cli.json),
        Verb::Man(args) => finish(completions::man(&args), cli.json),
        #[cfg(feature = "mcp")]
        Verb::Mcp => crate::mcp::main(env),
        verb => in_context(verb, env, cli.json),
    })
}

/// The host that `coord hook` is called for, if it is called; help is the parser's.
fn hook_host() -> Option<String> {
    let mut words = std::env::args_os().skip(1).map(|w| w.to_string_lossy().into_owned());
    let is_hook = words.next().is_some_and(|w| w == "hook");
    let host = words.next().unwrap_or_default();
    (is_hook && !matches!(host.as_str(), "--help" | "-h")).then_some(host)
}

/// A command line that does not parse, or asks for help.
fn usage(e: &clap::Error) -> u8 {
    let mut words = std::env::args_os().skip(1).map(|w| w.to_string_lossy().into_owned());
    // There, 2 would wake the session.
    let is_wake = words.find(|w| !w.starts_with('-')).is_some_and(|w| w == "wake");
    let status = if is_wake { exit::REFUSED } else { exit::USAGE };
    let wants_json = std::env::args_os().any(|w| w == "--json");
    if e.use_stderr() && wants_json {
        return finish(Err(misused(e, status)), true);
    }
    // A closed pipe is the reader's choice.
    let _ = e.print();
    if e.use_stderr() { status } else { exit::DONE }
}

/// Whose session a command speaks for: mail for a Codex session is that session's.
fn whose(verb: &Verb) -> Whose<'_> {
    match verb {
        Verb::Watch(watch::Args { codex: Some(id), .. }) if Uuid::try_parse(id).is_ok() => {
            Whose::Hook("codex", Some(id))
        }
        _ => Whose::Shell,
    }
}

/// What is wrong with a command line.
fn misused(e: &clap::Error, status: u8) -> CliError {
    let text = e.to_string();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    CliError::new(status, first.trim_start_matches("error: ")).hint(rest.trim())
}

fn in_context(verb: Verb, env: Env, as_json: bool) -> u8 {
    let cwd = std::env::current_dir().unwrap_or_default();
    let mut cx = match Context::load(env, &cwd, &whose(&verb)) {
        Ok(cx) => cx,
        Err(e) => return finish(Err(e.into()), as_json),
    };
    let verb = match verb {
        Verb::Watch(args) => return watch::main(&cx, args, as_json),
        Verb::Wake(args) => return wake::main(&cx, &args, as_json),
        verb => verb,
    };
    if matches!(verb, Verb::Coordination(_))
        && let Err(e) = coordination::become_instance(&mut cx)
    {
        return finish(Err(e), as_json);
    }
    let mut outcome = outcome(&cx, verb, as_json);
    let shown = outcome.as_mut().map(Shown::of).unwrap_or_default();
    let (code, taken) = print(outcome, as_json);
    if taken {
        shown.note(&cx);
    }
    code
}

/// What a command line is answered, without the program's name: for callers that are no terminal.
#[cfg(feature = "mcp")]
pub(crate) fn answer(cx: &Context, words: &[String]) -> Result<Report, CliError> {
    let words = std::iter::once("coord").chain(words.iter().map(String::as_str));
    let cli = Cli::try_parse_from(words).map_err(|e| misused(&e, exit::USAGE))?;
    outcome(cx, cli.verb, cli.json)
}

/// What a command found or did, with what it should be told besides.
fn outcome(cx: &Context, verb: Verb, as_json: bool) -> Result<Report, CliError> {
    cx.note_heard();
    let outcome = run(cx, verb, as_json);
    let outcome = match cx.stale.get() {
        Some(stale) => outcome.map(|r| r.known_since(stale)).map_err(|e| e.hint(stale.in_words())),
        None => outcome,
    };
    outcome.map(|report| with_news(cx, report))
}

/// What a report puts before a session. Only what was really handed over counts as offered (G31).
#[derive(Debug, Default)]
pub(crate) struct Shown {
    messages: Vec<String>,
    news: Vec<(RealDisk, News)>,
}

impl Shown {
    /// Taken out of a report.
    pub(crate) fn of(report: &mut Report) -> Self {
        Self {
            messages: std::mem::take(&mut report.offers),
            news: std::mem::take(&mut report.news),
        }
    }

    /// The report was handed over. What cannot be noted is shown once more.
    pub(crate) fn note(self, cx: &Context) {
        let _ = cx.note_offered(self.messages, TRY_BUDGET);
        for (outbox, news) in self.news {
            let _ = outbox_news::told(&outbox, &cx.session.id, &news);
        }
    }
}

/// What became of this session's writes that waited, where it cost something: at its next command, if
/// no hook or sync has said it before.
fn with_news(cx: &Context, report: Report) -> Report {
    if !report.news.is_empty() {
        return report;
    }
    let news = outbox_news::of(&cx.outbox, &cx.session.id).unwrap_or_default();
    let words: Vec<_> = news.notable().into_iter().map(in_words).collect();
    if words.is_empty() {
        return report;
    }
    let report = words.into_iter().fold(report, |r, w| r.note(format!("queued before: {w}")));
    Report { news: vec![(cx.outbox.clone(), news)], ..report }
}

fn run(cx: &Context, verb: Verb, as_json: bool) -> Result<Report, CliError> {
    match verb {
        Verb::Status(a) => status::run(cx, &a),
        Verb::Msg(v) => msg::run(cx, v),
        Verb::Todo(v) => todo::run(cx, v),
        Verb::Claim(a) => claims::claim::run(cx, a),
        Verb::Conflicts(a) => claims::list::conflicts(cx, &a),
        Verb::Claims(a) => claims::list::list(cx, &a),
        Verb::Release(a) => claims::ends::release(cx, &a),
        Verb::Extend(a) => claims::ends::extend(cx, &a),
        Verb::Request(v) => claims::request::run(cx, v),
        Verb::Queue(a) => claims::queue::run(cx, a),
        Verb::Owners(v) => claims::owners::run(cx, v),
        Verb::Hotspots(a) => claims::hotspots::run(cx, a),
        Verb::Lock(v) => lock::run(cx, v),
        Verb::Component(v) => component::run(cx, v),
        Verb::Workflow(v) => workflow::run(cx, v),
        Verb::Work(v) => work::run(cx, v),
        Verb::Session(v) => session::run(cx, v),
        Verb::Decision(v) => decision::run(cx, v),
        Verb::Import(v) => coordination::import(cx, &v),
        Verb::Export(v) => coordination::export(cx, &v),
        Verb::Coordination(a) => coordination::run(cx, &a),
        Verb::Sync(a) => sync::run(cx, &a),
        Verb::Outbox(v) => outbox::run(cx, v),
        Verb::Start(a) => server::start(cx, &a, as_json),
        Verb::Stop => server::stop(cx),
        // Answered before it comes to this.
        Verb::Serve(_)
        | Verb::Hook { .. }
        | Verb::Watch(_)
        | Verb::Init(_)
        | Verb::Doctor
        | Verb::Uninstall(_)
        | Verb::Wake(_)
        | Verb::Guard(_)
        | Verb::Completions(_)
        | Verb::Man(_) => Ok(Report::new("", serde_json::json!({}))),
        #[cfg(feature = "mcp")]
        Verb::Mcp => Ok(Report::new("", serde_json::json!({}))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grammar_is_sound() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_of_seed_001_parses() {
        for line in [
            "status",
            "msg send ALL subject body",
            "msg send HOWARD-HOME subject --body-file /x",
            "msg inbox --all",
            "msg read id",
            "todo add text --user u --project k --parent p --source s --auto",
            "todo add --text-file /x",
            "todo list --user u --project k --status all",
            "todo done id",
            "lock claim project resource desc --ttl 0.5",
            "lock release id",
            "lock list --project k",
            "watch --json --since x.1 --project k",
            "component set gururmm dashboard deployed --version 0.2.39 --notes n",
        ] {
            let words = std::iter::once("coord").chain(line.split(' '));
            Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{line}: {e}"));
        }
    }
}
