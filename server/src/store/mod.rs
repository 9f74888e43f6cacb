//! The database: the only place with SQL. [`Store`] opens and guards the file, [`View`] reads,
//! [`Tx`] writes. Nothing here decides: rules live in [`crate::service`].

mod applied;
mod attempts;
mod claims;
mod components;
mod decisions;
mod feed;
mod gauges;
mod guard;
mod messages;
mod meta;
mod migrate;
mod ownership;
mod requests;
mod sessions;
mod team_claims;
mod team_events;
mod todos;
mod waiters;
mod webhooks;
mod work;

use std::cell::RefCell;
use std::ops::Deref;

use coord_protocol::limits::PAGE_BYTES_MAX;
use coord_protocol::wire::Severity;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

pub use applied::Applied;
pub use attempts::{AttemptRow, Hot, HotSpot, ResolvedOn};
pub use claims::ClaimRow;
pub use feed::{Changed, Changes, RowMap, Scope};
pub use guard::{
    OpenError, Store, be_patient_for, is_damage, is_file_damaged, open_disposable, open_in_memory,
    open_shared,
};
pub(crate) use guard::{configure, keep_out_of_feed, private_file};
pub use messages::{Mailboxes, Page};
pub use migrate::{SCHEMA_VERSION, migrate};
pub use requests::{RequestFilter, RequestRow};
pub use sessions::ENDED;
pub use team_claims::{RepoRow, TeamFilter};
pub use team_events::EventRow;
pub use waiters::{WaitedItem, WaiterItem, WaiterRow, WaiterState};
pub use webhooks::{DeliveryRow, DueDelivery};

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

impl StoreError {
    /// What was to be written contradicts what is there: nothing of the statement happened.
    pub fn is_violation(&self) -> bool {
        matches!(self, Self::Sqlite(e)
            if e.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation))
    }
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
    notes: RefCell<Notes>,
}

/// What rules leave for whoever runs them, beside what they write.
#[derive(Debug, Default)]
pub struct Notes {
    /// Claims and waiters that ended: who waited for them is to be served.
    freed: Vec<String>,
    /// Parked calls that may have their answer now.
    woken: Vec<String>,
    /// What is counted once it is committed.
    counts: Counts,
}

/// What rules have done, for the metrics.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Team claims granted, soft and hard.
    pub created: [u64; 2],
    /// Conflicts that team claims met.
    pub conflicts: u64,
    /// Team claims released by request.
    pub released: u64,
}

impl Counts {
    /// With these, too.
    pub fn add(&mut self, more: Self) {
        for (n, more) in self.created.iter_mut().zip(more.created) {
            *n += more;
        }
        self.conflicts += more.conflicts;
        self.released += more.released;
    }
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
        Self { view: View::new(conn), notes: RefCell::default() }
    }

    /// A claim or a waiter has ended.
    pub fn note_freed(&self, id: &str) {
        self.notes.borrow_mut().freed.push(id.to_owned());
    }

    /// What has ended and was not looked at yet.
    pub fn take_freed(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut().freed)
    }

    /// A parked call may have its answer now.
    pub fn note_woken(&self, id: &str) {
        self.notes.borrow_mut().woken.push(id.to_owned());
    }

    /// Parked calls that may have their answer.
    pub fn take_woken(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.borrow_mut().woken)
    }

    /// A team claim was granted.
    pub fn count_created(&self, severity: Severity) {
        self.notes.borrow_mut().counts.created[usize::from(severity.is_hard())] += 1;
    }

    /// Team claims met this many conflicts.
    pub fn count_conflicts(&self, n: usize) {
        self.notes.borrow_mut().counts.conflicts += n as u64;
    }

    /// This many team claims were released.
    pub fn count_released(&self, n: usize) {
        self.notes.borrow_mut().counts.released += n as u64;
    }

    /// What was counted.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.notes.borrow_mut().counts)
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

/// What a column costs in JSON besides its text: its name, or a number.
const COLUMN_BYTES: usize = 40;

/// How long a text is in JSON.
pub fn json_len(text: &str) -> usize {
    let escaped = |b: u8| match b {
        b'"' | b'\\' | 8 | b'\t' | b'\n' | 12 | b'\r' => 2,
        0..32 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum::<usize>() + 2
}

/// How much a list may still hold: rows, and [`PAGE_BYTES_MAX`].
pub struct Room {
    rows: usize,
    bytes: usize,
    most_bytes: usize,
}

impl Room {
    /// Of a list of at most so many rows.
    pub fn of(rows: usize) -> Self {
        Self { rows, bytes: 0, most_bytes: PAGE_BYTES_MAX }
    }

    /// Whether a row of so many bytes fits, too; the first one always does.
    pub fn takes(&mut self, bytes: usize) -> bool {
        let first = self.bytes == 0;
        self.bytes += bytes;
        let fits = self.rows > 0 && (first || self.bytes <= self.most_bytes);
        self.rows = self.rows.saturating_sub(1);
        fits
    }
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Paged<T> {
    /// In order.
    pub rows: Vec<T>,
    /// There is more behind them.
    pub more: bool,
}

impl<T> Paged<T> {
    /// The same part of another list.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Paged<U> {
        Paged { rows: self.rows.into_iter().map(f).collect(), more: self.more }
    }

    /// Where to go on, as `place` of the last row; `None` at the end.
    pub fn next<P>(&self, place: impl FnOnce(&T) -> P) -> Option<P> {
        self.rows.last().filter(|_| self.more).map(place)
    }
}

impl View<'_> {
    /// The first rows of a query: at most `most`, and [`PAGE_BYTES_MAX`]. The query must not
    /// limit itself to fewer than one more than `most`.
    fn page<T>(
        &self,
        most: usize,
        sql: &str,
        params: impl rusqlite::Params,
        map: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Paged<T>> {
        self.page_within(most, PAGE_BYTES_MAX, sql, params, map)
    }

    /// The same with another bound on its bytes.
    fn page_within<T>(
        &self,
        most: usize,
        bytes: usize,
        sql: &str,
        params: impl rusqlite::Params,
        mut map: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Stored<Paged<T>> {
        let mut stmt = self.conn.prepare_cached(sql)?;
        let columns = stmt.column_count();
        let mut found = stmt.query(params)?;
        let mut rows = Vec::new();
        let mut room = Room { most_bytes: bytes, ..Room::of(most) };
        while let Some(row) = found.next()? {
            let mut bytes = columns * COLUMN_BYTES;
            for at in 0..columns {
                if let ValueRef::Text(t) = row.get_ref(at)? {
                    bytes += json_len(&String::from_utf8_lossy(t));
                }
            }
            if !room.takes(bytes) {
                return Ok(Paged { rows, more: true });
            }
            rows.push(map(row)?);
        }
        Ok(Paged { rows, more: false })
    }
}

/// A row limit as SQL wants it.
fn limit(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
