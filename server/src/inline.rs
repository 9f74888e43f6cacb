//! The engine without threads and network: for the simulation and for tests of the rules.

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::time::Millis;
use rusqlite::Connection;

use crate::api::{self, Call, Handler, Reply, Routed};
use crate::edge::LeaseClock;
use crate::service::once::Parked;
use crate::service::{Cx, Rules, Waits};
use crate::start::begin;
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
        let tx = Tx::new(&self.conn);
        let before = self.conn.total_changes();
        let mut done = api::perform(&tx, &cx, call);
        if self.conn.total_changes() > before
            && let Err(e) = tx.set_last_time(now)
        {
            done = Err(e);
        }
        let end = if keep && done.is_ok() { "COMMIT" } else { "ROLLBACK" };
        self.conn.execute_batch(end)?;
        done
    }

    /// Runs one call that may have to wait for its answer: then the reply says as what.
    pub fn call_and_wait(&self, call: &Call, now: Millis, rng: &dyn Rng) -> Stored<Reply> {
        let cx = Cx { waits: Waits::Connected, ..Cx::at(now, &self.rules, rng) };
        self.inside(|tx| api::perform(tx, &cx, call))
    }

    /// The answer of a call that waits, if it has one now.
    pub fn resume(
        &self,
        call: &Call,
        parked: &Parked,
        now: Millis,
        rng: &dyn Rng,
    ) -> Stored<Option<Reply>> {
        let Routed::To(Handler::Park { resume, .. }, params) = api::find(call) else {
            return Ok(None);
        };
        let cx = Cx::at(now, &self.rules, rng);
        self.inside(|tx| {
            api::resume(tx, &cx, call, resume, &params, (parked, &api::print_to_keep(call)))
        })
    }

    /// Looks after all that wait, as a running engine does now and then.
    pub fn look_after_waiters(&self, now: Millis, rng: &dyn Rng) -> Stored<()> {
        let cx = Cx::at(now, &self.rules, rng);
        self.inside(|tx| api::look_after_waiters(tx, &cx))
    }

    /// The caller of a call that waits has hung up.
    pub fn caller_left(&self, id: &str, now: Millis, rng: &dyn Rng) -> Stored<()> {
        let cx = Cx::at(now, &self.rules, rng);
        self.inside(|tx| api::caller_left(tx, &cx, id))
    }

    fn inside<T>(&self, run: impl FnOnce(&Tx<'_>) -> Stored<T>) -> Stored<T> {
        self.conn.execute_batch("BEGIN IMMEDIATE")?;
        let done = run(&Tx::new(&self.conn));
        self.conn.execute_batch(if done.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
        done
    }

    /// Starts anew over the same database, as a server that was restarted does; by the clock that
    /// comes back its calls are to be judged.
    pub fn restart<C: Clock>(&self, clock: C, rng: &dyn Rng) -> Stored<LeaseClock<C>> {
        begin(&self.conn, clock, rng)
    }

    /// Notes the time, as an idle server does now and then.
    pub fn keep_time(&self, now: Millis) -> Stored<()> {
        Tx::new(&self.conn).set_last_time(now)
    }

    /// The first number that a query gives: for checks on the whole state.
    pub fn number(&self, sql: &str) -> rusqlite::Result<i64> {
        self.conn.query_row(sql, [], |r| r.get(0))
    }

    /// The texts that a query gives: for checks on the whole state.
    pub fn texts(&self, sql: &str) -> rusqlite::Result<Vec<String>> {
        self.conn.prepare(sql)?.query_map([], |r| r.get(0))?.collect()
    }

    /// Changes the database behind the engine's back: for the simulation's planted bugs.
    pub fn tamper(&self, sql: &str) -> rusqlite::Result<()> {
        self.conn.execute_batch(sql)
    }
}
