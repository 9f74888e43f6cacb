//! How much there is of what, for who watches the server.

use coord_protocol::time::Millis;

use super::{Stored, View};

impl View<'_> {
    /// Claims of all kinds that have not ended, and are not past their time.
    pub fn claims_active(&self, now: Millis) -> Stored<i64> {
        // Two looks into one index.
        self.number(
            "SELECT (SELECT COUNT(*) FROM claim WHERE ended_at IS NULL AND expires_at > ?1)
                  + (SELECT COUNT(*) FROM claim WHERE ended_at IS NULL AND expires_at IS NULL)",
            [now.0],
        )
    }

    /// Who waits for claims to end.
    pub fn queue_waiting(&self, now: Millis) -> Stored<i64> {
        let sql = "SELECT COUNT(*) FROM waiter WHERE state = 'waiting' AND expires_at > ?1";
        self.number(sql, [now.0])
    }
}
