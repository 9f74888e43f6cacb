//! Events on their way to receivers: one row for each event and receiver.

use coord_protocol::time::Millis;
use rusqlite::params;

use super::{Stored, Tx, View, limit};
use crate::webhooks::retry::Fate;

/// Rows changed or removed in one go, so that no transaction grows long.
const STEP: usize = 5_000;

/// An event for one receiver.
#[derive(Debug, Clone)]
pub struct DeliveryRow {
    /// The delivery id; the same in all attempts.
    pub id: String,
    /// The receiver's label.
    pub receiver: String,
    /// What kind of event.
    pub event_type: String,
    /// The body that is sent.
    pub payload: String,
    /// When it happened.
    pub created_at: Millis,
}

/// One that is due.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    /// Its place.
    pub seq: i64,
    /// The delivery id.
    pub id: String,
    /// What kind of event.
    pub event_type: String,
    /// Attempts that failed so far.
    pub attempts: u32,
}

impl View<'_> {
    /// What is due for a receiver, in order of due time; at most `most`, without payloads.
    pub fn due_deliveries(&self, to: &str, now: Millis, most: usize) -> Stored<Vec<DueDelivery>> {
        self.rows(
            "SELECT seq, id, event_type, attempts FROM webhook_outbox
             WHERE receiver = ?1 AND state IN ('pending', 'failed') AND due_at <= ?2
             ORDER BY due_at, seq LIMIT ?3",
            params![to, now.0, limit(most)],
            |r| {
                let (seq, id, event_type) = (r.get(0)?, r.get(1)?, r.get(2)?);
                Ok(DueDelivery { seq, id, event_type, attempts: r.get(3)? })
            },
        )
    }

    /// When the next one is due for a receiver.
    pub fn next_delivery(&self, to: &str) -> Stored<Option<Millis>> {
        self.row(
            "SELECT due_at FROM webhook_outbox
             WHERE receiver = ?1 AND state IN ('pending', 'failed') ORDER BY due_at LIMIT 1",
            [to],
            |r| Ok(Millis(r.get(0)?)),
        )
    }

    /// The body of a delivery that is still to be made.
    pub fn delivery_payload(&self, seq: i64) -> Stored<Option<String>> {
        self.row(
            "SELECT payload FROM webhook_outbox
             WHERE seq = ?1 AND state IN ('pending', 'failed')",
            [seq],
            |r| r.get(0),
        )
    }

    /// How many wait for a receiver.
    pub fn waiting_deliveries(&self, to: &str) -> Stored<usize> {
        let n = self.number(
            "SELECT COUNT(*) FROM webhook_outbox
             WHERE receiver = ?1 AND state IN ('pending', 'failed')",
            [to],
        )?;
        Ok(usize::try_from(n).unwrap_or(0))
    }

    /// Whether something waits for a receiver other than these.
    pub fn has_strangers(&self, known: &[String]) -> Stored<bool> {
        let known = serde_json::to_string(known).unwrap_or_default();
        let n = self.number(
            "SELECT EXISTS (SELECT 1 FROM webhook_outbox WHERE state IN ('pending', 'failed')
                            AND receiver NOT IN (SELECT value FROM json_each(?1)))",
            [known],
        )?;
        Ok(n > 0)
    }

    /// How many there are of each state.
    pub fn delivery_counts(&self) -> Stored<Vec<(String, i64)>> {
        let sql = "SELECT state, COUNT(*) FROM webhook_outbox GROUP BY state";
        self.rows(sql, [], |r| Ok((r.get(0)?, r.get(1)?)))
    }
}

