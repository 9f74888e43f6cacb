//! `coord init` and `coord uninstall`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;

use coord_protocol::exit;
use serde_json::{Value, json};

use crate::config::env::Env;
use crate::setup::act::{self, Prepared};
use crate::setup::host::Host;
use crate::setup::purge;
use crate::setup::show;
use crate::setup::site::{NoSite, Site};
use crate::setup::wiring::Scope;
use crate::ui::report::{CliError, Report, confirm, is_dialogue};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord init                      wire the tools that are found here
  coord init --dry-run            show what would be written
  coord init --tool codex --tool claude --git-hooks
  coord init --user --all         in your own settings, for all your projects

Run it again at any time: it changes nothing that is as it should be. docs/setup.md says what is
written for each tool.")]
pub(super) struct InitArgs {
    /// A host tool to wire; may be repeated [default: those that are found]
    #[arg(long = "tool", visible_alias = "host", value_name = "TOOL", value_enum)]
    tools: Vec<Host>,
    /// All host tools
    #[arg(long, conflicts_with = "tools")]
    all: bool,
    /// Git's pre-commit and pre-push hooks, too
    #[arg(long, conflicts_with = "user")]
    git_hooks: bool,
    #[command(flatten)]
    how: How,
}

/// What both have.
#[derive(Debug, clap::Args)]
struct How {
    /// Your own settings instead of this project's
    #[arg(long)]
    user: bool,
    /// Show what would change, line by line; change nothing
    #[arg(long)]
    dry_run: bool,
    /// Don't ask (without a terminal nobody is asked anyway)
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord uninstall --dry-run       show what would be taken away
  coord uninstall                 everything that `coord init` put into this project
  coord uninstall --user          and into your own settings")]
pub(super) struct UninstallArgs {
    /// A host tool to unwire; may be repeated [default: all, and git's hooks]
    #[arg(long = "tool", visible_alias = "host", value_name = "TOOL", value_enum)]
    tools: Vec<Host>,
    /// Also this project's queue and coord's files in the state folder (databases stay)
    #[arg(long, conflicts_with = "tools")]
    purge: bool,
    #[command(flatten)]
    how: How,
}

fn site(env: &Env, user: bool) -> Result<Site, CliError> {
    let scope = if user { Scope::User } else { Scope::Project };
    let cwd = std::env::current_dir().unwrap_or_default();
    Site::find(env, &cwd, scope).map_err(|e| match e {
        NoSite::Config(e) => e.into(),
        NoSite::NoProject(_) => CliError::new(exit::REFUSED, e.to_string())
            .hint("go to your project, or make one with `git init`")
            .hint("`coord init --user` wires your own settings, for all projects"),
        NoSite::Folder(..) => CliError::new(exit::REFUSED, e.to_string()),
    })
}

pub(super) fn init(args: &InitArgs, env: &Env, as_json: bool) -> Result<Report, CliError> {
    let site = site(env, args.how.user)?;
    let hosts: BTreeSet<Host> = match (args.all, args.tools.as_slice()) {
        (true, _) => Host::ALL.into(),
        (false, []) => site.hosts(env),
        (false, tools) => tools.iter().copied().collect(),
    };
    if hosts.is_empty() {
        let names: Vec<_> = Host::ALL.iter().map(|h| h.name()).collect();
        return Err(CliError::new(exit::REFUSED, "no host tool is found here")
            .hint(format!("name one with --tool ({}), or take --all", names.join(", "))));
    }
    let prepared = act::init(site, hosts, args.git_hooks).map_err(|e| failed(&e))?;
    refuse_problems(&prepared)?;
    let mut report = report_of(&prepared, &args.how);
    if prepared.plan.changes.is_empty() {
        report.text.push_str("everything is wired already");
    }
    if args.how.dry_run {
        return Ok(report);
    }
    let _ = write!(report.text, "\n\nLeft for you to do:");
    for host in &prepared.hosts {
        let _ = write!(report.text, "\n  {:<12} {}", host.title(), host.left_to_do());
    }
    if !prepared.plan.changes.is_empty() {
        ask(&args.how, as_json, &show::changes(&prepared, false))?;
    }
    prepared.carry_out().map_err(|e| failed(&e))?;
    Ok(report)
}

pub(super) fn uninstall(
    args: &UninstallArgs,
    env: &Env,
    as_json: bool,
) -> Result<Report, CliError> {
    let site = site(env, args.how.user)?;
    let hosts: BTreeSet<Host> = match args.tools.as_slice() {
        [] => Host::ALL.into(),
        tools => tools.iter().copied().collect(),
    };
    let doomed = if args.purge { purge::find(&site) } else { Ok(Vec::new()) };
    let doomed = doomed.map_err(|why| CliError::new(exit::REFUSED, why))?;
    let prepared = act::uninstall(site, hosts).map_err(|e| failed(&e))?;
    refuse_problems(&prepared)?;
    let mut report = report_of(&prepared, &args.how);
    for path in &doomed {
        let _ = write!(report.text, "\nremove  {}", path.display());
    }
    let nothing = report.text.is_empty() && !prepared.changes_anything();
    if nothing {
        report.text.push_str("nothing of coord's is here");
    }
    if nothing || args.how.dry_run {
        return Ok(report);
    }
    ask(&args.how, as_json, &report.text)?;
    let state = prepared.site.state.clone();
    prepared.carry_out().map_err(|e| failed(&e))?;
    if args.purge {
        let gone = purge::remove(&doomed, &state).map_err(|e| failed(&e))?;
        let left = (!gone).then(|| format!("{} holds more and stays", state.display()));
        report.notes.extend(left);
        let databases = purge::databases(env);
        report.notes.extend(databases.map(|d| format!("the databases in {} stay", d.display())));
    }
    Ok(report)
}

/// What changes, line by line where nothing is written yet.
fn report_of(prepared: &Prepared, how: &How) -> Report {
    let mut report = Report::new(show::changes(prepared, how.dry_run), told(prepared, how.dry_run));
    report.notes = show::remarks(prepared, &prepared.plan.notes);
    report
}

/// Only a person at a terminal is asked.
fn ask(how: &How, as_json: bool, what: &str) -> Result<(), CliError> {
    if how.yes
        || as_json
        || !is_dialogue()
        || confirm(&format!("{what}\nDo this? (--dry-run shows each line)"))
    {
        return Ok(());
    }
    Err(CliError::new(exit::REFUSED, "nothing was changed"))
}

fn told(prepared: &Prepared, dry_run: bool) -> Value {
    let left: serde_json::Map<_, _> =
        prepared.hosts.iter().map(|h| (h.name().to_owned(), h.left_to_do().into())).collect();
    json!({
        "root": prepared.site.root().display().to_string(),
        "tools": prepared.hosts.iter().map(|h| h.name()).collect::<Vec<_>>(),
        "changes": show::changes_in_json(prepared),
        "dry_run": dry_run,
        "left_to_do": left,
    })
}

/// Nothing is written unless all of it can be.
fn refuse_problems(prepared: &Prepared) -> Result<(), CliError> {
    let problems = show::remarks(prepared, &prepared.plan.problems);
    if problems.is_empty() {
        return Ok(());
    }
    let error =
        CliError::new(exit::REFUSED, "nothing was written: these files are to be mended first")
            .facts(json!({"problems": problems.clone()}));
    Err(problems.into_iter().fold(error, CliError::hint))
}

fn failed(e: &io::Error) -> CliError {
    CliError::new(exit::REFUSED, e.to_string()).hint("mend this, then run it again")
}
