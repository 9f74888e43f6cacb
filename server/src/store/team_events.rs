//! What happened to release requests, and what the engine decided by itself.

use coord_protocol::time::Millis;
use rusqlite::{Row, params};

use super::{Stored, Tx, View, limit};

/// One event.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// The release request that it is about; `None` for what the engine decided by itself.
    pub request_id: Option<String>,
    /// The holder's claim that it is about, if any.
    pub claim_id: Option<String>,
    /// What happened.
    pub event_type: String,
    /// Who did it.
    pub actor_engineer: Option<String>,
    /// In which session.
    pub actor_session_id: Option<String>,
    /// JSON.
    pub detail: Option<String>,
    /// When.
    pub created_at: Millis,
}

const COLUMNS: &str = "id, project_key, request_id, claim_id, event_type, actor_engineer,
    actor_session_id, detail, created_at FROM team_event";

fn event(r: &Row<'_>) -> rusqlite::Result<EventRow> {
    Ok(EventRow {
        id: r.get(0)?,
        project_key: r.get(1)?,
        request_id: r.get(2)?,
        claim_id: r.get(3)?,
        event_type: r.get(4)?,
        actor_engineer: r.get(5)?,
        actor_session_id: r.get(6)?,
        detail: r.get(7)?,
        created_at: Millis(r.get(8)?),
    })
}

impl View<'_> {
    /// Events of a release request, oldest first.
    pub fn events_of_request(&self, request: &str, most: usize) -> Stored<Vec<EventRow>> {
        self.rows(
            &format!("SELECT {COLUMNS} WHERE request_id = ?1 ORDER BY seq LIMIT ?2"),
            params![request, limit(most)],
            event,
        )
    }

    /// Events of one type that are about a claim, newest first.
    pub fn events_of_claim(&self, claim: &str, kind: &str, most: usize) -> Stored<Vec<EventRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE claim_id = ?1 AND event_type = ?2
                 ORDER BY seq DESC LIMIT ?3"
            ),
            params![claim, kind, limit(most)],
            event,
        )
    }
}

impl View<'_> {
    /// How often the engine decided something by itself since a moment, by project and type.
    pub fn auto_events_since(&self, since: Millis) -> Stored<Vec<(String, String, i64)>> {
        self.rows(
            "SELECT project_key, event_type, COUNT(*) FROM team_event
             WHERE event_type IN ('auto-coexist', 'auto-narrow') AND created_at >= ?1
             GROUP BY project_key, event_type",
            [since.0],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
        )
    }
}

impl Tx<'_> {
    /// Adds an event.
    pub fn add_event(&self, e: &EventRow) -> Stored<()> {
        self.run(
            "INSERT INTO team_event (id, project_key, request_id, claim_id, event_type,
             actor_engineer, actor_session_id, detail, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                e.id,
                e.project_key,
                e.request_id,
                e.claim_id,
                e.event_type,
                e.actor_engineer,
                e.actor_session_id,
                e.detail,
                e.created_at.0,
            ],
        )?;
        Ok(())
    }
}
