//! Numbered migrations: each in one transaction, after a backup of what was there; a schema newer
//! than this program is refused rather than guessed at (G36).

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::OpenError;

const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_init.sql"),
    include_str!("schema/0002_feed.sql"),
    include_str!("schema/0003_team.sql"),
];

/// The schema that this program writes.
pub const SCHEMA_VERSION: usize = MIGRATIONS.len();

/// Brings a database to [`SCHEMA_VERSION`]. `file` is where it lies, for the backups; `None` for a
/// database in memory. Does nothing when it is there already; of several processes that come at
/// once, one does it.
pub fn migrate(conn: &Connection, file: Option<&Path>) -> Result<(), OpenError> {
    let found = version(conn)?;
    if found > SCHEMA_VERSION {
        return Err(OpenError::NewerSchema { found, known: SCHEMA_VERSION });
    }
    for (at, sql) in MIGRATIONS.iter().enumerate().skip(found) {
        // A database that is only being made has nothing to lose.
        if let (Some(file), true) = (file, found > 0) {
            back_up(conn, &backup_name(file, at))?;
        }
        conn.execute_batch("BEGIN IMMEDIATE")?;
        let step = if version(conn)? == at {
            conn.execute_batch(&format!("{sql}\nPRAGMA user_version = {};", at + 1))
        } else {
            Ok(())
        };
        conn.execute_batch(if step.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        step?;
    }
    Ok(())
}

/// Whether there is nothing to do.
pub(super) fn is_migrated(conn: &Connection) -> Result<bool, OpenError> {
    Ok(version(conn)? == SCHEMA_VERSION)
}

fn version(conn: &Connection) -> Result<usize, OpenError> {
    let found: u32 = conn.query_row("PRAGMA user_version", [], |r| r.get(0))?;
    Ok(found as usize)
}

fn backup_name(file: &Path, version: usize) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".schema-{version}.backup"));
    PathBuf::from(name)
}

/// Copies the database beside itself. An older backup of the same version stays as it is: it is
/// from before a migration that did not end.
fn back_up(conn: &Connection, to: &Path) -> Result<(), OpenError> {
    if !to.exists() {
        conn.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schema_is_what_the_snapshot_says() {
        let conn = Connection::open_in_memory().unwrap();
        migrate(&conn, None).unwrap();
        migrate(&conn, None).unwrap();
        let mut stmt = conn
            .prepare(
                "SELECT type || ' ' || name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY 1",
            )
            .unwrap();
        let names: Vec<String> =
            stmt.query_map([], |r| r.get(0)).unwrap().map(Result::unwrap).collect();
        insta::assert_snapshot!(names.join("\n"));
        let loose: i64 = conn
            .query_row(
                "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table'
                 AND name NOT LIKE 'sqlite_%' AND strict = 0",
                [],
                |r| r.get(0),
            )
            .unwrap();
        assert_eq!(loose, 0, "every table is STRICT");
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let conn = Connection::open_in_memory().unwrap();
        conn.execute_batch("PRAGMA user_version = 999").unwrap();
        let err = migrate(&conn, None).unwrap_err();
        assert!(matches!(err, OpenError::NewerSchema { found: 999, .. }), "{err}");
    }

    #[test]
    fn a_backup_holds_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("c.db");
        let conn = Connection::open(&file).unwrap();
        migrate(&conn, Some(&file)).unwrap();
        conn.execute("INSERT INTO meta VALUES ('x', 'kept')", []).unwrap();
        let to = backup_name(&file, 1);
        back_up(&conn, &to).unwrap();
        let copy = Connection::open(&to).unwrap();
        let kept: String = copy.query_row("SELECT value FROM meta", [], |r| r.get(0)).unwrap();
        assert_eq!(kept, "kept");
    }
}
