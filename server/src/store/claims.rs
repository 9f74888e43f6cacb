//! Rows of the claim table.

use std::time::Duration;

use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::Lock;
use rusqlite::{Row, params};

use super::{Paged, Stored, Tx, View, limit};

/// A claim, live or ended.
#[derive(Debug, Clone)]
pub struct ClaimRow {
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// The holder.
    pub session_id: String,
    /// Canonical resource.
    pub resource: String,
    /// It is a pattern; otherwise it means exactly itself.
    pub is_glob: bool,
    /// What for.
    pub description: Option<String>,
    /// Milliseconds; 0 is no expiry.
    pub ttl_ms: i64,
    /// Absent on claims that were history from the start.
    pub fence: Option<i64>,
    /// When it was granted.
    pub acquired_at: Millis,
    /// Latest sign of its holder: for the claim itself, or of the session in general.
    pub last_activity: Millis,
    /// When it ends by itself.
    pub expires_at: Option<Millis>,
    /// When it ended.
    pub ended_at: Option<Millis>,
    /// Why it ended.
    pub end_reason: Option<String>,
}

/// Ended claims that a late one is compared with, at most.
const ENDED_MAX: usize = 500;

/// The holder's latest sign is the claim's own or the session's (a heartbeat, any write).
const COLUMNS: &str =
    "claim.id, claim.project_key, claim.session_id, resource, description, ttl_ms,
    fence, acquired_at, MAX(claim.last_activity, COALESCE(session.last_seen, 0)), expires_at,
    claim.ended_at, claim.end_reason, is_glob FROM claim LEFT JOIN session USING (session_id)";

fn claim(r: &Row<'_>) -> rusqlite::Result<ClaimRow> {
    Ok(ClaimRow {
        id: r.get(0)?,
        project_key: r.get(1)?,
        session_id: r.get(2)?,
        resource: r.get(3)?,
        description: r.get(4)?,
        ttl_ms: r.get(5)?,
        fence: r.get(6)?,
        acquired_at: Millis(r.get(7)?),
        last_activity: Millis(r.get(8)?),
        expires_at: r.get::<_, Option<i64>>(9)?.map(Millis),
        ended_at: r.get::<_, Option<i64>>(10)?.map(Millis),
        end_reason: r.get(11)?,
        is_glob: r.get(12)?,
    })
}

impl View<'_> {
    /// One claim.
    pub fn claim(&self, id: &str) -> Stored<Option<ClaimRow>> {
        self.row(&format!("SELECT {COLUMNS} WHERE claim.id = ?1"), [id], claim)
    }

    /// Claims of a project that ended at `since` or later, oldest first; the latest few hundred.
    pub fn claims_ended_since(&self, project: &str, since: Millis) -> Stored<Vec<ClaimRow>> {
        let mut rows = self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.project_key = ?1 AND claim.ended_at >= ?2
                 ORDER BY claim.ended_at DESC LIMIT ?3"
            ),
            params![project, since.0, limit(ENDED_MAX)],
            claim,
        )?;
        rows.reverse();
        Ok(rows)
    }

    /// Claims of a project that are not ended and may touch `resource`: a superset, narrowed by
    /// literal text; the caller decides exactly.
    pub fn claims_near(&self, project: &str, resource: &Resource) -> Stored<Vec<ClaimRow>> {
        if resource.is_glob() {
            let prefix = resource.literal_prefix();
            return self.rows(
                &format!(
                    "SELECT {COLUMNS} WHERE claim.project_key = ?1 AND claim.ended_at IS NULL
                     AND (is_glob = 1 OR (resource >= ?2 AND resource < ?2 || char(1114111)))
                     ORDER BY acquired_at, claim.id"
                ),
                params![project, prefix],
                claim,
            );
        }
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.project_key = ?1 AND claim.ended_at IS NULL
                 AND resource = ?2
                 UNION ALL
                 SELECT {COLUMNS} WHERE claim.project_key = ?1 AND claim.ended_at IS NULL
                 AND is_glob = 1 AND resource <> ?2"
            ),
            params![project, resource.as_str()],
            claim,
        )
    }

    /// Claims that are neither ended nor over at `now`, oldest first, after the claim `after`.
    pub fn live_claims(
        &self,
        now: Millis,
        project: Option<&str>,
        session: Option<&str>,
        after: Option<&str>,
        most: usize,
    ) -> Stored<Paged<ClaimRow>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS} WHERE claim.ended_at IS NULL
                 AND (expires_at IS NULL OR expires_at > ?1)
                 AND (?2 IS NULL OR claim.project_key = ?2)
                 AND (?3 IS NULL OR claim.session_id = ?3)
                 AND (?4 IS NULL OR (acquired_at, fence) >
                      (SELECT acquired_at, fence FROM claim WHERE id = ?4))
                 ORDER BY acquired_at, fence LIMIT ?5"
            ),
            params![now.0, project, session, after, limit(most + 1)],
            claim,
        )
    }

    /// Ids of a session's claims that are not ended.
    pub fn claims_of(&self, session: &str) -> Stored<Vec<String>> {
        self.rows(
            "SELECT id FROM claim WHERE session_id = ?1 AND ended_at IS NULL
             ORDER BY acquired_at, id",
            [session],
            |r| r.get(0),
        )
    }
}

