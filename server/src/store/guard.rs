//! Opening the database file, and noticing when it is no longer the one that was opened.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use super::migrate::is_migrated;
use super::{StoreError, Stored, View, migrate};
use crate::edge::{network_file_system, network_file_systems_allowed};

/// First SQLite without the WAL-reset corruption (G37).
const SQLITE_OLDEST: i32 = 3_051_003;
/// How long processes that open a shared file at once wait for each other.
const OPEN_SHARED_WITHIN: Duration = Duration::from_secs(1);
/// How often this process asks again for a shared file that another one writes, every 1 to 2 ms: about
/// a second, unless it has less time. SQLite's own waits grow to 100 ms, and of many writers some would
/// never come in.
static SHARED_TRIES: AtomicI32 = AtomicI32::new(600);
/// How long a write waits for a lock that a foreign program holds.
const BUSY: Duration = Duration::from_secs(1);
const STATEMENTS_CACHED: usize = 128;

/// Why a database is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server has it.
    #[error("database {0} is in use by another coord server; stop that one first")]
    InUse(PathBuf),
    /// Locks and shared memory do not work there.
    #[error(
        "database {path} is on a network file system ({name}): keep it on a local disk, or set \
         COORD_ALLOW_NETWORK_FS=1"
    )]
    Network {
        /// The file.
        path: PathBuf,
        /// Which kind.
        name: &'static str,
    },
    /// Written by a later program.
    #[error("database has schema {found}, this program knows up to {known}: use a newer coord")]
    NewerSchema {
        /// What the file says.
        found: usize,
        /// What this program can.
        known: usize,
    },
    /// `quick_check` found damage; the file is left as it is.
    #[error("database {path} is damaged ({detail}); a copy was kept as {copy}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
        /// Where the copy is.
        copy: PathBuf,
    },
    /// The linked SQLite is too old.
    #[error("SQLite {0} can corrupt WAL databases; 3.51.3 or newer is needed")]
    OldSqlite(&'static str),
    /// Folder or file cannot be made or read.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite's own words.
    #[error("database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

/// A database file, held by this process alone.
pub struct Store {
    path: PathBuf,
    inode: (u64, u64),
    /// Kernel lock beside the file; freed when the process ends, however it ends.
    _lock: File,
}

impl Store {
    /// Opens (or makes) the database: takes the lock beside it, checks it, migrates it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        if rusqlite::version_number() < SQLITE_OLDEST {
            return Err(OpenError::OldSqlite(rusqlite::version()));
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| OpenError::Io { path, source }
        };
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))?;
        }
        let lock_path = PathBuf::from(format!("{}.lock", path.display()));
        let lock = private_file(&lock_path).map_err(io(&lock_path))?;
        if let Some(name) = network_file_system(&lock)
            && !network_file_systems_allowed()
        {
            return Err(OpenError::Network { path: path.to_owned(), name });
        }
        if lock.try_lock().is_err() {
            return Err(OpenError::InUse(path.to_owned()));
        }
        let file = private_file(path).map_err(io(path))?;
        let meta = file.metadata().map_err(io(path))?;
        drop(file);
        check(path, meta.len())?;
        let store = Self { path: path.to_owned(), inode: (meta.dev(), meta.ino()), _lock: lock };
        migrate(&store.connect()?, Some(path))?;
        Ok(store)
    }

    /// A connection that writes: WAL, every commit synced (G32).
    pub fn connect(&self) -> rusqlite::Result<Connection> {
        let conn = Connection::open_with_flags(
            &self.path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
        )?;
        configure(&conn)?;
        Ok(conn)
    }

    /// A connection that only reads.
    pub fn connect_read(&self) -> rusqlite::Result<Connection> {
        let conn = self.connect()?;
        conn.pragma_update(None, "query_only", true)?;
        Ok(conn)
    }

    /// Fails when the path no longer leads to the file that was opened: what is written to a
    /// removed file would be lost.
    pub fn still_there(&self) -> Stored<()> {
        match fs::metadata(&self.path) {
            Ok(m) if (m.dev(), m.ino()) == self.inode => Ok(()),
            Ok(_) | Err(_) => Err(StoreError::Gone(self.path.display().to_string())),
        }
    }
}

