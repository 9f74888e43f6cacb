//! The change feed: rows in the order of their latest change, and the same rows put into a replica.
//! Rows travel as they stand in the tables, column by column, so that nothing can be forgotten.

use std::collections::HashSet;

use coord_protocol::session::ALL_SESSIONS;
use coord_protocol::time::Millis;
use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{ToSql, params, params_from_iter};
use serde_json::{Map, Value};

use super::{Room, Stored, Tx, View, json_len, limit};

/// What a change costs in JSON besides its row.
const CHANGE_BYTES: usize = 64;
/// Runs of the engine that are remembered; a cursor from before them begins anew.
const RUNS_MAX: usize = 1_000;

/// The tables of the feed; the number is what the triggers write into `change.kind`.
const TABLES: [&str; 15] = [
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
    "waiter",
    "release_request",
    "team_event",
    "blocked_attempt",
    "ownership",
];

/// A row as it stands.
pub type RowMap = Map<String, Value>;

/// A row that changed.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Its place in the order of changes.
    pub seq: i64,
    /// Its table.
    pub kind: &'static str,
    /// The row.
    pub row: RowMap,
}

/// A piece of the feed.
#[derive(Debug)]
pub struct Changes {
    /// What concerns the caller, in order.
    pub rows: Vec<Changed>,
    /// How far the look went.
    pub up_to: i64,
    /// There is more behind it.
    pub more: bool,
}

/// What concerns a caller. Absent lists let everything through.
#[derive(Debug, Default)]
pub struct Scope {
    /// Rows of these projects, and rows of no project.
    pub projects: Option<Vec<String>>,
    /// Messages to and from sessions of these machines, and broadcasts.
    pub machines: Option<Vec<String>>,
}

impl View<'_> {
    /// The place of the latest change.
    pub fn feed_head(&self) -> Stored<i64> {
        self.number("SELECT COALESCE(MAX(seq), 0) FROM change", [])
    }

    /// The run of the engine that is on.
    pub fn current_run(&self) -> Stored<String> {
        let last = "SELECT id FROM run ORDER BY rowid DESC LIMIT 1";
        Ok(self.row(last, [], |r| r.get(0))?.unwrap_or_default())
    }

    /// How far the feed of a run went; `None` when there was no such run here.
    pub fn end_of_run(&self, run: &str) -> Stored<Option<i64>> {
        self.row(
            "SELECT COALESCE((SELECT began FROM run n WHERE n.rowid > r.rowid ORDER BY n.rowid),
               (SELECT MAX(seq) FROM change), 0) FROM run r WHERE r.id = ?1",
            [run],
            |r| r.get(0),
        )
    }

    /// Rows whose latest change lies behind `since`: the first `most` of the order are looked at.
    pub fn changes(&self, since: i64, scope: &Scope, most: usize) -> Stored<Changes> {
        let found: Vec<(i64, i64, i64)> = self.rows(
            "SELECT seq, kind, at FROM change WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            params![since, limit(most + 1)],
            |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)),
        )?;
        let mut page = Changes { rows: Vec::new(), up_to: since, more: found.len() > most };
        let mut room = Room::of(most);
        for (seq, kind, at) in found.into_iter().take(most) {
            let table = usize::try_from(kind - 1).ok().and_then(|k| TABLES.get(k));
            let row = table.map(|t| self.row_at(t, at)).transpose()?.flatten();
            if let (Some(kind), Some(row)) = (table, row)
                && self.concerns(scope, kind, &row)?
            {
                if !room.takes(bytes_of(&row)) {
                    page.more = true;
                    break;
                }
                page.rows.push(Changed { seq, kind, row });
            }
            page.up_to = seq;
        }
        Ok(page)
    }

    /// Names of the rows that changed behind `since`: what their answers say under `id`, or
    /// `session_id`, or `<project>/<component>`.
    pub fn names_of_changed(&self, since: i64) -> Stored<HashSet<String>> {
        let name_of = |table: &str| match table {
            "component" => "project_key || '/' || component",
            // A sign of life is no news of a session.
            "session" | "component_change" | "receipt" | "ownership" => "NULL",
            _ => "id",
        };
        let mut names = HashSet::new();
        for (n, table) in TABLES.iter().enumerate() {
            let found: Vec<Option<String>> = self.rows(
                &format!(
                    "SELECT {} FROM change JOIN {table} ON {table}.rowid = change.at
                     WHERE change.kind = {} AND change.seq > ?1",
                    name_of(table),
                    n + 1
                ),
                [since],
                |r| r.get(0),
            )?;
            names.extend(found.into_iter().flatten());
        }
        Ok(names)
    }

    fn row_at(&self, table: &str, at: i64) -> Stored<Option<RowMap>> {
        let mut stmt =
            self.conn.prepare_cached(&format!("SELECT * FROM {table} WHERE rowid = ?1"))?;
        let names: Vec<String> = stmt.column_names().map(str::to_owned).collect();
        let mut rows = stmt.query([at])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut map = RowMap::new();
        for (n, name) in names.into_iter().enumerate() {
            map.insert(name, json_of(row.get_ref(n)?));
        }
        Ok(Some(map))
    }

    fn concerns(&self, scope: &Scope, kind: &str, row: &RowMap) -> Stored<bool> {
        let text = |name: &str| row.get(name).and_then(Value::as_str);
        let of_machines = |session: Option<&str>| {
            let machine = session.and_then(|s| s.split('/').next());
            scope
                .machines
                .as_ref()
                .is_none_or(|all| all.iter().any(|m| Some(m.as_str()) == machine))
        };
        let of_projects = || {
            let key = text("project_key");
            let all = scope.projects.as_ref();
            all.is_none_or(|all| key.is_none_or(|key| all.iter().any(|p| p == key)))
        };
        Ok(match kind {
            "message" => {
                text("to_session") == Some(ALL_SESSIONS)
                    || of_machines(text("to_session"))
                    || of_machines(text("from_session"))
            }
            "receipt" => {
                of_machines(text("session_id")) || {
                    let seq = row.get("message_seq").and_then(Value::as_i64);
                    let from: Option<String> = self.row(
                        "SELECT from_session FROM message WHERE seq = ?1",
                        [seq.unwrap_or(0)],
                        |r| r.get(0),
                    )?;
                    of_machines(from.as_deref())
                }
            }
            "session" => {
                of_projects() || (scope.machines.is_some() && of_machines(text("session_id")))
            }
            _ => of_projects(),
        })
    }
}

