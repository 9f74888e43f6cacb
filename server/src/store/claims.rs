//! Rows of the claim table.

use std::time::Duration;

use coord_protocol::claim::Who;
use coord_protocol::resource::{Anchors, Resource};
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimKind, ClaimType, Severity, TeamClaim};
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
    /// What kind of claim.
    pub kind: ClaimKind,
    /// The conversation of its session that it was granted to.
    pub generation: Option<i64>,
    /// Of a file: its content when it was granted.
    pub content_then: Option<String>,
    /// Of a file: its content after its holder's last recorded edit.
    pub content_now: Option<String>,
    /// What a team claim has beyond this.
    pub team: Option<Box<TeamClaim>>,
}

impl ClaimRow {
    /// Who holds it.
    pub fn who(&self) -> Who<'_> {
        let engineer = self.team.as_ref().map(|t| t.engineer.as_str());
        Who { session: &self.session_id, engineer }
    }

    /// What its holder is called.
    pub fn holder(&self) -> &str {
        self.team.as_ref().map_or(&self.session_id, |t| &t.engineer)
    }

    /// What it is on, as it was sent; of a lock, its canonical form.
    pub fn pattern(&self) -> &str {
        self.team.as_ref().map_or(&self.resource, |t| &t.pattern)
    }

    /// What it is on. A row that a foreign hand wrote and that cannot be read can be in nobody's way.
    pub fn read_resource(&self) -> Option<Resource> {
        let read = match self.kind {
            ClaimKind::Claim => Resource::claimed,
            ClaimKind::Lock | ClaimKind::File if self.is_glob => Resource::parse,
            ClaimKind::Lock | ClaimKind::File => Resource::literal,
        };
        read(&self.resource).ok()
    }
}

/// Ended claims that a late one is compared with, at most.
const ENDED_MAX: usize = 500;
/// The last part of a resource holds no dot: it may be a folder.
const FOLDER_LIKE: &str = "claim.kind = 'claim'
    AND instr(substr(resource, length(rtrim(resource, replace(resource, '/', ''))) + 1), '.') = 0";
/// When a claim ends by itself. A file's end moves with every sign of life of its session; nothing is
/// written for that.
macro_rules! expiry {
    ($last_seen:literal) => {
        concat!(
            "CASE WHEN claim.kind = 'file' AND claim.ttl_ms > 0 THEN MAX(claim.expires_at,
             claim.ttl_ms + MAX(claim.last_activity, COALESCE(",
            $last_seen,
            ", 0))) ELSE claim.expires_at END"
        )
    };
}
/// The same where the session is joined.
pub(super) const EXPIRY: &str = expiry!("session.last_seen");
/// The same where it is not.
const EXPIRY_ALONE: &str =
    expiry!("(SELECT s.last_seen FROM session s WHERE s.session_id = claim.session_id)");

/// The holder's latest sign is the claim's own or the session's (a heartbeat, any write).
pub(super) const COLUMNS: &str = concat!(
    "claim.id, claim.project_key, claim.session_id, resource, description, ttl_ms,
    fence, acquired_at, MAX(claim.last_activity, COALESCE(session.last_seen, 0)), ",
    expiry!("session.last_seen"),
    ", claim.ended_at, claim.end_reason, is_glob, claim.kind, claim.generation, content_then,
    content_now, claim.engineer, claim.claim_type, claim.branch, claim.pattern, claim.severity,
    claim.symbols, claim.narrowable, claim.partners, claim.ttl_shortened
    FROM claim LEFT JOIN session USING (session_id)"
);

pub(super) fn claim(r: &Row<'_>) -> rusqlite::Result<ClaimRow> {
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
        kind: ClaimKind::parse(&r.get::<_, String>(13)?),
        generation: r.get(14)?,
        content_then: r.get(15)?,
        content_now: r.get(16)?,
        team: team(r)?,
    })
}

/// The columns of a team claim, from the 17th on.
fn team(r: &Row<'_>) -> rusqlite::Result<Option<Box<TeamClaim>>> {
    let Some(engineer) = r.get::<_, Option<String>>(17)? else { return Ok(None) };
    let is_hard = r.get::<_, Option<String>>(21)?.as_deref() == Some(Severity::Hard.as_str());
    Ok(Some(Box::new(TeamClaim {
        engineer,
        claim_type: ClaimType::parse(&r.get::<_, Option<String>>(18)?.unwrap_or_default())
            .unwrap_or_default(),
        branch: r.get(19)?,
        pattern: r.get::<_, Option<String>>(20)?.unwrap_or_default(),
        severity: if is_hard { Severity::Hard } else { Severity::Soft },
        symbols: names(r.get(22)?),
        narrowable: r.get(23)?,
        partners: names(r.get(24)?).unwrap_or_default(),
        ttl_shortened: r.get(25)?,
    })))
}

