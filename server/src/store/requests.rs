//! Rows of the table of release requests.

use coord_protocol::time::Millis;
use coord_protocol::wire::Urgency;
use rusqlite::{Row, params};

use super::{Stored, Tx, View, limit};

/// A release request.
#[derive(Debug, Clone)]
pub struct RequestRow {
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// The claim that is asked for.
    pub claim_id: String,
    /// Who asks.
    pub requester_engineer: String,
    /// In which session.
    pub requester_session_id: Option<String>,
    /// The holder's pattern when it was filed.
    pub requested_pattern: String,
    /// What the asker really wants.
    pub requested_scope: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// `pending`, or what became of it.
    pub decision: String,
    /// When it was decided.
    pub decided_at: Option<Millis>,
    /// By whom.
    pub decided_by_engineer: Option<String>,
    /// In which session.
    pub decided_by_session_id: Option<String>,
    /// What the decider said.
    pub note: Option<String>,
    /// The claim's end before its time was cut.
    pub original_expires_at: Option<Millis>,
    /// Its end after.
    pub shortened_expires_at: Option<Millis>,
    /// When it was filed.
    pub created_at: Millis,
}

/// What a list of requests is narrowed by.
#[derive(Debug, Default)]
pub struct RequestFilter<'a> {
    /// Of this asker.
    pub requester: Option<&'a str>,
    /// For this claim.
    pub claim: Option<&'a str>,
    /// With this decision.
    pub decision: Option<&'a str>,
}

const COLUMNS: &str = "id, project_key, claim_id, requester_engineer, requester_session_id,
    requested_pattern, requested_scope, reason, urgency, decision, decided_at,
    decided_by_engineer, decided_by_session_id, note, original_expires_at, shortened_expires_at,
    created_at FROM release_request";

fn request(r: &Row<'_>) -> rusqlite::Result<RequestRow> {
    let time = |at| Ok::<_, rusqlite::Error>(r.get::<_, Option<i64>>(at)?.map(Millis));
    Ok(RequestRow {
        id: r.get(0)?,
        project_key: r.get(1)?,
        claim_id: r.get(2)?,
        requester_engineer: r.get(3)?,
        requester_session_id: r.get(4)?,
        requested_pattern: r.get(5)?,
        requested_scope: r.get(6)?,
        reason: r.get(7)?,
        urgency: Urgency::parse(&r.get::<_, String>(8)?).unwrap_or_default(),
        decision: r.get(9)?,
        decided_at: time(10)?,
        decided_by_engineer: r.get(11)?,
        decided_by_session_id: r.get(12)?,
        note: r.get(13)?,
        original_expires_at: time(14)?,
        shortened_expires_at: time(15)?,
        created_at: Millis(r.get(16)?),
    })
}

impl View<'_> {
    /// One request.
    pub fn request(&self, id: &str) -> Stored<Option<RequestRow>> {
        self.row(&format!("SELECT {COLUMNS} WHERE id = ?1"), [id], request)
    }

    /// Requests, newest first.
    pub fn requests(&self, f: &RequestFilter<'_>, most: usize) -> Stored<Vec<RequestRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE (?1 IS NULL OR requester_engineer = ?1)
                 AND (?2 IS NULL OR claim_id = ?2) AND (?3 IS NULL OR decision = ?3)
                 ORDER BY seq DESC LIMIT ?4"
            ),
            params![f.requester, f.claim, f.decision, limit(most)],
            request,
        )
    }

    /// Open requests for a claim, oldest first.
    pub fn pending_requests(&self, claim: &str) -> Stored<Vec<RequestRow>> {
        self.rows(
            &format!("SELECT {COLUMNS} WHERE claim_id = ?1 AND decision = 'pending' ORDER BY seq"),
            [claim],
            request,
        )
    }
}

impl Tx<'_> {
    /// Adds a request.
    pub fn add_request(&self, r: &RequestRow) -> Stored<()> {
        self.run(
            "INSERT INTO release_request (id, project_key, claim_id, requester_engineer,
             requester_session_id, requested_pattern, requested_scope, reason, urgency, decision,
             original_expires_at, shortened_expires_at, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                r.id,
                r.project_key,
                r.claim_id,
                r.requester_engineer,
                r.requester_session_id,
                r.requested_pattern,
                r.requested_scope,
                r.reason,
                r.urgency.as_str(),
                r.decision,
                r.original_expires_at.map(|t| t.0),
                r.shortened_expires_at.map(|t| t.0),
                r.created_at.0,
            ],
        )?;
        Ok(())
    }

    /// Writes what has changed of a request: the decision, and the claim's original end.
    pub fn change_request(&self, r: &RequestRow) -> Stored<()> {
        self.run(
            "UPDATE release_request SET decision = ?2, decided_at = ?3, decided_by_engineer = ?4,
             decided_by_session_id = ?5, note = ?6, original_expires_at = ?7 WHERE id = ?1",
            params![
                r.id,
                r.decision,
                r.decided_at.map(|t| t.0),
                r.decided_by_engineer,
                r.decided_by_session_id,
                r.note,
                r.original_expires_at.map(|t| t.0),
            ],
        )?;
        Ok(())
    }
}
