//! The engine without threads and network: for the simulation and for tests of the rules.

use coord_protocol::edge::Rng;
use coord_protocol::time::Millis;
use rusqlite::Connection;

use crate::api::{self, Call, Reply};
use crate::service::{Cx, Rules};
use crate::store::{OpenError, StoreError, Stored, Tx, configure, migrate};

/// Runs calls in the caller's thread over one connection in memory or on disk: the engine without
/// threads and network, for the simulation and for tests of the rules.
pub struct Inline {
    conn: Connection,
    rules: Rules,
}

impl Inline {
    /// A database in memory.
    pub fn in_memory(rules: Rules, instance: &str) -> Result<Self, OpenError> {
        let conn = Connection::open_in_memory()?;
        configure(&conn)?;
        migrate(&conn, None)?;
        Tx::new(&conn).set_instance(instance).map_err(|e| match e {
            StoreError::Sqlite(e) => e,
            StoreError::Gone(_) => rusqlite::Error::InvalidQuery,
        })?;
        Ok(Self { conn, rules })
    }

    /// Runs one call in a transaction of its own. `keep` decides, after all is done, between
    /// commit and rollback: a crash in between is a rollback.
    pub fn call(&self, call: &Call, now: Millis, rng: &dyn Rng, keep: bool) -> Stored<Reply> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let cx = Cx::at(now, &self.rules, rng);
        let done = api::perform(&Tx::new(&self.conn), &cx, call);
        let end = if keep && done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.conn.execute_batch(end)?;
        done
    }

    /// The first number that a query gives: for checks on the whole state.
    pub fn number(&self, sql: &str) -> rusqlite::Result<i64> {
        self.conn.query_row(sql, [], |r| r.get(0))
    }

    /// The texts that a query gives: for checks on the whole state.
    pub fn texts(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        self.conn.prepare(sql)?.query_map([], |r| r.get(0))?.collect()
    }

    /// Forgets all idempotency keys: what a server without a memory would be like. For the
    /// simulation's planted bugs.
    pub fn forget_everything(&self) -> rusqlite::Result<()> {
        self.conn.execute_batch("DELETE FROM applied")
    }
}