impl Tx<'_> {
    /// Stores an event for a receiver.
    pub fn add_delivery(&self, d: &DeliveryRow) -> Stored<()> {
        self.run(
            "INSERT INTO webhook_outbox
             (id, receiver, event_type, payload, state, due_at, created_at, updated_at)
             VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?5, ?5)",
            params![d.id, d.receiver, d.event_type, d.payload, d.created_at.0],
        )?;
        Ok(())
    }

    /// Notes an attempt at `now`: what became of it, and in a few words why.
    pub fn note_delivery(&self, seq: i64, fate: Fate, outcome: &str, now: Millis) -> Stored<()> {
        let (state, due) = match fate {
            Fate::Delivered => ("delivered", None),
            Fate::Failed(due) => ("failed", Some(due.0)),
            Fate::Exhausted => ("exhausted", None),
        };
        self.run(
            "UPDATE webhook_outbox SET state = ?2, due_at = COALESCE(?3, due_at),
             attempts = attempts + 1, updated_at = ?4, last_outcome = ?5 WHERE seq = ?1",
            params![seq, state, due, now.0, outcome],
        )?;
        Ok(())
    }

    /// Gives up what waits for receivers other than these; how many rows that were.
    pub fn give_up_strangers(&self, known: &[String], now: Millis) -> Stored<usize> {
        let known = serde_json::to_string(known).unwrap_or_default();
        self.run(
            "UPDATE webhook_outbox SET state = 'exhausted', updated_at = ?2,
             last_outcome = 'no receiver any more'
             WHERE seq IN (SELECT seq FROM webhook_outbox WHERE state IN ('pending', 'failed')
                           AND receiver NOT IN (SELECT value FROM json_each(?1)) LIMIT ?3)",
            params![known, now.0, limit(STEP)],
        )
    }

    /// Gives up the oldest of what waits for a receiver, beyond `most`; how many rows that were.
    pub fn give_up_oldest(&self, to: &str, most: usize, now: Millis) -> Stored<usize> {
        let over = self.waiting_deliveries(to)?.saturating_sub(most).min(STEP);
        self.run(
            "UPDATE webhook_outbox SET state = 'exhausted', updated_at = ?2,
             last_outcome = 'too many wait'
             WHERE seq IN (SELECT seq FROM webhook_outbox
                           WHERE receiver = ?1 AND state IN ('pending', 'failed')
                           ORDER BY seq LIMIT ?3)",
            params![to, now.0, limit(over)],
        )
    }

    /// Removes rows that ended in this state before then, and the oldest beyond `most`.
    pub fn forget_deliveries(&self, state: &str, before: Millis, most: usize) -> Stored<usize> {
        let old = self.run(
            "DELETE FROM webhook_outbox WHERE seq IN
             (SELECT seq FROM webhook_outbox WHERE state = ?1 AND updated_at < ?2
              ORDER BY updated_at LIMIT ?3)",
            params![state, before.0, limit(STEP)],
        )?;
        let many = self.run(
            "DELETE FROM webhook_outbox WHERE seq IN
             (SELECT seq FROM webhook_outbox WHERE state = ?1
              ORDER BY updated_at DESC LIMIT ?2 OFFSET ?3)",
            params![state, limit(STEP), limit(most)],
        )?;
        Ok(old + many)
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::store::migrate;

    fn with(conn: &Connection, count: i64) -> Tx<'_> {
        migrate(conn, None).unwrap();
        let tx = Tx::new(conn);
        for n in 0..count {
            tx.add_delivery(&DeliveryRow {
                id: format!("d{n}"),
                receiver: if n % 2 == 0 { "even" } else { "odd" }.to_owned(),
                event_type: "e".to_owned(),
                payload: format!("{{{n}}}"),
                created_at: Millis(100 - n),
            })
            .unwrap();
        }
        tx
    }

    fn due(tx: &Tx<'_>, to: &str, now: i64) -> Vec<String> {
        tx.due_deliveries(to, Millis(now), 50).unwrap().into_iter().map(|d| d.id).collect()
    }

    fn counts(tx: &Tx<'_>) -> Vec<(String, i64)> {
        tx.delivery_counts().unwrap()
    }

    #[test]
    fn due_in_order_of_time_until_they_ended() {
        let conn = Connection::open_in_memory().unwrap();
        let tx = with(&conn, 6);
        assert_eq!(due(&tx, "even", 100), ["d4", "d2", "d0"]);
        assert_eq!(due(&tx, "even", 98), ["d4", "d2"]);
        let seqs: Vec<i64> =
            tx.due_deliveries("even", Millis(100), 50).unwrap().iter().map(|d| d.seq).collect();
        tx.note_delivery(seqs[0], Fate::Failed(Millis(500)), "status 500", Millis(101)).unwrap();
        tx.note_delivery(seqs[1], Fate::Delivered, "status 200", Millis(101)).unwrap();
        tx.note_delivery(seqs[2], Fate::Exhausted, "timeout", Millis(101)).unwrap();
        assert!(due(&tx, "even", 499).is_empty());
        assert_eq!(tx.next_delivery("even").unwrap(), Some(Millis(500)));
        let again = tx.due_deliveries("even", Millis(500), 50).unwrap();
        assert_eq!((again[0].id.as_str(), again[0].attempts), ("d4", 1));
        assert_eq!(tx.delivery_payload(seqs[0]).unwrap().as_deref(), Some("{4}"));
        assert_eq!(tx.delivery_payload(seqs[1]).unwrap(), None);
        let all = [("delivered", 1), ("exhausted", 1), ("failed", 1), ("pending", 3)];
        assert_eq!(counts(&tx), all.map(|(s, n)| (s.to_owned(), n)));
    }

    #[test]
    fn what_waits_is_bounded_and_needs_a_receiver() {
        let conn = Connection::open_in_memory().unwrap();
        let tx = with(&conn, 10);
        assert_eq!(tx.give_up_oldest("even", 3, Millis(200)).unwrap(), 2);
        assert_eq!(tx.give_up_oldest("even", 3, Millis(200)).unwrap(), 0);
        assert_eq!(due(&tx, "even", 100), ["d8", "d6", "d4"]);
        assert_eq!(tx.give_up_strangers(&["even".to_owned()], Millis(200)).unwrap(), 5);
        assert!(due(&tx, "odd", 100).is_empty());
        assert!(!tx.has_strangers(&["even".to_owned()]).unwrap());
        assert!(tx.has_strangers(&["odd".to_owned()]).unwrap());
        assert_eq!(tx.waiting_deliveries("even").unwrap(), 3);
        assert_eq!(due(&tx, "even", 100).len(), 3);
    }

    #[test]
    fn what_ended_is_forgotten_by_age_and_number() {
        let conn = Connection::open_in_memory().unwrap();
        let tx = with(&conn, 10);
        for seq in 1..=6 {
            tx.note_delivery(seq, Fate::Delivered, "", Millis(1_000 + seq)).unwrap();
        }
        assert_eq!(tx.forget_deliveries("delivered", Millis(1_003), 100).unwrap(), 2);
        assert_eq!(tx.forget_deliveries("delivered", Millis(0), 3).unwrap(), 1);
        assert_eq!(tx.forget_deliveries("exhausted", Millis(9_999), 0).unwrap(), 0);
        let left = [("delivered".to_owned(), 3), ("pending".to_owned(), 4)];
        assert_eq!(counts(&tx), left);
    }

    #[test]
    fn looks_use_the_indices() {
        let conn = Connection::open_in_memory().unwrap();
        with(&conn, 0);
        let plan = |sql: &str| -> String {
            conn.query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |r| r.get(3)).unwrap()
        };
        let due = plan(
            "SELECT seq FROM webhook_outbox WHERE receiver = 'x'
             AND state IN ('pending', 'failed') AND due_at <= 5 ORDER BY due_at, seq LIMIT 50",
        );
        assert!(due.contains("webhook_due (receiver=? AND due_at<?)"), "{due}");
        let counts = plan("SELECT state, COUNT(*) FROM webhook_outbox GROUP BY state");
        assert!(counts.contains("COVERING INDEX webhook_state"), "{counts}");
    }
}
