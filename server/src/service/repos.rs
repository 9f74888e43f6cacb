//! Projects with team claims, summed up.

use std::time::Duration;

use coord_protocol::time::Millis;
use serde::Serialize;

use super::events::{AUTO_COEXIST, AUTO_NARROW};
use super::{Answer, Cx};
use crate::store::View;

const DAY: Duration = Duration::from_hours(24);

/// One project.
#[derive(Debug, Serialize)]
pub struct Repo {
    /// Its name.
    pub repo: String,
    /// When it was last claimed in.
    pub last_activity: Millis,
    /// Claims of the last 24 hours.
    pub claims_24h: i64,
    /// Engineers of those.
    pub engineers_24h: i64,
    /// Live claims.
    pub active_claims: i64,
    /// What was resolved without anybody in the last 24 hours.
    pub auto_resolutions_24h: AutoResolutions,
}

/// What was resolved without anybody.
#[derive(Debug, Default, Serialize)]
pub struct AutoResolutions {
    /// Symbol claims that stand beside each other.
    pub auto_coexist: i64,
    /// Files that gave way.
    pub auto_narrow: i64,
}

/// All projects that ever had a team claim, the latest first.
pub fn list(view: &View<'_>, cx: &Cx<'_>) -> Answer<Vec<Repo>> {
    let since = cx.now.before(DAY);
    let events = view.auto_events_since(since)?;
    let count = |repo: &str, kind: &str| {
        let of = |(r, k, _): &&(String, String, i64)| r == repo && k == kind;
        events.iter().find(of).map_or(0, |(_, _, n)| *n)
    };
    let repos = view.repos(cx.now, since)?;
    Ok(repos
        .into_iter()
        .map(|r| Repo {
            auto_resolutions_24h: AutoResolutions {
                auto_coexist: count(&r.repo, AUTO_COEXIST),
                auto_narrow: count(&r.repo, AUTO_NARROW),
            },
            last_activity: r.last_activity,
            claims_24h: r.claims,
            engineers_24h: r.engineers,
            active_claims: r.active,
            repo: r.repo,
        })
        .collect())
}
