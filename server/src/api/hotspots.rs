//! Where claims meet often, and what becomes of it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Matched, json as from_json, ok};
use crate::service::hotspots::{self, DAYS_MAX};
use crate::service::once::Told;
use crate::service::ownership::{self, Action};
use crate::service::{Answer, Cx, Refusal};
use crate::store::{Tx, View};

/// Most hot spots in one answer.
const SPOTS_MAX: u32 = 200;

/// The body of `POST /metrics/hotspots/promote`.
#[derive(Deserialize)]
struct Promote {
    action: String,
    pattern: String,
    repo: Option<String>,
    note: Option<String>,
}

/// A whole number of the query.
fn number(m: &Matched<'_>, name: &str, default: u32, most: u32) -> Result<u32, Refusal> {
    let Some(text) = m.query(name) else { return Ok(default) };
    match text.parse::<u32>() {
        Ok(n) if (1..=most).contains(&n) => Ok(n),
        Ok(_) | Err(_) => {
            Err(Refusal::new(422, format!("{name} must be 1 to {most}, not {text:?}")))
        }
    }
}

/// A project as these answers name it.
fn repo(project: &str) -> Option<&str> {
    Some(project).filter(|p| !p.is_empty())
}

pub(super) fn list(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let days = number(m, "days", 30, DAYS_MAX)?;
    let least = number(m, "min_attempts", 5, u32::MAX)?;
    let most = usize::try_from(number(m, "limit", 20, SPOTS_MAX)?).unwrap_or_default();
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
    let ask: Promote = from_json::body(&m.call.body)?;
    if ask.pattern.is_empty() {
        return Err(Refusal::new(422, "pattern is empty").into());
    }
    let Some(action) = Action::parse(&ask.action) else {
        let why = format!("action must be 'shared_file' or 'split', not {:?}", ask.action);
        return Err(Refusal::new(400, why).into());
    };
    let patched = ownership::promote(tx, cx, action, &ask.pattern, ask.note.as_deref())?;
    ok(&json!({"ok": true, "action": ask.action, "pattern": ask.pattern, "repo": ask.repo,
        "patched_yaml": patched}))
}

pub(super) fn auto_resolutions(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let days = number(m, "days", 30, DAYS_MAX)?;
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
