//! Who waits for claims to end: rows of `waiter`, what each wants, and what each waits for.

use coord_protocol::claim::Who;
use coord_protocol::resource::{Anchors, Resource};
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimType, Urgency};
use rusqlite::{Row, params};

use super::claims::{json_of_names, names};
use super::{Stored, Tx, View, limit};

/// How a waiter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaiterState {
    /// It waits.
    Waiting,
    /// It has got its claims.
    Granted,
    /// Its time was over.
    Expired,
    /// It was cancelled.
    Cancelled,
    /// Its caller was gone.
    Left,
    /// It would have waited for itself.
    Refused,
}

impl WaiterState {
    const ALL: [Self; 6] =
        [Self::Waiting, Self::Granted, Self::Expired, Self::Cancelled, Self::Left, Self::Refused];

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Granted => "granted",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Left => "left",
            Self::Refused => "refused",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }
}

/// A waiter.
#[derive(Debug, Clone)]
pub struct WaiterRow {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// Who waits.
    pub engineer: String,
    /// In which session; '' is none.
    pub session_id: String,
    /// The whole wish, as JSON.
    pub wish: String,
    /// How urgent it is.
    pub urgency: Urgency,
    /// The first of what it waits for.
    pub blocking_claim_id: Option<String>,
    /// The item that meets it, as it was sent.
    pub pattern: String,
    /// The item's type.
    pub claim_type: ClaimType,
    /// The item's symbols.
    pub symbols: Option<Vec<String>>,
    /// How it stands.
    pub state: WaiterState,
    /// Since when it waits.
    pub enqueued_at: Millis,
    /// Until when.
    pub expires_at: Millis,
    /// Not served later than this unless renewed.
    pub alive_until: Option<Millis>,
    /// When it ceased to wait.
    pub decided_at: Option<Millis>,
    /// What it was granted.
    pub granted: Vec<String>,
    /// What its caller is told when it gets nothing.
    pub answer: Option<String>,
}

impl WaiterRow {
    /// Who waits.
    pub fn who(&self) -> Who<'_> {
        Who { session: &self.session_id, engineer: Some(&self.engineer) }
    }
}

/// One thing that a waiter wants.
#[derive(Debug, Clone)]
pub struct WaiterItem {
    /// The waiter.
    pub waiter: String,
    /// Canonical.
    pub resource: String,
    /// `None`: whole files.
    pub symbols: Option<Vec<String>>,
    /// It will give way to claims on symbols.
    pub narrowable: bool,
    /// In an area where nothing is resolved by itself.
    pub hard: bool,
}

/// What a waiter wants, with what says where it stands in the queue.
#[derive(Debug, Clone)]
pub struct WaitedItem {
    /// What it wants.
    pub item: WaiterItem,
    /// Its place in the order of arrival.
    pub seq: i64,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Since when it waits.
    pub enqueued_at: Millis,
    /// Who waits.
    pub engineer: String,
    /// In which session.
    pub session_id: String,
}

impl WaitedItem {
    /// Who waits.
    pub fn who(&self) -> Who<'_> {
        Who { session: &self.session_id, engineer: Some(&self.engineer) }
    }
}

const COLUMNS: &str = "waiter.seq, waiter.id, waiter.project_key, waiter.engineer,
    waiter.session_id, wish, urgency, blocking_claim_id, waiter.pattern, waiter.claim_type,
    waiter.symbols, state, enqueued_at, waiter.expires_at, alive_until, decided_at, granted, answer
    FROM waiter";

fn waiter(r: &Row<'_>) -> rusqlite::Result<WaiterRow> {
    let text = |at| r.get::<_, String>(at);
    Ok(WaiterRow {
        seq: r.get(0)?,
        id: r.get(1)?,
        project_key: r.get(2)?,
        engineer: r.get(3)?,
        session_id: r.get(4)?,
        wish: r.get(5)?,
        urgency: Urgency::parse(&text(6)?).unwrap_or_default(),
        blocking_claim_id: r.get(7)?,
        pattern: r.get(8)?,
        claim_type: ClaimType::parse(&text(9)?).unwrap_or_default(),
        symbols: names(r.get(10)?),
        state: WaiterState::parse(&text(11)?).unwrap_or(WaiterState::Left),
        enqueued_at: Millis(r.get(12)?),
        expires_at: Millis(r.get(13)?),
        alive_until: r.get::<_, Option<i64>>(14)?.map(Millis),
        decided_at: r.get::<_, Option<i64>>(15)?.map(Millis),
        granted: names(r.get(16)?).unwrap_or_default(),
        answer: r.get(17)?,
    })
}