/// Opens (or makes) a file that several processes of one workstation share: no lock beside it, no
/// check of the whole file each time. SQLite's own locks divide the writers.
pub fn open_shared(path: &Path) -> Result<Connection, OpenError> {
    open_among_others(path, true)
}

/// The same for a file that can be thrown away: a commit does not wait for the disk, and rows may
/// come before the rows that they refer to.
pub fn open_disposable(path: &Path) -> Result<Connection, OpenError> {
    open_among_others(path, false)
}

/// A database in memory that can be thrown away, shared by all in this process who ask for the same
/// name, for as long as one of them has it open: for the simulation.
pub fn open_in_memory(name: &str) -> Result<Connection, OpenError> {
    let conn = Connection::open_with_flags(
        format!("file:{name}?mode=memory&cache=shared"),
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    configure(&conn)?;
    make_disposable(&conn)?;
    migrate(&conn, None)?;
    Ok(conn)
}

fn open_among_others(path: &Path, durable: bool) -> Result<Connection, OpenError> {
    if rusqlite::version_number() < SQLITE_OLDEST {
        return Err(OpenError::OldSqlite(rusqlite::version()));
    }
    let io = |source| OpenError::Io { path: path.to_owned(), source };
    if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty() && !d.exists()) {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io)?;
    }
    let file = private_file(path).map_err(io)?;
    if let Some(name) = network_file_system(&file)
        && !network_file_systems_allowed()
    {
        return Err(OpenError::Network { path: path.to_owned(), name });
    }
    let until = Instant::now() + OPEN_SHARED_WITHIN;
    loop {
        match prepare_shared(path, durable) {
            // The change of a new file to WAL does not wait for others; so we do.
            Err(OpenError::Sqlite(e)) if is_busy(&e) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(5));
            }
            done => return done,
        }
    }
}

fn prepare_shared(path: &Path, durable: bool) -> Result<Connection, OpenError> {
    let conn = open_waiting(path)?;
    if is_migrated(&conn)? {
        settings(&conn)?;
        if !durable {
            make_disposable(&conn)?;
        }
        return Ok(conn);
    }
    drop(conn);
    // One makes or changes the tables, and the others look again: SQLite lets two connections that meet
    // at an empty file, while one turns it to WAL, both begin on it. Freed when the process ends.
    let lock_path = PathBuf::from(format!("{}.setup", path.display()));
    let io = |source| OpenError::Io { path: lock_path.clone(), source };
    let one = private_file(&lock_path).map_err(io)?;
    one.lock().map_err(io)?;
    let conn = open_waiting(path)?;
    settings(&conn)?;
    if durable {
        migrate(&conn, Some(path))?;
    } else {
        make_disposable(&conn)?;
        migrate(&conn, None)?;
    }
    Ok(conn)
}

/// Settings of a database that can be thrown away.
pub(crate) fn make_disposable(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "synchronous", "normal")?;
    conn.pragma_update(None, "foreign_keys", false)
}

/// What is done on this connection does not come into the change feed of its database.
pub(crate) fn keep_out_of_feed(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    Ok(())
}

fn open_waiting(path: &Path) -> rusqlite::Result<Connection> {
    let mut conn = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    conn.busy_handler(Some(come_again))?;
    Ok(conn)
}

/// This process has only so long for a shared file.
pub fn be_patient_for(budget: Duration) {
    let tries = i32::try_from(budget.as_millis() / 3).unwrap_or(i32::MAX).clamp(10, 600);
    SHARED_TRIES.store(tries, Ordering::Relaxed);
}

/// Called by SQLite while somebody else has the file.
fn come_again(tries: i32) -> bool {
    // Processes that began together do not stay in step: their numbers differ.
    let own = u64::from(std::process::id()).wrapping_add(u64::from(tries.unsigned_abs()));
    std::thread::sleep(Duration::from_micros(1_000 + own.wrapping_mul(7_919) % 1_000));
    tries < SHARED_TRIES.load(Ordering::Relaxed)
}

