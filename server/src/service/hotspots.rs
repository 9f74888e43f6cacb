//! Claims that were refused, and what follows from many of them.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use coord_protocol::claim::Who;
use coord_protocol::edge::id_at;
use coord_protocol::glob::Pattern;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use serde_json::{Value, json};
use tracing::warn;

use super::events::{self, About};
use super::{Cx, areas, ownership};
use crate::ownership::{Document, Index, add_shared, remove_shared};
use crate::store::{AttemptRow, Hot, HotSpot, Paged, ResolvedOn, Stored, Tx, View};

/// Longest window of a question, days; attempts are forgotten when they are older.
pub const DAYS_MAX: u32 = 90;
/// Attempts that are forgotten in one go.
const FORGET_STEP: usize = 1_000;
/// Resources that a look for cold entries counts, the most refused first.
const COUNTED_MAX: usize = 20_000;
/// Days with something to tell, over all projects, in one answer.
const SERIES_MAX: usize = 10_000;

fn days(n: u32) -> Duration {
    Duration::from_hours(24 * u64::from(n))
}

/// A claim that was refused because of somebody's claim.
pub(super) struct Attempt<'a> {
    /// The project; '' is none.
    pub(super) project: &'a str,
    /// The holder's claim.
    pub(super) claim: &'a str,
    /// Who asked.
    pub(super) who: Who<'a>,
    /// As it was sent.
    pub(super) pattern: &'a str,
    /// Its canonical form.
    pub(super) resource: &'a str,
}

/// Writes an attempt down.
pub(super) fn note_attempt(tx: &Tx<'_>, cx: &Cx<'_>, a: &Attempt<'_>) -> Stored<()> {
    tx.add_attempt(&AttemptRow {
        id: id_at(cx.now, cx.rng).to_string(),
        project_key: a.project.to_owned(),
        claim_id: a.claim.to_owned(),
        attempted_by: a.who.engineer.unwrap_or(a.who.session).to_owned(),
        attempted_session_id: Some(a.who.session.to_owned()).filter(|s| !s.is_empty()),
        pattern: a.pattern.to_owned(),
        resource: a.resource.to_owned(),
        created_at: cx.now,
    })
}

/// Patterns with at least so many refused claims in the last days, most first.
pub fn hot_spots(
    view: &View<'_>,
    now: Millis,
    window_days: u32,
    least: u32,
    project: Option<&str>,
    most: usize,
) -> Stored<Vec<HotSpot>> {
    view.hot_spots(&Hot { since: now.before(days(window_days)), least, project }, most)
}

/// What the engine resolved by itself in the last days, by project and day.
pub fn auto_resolutions(
    view: &View<'_>,
    now: Millis,
    window_days: u32,
    project: Option<&str>,
) -> Stored<Paged<ResolvedOn>> {
    view.resolved_by_day(now.before(days(window_days)), project, SERIES_MAX)
}

/// After a refusal, once its attempts are written down: patterns of that call that were refused often
/// enough become shared files by themselves. Nothing here can make the refusal fail but the database.
pub(super) fn after_refusal(tx: &Tx<'_>, cx: &Cx<'_>, patterns: &[&str]) -> Stored<()> {
    let rule = cx.rules.team.promotion;
    // A copy of a server's rows leaves that to the server.
    if rule.threshold == 0 || cx.provisional {
        return Ok(());
    }
    let hot = hot_of_call(tx, cx, patterns)?;
    let (folders, files) = grouped(&hot, rule.subtree_min_files);
    for (folder, sources) in &folders {
        let mut detail = promotion_detail(cx, folder, true);
        detail["source_count"] = json!(sources.len());
        detail["source_patterns"] = json!(sources);
        promote(tx, cx, folder, &detail)?;
    }
    for pattern in files {
        promote(tx, cx, pattern, &promotion_detail(cx, pattern, false))?;
    }
    Ok(())
}

/// The patterns of a call that are hot, each resource once, in the order of the call.
fn hot_of_call<'p>(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    patterns: &[&'p str],
) -> Stored<Vec<(&'p str, Resource)>> {
    let rule = cx.rules.team.promotion;
    let mut asked: Vec<(&str, Resource)> = Vec::new();
    for pattern in patterns {
        match Resource::claim(pattern) {
            Ok(r) if asked.iter().all(|(_, known)| *known != r) => asked.push((pattern.trim(), r)),
            Ok(_) | Err(_) => {}
        }
    }
    let names: Vec<&str> = asked.iter().map(|(_, r)| r.as_str()).collect();
    let since = cx.now.before(days(rule.window_days));
    let hot: HashSet<String> =
        tx.often_refused(&names, since, rule.threshold)?.into_iter().collect();
    asked.retain(|(_, r)| hot.contains(r.as_str()));
    Ok(asked)
}