impl Tx<'_> {
    /// Adds a claim.
    pub fn add_claim(&self, c: &ClaimRow) -> Stored<()> {
        self.run(
            "INSERT INTO claim (id, project_key, session_id, resource, is_glob, description, ttl_ms,
             fence, acquired_at, last_activity, expires_at, ended_at, end_reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                c.id,
                c.project_key,
                c.session_id,
                c.resource,
                c.is_glob,
                c.description,
                c.ttl_ms,
                c.fence,
                c.acquired_at.0,
                c.last_activity.0,
                c.expires_at.map(|t| t.0),
                c.ended_at.map(|t| t.0),
                c.end_reason,
            ],
        )?;
        Ok(())
    }

    /// Puts a claim here that another engine has granted. What is known of it already stays if it is
    /// later than this: the answer may be one that was remembered.
    pub fn put_granted(&self, lock: &Lock, is_glob: bool) -> Stored<()> {
        self.run(
            "INSERT INTO claim (id, project_key, session_id, resource, is_glob,
             description, ttl_ms, fence, acquired_at, last_activity, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (id) DO UPDATE SET description = excluded.description,
               ttl_ms = excluded.ttl_ms, last_activity = excluded.last_activity,
               expires_at = excluded.expires_at
             WHERE ended_at IS NULL AND last_activity < excluded.last_activity",
            params![
                lock.id,
                lock.project_key,
                lock.session_id,
                lock.resource,
                is_glob,
                lock.description,
                lock.ttl_ms(),
                lock.fence,
                lock.acquired_at.0,
                lock.last_activity.0,
                lock.expires_at.map(|t| t.0),
            ],
        )?;
        Ok(())
    }

    /// Gives a live claim a new lease and description.
    pub fn renew_claim(&self, c: &ClaimRow) -> Stored<()> {
        self.run(
            "UPDATE claim SET description = ?2, ttl_ms = ?3, last_activity = ?4, expires_at = ?5
             WHERE id = ?1 AND ended_at IS NULL",
            params![c.id, c.description, c.ttl_ms, c.last_activity.0, c.expires_at.map(|t| t.0)],
        )?;
        Ok(())
    }

    /// Marks a claim ended; true when it was live until now.
    pub fn mark_ended(
        &self,
        id: &str,
        at: Millis,
        reason: &str,
        by: Option<&str>,
        note: Option<&str>,
    ) -> Stored<bool> {
        let n = self.run(
            "UPDATE claim SET ended_at = ?2, end_reason = ?3, ended_by = ?4, end_note = ?5
             WHERE id = ?1 AND ended_at IS NULL",
            params![id, at.0, reason, by, note],
        )?;
        Ok(n == 1)
    }

    /// After a restart: every lease that was live at `stopped` gets at least min(TTL, `grace`) from
    /// `now` again (G23), and silence counts only while somebody could hear.
    pub fn grant_grace(&self, stopped: Millis, now: Millis, grace: Duration) -> Stored<usize> {
        let grace = i64::try_from(grace.as_millis()).unwrap_or(i64::MAX);
        self.run(
            "UPDATE claim SET expires_at = MAX(expires_at, ?2 + MIN(ttl_ms, ?3)),
               last_activity = ?2 - ?1 + MAX(last_activity, COALESCE(
                 (SELECT last_seen FROM session WHERE session_id = claim.session_id), 0))
             WHERE ended_at IS NULL AND (expires_at IS NULL OR expires_at > ?1)",
            params![stopped.0, now.0, grace],
        )
    }
}