fn is_busy(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked};
    matches!(e.sqlite_error_code(), Some(DatabaseBusy | DatabaseLocked))
}

/// Settings of every connection, also of one in memory.
pub(crate) fn configure(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    settings(conn)
}

fn settings(conn: &Connection) -> rusqlite::Result<()> {
    conn.pragma_update(None, "journal_mode", "wal")?;
    conn.pragma_update(None, "synchronous", "full")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    conn.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    conn.pragma_update(None, "cache_size", -8_000)?;
    // What undoes a part of a transaction need not outlive the process: no file is written for it.
    conn.pragma_update(None, "temp_store", "memory")?;
    // Plans do not depend on bound values. Otherwise a statement that could use a partial index for some
    // values is prepared anew each time one is bound, also when it comes from the cache.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}

pub(crate) fn private_file(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)
}

/// Refuses a damaged file and keeps a copy beside it (G35). It is never replaced by an empty one.
fn check(path: &Path, len: u64) -> Result<(), OpenError> {
    if len == 0 {
        return Ok(());
    }
    let verdict =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE).and_then(|c| {
            c.busy_timeout(BUSY)?;
            c.query_row("PRAGMA quick_check(1)", [], |r| r.get::<_, String>(0))
        });
    let detail = match verdict {
        Ok(v) if v == "ok" => return Ok(()),
        Ok(v) => v,
        Err(e) if is_damage(&e) => e.to_string(),
        Err(e) => return Err(e.into()),
    };
    let copy = PathBuf::from(format!("{}.damaged", path.display()));
    if !copy.exists() {
        fs::copy(path, &copy).map_err(|source| OpenError::Io { path: copy.clone(), source })?;
    }
    Err(OpenError::Damaged { path: path.to_owned(), detail, copy })
}

/// Whether a database file is damaged, as far as a quick look tells; a missing one is not.
pub fn is_file_damaged(path: &Path) -> bool {
    let look = || -> rusqlite::Result<String> {
        let conn = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        conn.busy_timeout(BUSY)?;
        conn.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
    };
    path.exists() && look().map_or_else(|e| is_damage(&e), |verdict| verdict != "ok")
}

/// Whether SQLite says that the file is damaged.
pub fn is_damage(e: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(e.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

impl View<'_> {
    /// Reads one value from the file: fails when the database is away.
    pub fn probe(&self) -> Stored<()> {
        self.number("SELECT COUNT(*) FROM meta", [])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn one_server_per_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/c.db");
        let first = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::InUse(_))));
        drop(first);
        Store::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn damage_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        fs::write(&path, b"this is no database, it only takes its place for a while").unwrap();
        assert!(matches!(Store::open(&path), Err(OpenError::Damaged { .. })));
        assert!(fs::read(&path).unwrap().starts_with(b"this is no"));
        assert!(dir.path().join("c.db.damaged").exists());
    }

    #[test]
    fn a_statement_is_not_prepared_anew_for_each_value() {
        let conn = Connection::open_in_memory().unwrap();
        configure(&conn).unwrap();
        conn.execute_batch("CREATE TABLE t (a, b); CREATE INDEX i ON t (a) WHERE b = 'x'").unwrap();
        let mut stmt = conn.prepare("SELECT a FROM t WHERE a = ?1 AND b = 'x'").unwrap();
        for value in ["x", "y", "z"] {
            assert!(!stmt.exists([value]).unwrap());
        }
        assert_eq!(stmt.get_status(StatementStatus::RePrepare), 0);
    }

    #[test]
    fn a_moved_file_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("c.db");
        let store = Store::open(&path).unwrap();
        store.still_there().unwrap();
        fs::rename(&path, dir.path().join("away")).unwrap();
        assert!(store.still_there().is_err());
        fs::rename(dir.path().join("away"), &path).unwrap();
        store.still_there().unwrap();
    }
}