/// A list of names that stands as JSON in a column.
pub(super) fn names(column: Option<String>) -> Option<Vec<String>> {
    serde_json::from_str(&column?).ok()
}

/// The same for a column.
pub(super) fn json_of_names(names: &[String]) -> String {
    serde_json::to_string(names).expect("texts are plain JSON")
}

impl View<'_> {
    /// One claim.
    pub fn claim(&self, id: &str) -> Stored<Option<ClaimRow>> {
        self.row(&format!("SELECT {COLUMNS} WHERE claim.id = ?1"), [id], claim)
    }

    /// Sessions that hold files.
    pub fn holders_of_files(&self) -> Stored<Vec<String>> {
        self.rows(
            "SELECT DISTINCT session_id FROM claim WHERE ended_at IS NULL AND kind = 'file'",
            [],
            |r| r.get(0),
        )
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

    /// Claims of a project that are not ended and may touch `resource`: a superset, narrowed by the
    /// index; the caller decides exactly.
    pub fn claims_near(&self, project: &str, resource: &Resource) -> Stored<Vec<ClaimRow>> {
        let Anchors { exact, ranges } = resource.anchors();
        let live = "claim.project_key = ?1 AND claim.ended_at IS NULL";
        let mut found = Vec::new();
        if !exact.is_empty() {
            let sql = format!(
                "SELECT {COLUMNS} WHERE {live} AND anchor IN (SELECT value FROM json_each(?2))"
            );
            found = self.rows(&sql, [project, &json_of_names(&exact)], claim)?;
        }
        // A name at any depth meets only what spells it, may be a folder, or is a pattern itself.
        let name = resource.name_anywhere();
        for (from, to) in ranges {
            let sql = format!(
                "SELECT {COLUMNS} WHERE {live} AND anchor >= ?2 AND anchor < ?3
                 AND (?4 IS NULL OR is_glob = 1 OR instr(resource, ?4) > 0 OR {FOLDER_LIKE})"
            );
            found.extend(self.rows(&sql, params![project, from, to, name], claim)?);
        }
        found.sort_by(|a, b| (a.acquired_at, &a.id).cmp(&(b.acquired_at, &b.id)));
        Ok(found)
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
                 AND (expires_at IS NULL OR {EXPIRY} > ?1)
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

    /// How many claims are neither ended nor over at `now`.
    pub fn live_claim_count(&self, now: Millis, project: Option<&str>) -> Stored<i64> {
        self.number(
            &format!(
                "SELECT COUNT(*) FROM claim LEFT JOIN session USING (session_id)
                 WHERE claim.ended_at IS NULL AND (expires_at IS NULL OR {EXPIRY} > ?1)
                 AND (?2 IS NULL OR claim.project_key = ?2)"
            ),
            params![now.0, project],
        )
    }

    /// A session's latest claim on exactly this resource, live or not.
    pub fn latest_claim(
        &self,
        project: &str,
        resource: &str,
        session: &str,
    ) -> Stored<Option<ClaimRow>> {
        let of = "claim.project_key = ?1 AND resource = ?2 AND claim.session_id = ?3
            AND is_glob = 0 AND claim.kind <> 'claim'";
        let live = self.row(
            &format!("SELECT {COLUMNS} WHERE {of} AND claim.ended_at IS NULL"),
            [project, resource, session],
            claim,
        )?;
        if live.is_some() {
            return Ok(live);
        }
        self.row(
            &format!(
                "SELECT {COLUMNS} WHERE {of} AND claim.ended_at IS NOT NULL
                 ORDER BY claim.ended_at DESC LIMIT 1"
            ),
            [project, resource, session],
            claim,
        )
    }

    /// Claims that are not ended and whose stored end is over at `now`; that of a file may have
    /// moved on.
    pub fn claims_over(
        &self,
        now: Millis,
        project: Option<&str>,
        most: usize,
    ) -> Stored<Vec<ClaimRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.ended_at IS NULL AND claim.expires_at <= ?1
                 AND (?2 IS NULL OR claim.project_key = ?2) ORDER BY claim.expires_at LIMIT ?3"
            ),
            params![now.0, project, limit(most)],
            claim,
        )
    }

    /// Claims that are not ended and that somebody has asked to be released.
    pub fn claims_asked_for(&self, most: usize) -> Stored<Vec<ClaimRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.ended_at IS NULL AND claim.id IN
                 (SELECT claim_id FROM release_request WHERE decision = 'pending') LIMIT ?1"
            ),
            [limit(most)],
            claim,
        )
    }

    /// A session's file claims that are not ended.
    pub fn files_of(&self, session: &str) -> Stored<Vec<ClaimRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.session_id = ?1 AND claim.ended_at IS NULL
                 AND claim.kind = 'file' ORDER BY acquired_at, claim.id"
            ),
            [session],
            claim,
        )
    }

    /// A session's claims that are not ended.
    pub fn claims_of(&self, session: &str) -> Stored<Vec<ClaimRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim.session_id = ?1 AND claim.ended_at IS NULL
                 ORDER BY acquired_at, claim.id"
            ),
            [session],
            claim,
        )
    }
}

