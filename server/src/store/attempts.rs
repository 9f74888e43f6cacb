//! Claims that were refused because somebody holds something.

use coord_protocol::time::Millis;
use rusqlite::{Row, params};
use serde_json::json;

use super::{Paged, Stored, Tx, View, limit};

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

/// A pattern that claims are refused on again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HotSpot {
    /// The project; '' is none.
    pub project_key: String,
    /// As it was sent.
    pub pattern: String,
    /// Refused claims.
    pub attempts: u32,
    /// By so many.
    pub attempters: u32,
    /// The latest.
    pub last: Millis,
}

/// Which hot spots are wanted.
#[derive(Debug, Clone, Copy)]
pub struct Hot<'a> {
    /// Attempts from this moment on.
    pub since: Millis,
    /// So many at least.
    pub least: u32,
    /// Of one project.
    pub project: Option<&'a str>,
}

/// What the engine resolved by itself in a project on a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedOn {
    /// The project; '' is none.
    pub project_key: String,
    /// `YYYY-MM-DD`, in UTC.
    pub day: String,
    /// Claims on symbols let stand beside each other.
    pub coexist: u32,
    /// Whole files narrowed.
    pub narrow: u32,
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

    /// Patterns with many refused claims, most first.
    pub fn hot_spots(&self, wanted: &Hot<'_>, most: usize) -> Stored<Vec<HotSpot>> {
        self.rows(
            "SELECT project_key, pattern, COUNT(*) AS n, COUNT(DISTINCT attempted_by),
             MAX(created_at) AS last FROM blocked_attempt
             WHERE created_at >= ?1 AND (?2 IS NULL OR project_key = ?2)
             GROUP BY project_key, pattern HAVING n >= ?3
             ORDER BY n DESC, last DESC, pattern, project_key LIMIT ?4",
            params![wanted.since.0, wanted.project, wanted.least, limit(most)],
            |r| {
                Ok(HotSpot {
                    project_key: r.get(0)?,
                    pattern: r.get(1)?,
                    attempts: r.get(2)?,
                    attempters: r.get(3)?,
                    last: Millis(r.get(4)?),
                })
            },
        )
    }

    /// Which of these resources were refused so often since a moment.
    pub fn often_refused(
        &self,
        resources: &[&str],
        since: Millis,
        least: u32,
    ) -> Stored<Vec<String>> {
        self.rows(
            "SELECT resource FROM blocked_attempt
             WHERE created_at >= ?1 AND resource IN (SELECT value FROM json_each(?2))
             GROUP BY resource HAVING COUNT(*) >= ?3",
            params![since.0, json!(resources).to_string(), least],
            |r| r.get(0),
        )
    }

    /// How often each resource was refused since a moment, most often first.
    pub fn refused_since(&self, since: Millis, most: usize) -> Stored<Vec<(String, u32)>> {
        self.rows(
            "SELECT resource, COUNT(*) AS n FROM blocked_attempt WHERE created_at >= ?1
             GROUP BY resource ORDER BY n DESC, resource LIMIT ?2",
            params![since.0, limit(most)],
            |r| Ok((r.get(0)?, r.get(1)?)),
        )
    }

    /// What the engine resolved by itself since a moment, by project and day.
    pub fn resolved_by_day(
        &self,
        since: Millis,
        project: Option<&str>,
        most: usize,
    ) -> Stored<Paged<ResolvedOn>> {
        self.page(
            most,
            "SELECT project_key, date(created_at / 1000, 'unixepoch') AS day,
             SUM(event_type = 'auto-coexist'), SUM(event_type = 'auto-narrow') FROM team_event
             WHERE event_type IN ('auto-coexist', 'auto-narrow') AND created_at >= ?1
             AND (?2 IS NULL OR project_key = ?2)
             GROUP BY project_key, day ORDER BY project_key, day LIMIT ?3",
            params![since.0, project, limit(most + 1)],
            |r| {
                Ok(ResolvedOn {
                    project_key: r.get(0)?,
                    day: r.get(1)?,
                    coexist: r.get(2)?,
                    narrow: r.get(3)?,
                })
            },
        )
    }
}

impl Tx<'_> {
    /// Forgets attempts from before a moment, so many at most; says how many.
    pub fn forget_attempts(&self, before: Millis, most: usize) -> Stored<usize> {
        let oldest = "SELECT seq FROM blocked_attempt WHERE created_at < ?1
             ORDER BY created_at, seq LIMIT ?2";
        // They are no news any more, either.
        self.run(
            &format!("DELETE FROM change WHERE kind = 14 AND at IN ({oldest})"),
            params![before.0, limit(most)],
        )?;
        self.run(
            &format!("DELETE FROM blocked_attempt WHERE seq IN ({oldest})"),
            params![before.0, limit(most)],
        )
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open_in_memory;

    fn add(tx: &Tx<'_>, n: u32, project: &str, by: &str, pattern: &str, at: i64) {
        tx.add_attempt(&AttemptRow {
            id: n.to_string(),
            project_key: project.to_owned(),
            claim_id: "c".to_owned(),
            attempted_by: by.to_owned(),
            attempted_session_id: None,
            pattern: pattern.to_owned(),
            resource: pattern.trim_start_matches("./").to_owned(),
            created_at: Millis(at),
        })
        .unwrap();
    }

    #[test]
    fn attempts_are_counted_and_forgotten() {
        let conn = open_in_memory("attempts").unwrap();
        let tx = Tx::new(&conn);
        for (n, (project, by, pattern, at)) in [
            ("p", "amy", "a.ts", 10),
            ("p", "amy", "a.ts", 20),
            ("p", "bob", "a.ts", 30),
            ("", "bob", "./a.ts", 40),
            ("", "bob", "b.ts", 50),
            ("", "bob", "b.ts", 60),
        ]
        .into_iter()
        .enumerate()
        {
            add(&tx, u32::try_from(n).unwrap(), project, by, pattern, at);
        }
        let all = Hot { since: Millis(0), least: 1, project: None };
        let hot = |wanted: &Hot<'_>| -> Vec<(String, u32, u32, i64)> {
            let found = tx.hot_spots(wanted, 10).unwrap().into_iter();
            found.map(|h| (h.pattern, h.attempts, h.attempters, h.last.0)).collect()
        };
        let row = |pattern: &str, n, by, last| (pattern.to_owned(), n, by, last);
        assert_eq!(
            hot(&all),
            [row("a.ts", 3, 2, 30), row("b.ts", 2, 1, 60), row("./a.ts", 1, 1, 40)]
        );
        assert_eq!(hot(&Hot { least: 3, ..all }), [row("a.ts", 3, 2, 30)]);
        assert_eq!(hot(&Hot { project: Some("p"), since: Millis(11), ..all }).len(), 1);
        assert_eq!(tx.often_refused(&["a.ts", "b.ts", "x"], Millis(0), 4).unwrap(), ["a.ts"]);
        assert!(tx.often_refused(&["a.ts"], Millis(11), 4).unwrap().is_empty());
        let counts = tx.refused_since(Millis(0), 1).unwrap();
        assert_eq!(counts, [("a.ts".to_owned(), 4)]);

        let news = tx.feed_head().unwrap();
        assert_eq!(tx.forget_attempts(Millis(30), 1).unwrap(), 1);
        assert_eq!(tx.forget_attempts(Millis(30), 10).unwrap(), 1);
        assert_eq!(tx.forget_attempts(Millis(30), 10).unwrap(), 0);
        assert_eq!(tx.attempts_on("c", 10).unwrap().len(), 4);
        assert_eq!(tx.feed_head().unwrap(), news);
    }
}
