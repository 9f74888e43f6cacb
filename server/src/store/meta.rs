//! Facts about the database itself.

use coord_protocol::time::Millis;
use rusqlite::params;

use super::{Stored, Tx, View};

impl View<'_> {
    /// The instance name, made with the database.
    pub fn instance(&self) -> Stored<Option<String>> {
        self.row("SELECT value FROM meta WHERE name = 'instance'", [], |r| r.get(0))
    }

    /// The latest moment at which this database was written.
    pub fn last_time(&self) -> Stored<Millis> {
        Ok(Millis(self.number("SELECT value FROM meta WHERE name = 'last_time'", [])?))
    }

    /// Since when sessions could be heard here: the engine's latest start.
    pub fn heard_since(&self) -> Stored<Millis> {
        Ok(Millis(self.number("SELECT value FROM meta WHERE name = 'heard_since'", [])?))
    }
}

impl View<'_> {
    /// A note that was left in this database.
    pub fn note(&self, name: &str) -> Stored<Option<String>> {
        self.row("SELECT value FROM meta WHERE name = ?1", [name], |r| r.get(0))
    }
}

impl View<'_> {
    /// Where the engine's clock stood at boot time 0 of this run of the machine, when a process of
    /// this run has written here before.
    pub fn boot_anchor(&self, boot_id: &str) -> Stored<Option<i64>> {
        self.row(
            "SELECT a.value FROM meta a, meta b
             WHERE a.name = 'boot_anchor' AND b.name = 'boot_id' AND b.value = ?1",
            [boot_id],
            |r| r.get(0),
        )
    }
}

impl Tx<'_> {
    /// Leaves a note in this database.
    pub fn set_note(&self, name: &str, value: &str) -> Stored<()> {
        self.run("INSERT OR REPLACE INTO meta VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }

    /// Sets the engine's clock for this run of the machine.
    pub fn set_boot_anchor(&self, boot_id: &str, anchor: i64) -> Stored<()> {
        self.run("INSERT OR REPLACE INTO meta VALUES ('boot_id', ?1)", [boot_id])?;
        self.run("INSERT OR REPLACE INTO meta VALUES ('boot_anchor', ?1)", [anchor])?;
        Ok(())
    }

    /// Names the instance, once.
    pub fn set_instance(&self, name: &str) -> Stored<()> {
        self.run("INSERT INTO meta VALUES ('instance', ?1) ON CONFLICT DO NOTHING", [name])?;
        Ok(())
    }

    /// Nobody could be heard until now.
    pub(super) fn set_heard_since(&self, now: Millis) -> Stored<()> {
        self.run("INSERT OR REPLACE INTO meta VALUES ('heard_since', ?1)", [now.0])?;
        Ok(())
    }

    /// Remembers the time of this transaction: after a restart the clock goes on from here (G22).
    pub fn set_last_time(&self, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO meta VALUES ('last_time', ?1)
             ON CONFLICT DO UPDATE SET value = excluded.value WHERE excluded.value > value",
            [now.0],
        )?;
        Ok(())
    }

    /// The next fence: greater than every one before, whatever the clock did (G22).
    pub fn next_fence(&self, now: Millis) -> Stored<i64> {
        let last = self.number("SELECT value FROM meta WHERE name = 'fence'", [])?;
        let next = (last + 1).max(now.0.saturating_mul(1000));
        self.run(
            "INSERT INTO meta VALUES ('fence', ?1)
             ON CONFLICT DO UPDATE SET value = excluded.value",
            params![next],
        )?;
        Ok(next)
    }
}
