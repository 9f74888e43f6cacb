//! The ownership document: one row at most.

use coord_protocol::time::Millis;
use rusqlite::params;

use super::{Stored, Tx, View};

impl View<'_> {
    /// Looks at the document, where it lies: it may be long, and each claim asks. `None`: there is none.
    pub fn with_ownership<T>(&self, look: impl FnOnce(&str) -> T) -> Stored<Option<T>> {
        let latest = "SELECT document FROM ownership ORDER BY seq DESC LIMIT 1";
        self.row(latest, [], |r| Ok(look(r.get_ref(0)?.as_str()?)))
    }
}

impl Tx<'_> {
    /// Puts a document in the place of what was there.
    pub fn set_ownership(&self, document: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO ownership (seq, document, updated_at) VALUES (1, ?1, ?2)
             ON CONFLICT (seq) DO UPDATE
             SET document = excluded.document, updated_at = excluded.updated_at",
            params![document, now.0],
        )?;
        Ok(())
    }
}
