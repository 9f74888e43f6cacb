//! `coord claims` and `coord conflicts`.

use coord_protocol::exit;
use coord_protocol::time::Millis;
use serde::Deserialize;

use super::rows::{LIST_MAX, Row, Rows};
use super::{at_any_depth, project, wanted};
use crate::cli::reading::{Query, listed, read};
use crate::context::Context;
use crate::ui::claim_words::both_mean;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// Patterns of one question: as many as a claim has items.
const PATTERNS_MAX: usize = 500;
/// Conflicts that are shown; the others count.
const CONFLICTS_SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord claims
  coord claims --engineer DESK/claude-main --all
  coord claims --module auth --all-projects")]
pub(in crate::cli) struct ListArgs {
    /// Also claims that ended
    #[arg(long)]
    all: bool,
    /// Only this holder's
    #[arg(long, value_name = "NAME")]
    engineer: Option<String>,
    /// Only those with this in the pattern
    #[arg(long, value_name = "TEXT")]
    module: Option<String>,
    /// Of this project [default: the one of this folder]
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
    /// Of all projects
    #[arg(long, conflicts_with = "project")]
    all_projects: bool,
}

pub(in crate::cli) fn list(cx: &Context, a: &ListArgs) -> Result<Report, CliError> {
    let repo = a.project.clone().or_else(|| cx.project.key.clone()).filter(|_| !a.all_projects);
    let query = Query::default()
        .and("active_only", a.all.then_some("false"))
        .and("engineer", a.engineer.as_deref())
        .and("module", a.module.as_deref())
        .and("repo", repo.as_deref())
        .and("full", Some("true"))
        .and("limit", Some(LIST_MAX));
    let (found, raw): (Rows, _) = read(cx, &query.on("/claims"))?;
    let lines: Vec<_> = found.claims.iter().map(Row::line).collect();
    let report = listed(&lines, "no claims", raw);
    Ok(if found.more {
        report.note(format!("these are the first {}; there are more", lines.len()))
    } else {
        report
    })
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord conflicts src/auth/login.ts docs
  git diff --name-only | xargs coord conflicts

Status 10 when somebody else holds any of it.")]
pub(in crate::cli) struct ConflictArgs {
    /// Paths, or patterns as in .gitignore
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The project [default: the one of this folder]
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Conflict {
    your_pattern: String,
    engineer: String,
    pattern: String,
    #[serde(default)]
    expires_at: Option<Millis>,
    #[serde(default)]
    overlap: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Conflicts {
    conflicts: Vec<Conflict>,
}

pub(in crate::cli) fn conflicts(cx: &Context, a: &ConflictArgs) -> Result<Report, CliError> {
    if a.files.len() > PATTERNS_MAX {
        let why = format!("more than {PATTERNS_MAX} files in one question");
        return Err(CliError::new(exit::USAGE, why));
    }
    let repo = project(cx, a.project.as_deref())?;
    let mut query = Query::default()
        .and("engineer", Some(&cx.session.id))
        .and("session_id", Some(&cx.session.id))
        .and("repo", Some(&repo));
    let meant = a.files.iter().map(|f| wanted(cx, f, &repo)).collect::<Result<Vec<_>, _>>()?;
    for wanted in &meant {
        query = query.and("pattern", Some(&wanted.pattern));
    }
    let anywhere = at_any_depth(a.files.iter().zip(&meant));
    let (found, raw): (Conflicts, _) = read(cx, &query.on("/conflicts"))?;
    if found.conflicts.is_empty() {
        let all = match a.files.as_slice() {
            [one] => format!("{} is free", line(one)),
            all => format!("all {} are free", all.len()),
        };
        let free = Report::new(all, raw);
        return Ok(anywhere.iter().fold(free, |r, why| r.note(format!("note: {why}"))));
    }
    let n = found.conflicts.len();
    let mut e = CliError::new(exit::LOCK_HELD, in_words(&found.conflicts[0])).facts(raw);
    for c in found.conflicts.iter().skip(1).take(CONFLICTS_SHOWN) {
        e = e.hint(in_words(c));
    }
    if n > CONFLICTS_SHOWN + 1 {
        e = e.hint(format!("and {} more", n - CONFLICTS_SHOWN - 1));
    }
    let e = e.hint("`coord claims` shows what is held; `coord request release FILE` asks for it");
    Err(anywhere.iter().fold(e, CliError::hint))
}

fn in_words(c: &Conflict) -> String {
    let until = c.expires_at.map_or("released".to_owned(), |t| t.to_string());
    let witness = both_mean(&c.overlap, [&c.your_pattern, &c.pattern]);
    format!(
        "{} is held by {} ({}) until {until}{witness}",
        line(&c.your_pattern),
        line(&c.engineer),
        line(&c.pattern)
    )
}
