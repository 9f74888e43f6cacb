//! Where claims meet often, and what becomes of it.

use serde_json::{Value, json};

use super::forms::Form;
use super::team::read;
use super::{Matched, ok};
use crate::service::hotspots::{self, DAYS_MAX};
use crate::service::once::Told;
use crate::service::ownership::{self, Action};
use crate::service::{Answer, Cx, Refusal};
use crate::store::{Tx, View};

/// Most hot spots in one answer.
const SPOTS_MAX: i64 = 200;
/// Days that are looked at when the caller does not say.
const DAYS: i64 = 30;
/// Attempts that make a hot spot, and hot spots in one answer, when the caller does not say.
const ATTEMPTS: i64 = 5;
const SPOTS: i64 = 20;

/// A number that a form has found in its bounds.
fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A project as these answers name it.
fn repo(project: &str) -> Option<&str> {
    Some(project).filter(|p| !p.is_empty())
}

pub(super) fn list(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = Form::query(m, &["days", "min_attempts", "limit", "repo"]);
    let days = small(form.number("days", 1, DAYS_MAX.into()).unwrap_or(DAYS));
    let least = small(form.number("min_attempts", 1, u32::MAX.into()).unwrap_or(ATTEMPTS));
    let most = form.number("limit", 1, SPOTS_MAX).unwrap_or(SPOTS);
    let repo_asked = form.maybe_name("repo");
    read!(form.done());
    let most = usize::try_from(most).unwrap_or_default();
    let found = hotspots::hot_spots(v, cx.now, days, least, repo_asked.as_deref(), most)?;
    let rows: Vec<Value> = found
        .iter()
        .map(|h| {
            json!({"repo": repo(&h.project_key), "pattern": h.pattern, "attempts": h.attempts,
                "distinct_attempters": h.attempters, "last_attempt": h.last})
        })
        .collect();
    ok(&json!({"count": rows.len(), "hotspots": rows, "days": days, "min_attempts": least}))
}

pub(super) fn promote(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = read!(Form::body(&m.call.body));
    let (word, pattern) = (form.text("action"), form.some_text("pattern"));
    let (repo, note) = (form.maybe_text("repo"), form.maybe_text("note"));
    read!(form.done());
    let Some(action) = Action::parse(&word) else {
        let why = format!("action must be 'shared_file' or 'split', not {word:?}");
        return Err(Refusal::new(400, why).into());
    };
    let patched = ownership::promote(tx, cx, action, &pattern, note.as_deref())?;
    ok(&json!({"ok": true, "action": word, "pattern": pattern, "repo": repo,
        "patched_yaml": patched}))
}

pub(super) fn auto_resolutions(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = Form::query(m, &["days", "repo"]);
    let days = small(form.number("days", 1, DAYS_MAX.into()).unwrap_or(DAYS));
    let repo_asked = form.maybe_name("repo");
    read!(form.done());
    let found = hotspots::auto_resolutions(v, cx.now, days, repo_asked.as_deref())?;
    let series: Vec<Value> = found
        .rows
        .iter()
        .map(|r| {
            json!({"repo": repo(&r.project_key), "date": r.day, "auto_coexist": r.coexist,
                "auto_narrow": r.narrow})
        })
        .collect();
    let mut answer = json!({"count": series.len(), "series": series, "days": days});
    if found.more {
        answer["more"] = json!(true);
    }
    ok(&answer)
}
