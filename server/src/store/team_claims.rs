//! What only team claims need of the claim table.

use coord_protocol::time::Millis;
use rusqlite::params;

use super::claims::{COLUMNS, ClaimRow, EXPIRY, claim, json_of_names};
use super::{Paged, Stored, Tx, View, limit};

/// Bytes of one list of claims, whose callers know no pages; counted generously.
const LIST_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What a list of team claims is narrowed by.
#[derive(Debug, Default)]
pub struct TeamFilter<'a> {
    /// Only live ones, and locks beside them.
    pub active_only: bool,
    /// Of this engineer.
    pub engineer: Option<&'a str>,
    /// With this in the pattern, in any case.
    pub module: Option<&'a str>,
    /// Of this project.
    pub repo: Option<&'a str>,
}

impl View<'_> {
    /// Live team claims with a session that was last heard of before a moment.
    pub fn claims_idle(&self, before: Millis, most: usize) -> Stored<Vec<ClaimRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.ended_at IS NULL AND claim.kind = 'claim'
                 AND claim.session_id <> ''
                 AND MAX(claim.last_activity, COALESCE(session.last_seen, 0)) < ?1 LIMIT ?2"
            ),
            params![before.0, limit(most)],
            claim,
        )
    }

    /// Claims as seed 002 lists them: live ones by their end, or team claims newest first.
    pub fn team_claims(
        &self,
        now: Millis,
        f: &TeamFilter<'_>,
        most: usize,
    ) -> Stored<Paged<ClaimRow>> {
        let narrowed = "(?2 IS NULL OR COALESCE(claim.engineer, claim.session_id) = ?2)
            AND (?3 IS NULL OR instr(lower(COALESCE(claim.pattern, resource)), lower(?3)) > 0)
            AND (?4 IS NULL OR claim.project_key = ?4)";
        let sql = if f.active_only {
            format!(
                "SELECT {COLUMNS} WHERE claim.ended_at IS NULL
                 AND (claim.expires_at IS NULL OR {EXPIRY} > ?1) AND {narrowed}
                 ORDER BY claim.expires_at LIMIT ?5"
            )
        } else {
            format!(
                "SELECT {COLUMNS} WHERE claim.kind = 'claim' AND ?1 IS NOT NULL AND {narrowed}
                 ORDER BY claim.acquired_at DESC, claim.seq DESC LIMIT ?5"
            )
        };
        let with = params![now.0, f.engineer, f.module, f.repo, limit(most + 1)];
        self.page_within(most, LIST_BYTES_MAX, &sql, with, claim)
    }

    /// Projects that ever had a team claim: when one was last claimed in, claims and engineers since
    /// `since`, and live claims.
    pub fn repos(&self, now: Millis, since: Millis) -> Stored<Vec<RepoRow>> {
        self.rows(
            "SELECT project_key, MAX(MAX(acquired_at, last_activity)),
               SUM(acquired_at >= ?2), COUNT(DISTINCT CASE WHEN acquired_at >= ?2 THEN engineer END),
               SUM(ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?1))
             FROM claim WHERE kind = 'claim' AND project_key <> ''
             GROUP BY project_key ORDER BY 2 DESC, 1",
            [now.0, since.0],
            |r| {
                Ok(RepoRow {
                    repo: r.get(0)?,
                    last_activity: Millis(r.get(1)?),
                    claims: r.get(2)?,
                    engineers: r.get(3)?,
                    active: r.get(4)?,
                })
            },
        )
    }
}

/// A project, as `GET /repos` sums it up.
#[derive(Debug)]
pub struct RepoRow {
    /// Its name.
    pub repo: String,
    /// When it was last claimed in.
    pub last_activity: Millis,
    /// Claims since the asked moment.
    pub claims: i64,
    /// Engineers of those.
    pub engineers: i64,
    /// Live claims.
    pub active: i64,
}

impl Tx<'_> {
    /// Writes what has changed of a team claim: its partners, and its time.
    pub fn change_team_claim(&self, c: &ClaimRow) -> Stored<()> {
        let Some(team) = c.team.as_deref() else { return Ok(()) };
        self.run(
            "UPDATE claim SET partners = ?2, ttl_shortened = ?3, expires_at = ?4, ttl_ms = ?5,
             last_activity = ?6, description = ?7, branch = ?8, narrowable = ?9
             WHERE id = ?1 AND ended_at IS NULL",
            params![
                c.id,
                (!team.partners.is_empty()).then(|| json_of_names(&team.partners)),
                team.ttl_shortened,
                c.expires_at.map(|t| t.0),
                c.ttl_ms,
                c.last_activity.0,
                c.description,
                team.branch,
                team.narrowable,
            ],
        )?;
        Ok(())
    }
}
