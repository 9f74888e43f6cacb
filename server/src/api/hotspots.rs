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
const SPOTS_MAX: u32 = 200;

/// A whole number of a query, within bounds.
fn number(form: &mut Form, name: &str, default: u32, most: u32) -> u32 {
    let n = form.number(name, 1, most.into()).and_then(|n| u32::try_from(n).ok());
    n.unwrap_or(default)
}

/// A project as these answers name it.
fn repo(project: &str) -> Option<&str> {
    Some(project).filter(|p| !p.is_empty())
}

pub(super) fn list(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = Form::query(m, &["days", "min_attempts", "limit"]);
    let days = number(&mut form, "days", 30, DAYS_MAX);
    let least = number(&mut form, "min_attempts", 5, u32::MAX);
    let most = usize::try_from(number(&mut form, "limit", 20, SPOTS_MAX)).unwrap_or_default();
    read!(form.done());
    let found = hotspots::hot_spots(v, cx.now, days, least, m.query("repo").as_deref(), most)?;
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
    let (asked, pattern) = (form.text("action"), form.text("pattern"));
    if form.value("pattern").is_some() && pattern.is_empty() {
        form.too_short("pattern");
    }
    let (repo, note) = (form.maybe_name("repo"), form.maybe_text("note"));
    read!(form.done());
    let Some(action) = Action::parse(&asked) else {
        let why = format!("action must be 'shared_file' or 'split', not {asked:?}");
        return Err(Refusal::new(400, why).into());
    };
    let patched = ownership::promote(tx, cx, action, &pattern, note.as_deref())?;
    ok(&json!({"ok": true, "action": asked, "pattern": pattern, "repo": repo,
        "patched_yaml": patched}))
}

pub(super) fn auto_resolutions(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = Form::query(m, &["days"]);
    let days = number(&mut form, "days", 30, DAYS_MAX);
    read!(form.done());
    let found = hotspots::auto_resolutions(v, cx.now, days, m.query("repo").as_deref())?;
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
