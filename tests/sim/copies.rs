//! The replica of a simulated workstation: two databases in memory that outlive its processes.

use std::sync::atomic::{AtomicU64, Ordering};

use coord_server::store::open_in_memory;
use rusqlite::Connection;

/// The tables that the change feed brings.
pub(crate) const TABLES: [&str; 10] = [
    "session",
    "claim",
    "component",
    "component_change",
    "workflow",
    "work_item",
    "message",
    "receipt",
    "todo",
    "decision",
];

/// Numbers all copies of this test's process: simulations that run at once share nothing.
static COPIES: AtomicU64 = AtomicU64::new(0);

/// The two databases. These connections keep them alive; each process opens its own.
#[derive(Debug)]
pub(crate) struct Copies {
    number: u64,
    /// What the server said.
    pub(crate) base: Connection,
    /// The same with what waits.
    pub(crate) ahead: Connection,
    /// How far the feed was read.
    pub(crate) read_to: i64,
}

fn open(number: u64, which: &str) -> Connection {
    open_in_memory(&format!("sim-{number}-{which}")).expect("a database in memory")
}

impl Copies {
    /// Two empty databases.
    pub(crate) fn new() -> Self {
        let number = COPIES.fetch_add(1, Ordering::Relaxed);
        let (base, ahead) = (open(number, "base"), open(number, "ahead"));
        Self { number, base, ahead, read_to: 0 }
    }

    /// Connections for a process: base and ahead.
    pub(crate) fn open(&self) -> (Connection, Connection) {
        (open(self.number, "base"), open(self.number, "ahead"))
    }

    /// A note that is kept in a database.
    pub(crate) fn note(conn: &Connection, name: &str) -> Option<String> {
        conn.query_row("SELECT value FROM meta WHERE name = ?1", [name], |r| r.get(0)).ok()
    }

    /// How far the feed is read now; an error: less far than before.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let cursor = Self::note(&self.base, "feed_cursor").unwrap_or_default();
        let at = cursor.rsplit_once('.').and_then(|(_, seq)| seq.parse().ok()).unwrap_or(0);
        let before = std::mem::replace(&mut self.read_to, at);
        if at < before {
            return Err(format!("a copy went back from {before} to {at} of the feed"));
        }
        Ok(())
    }
}

/// SQL for the rows of a table as texts, all columns of them.
pub(crate) fn rows_sql(columns: &[String], table: &str, condition: &str) -> String {
    let all: Vec<String> = columns.iter().map(|c| format!("'{c}=' || quote({c})")).collect();
    format!("SELECT {} FROM {table} WHERE {condition} ORDER BY 1", all.join(" || ' ' || "))
}

/// SQL for the names of a table's columns.
pub(crate) fn columns_sql(table: &str) -> String {
    format!("SELECT name FROM pragma_table_info('{table}')")
}

/// The texts that a query gives.
pub(crate) fn texts(conn: &Connection, sql: &str) -> Vec<String> {
    let mut stmt = conn.prepare(sql).expect("the query is right");
    let rows = stmt.query_map([], |r| r.get(0)).expect("the query can run");
    rows.collect::<Result<_, _>>().expect("texts")
}