/// How long a row is in JSON, not less.
fn bytes_of(row: &RowMap) -> usize {
    let one = |(name, value): (&String, &Value)| {
        json_len(name) + value.as_str().map_or(CHANGE_BYTES, |t| json_len(t) + 2)
    };
    row.iter().map(one).sum::<usize>() + CHANGE_BYTES
}

fn json_of(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Integer(n) => Value::from(n),
        ValueRef::Real(x) => Value::from(x),
        ValueRef::Text(t) => Value::from(String::from_utf8_lossy(t)),
        // No table of the feed holds bytes.
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
    }
}

/// A number in a column of times that is no time.
fn is_no_time(column: &str, value: &Value) -> bool {
    let is_time =
        column.ends_with("_at") || matches!(column, "first_seen" | "last_seen" | "last_activity");
    let plausible = value.as_i64().is_some_and(|t| Millis(t).is_plausible());
    is_time && value.is_number() && !plausible
}

/// A JSON value as SQLite takes it.
struct Plain<'a>(&'a Value);

impl ToSql for Plain<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let owned = match self.0 {
            Value::String(s) => return Ok(ToSqlOutput::Borrowed(ValueRef::Text(s.as_bytes()))),
            Value::Null | Value::Array(_) | Value::Object(_) => SqlValue::Null,
            Value::Bool(b) => SqlValue::Integer(i64::from(*b)),
            Value::Number(n) => {
                let real = || SqlValue::Real(n.as_f64().unwrap_or(0.0));
                n.as_i64().map_or_else(real, SqlValue::Integer)
            }
        };
        Ok(ToSqlOutput::Owned(owned))
    }
}

impl Tx<'_> {
    /// A run of the engine begins.
    pub fn begin_run(&self, id: &str) -> Stored<()> {
        self.run("INSERT INTO run VALUES (?1, COALESCE((SELECT MAX(seq) FROM change), 0))", [id])?;
        self.run(
            "DELETE FROM run WHERE rowid <= (SELECT MAX(rowid) FROM run) - ?1",
            [limit(RUNS_MAX)],
        )?;
        Ok(())
    }

    /// Puts a row of another database's feed here, in place of what stands here under its number.
    /// Columns that are not known here are left out (G36); an unknown table is nothing, and so is a row
    /// with a time that no clock shows: one of them must not make whole lists unreadable.
    pub fn put_row(&self, kind: &str, row: &RowMap) -> Stored<()> {
        if !TABLES.contains(&kind) || row.iter().any(|(name, v)| is_no_time(name, v)) {
            return Ok(());
        }
        let known = self.columns_of(kind)?;
        let columns: Vec<&str> =
            row.keys().map(String::as_str).filter(|c| known.iter().any(|k| k == c)).collect();
        let places: Vec<String> = (1..=columns.len()).map(|n| format!("?{n}")).collect();
        let (columns_named, places) = (columns.join(", "), places.join(", "));
        let put = |how: &str| {
            let sql = format!("{how} INTO {kind} ({columns_named}) VALUES ({places})");
            self.run(&sql, params_from_iter(columns.iter().map(|c| Plain(&row[*c]))))
        };
        // Most rows are new, and only a REPLACE keeps what it changes until it is over.
        match put("INSERT") {
            // Also in place of a row that was noted here under another number (`put_granted`).
            Err(e) if e.is_violation() => put("INSERT OR REPLACE").map(drop),
            done => done.map(drop),
        }
    }

    fn columns_of(&self, table: &str) -> Stored<Vec<String>> {
        let stmt = self.conn.prepare_cached(&format!("SELECT * FROM {table}"))?;
        Ok(stmt.column_names().map(str::to_owned).collect())
    }

    /// Empties all tables of the feed.
    pub fn clear_feed(&self) -> Stored<()> {
        for table in TABLES.iter().rev().chain(&["change"]) {
            self.run(&format!("DELETE FROM {table}"), [])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::open_in_memory;

    #[test]
    fn a_row_with_a_time_that_is_none_is_left_out() {
        let conn = open_in_memory("feed-times").unwrap();
        let tx = Tx::new(&conn);
        let times = [json!(i64::MAX), json!(u64::MAX), json!(-1), json!(1.5), json!(1_000)];
        for (n, at) in times.into_iter().enumerate() {
            let row = json!({"session_id": format!("M/{n}"), "generation": 1, "first_seen": 1,
                "last_seen": at});
            tx.put_row("session", row.as_object().unwrap()).unwrap();
        }
        let kept = tx.sessions(None, Millis(0), true, None, 10).unwrap().rows;
        assert_eq!(kept.iter().map(|s| s.session_id.as_str()).collect::<Vec<_>>(), ["M/4"]);
    }
}
