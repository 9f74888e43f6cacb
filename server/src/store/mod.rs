//! The database: the only place with SQL. [`Store`] opens and guards the file, [`View`] reads,
//! [`Tx`] writes. Nothing here decides: rules live in [`crate::service`].

mod applied;
mod claims;
mod components;
mod decisions;
mod guard;
mod messages;
mod meta;
mod migrate;
mod sessions;
mod todos;
mod work;

use std::ops::Deref;

use rusqlite::Connection;

pub use applied::Applied;
pub use claims::ClaimRow;
pub(crate) use guard::configure;
pub use guard::{OpenError, Store};
pub use messages::{Mailboxes, Page};
pub use migrate::{SCHEMA_VERSION, migrate};

/// The database could not do it: away, locked by somebody else, full, damaged. Never the caller's
/// fault; answered with 503.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite's own words.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The file is no longer the one that was opened.
    #[error("database file {0} was moved, replaced or removed")]
    Gone(String),
}

/// Result of a database call.
pub type Stored<T> = Result<T, StoreError>;

/// Reads on one connection.
pub struct View<'c> {
    conn: &'c Connection,
}

/// Reads and writes inside the open transaction of one connection.
pub struct Tx<'c> {
    view: View<'c>,
}

impl<'c> View<'c> {
    /// Reads on this connection.
    pub fn new(conn: &'c Connection) -> Self {
        Self { conn }
    }
}

impl<'c> Tx<'c> {
    /// Writes on this connection; the caller has begun a transaction and will end it.
    pub fn new(conn: &'c Connection) -> Self {
        Self { view: View::new(conn) }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Stored<usize> {
        Ok(self.conn.prepare_cached(sql)?.execute(params)?)
    }

    /// Begins a part that can be undone by itself.
    pub fn savepoint(&self) -> Stored<()> {
        self.run("SAVEPOINT part", [])?;
        Ok(())
    }

    /// Keeps the part.
    pub fn keep(&self) -> Stored<()> {
        self.run("RELEASE part", [])?;
        Ok(())
    }

    /// Undoes the part.
    pub fn undo(&self) -> Stored<()> {
        self.run("ROLLBACK TO part", [])?;
        self.keep()
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = View<'c>;

    fn deref(&self) -> &View<'c> {
        &self.view
    }
}

impl View<'_> {
    /// All rows of a query.
    fn rows<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Vec<T>> {
        let mut stmt = self.conn.prepare_cached(sql)?;
        let rows = stmt.query_map(params, map)?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    }

    /// The first row of a query, if any.
    fn row<T>(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Option<T>> {
        let mut stmt = self.conn.prepare_cached(sql)?;
        let mut rows = stmt.query(params)?;
        Ok(rows.next()?.map(map).transpose()?)
    }

    /// The number a query answers.
    fn number(&self, sql: &str, params: impl rusqlite::Params) -> Stored<i64> {
        Ok(self.row(sql, params, |r| r.get(0))?.unwrap_or(0))
    }
}

/// A row limit as SQL wants it.
fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