/// Folders in which at least `least` of the files lie, with those, and the files of no such folder.
/// Files at the top have none, nor have patterns whose folder is itself a pattern. 0: no folders.
fn grouped<'p>(
    hot: &[(&'p str, Resource)],
    least: u32,
) -> (BTreeMap<String, Vec<&'p str>>, Vec<&'p str>) {
    let folder_of = |resource: &Resource| {
        let (folder, _) = resource.as_str().rsplit_once('/')?;
        (!Pattern::has_meta(folder)).then(|| format!("{folder}/**"))
    };
    let mut folders: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (pattern, resource) in hot {
        if let Some(folder) = folder_of(resource) {
            folders.entry(folder).or_default().push(pattern);
        }
    }
    folders.retain(|_, files| least > 0 && files.len() >= usize::try_from(least).unwrap_or(0));
    let alone = |resource: &Resource| folder_of(resource).is_none_or(|f| !folders.contains_key(&f));
    let files = hot.iter().filter(|(_, r)| alone(r)).map(|(pattern, _)| *pattern).collect();
    (folders, files)
}

fn promotion_detail(cx: &Cx<'_>, pattern: &str, subtree: bool) -> Value {
    let rule = cx.rules.team.promotion;
    json!({"pattern": pattern, "threshold": rule.threshold, "window_days": rule.window_days,
        "subtree": subtree})
}

/// Makes a pattern a shared file by itself, unless an entry says so already.
fn promote(tx: &Tx<'_>, cx: &Cx<'_>, pattern: &str, detail: &Value) -> Stored<()> {
    let Ok(resource) = Resource::claim(pattern) else { return Ok(()) };
    if areas::of(tx)?.is_shared(&resource) {
        return Ok(());
    }
    let moment = cx.now.to_string();
    let day = moment.split('T').next().unwrap_or_default();
    match add_shared(&ownership::get(tx)?.unwrap_or_default(), pattern, Some(day)) {
        Ok(None) => Ok(()),
        Ok(Some(new)) => {
            tx.set_ownership(&new, cx.now)?;
            tell(tx, cx, events::AUTO_PROMOTE, detail)
        }
        // It is the claim's refusal that matters now; the next one tries again.
        Err(e) => {
            warn!("{pattern:?} does not become a shared file by itself: {e}");
            Ok(())
        }
    }
}

fn tell(tx: &Tx<'_>, cx: &Cx<'_>, kind: &str, detail: &Value) -> Stored<()> {
    events::record(tx, cx, kind, About::default(), None, detail)?;
    events::announce(tx, cx, kind, detail)
}

/// Takes entries out that coord wrote by itself and that are not hot any more; says how many. A folder
/// is as hot as everything below it together.
pub(crate) fn demote(tx: &Tx<'_>, cx: &Cx<'_>) -> Stored<usize> {
    let rule = cx.rules.team.promotion;
    if rule.threshold == 0 || rule.demote_every.is_none() || cx.provisional {
        return Ok(0);
    }
    let Some(text) = ownership::get(tx)? else { return Ok(0) };
    let Ok(document) = Document::read(&text) else { return Ok(0) };
    let mut own = document.shared;
    own.retain(|entry| entry.promoted);
    if own.is_empty() {
        return Ok(0);
    }
    let refused = refused_index(tx, cx.now.before(days(rule.demote_window_days)))?;
    let heat = |entry: &Resource| -> u32 {
        let inside = refused.near(entry).filter(|(tried, _)| entry.covers(tried));
        inside.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    };
    let cold: BTreeMap<String, u32> = own
        .into_iter()
        .map(|entry| (heat(&entry.resource), entry.pattern))
        .filter(|(n, _)| *n < rule.threshold)
        .map(|(n, pattern)| (pattern, n))
        .collect();
    match remove_shared(&text, |s| !s.promoted || !cold.contains_key(&s.pattern)) {
        Ok(None) => return Ok(0),
        Ok(Some(new)) => tx.set_ownership(&new, cx.now)?,
        Err(e) => {
            warn!("entries that are not hot any more stay: {e}");
            return Ok(0);
        }
    }
    for (pattern, n) in &cold {
        let detail = json!({"pattern": pattern, "count_in_window": n,
            "threshold": rule.threshold, "window_days": rule.demote_window_days});
        tell(tx, cx, events::AUTO_DEMOTE, &detail)?;
    }
    Ok(cold.len())
}

/// How often what was refused since a moment.
fn refused_index(view: &View<'_>, since: Millis) -> Stored<Index<u32>> {
    let mut index = Index::default();
    for (resource, n) in view.refused_since(since, COUNTED_MAX)? {
        if let Ok(resource) = Resource::claimed(&resource) {
            index.add(resource, n);
        }
    }
    Ok(index)
}

/// Forgets attempts that no question can reach; call it now and then. Says how many.
pub(crate) fn forget_old_attempts(tx: &Tx<'_>, now: Millis) -> Stored<usize> {
    tx.forget_attempts(now.before(days(DAYS_MAX)), FORGET_STEP)
}

#[cfg(test)]
mod tests;
