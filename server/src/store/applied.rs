//! Idempotency keys with their answers (reliability 5.7).

use std::collections::HashSet;

use coord_protocol::time::Millis;
use rusqlite::params;

use super::{Stored, Tx, View, limit};

/// What was answered under a key.
pub struct Applied {
    /// SHA-256 of what was asked.
    pub fingerprint: Vec<u8>,
    /// The answer's status.
    pub status: u16,
    /// The answer's body.
    pub response: String,
}

impl View<'_> {
    /// The answer given under a key.
    pub fn applied(&self, key: &str) -> Stored<Option<Applied>> {
        self.row("SELECT fingerprint, status, response FROM applied WHERE key = ?1", [key], |r| {
            Ok(Applied { fingerprint: r.get(0)?, status: r.get(1)?, response: r.get(2)? })
        })
    }
}

impl View<'_> {
    /// All keys that something was answered under.
    pub fn applied_keys(&self) -> Stored<HashSet<String>> {
        Ok(self.rows("SELECT key FROM applied", [], |r| r.get(0))?.into_iter().collect())
    }
}

impl Tx<'_> {
    /// Remembers an answer, in the transaction of its effect.
    pub fn remember(&self, key: &str, answer: &Applied, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO applied (key, fingerprint, status, response, at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key, answer.fingerprint, answer.status, answer.response, now.0],
        )?;
        Ok(())
    }

    /// Forgets keys from before `horizon`, and the oldest beyond `most`; at most `step` at once.
    pub fn forget_keys(&self, horizon: Millis, most: u64, step: usize) -> Stored<usize> {
        let old = self.run(
            "DELETE FROM applied WHERE rowid IN
             (SELECT rowid FROM applied WHERE at < ?1 ORDER BY at LIMIT ?2)",
            params![horizon.0, limit(step)],
        )?;
        let over = self.number("SELECT COUNT(*) FROM applied", [])?
            - i64::try_from(most).unwrap_or(i64::MAX);
        let surplus = if over > 0 {
            self.run(
                "DELETE FROM applied WHERE rowid IN
                 (SELECT rowid FROM applied ORDER BY at LIMIT ?1)",
                params![over.min(limit(step))],
            )?
        } else {
            0
        };
        Ok(old + surplus)
    }
}
