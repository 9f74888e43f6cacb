//! The registry of sessions.

use coord_protocol::session::machine_of;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Session, SessionStatus};
use rusqlite::{OptionalExtension, Row, params};

use super::{Paged, Stored, Tx, View, limit};

/// Why a session ended that said so itself.
pub const ENDED: &str = "ended";

const COLUMNS: &str = "session_id, machine, user, tool, project_key, branch, task, generation,
    first_seen, last_seen, ended_at, role, worktree, pid, began_at, end_reason";

fn session(r: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        session_id: r.get(0)?,
        machine: r.get(1)?,
        user: r.get(2)?,
        tool: r.get(3)?,
        project_key: r.get(4)?,
        branch: r.get(5)?,
        task: r.get(6)?,
        generation: r.get(7)?,
        first_seen: Millis(r.get(8)?),
        last_seen: Millis(r.get(9)?),
        ended_at: r.get::<_, Option<i64>>(10)?.map(Millis),
        role: r.get(11)?,
        worktree: r.get(12)?,
        pid: r.get(13)?,
        began_at: r.get::<_, Option<i64>>(14)?.map(Millis),
        end_reason: r.get(15)?,
        // The rules judge it.
        status: SessionStatus::Active,
    })
}

impl View<'_> {
    /// One session.
    pub fn session(&self, id: &str) -> Stored<Option<Session>> {
        self.row(&format!("SELECT {COLUMNS} FROM session WHERE session_id = ?1"), [id], session)
    }

    /// How far a session has read the broadcasts.
    pub fn read_mark(&self, id: &str) -> Stored<i64> {
        self.number("SELECT read_to FROM session WHERE session_id = ?1", [id])
    }

    /// Whether anybody at this machine (of this name, when one is given) was ever heard of.
    pub fn machine_known(&self, machine: &str, user: Option<&str>) -> Stored<bool> {
        let found = self
            .conn
            .prepare_cached(
                "SELECT 1 FROM session WHERE machine = ?1 AND (?2 IS NULL OR user = ?2)",
            )?
            .query_row(params![machine, user], |_| Ok(()))
            .optional()?;
        Ok(found.is_some())
    }

    /// Sessions that are not ended and were last heard of before `then`, longest silent first.
    pub fn silent_sessions(
        &self,
        then: Millis,
        project: Option<&str>,
        most: usize,
    ) -> Stored<Vec<String>> {
        self.rows(
            "SELECT session_id FROM session WHERE ended_at IS NULL AND last_seen < ?1
             AND (?2 IS NULL OR project_key = ?2) ORDER BY last_seen LIMIT ?3",
            params![then.0, project, limit(most)],
            |r| r.get(0),
        )
    }

    /// The conversation that a session is in.
    pub fn generation(&self, id: &str) -> Stored<Option<i64>> {
        self.row("SELECT generation FROM session WHERE session_id = ?1", [id], |r| r.get(0))
    }

    /// Sessions, latest sign of life first, after the one with the id `after`.
    pub fn sessions(
        &self,
        project: Option<&str>,
        since: Millis,
        with_ended: bool,
        after: Option<&str>,
        most: usize,
    ) -> Stored<Paged<Session>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS} FROM session WHERE (?1 IS NULL OR project_key = ?1)
                 AND last_seen >= ?2 AND (?3 OR ended_at IS NULL)
                 AND (?5 IS NULL OR (-last_seen, session_id) >
                      (SELECT -last_seen, session_id FROM session WHERE session_id = ?5))
                 ORDER BY -last_seen, session_id LIMIT ?4"
            ),
            params![project, since.0, with_ended, limit(most + 1), after],
            session,
        )
    }
}

impl Tx<'_> {
    /// A session gave a sign of life: adds it when it is new. A session that had ended and speaks
    /// again is alive again, and what it said of its end is over; that it was silent for too long stays
    /// known until it registers.
    pub fn touch_session(&self, id: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO session (session_id, machine, generation, first_seen, last_seen)
             VALUES (?1, ?2, 1, ?3, ?3)
             ON CONFLICT DO UPDATE SET last_seen = ?3, ended_at = NULL,
               began_at = CASE end_reason WHEN ?4 THEN NULL ELSE began_at END,
               end_reason = NULLIF(end_reason, ?4)
             WHERE last_seen < ?3 - 1000 OR ended_at IS NOT NULL",
            params![id, machine_of(id), now.0, ENDED],
        )?;
        Ok(())
    }

    /// A session is over.
    pub fn end_session(&self, id: &str, now: Millis, reason: &str) -> Stored<()> {
        self.run(
            "UPDATE session SET ended_at = ?2, end_reason = ?3 WHERE session_id = ?1",
            params![id, now.0, reason],
        )?;
        Ok(())
    }

    /// A session was heard of at this moment, if that is later than what is known.
    pub fn saw_session(&self, id: &str, at: Millis) -> Stored<()> {
        self.run(
            "UPDATE session SET last_seen = ?2 WHERE session_id = ?1 AND last_seen < ?2 - 1000",
            params![id, at.0],
        )?;
        Ok(())
    }

    /// Adds a session when it is new; tells nothing new of one that is known.
    pub fn know_session(&self, id: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO session (session_id, machine, generation, first_seen, last_seen)
             VALUES (?1, ?2, 1, ?3, ?3) ON CONFLICT DO NOTHING",
            params![id, machine_of(id), now.0],
        )?;
        Ok(())
    }

    /// Writes what is known of a session.
    pub fn put_session(&self, s: &Session) -> Stored<()> {
        self.run(
            &format!(
                "INSERT INTO session ({COLUMNS})
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)
                 ON CONFLICT DO UPDATE SET machine = ?2, user = ?3, tool = ?4, project_key = ?5,
                 branch = ?6, task = ?7, generation = ?8, last_seen = ?10, ended_at = ?11,
                 role = ?12, worktree = ?13, pid = ?14, began_at = ?15, end_reason = ?16"
            ),
            params![
                s.session_id,
                s.machine,
                s.user,
                s.tool,
                s.project_key,
                s.branch,
                s.task,
                s.generation,
                s.first_seen.0,
                s.last_seen.0,
                s.ended_at.map(|t| t.0),
                s.role,
                s.worktree,
                s.pid,
                s.began_at.map(|t| t.0),
                s.end_reason
            ],
        )?;
        Ok(())
    }
}
