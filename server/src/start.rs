//! The first transaction of a run of the engine, by whatever clock it runs.

use coord_protocol::edge::{Clock, Rng, id_at};
use coord_protocol::lease::RESTART_GRACE;
use rusqlite::Connection;

use crate::edge::LeaseClock;
use crate::store::{Stored, Tx};

/// Names the database, sets the clock, re-arms leases (G23).
pub(crate) fn begin<C: Clock>(conn: &Connection, clock: C, rng: &dyn Rng) -> Stored<LeaseClock<C>> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let tx = Tx::new(conn);
    let stopped = tx.last_time()?;
    let clock = LeaseClock::start(clock, stopped);
    let now = clock.now();
    if tx.instance()?.is_none() {
        tx.set_instance(&format!("coord-{}", id_at(now, rng).simple()))?;
    }
    tx.grant_grace(stopped, now, RESTART_GRACE)?;
    tx.all_waiters_left(now)?;
    tx.begin_run(&id_at(now, rng).simple().to_string())?;
    tx.set_last_time(now)?;
    conn.execute_batch("COMMIT")?;
    Ok(clock)
}