fn item(r: &Row<'_>) -> rusqlite::Result<WaitedItem> {
    Ok(WaitedItem {
        item: WaiterItem {
            waiter: r.get(0)?,
            resource: r.get(1)?,
            symbols: names(r.get(2)?),
            narrowable: r.get(3)?,
            hard: r.get(4)?,
        },
        seq: r.get(5)?,
        urgency: Urgency::parse(&r.get::<_, String>(6)?).unwrap_or_default(),
        enqueued_at: Millis(r.get(7)?),
        engineer: r.get(8)?,
        session_id: r.get(9)?,
    })
}

impl View<'_> {
    /// One waiter.
    pub fn waiter(&self, id: &str) -> Stored<Option<WaiterRow>> {
        self.row(&format!("SELECT {COLUMNS} WHERE id = ?1"), [id], waiter)
    }

    /// Whether anybody waits at all.
    pub fn anybody_waits(&self) -> Stored<bool> {
        Ok(self.number("SELECT EXISTS (SELECT 1 FROM waiter WHERE state = 'waiting')", [])? == 1)
    }

    /// How many wait.
    pub fn waiting_count(&self) -> Stored<i64> {
        self.number("SELECT COUNT(*) FROM waiter WHERE state = 'waiting'", [])
    }

    /// Who waits for a claim or for another waiter, in the order of arrival.
    pub fn waiting_for(&self, target: &str) -> Stored<Vec<WaiterRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} JOIN waits_for ON waits_for.waiter = waiter.id
                 WHERE target = ?1 AND state = 'waiting' ORDER BY waiter.seq"
            ),
            [target],
            waiter,
        )
    }

    /// Whose first obstacle a claim is, in the order of arrival.
    pub fn waiting_on(&self, claim: &str) -> Stored<Vec<WaiterRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE state = 'waiting' AND blocking_claim_id = ?1 ORDER BY seq"
            ),
            [claim],
            waiter,
        )
    }

    /// Waiters without a connection that were served and have not said since that they are there.
    pub fn waiters_unheard(&self, now: Millis) -> Stored<Vec<String>> {
        self.rows(
            "SELECT id FROM waiter WHERE state = 'granted' AND alive_until < ?1",
            [now.0],
            |r| r.get(0),
        )
    }

    /// What a waiter waits for.
    pub fn targets_of(&self, waiter: &str) -> Stored<Vec<String>> {
        self.rows("SELECT target FROM waits_for WHERE waiter = ?1", [waiter], |r| r.get(0))
    }

    /// All that anybody waits for.
    pub fn targets(&self) -> Stored<Vec<String>> {
        self.rows("SELECT DISTINCT target FROM waits_for", [], |r| r.get(0))
    }

    /// Where a session or an engineer waits.
    pub fn waiting_of(&self, who: &Who<'_>) -> Stored<Vec<WaiterRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE state = 'waiting' AND engineer = ?1
                 UNION
                 SELECT {COLUMNS} WHERE state = 'waiting' AND session_id = ?2 AND ?2 <> ''"
            ),
            params![who.engineer.unwrap_or_default(), who.session],
            waiter,
        )
    }

    /// What others wait for that may touch `resource`: a superset.
    pub fn waited_near(&self, project: &str, resource: &Resource) -> Stored<Vec<WaitedItem>> {
        let Anchors { exact, ranges } = resource.anchors();
        let of =
            "waiter_item.waiter, resource, waiter_item.symbols, narrowable, hard, seq, urgency,
            enqueued_at, engineer, session_id
            FROM waiter_item JOIN waiter ON waiter.id = waiter_item.waiter
            WHERE waiter_item.project_key = ?1 AND waiter.state = 'waiting'";
        let mut found = self.rows(
            &format!("SELECT {of} AND anchor IN (SELECT value FROM json_each(?2))"),
            [project, &json_of_names(&exact)],
            item,
        )?;
        for (from, to) in ranges {
            let sql = format!("SELECT {of} AND anchor >= ?2 AND anchor < ?3");
            found.extend(self.rows(&sql, params![project, from, to], item)?);
        }
        Ok(found)
    }

    /// Waiters, newest first: those of an engineer, in a state.
    pub fn waiters(
        &self,
        engineer: Option<&str>,
        state: WaiterState,
        most: usize,
    ) -> Stored<Vec<WaiterRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE state = ?1 AND (?2 IS NULL OR engineer = ?2)
                 ORDER BY seq DESC LIMIT ?3"
            ),
            params![state.as_str(), engineer, limit(most)],
            waiter,
        )
    }

    /// Waiters whose time is over, or that have not said for too long that they are there.
    pub fn waiters_over(&self, now: Millis) -> Stored<Vec<WaiterRow>> {
        self.rows(
            &format!(
                "SELECT {COLUMNS} WHERE state = 'waiting'
                 AND (waiter.expires_at <= ?1 OR alive_until < ?1) ORDER BY seq"
            ),
            [now.0],
            waiter,
        )
    }
}

