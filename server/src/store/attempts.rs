//! Claims that were refused because somebody holds something.

use coord_protocol::time::Millis;
use rusqlite::{Row, params};

use super::{Stored, Tx, View, limit};

/// A refused claim.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// The holder's claim.
    pub claim_id: String,
    /// Who tried.
    pub attempted_by: String,
    /// In which session.
    pub attempted_session_id: Option<String>,
    /// As it was sent.
    pub pattern: String,
    /// Its canonical form.
    pub resource: String,
    /// When.
    pub created_at: Millis,
}

fn attempt(r: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    Ok(AttemptRow {
        id: r.get(0)?,
        project_key: r.get(1)?,
        claim_id: r.get(2)?,
        attempted_by: r.get(3)?,
        attempted_session_id: r.get(4)?,
        pattern: r.get(5)?,
        resource: r.get(6)?,
        created_at: Millis(r.get(7)?),
    })
}

impl View<'_> {
    /// Refused because of one claim, newest first.
    pub fn attempts_on(&self, claim: &str, most: usize) -> Stored<Vec<AttemptRow>> {
        self.rows(
            "SELECT id, project_key, claim_id, attempted_by, attempted_session_id, pattern,
             resource, created_at FROM blocked_attempt WHERE claim_id = ?1
             ORDER BY seq DESC LIMIT ?2",
            params![claim, limit(most)],
            attempt,
        )
    }
}

impl Tx<'_> {
    /// Adds one.
    pub fn add_attempt(&self, a: &AttemptRow) -> Stored<()> {
        self.run(
            "INSERT INTO blocked_attempt (id, project_key, claim_id, attempted_by,
             attempted_session_id, pattern, resource, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                a.id,
                a.project_key,
                a.claim_id,
                a.attempted_by,
                a.attempted_session_id,
                a.pattern,
                a.resource,
                a.created_at.0,
            ],
        )?;
        Ok(())
    }
}
