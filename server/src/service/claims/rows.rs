//! Claims as lists of seed 002 show them.

use coord_protocol::lease::Standing;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimType, Severity};
use serde::Serialize;

use super::standing_of;
use crate::service::{Answer, Cx};
use crate::store::{ClaimRow, TeamFilter, View};

/// A claim, as `GET /claims` gives it.
#[derive(Debug, Serialize)]
pub struct TeamRow {
    /// Its id.
    pub id: String,
    /// Who holds it; of a lock, the session.
    pub engineer: String,
    /// Where the work is done.
    pub branch: Option<String>,
    /// What for.
    pub description: Option<String>,
    /// `file`, `shared_file`, `module`.
    pub claim_type: &'static str,
    /// As it was sent.
    pub pattern: String,
    /// Of the area.
    pub severity: Severity,
    /// When it was granted.
    pub created_at: Millis,
    /// Until when; null: until released.
    pub expires_at: Option<Millis>,
    /// When it ended.
    pub released_at: Option<Millis>,
    /// The project.
    pub repo: Option<String>,
    /// In which session.
    pub session_id: Option<String>,
    /// When its holder was last heard of; only with a session.
    pub last_activity: Option<Millis>,
    /// A JSON list inside a text, as seed 002 has it.
    pub coexists_with: Option<String>,
    /// 1 while a release request cuts its time.
    pub ttl_shortened: u8,
    /// `file` or `symbol`.
    pub scope_type: &'static str,
    /// 1 when it gives way to claims on symbols.
    pub narrowable: u8,
    /// What seed 002 does not have, for those who ask for it.
    #[serde(flatten)]
    pub more: Option<MoreOfRow>,
}

/// What seed 002 does not show of a claim.
#[derive(Debug, Serialize)]
pub struct MoreOfRow {
    /// Its symbols, in full.
    pub symbols: Option<Vec<String>>,
    /// `lock` or `file` for claims of the protocol, which are in the way all the same.
    pub kind: &'static str,
    /// Grows with each grant.
    pub fence: Option<i64>,
}

/// Such a row; `full` with what seed 002 does not show.
pub fn team_row(row: &ClaimRow, full: bool) -> TeamRow {
    let team = row.team.as_deref();
    let session = Some(row.session_id.clone()).filter(|s| !s.is_empty());
    let partners = team.map(|t| &t.partners).filter(|p| !p.is_empty());
    TeamRow {
        id: row.id.clone(),
        engineer: row.holder().to_owned(),
        branch: team.and_then(|t| t.branch.clone()),
        description: row.description.clone(),
        claim_type: team.map_or(ClaimType::File, |t| t.claim_type).as_str(),
        pattern: row.pattern().to_owned(),
        severity: team.map_or(Severity::Soft, |t| t.severity),
        created_at: row.acquired_at,
        expires_at: row.expires_at,
        released_at: row.ended_at,
        repo: Some(row.project_key.clone()).filter(|p| !p.is_empty()),
        last_activity: session.as_ref().map(|_| row.last_activity),
        session_id: session,
        coexists_with: partners.map(|p| serde_json::json!(p).to_string()),
        ttl_shortened: u8::from(team.is_some_and(|t| t.ttl_shortened)),
        scope_type: if team.is_some_and(|t| t.symbols.is_some()) { "symbol" } else { "file" },
        narrowable: u8::from(team.is_some_and(|t| t.narrowable)),
        more: full.then(|| MoreOfRow {
            symbols: team.and_then(|t| t.symbols.clone()),
            kind: row.kind.as_str(),
            fence: row.fence,
        }),
    }
}

/// Most claims of one answer: the callers of seed 002 know no pages.
pub const ROWS_MAX: usize = 10_000;

/// Claims, live ones by their end, others newest first, and whether there are more. Locks are among
/// the live ones: they are in the way of claims, too.
pub fn list(
    view: &View<'_>,
    cx: &Cx<'_>,
    f: &TeamFilter<'_>,
    most: usize,
    full: bool,
) -> Answer<(Vec<TeamRow>, bool)> {
    let page = view.team_claims(cx.now, f, most)?;
    let live = |r: &&ClaimRow| standing_of(cx.now, cx.rules, r) == Standing::Live;
    let shown = page.rows.iter().filter(|r| !f.active_only || live(r));
    Ok((shown.map(|r| team_row(r, full)).collect(), page.more))
}