impl View<'_> {
    /// What the request under a key waits as, and the request's fingerprint.
    pub fn parked_under(&self, key: &str) -> Stored<Option<(Vec<u8>, String)>> {
        self.row("SELECT fingerprint, waits_as FROM parked_key WHERE key = ?1", [key], |r| {
            Ok((r.get(0)?, r.get(1)?))
        })
    }
}

impl Tx<'_> {
    /// A request under this key waits as that.
    pub fn park_key(&self, key: &str, print: &[u8], waits_as: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT OR REPLACE INTO parked_key (key, fingerprint, waits_as, at)
             VALUES (?1, ?2, ?3, ?4)",
            params![key, print, waits_as, now.0],
        )?;
        Ok(())
    }

    /// Nobody heard the answer of what waited as this: it is not remembered any more.
    pub fn forget_answer_of(&self, waits_as: &str) -> Stored<()> {
        self.run(
            "DELETE FROM applied WHERE key IN (SELECT key FROM parked_key WHERE waits_as = ?1)",
            [waits_as],
        )?;
        Ok(())
    }

    /// A waiter was told of what it was granted, by another connection than it waited on: that is no
    /// longer in question, and is kept with its key.
    pub fn waiter_has_heard(&self, id: &str) -> Stored<()> {
        self.run("UPDATE waiter SET granted = NULL WHERE id = ?1", [id])?;
        Ok(())
    }

    /// A waiter that was served and did not hear of it has left.
    pub fn waiter_did_not_hear(&self, id: &str, now: Millis) -> Stored<()> {
        self.run(
            "UPDATE waiter SET state = 'left', granted = NULL, decided_at = ?2 WHERE id = ?1",
            params![id, now.0],
        )?;
        Ok(())
    }

    /// Forgets waiters that were decided before a moment, and their keys; some at a time.
    pub fn forget_waiters(&self, before: Millis, most: usize) -> Stored<usize> {
        self.run("DELETE FROM parked_key WHERE at < ?1", [before.0])?;
        self.run(
            "DELETE FROM waiter WHERE rowid IN (SELECT rowid FROM waiter
             WHERE state <> 'waiting' AND decided_at < ?1 LIMIT ?2)",
            params![before.0, limit(most)],
        )
    }

    /// Adds a waiter, or lets one that had left wait again in its old place.
    pub fn put_waiter(&self, w: &WaiterRow) -> Stored<()> {
        self.run(
            "INSERT INTO waiter (id, project_key, engineer, session_id, wish, urgency,
             blocking_claim_id, pattern, claim_type, symbols, state, enqueued_at, expires_at,
             alive_until, answer)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)
             ON CONFLICT (id) DO UPDATE SET state = excluded.state, answer = excluded.answer,
               alive_until = excluded.alive_until, decided_at = NULL",
            params![
                w.id,
                w.project_key,
                w.engineer,
                w.session_id,
                w.wish,
                w.urgency.as_str(),
                w.blocking_claim_id,
                w.pattern,
                w.claim_type.as_str(),
                w.symbols.as_deref().map(json_of_names),
                w.state.as_str(),
                w.enqueued_at.0,
                w.expires_at.0,
                w.alive_until.map(|t| t.0),
                w.answer,
            ],
        )?;
        Ok(())
    }

    /// Adds what a waiter wants.
    pub fn add_waiter_item(&self, project: &str, at: usize, i: &WaiterItem) -> Stored<()> {
        let anchor =
            Resource::claimed(&i.resource).map_or(String::new(), |r| r.anchor().to_owned());
        self.run(
            "INSERT OR REPLACE INTO waiter_item
             (project_key, anchor, waiter, at, resource, symbols, narrowable, hard)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                project,
                anchor,
                i.waiter,
                limit(at),
                i.resource,
                i.symbols.as_deref().map(json_of_names),
                i.narrowable,
                i.hard,
            ],
        )?;
        Ok(())
    }

    /// Says anew what a waiter waits for.
    pub fn set_targets(&self, waiter: &str, targets: &[String]) -> Stored<()> {
        self.run("DELETE FROM waits_for WHERE waiter = ?1", [waiter])?;
        for target in targets {
            self.run(
                "INSERT OR IGNORE INTO waits_for (waiter, target) VALUES (?1, ?2)",
                [waiter, target],
            )?;
        }
        Ok(())
    }

    /// Says what a waiter's first obstacle is.
    pub fn set_blocking(&self, waiter: &str, claim: Option<&str>) -> Stored<()> {
        self.run(
            "UPDATE waiter SET blocking_claim_id = ?2
             WHERE id = ?1 AND blocking_claim_id IS NOT ?2",
            params![waiter, claim],
        )?;
        Ok(())
    }

    /// A waiter ceases to wait; true when it waited until now.
    pub fn decide_waiter(
        &self,
        id: &str,
        state: WaiterState,
        now: Millis,
        granted: &[String],
    ) -> Stored<bool> {
        let granted = (!granted.is_empty()).then(|| json_of_names(granted));
        let n = self.run(
            "UPDATE waiter SET state = ?2, decided_at = ?3, granted = ?4
             WHERE id = ?1 AND state = 'waiting'",
            params![id, state.as_str(), now.0, granted],
        )?;
        self.run("DELETE FROM waits_for WHERE waiter = ?1", [id])?;
        self.run("DELETE FROM waiter_item WHERE waiter = ?1", [id])?;
        Ok(n == 1)
    }

    /// What a waiter is told when it gets nothing.
    pub fn set_waiter_answer(&self, id: &str, answer: &str) -> Stored<()> {
        self.run("UPDATE waiter SET answer = ?2 WHERE id = ?1", [id, answer])?;
        Ok(())
    }

    /// A waiter whose caller hangs on no connection says that it is there.
    pub fn keep_waiter(&self, id: &str, until: Millis) -> Stored<()> {
        self.run(
            "UPDATE waiter SET alive_until = ?2 WHERE id = ?1 AND state = 'waiting'",
            params![id, until.0],
        )?;
        Ok(())
    }

    /// A waiter is told what became of it.
    pub fn waiter_hears(&self, id: &str) -> Stored<()> {
        self.run(
            "UPDATE waiter SET alive_until = NULL WHERE id = ?1 AND alive_until IS NOT NULL",
            [id],
        )?;
        Ok(())
    }

    /// After the engine was restarted nobody hangs on its connections any more.
    pub fn all_waiters_left(&self, now: Millis) -> Stored<()> {
        self.run(
            "UPDATE waiter SET state = 'left', decided_at = ?1
             WHERE state = 'waiting' AND alive_until IS NULL",
            [now.0],
        )?;
        self.run(
            "DELETE FROM waits_for WHERE waiter NOT IN
             (SELECT id FROM waiter WHERE state = 'waiting')",
            [],
        )?;
        self.run(
            "DELETE FROM waiter_item WHERE waiter NOT IN
             (SELECT id FROM waiter WHERE state = 'waiting')",
            [],
        )?;
        Ok(())
    }
}