impl Tx<'_> {
    /// Adds a claim.
    pub fn add_claim(&self, c: &ClaimRow, anchor: &str) -> Stored<()> {
        let team = c.team.as_deref();
        self.run(
            "INSERT INTO claim (id, project_key, session_id, resource, is_glob, description, ttl_ms,
             fence, acquired_at, last_activity, expires_at, ended_at, end_reason, kind, generation,
             content_then, content_now, anchor, engineer, claim_type, branch, pattern, severity,
             symbols, narrowable, partners)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
             ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26)
",
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
                c.kind.as_str(),
                c.generation,
                c.content_then,
                c.content_now,
                anchor,
                team.map(|t| &t.engineer),
                team.map(|t| t.claim_type.as_str()),
                team.map(|t| &t.branch),
                team.map(|t| &t.pattern),
                team.map(|t| t.severity.as_str()),
                team.and_then(|t| t.symbols.as_deref()).map(json_of_names),
                team.is_some_and(|t| t.narrowable),
                team.filter(|t| !t.partners.is_empty()).map(|t| json_of_names(&t.partners)),
            ],
        )?;
        Ok(())
    }

    /// Puts a claim here that another engine has granted. What is known of it already stays if it is
    /// later than this: the answer may be one that was remembered.
    pub fn put_granted(&self, row: &ClaimRow, anchor: &str) -> Stored<()> {
        let known = self.number("SELECT COUNT(*) FROM claim WHERE id = ?1", [&row.id])?;
        if known == 0 {
            return self.add_claim(row, anchor);
        }
        self.run(
            "UPDATE claim SET description = ?2, ttl_ms = ?3, last_activity = ?4, expires_at = ?5,
             content_now = ?6 WHERE id = ?1 AND ended_at IS NULL AND last_activity < ?4",
            params![
                row.id,
                row.description,
                row.ttl_ms,
                row.last_activity.0,
                row.expires_at.map(|t| t.0),
                row.content_now,
            ],
        )?;
        Ok(())
    }

    /// Gives a live claim a new lease and description.
    pub fn renew_claim(&self, c: &ClaimRow) -> Stored<()> {
        self.run(
            "UPDATE claim SET description = ?2, ttl_ms = ?3, last_activity = ?4, expires_at = ?5,
             kind = ?6, generation = ?7, content_then = ?8, content_now = ?9
             WHERE id = ?1 AND ended_at IS NULL",
            params![
                c.id,
                c.description,
                c.ttl_ms,
                c.last_activity.0,
                c.expires_at.map(|t| t.0),
                c.kind.as_str(),
                c.generation,
                c.content_then,
                c.content_now
            ],
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
        self.set_heard_since(now)?;
        self.run(
            &format!(
                "UPDATE claim SET expires_at = MAX(expires_at, ?2 + MIN(ttl_ms, ?3)),
                   last_activity = ?2 - ?1 + MAX(last_activity, COALESCE(
                     (SELECT last_seen FROM session WHERE session_id = claim.session_id), 0))
                 WHERE ended_at IS NULL AND (expires_at IS NULL OR {EXPIRY_ALONE} > ?1)"
            ),
            params![stopped.0, now.0, grace],
        )
    }
}
