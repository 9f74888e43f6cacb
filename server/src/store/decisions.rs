//! Decisions.

use coord_protocol::time::Millis;
use coord_protocol::wire::Decision;
use rusqlite::{Row, params};
use serde_json::json;

use super::{Paged, Stored, Tx, View, limit};

const COLUMNS: &str = "id, display_id, project_key, category, title, rationale, scope, decided_by,
    decided_at, supersedes, superseded_by, description, status, alternatives, files, depends_on";

/// A list of texts in one column.
fn texts(json: Option<String>) -> Vec<String> {
    json.and_then(|t| serde_json::from_str(&t).ok()).unwrap_or_default()
}

fn decision(r: &Row<'_>) -> rusqlite::Result<Decision> {
    Ok(Decision {
        id: r.get(0)?,
        display_id: r.get(1)?,
        project_key: r.get(2)?,
        category: r.get(3)?,
        title: r.get(4)?,
        rationale: r.get(5)?,
        scope: r.get(6)?,
        decided_by: r.get(7)?,
        decided_at: Millis(r.get(8)?),
        supersedes: r.get(9)?,
        superseded_by: r.get(10)?,
        description: r.get(11)?,
        status: r.get(12)?,
        alternatives: texts(r.get(13)?),
        files: texts(r.get(14)?),
        depends_on: texts(r.get(15)?),
    })
}

impl View<'_> {
    /// How many there are.
    pub fn decision_count(&self, project: Option<&str>) -> Stored<i64> {
        self.number(
            "SELECT COUNT(*) FROM decision WHERE (?1 IS NULL OR project_key = ?1)",
            [project],
        )
    }

    /// One decision, by either of its ids.
    pub fn decision(&self, id: &str) -> Stored<Option<Decision>> {
        self.row(
            &format!("SELECT {COLUMNS} FROM decision WHERE id = ?1 OR display_id = ?1"),
            [id],
            decision,
        )
    }

    /// Decisions, newest first, after the one with the id `after`.
    pub fn decisions(
        &self,
        project: Option<&str>,
        category: Option<&str>,
        (since, until): (Option<Millis>, Option<Millis>),
        after: Option<&str>,
        most: usize,
    ) -> Stored<Paged<Decision>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS} FROM decision WHERE (?1 IS NULL OR project_key = ?1)
                 AND (?2 IS NULL OR category = ?2) AND (?3 IS NULL OR decided_at >= ?3)
                 AND (?6 IS NULL OR decided_at <= ?6)
                 AND (?5 IS NULL OR seq < (SELECT seq FROM decision WHERE id = ?5))
                 ORDER BY seq DESC LIMIT ?4"
            ),
            params![
                project,
                category,
                since.map(|t| t.0),
                limit(most + 1),
                after,
                until.map(|t| t.0)
            ],
            decision,
        )
    }
}

impl Tx<'_> {
    /// Adds a decision.
    pub fn add_decision(&self, d: &Decision) -> Stored<()> {
        self.run(
            &format!(
                "INSERT INTO decision ({COLUMNS})
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)"
            ),
            params![
                d.id,
                d.display_id,
                d.project_key,
                d.category,
                d.title,
                d.rationale,
                d.scope,
                d.decided_by,
                d.decided_at.0,
                d.supersedes,
                d.superseded_by,
                d.description,
                d.status,
                json!(d.alternatives).to_string(),
                json!(d.files).to_string(),
                json!(d.depends_on).to_string()
            ],
        )?;
        Ok(())
    }

    /// Notes what replaced a decision.
    pub fn supersede(&self, id: &str, by: &str) -> Stored<()> {
        self.run(
            "UPDATE decision SET superseded_by = ?2, status = 'superseded' WHERE id = ?1",
            [id, by],
        )?;
        Ok(())
    }

    /// Gives a decision another status.
    pub fn set_decision_status(&self, id: &str, status: &str) -> Stored<()> {
        self.run("UPDATE decision SET status = ?2 WHERE id = ?1", [id, status])?;
        Ok(())
    }

    /// A day's numbers go on after this one.
    pub fn skip_decision_number(&self, day: &str, number: i64) -> Stored<()> {
        self.run(
            "INSERT INTO decision_day VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET last = MAX(last, excluded.last)",
            params![day, number],
        )?;
        Ok(())
    }

    /// The next number of a day; never given twice, not even after deletions.
    pub fn next_decision_number(&self, day: &str) -> Stored<i64> {
        // A copy of another database's decisions comes without its counters.
        let taken = self.number(
            "SELECT COALESCE(MAX(CAST(substr(display_id, 14) AS INTEGER)), 0) FROM decision
             WHERE display_id LIKE 'DEC-' || ?1 || '-%'",
            [day],
        )?;
        self.run(
            "INSERT INTO decision_day VALUES (?1, ?2 + 1)
             ON CONFLICT DO UPDATE SET last = MAX(last, ?2) + 1",
            params![day, taken],
        )?;
        self.number("SELECT last FROM decision_day WHERE day = ?1", [day])
    }
}
