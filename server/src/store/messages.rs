//! Messages and receipts.

use std::time::Duration;

use coord_protocol::session::ALL_SESSIONS;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Message, Receipt};
use rusqlite::{Row, params};

use super::{Paged, Stored, Tx, View, limit};

/// The addresses under which a session gets mail: itself, its machine's mailbox, its person there.
pub struct Mailboxes {
    /// The session itself.
    pub session: String,
    /// Its machine's main mailbox.
    pub machine: Option<String>,
    /// `<machine>/<user>`.
    pub user: Option<String>,
    /// Broadcasts from before this moment are not for it.
    pub since: Millis,
    /// Broadcasts up to this one are read.
    pub read_to: i64,
    /// The moment: what has expired by now is not unread.
    pub now: Millis,
}

/// Which messages of a list, and how many.
#[derive(Default, Clone, Copy)]
pub struct Page<'a> {
    /// Sent by this session only.
    pub from: Option<&'a str>,
    /// About this project only.
    pub project: Option<&'a str>,
    /// Not offered to the viewer yet.
    pub not_offered: bool,
    /// Latest first; `after` is then before.
    pub newest_first: bool,
    /// Behind this one.
    pub after: i64,
    /// Not more than these.
    pub most: usize,
}

/// What a page narrows: ?6 sender, ?7 project, ?8 after, ?9 most, ?10 not offered, ?11 not expired
/// at this moment.
const OF_PAGE: &str = "(?6 IS NULL OR m.from_session = ?6) AND (?7 IS NULL OR m.project_key = ?7)
    AND m.seq > ?8 AND (NOT ?10 OR r.offered_at IS NULL)
    AND (?11 IS NULL OR m.expires_at IS NULL OR m.expires_at > ?11)";

/// A message as its viewer ?1 sees it.
const AS_SEEN: &str = "SELECT m.id, m.seq, m.from_session, m.to_session, m.project_key, m.subject,
    m.body, m.created_at, COALESCE(r.read_at, m.read_at), r.offered_at, m.expires_at
    FROM message m LEFT JOIN receipt r ON r.message_seq = m.seq AND r.session_id = ?1";

fn message(r: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: r.get(0)?,
        seq: r.get(1)?,
        from_session: r.get(2)?,
        to_session: r.get(3)?,
        project_key: r.get(4)?,
        subject: r.get(5)?,
        body: r.get(6)?,
        created_at: Millis(r.get(7)?),
        read_at: r.get::<_, Option<i64>>(8)?.map(Millis),
        offered_at: r.get::<_, Option<i64>>(9)?.map(Millis),
        expires_at: r.get::<_, Option<i64>>(10)?.map(Millis),
    })
}

/// What is unread for a session: ?1 session, ?2 machine, ?3 user, ?4 since, ?5 `read_to`.
fn unread_where() -> String {
    format!(
        "(m.to_session IN (?1, ?2, ?3) AND m.read_at IS NULL)
         OR (m.to_session = '{ALL_SESSIONS}' AND m.read_at IS NULL AND m.seq > ?5
             AND m.created_at >= ?4 AND m.from_session <> ?1 AND r.read_at IS NULL)"
    )
}

impl View<'_> {
    /// One message as `viewer` sees it.
    pub fn message(&self, id: &str, viewer: &str) -> Stored<Option<Message>> {
        self.row(&format!("{AS_SEEN} WHERE m.id = ?2"), [viewer, id], message)
    }

    /// Unread mail of a session, oldest first.
    pub fn unread(&self, b: &Mailboxes, page: Page<'_>) -> Stored<Paged<Message>> {
        self.mail(&unread_where(), b, page, Some(b.now))
    }

    /// How much mail a session has not read.
    pub fn unread_count(&self, b: &Mailboxes) -> Stored<i64> {
        self.number(
            &format!(
                "SELECT COUNT(*) FROM message m
                 LEFT JOIN receipt r ON r.message_seq = m.seq AND r.session_id = ?1
                 WHERE (m.expires_at IS NULL OR m.expires_at > ?6) AND ({})",
                unread_where()
            ),
            params![b.session, b.machine, b.user, b.since.0, b.read_to, b.now.0],
        )
    }

    /// Direct mail that nobody has read.
    pub fn unread_count_of_all(&self, now: Millis) -> Stored<i64> {
        self.number(
            &format!(
                "SELECT COUNT(*) FROM message WHERE read_at IS NULL AND to_session <> '{ALL_SESSIONS}'
                 AND (expires_at IS NULL OR expires_at > ?1)"
            ),
            [now.0],
        )
    }

    /// All mail of a session, read or not, oldest first.
    pub fn inbox(&self, b: &Mailboxes, page: Page<'_>) -> Stored<Paged<Message>> {
        let mine = format!(
            "m.to_session IN (?1, ?2, ?3) OR (m.to_session = '{ALL_SESSIONS}'
             AND m.created_at >= ?4 AND m.from_session <> ?1)"
        );
        self.mail(&mine, b, page, None)
    }

    fn mail(
        &self,
        mine: &str,
        b: &Mailboxes,
        page: Page<'_>,
        live_at: Option<Millis>,
    ) -> Stored<Paged<Message>> {
        self.page(
            page.most,
            &format!("{AS_SEEN} WHERE {OF_PAGE} AND ({mine}) ORDER BY m.seq LIMIT ?9"),
            params![
                b.session,
                b.machine,
                b.user,
                b.since.0,
                b.read_to,
                page.from,
                page.project,
                page.after,
                limit(page.most + 1),
                page.not_offered,
                live_at.map(|t| t.0)
            ],
            message,
        )
    }

    /// Messages by sender and project.
    pub fn messages(&self, page: Page<'_>) -> Stored<Paged<Message>> {
        let (compare, order) = if page.newest_first { ("<", "DESC") } else { (">", "ASC") };
        let after = if page.newest_first && page.after == 0 { i64::MAX } else { page.after };
        self.page(
            page.most,
            &format!(
                "{AS_SEEN} WHERE (?2 IS NULL OR m.from_session = ?2)
                 AND (?3 IS NULL OR m.project_key = ?3) AND m.seq {compare} ?4
                 ORDER BY m.seq {order} LIMIT ?5"
            ),
            params!["", page.from, page.project, after, limit(page.most + 1)],
            message,
        )
    }

    /// What is known of each recipient of a message.
    pub fn receipts(&self, seq: i64) -> Stored<Vec<Receipt>> {
        self.rows(
            "SELECT session_id, offered_at, read_at FROM receipt WHERE message_seq = ?1
             ORDER BY session_id",
            [seq],
            |r| {
                Ok(Receipt {
                    session_id: r.get(0)?,
                    offered_at: r.get::<_, Option<i64>>(1)?.map(Millis),
                    read_at: r.get::<_, Option<i64>>(2)?.map(Millis),
                })
            },
        )
    }
}

impl View<'_> {
    /// Sessions other than `sender` that were known at a moment and heard of at most so long before.
    pub fn sessions_at(
        &self,
        at: Millis,
        within: Duration,
        sender: &str,
        most: usize,
    ) -> Stored<Vec<String>> {
        self.rows(
            "SELECT session_id FROM session WHERE first_seen <= ?1 AND last_seen >= ?2
             AND (ended_at IS NULL OR ended_at >= ?1) AND session_id <> ?3
             ORDER BY session_id LIMIT ?4",
            params![at.0, at.before(within).0, sender, limit(most)],
            |r| r.get(0),
        )
    }
}

impl Tx<'_> {
    /// Adds a message and returns its place in the order.
    pub fn add_message(&self, m: &Message) -> Stored<i64> {
        self.run(
            "INSERT INTO message (id, from_session, to_session, project_key, subject, body,
             created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                m.id,
                m.from_session,
                m.to_session,
                m.project_key,
                m.subject,
                m.body,
                m.created_at.0,
                m.expires_at.map(|t| t.0)
            ],
        )?;
        Ok(self.conn.last_insert_rowid())
    }

    /// Notes that a message was printed into a session; the first time stays.
    pub fn note_offered(&self, seq: i64, session: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO receipt (message_seq, session_id, offered_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET offered_at = COALESCE(offered_at, excluded.offered_at)",
            params![seq, session, now.0],
        )?;
        Ok(())
    }

    /// Notes that a session read a message; the first time stays.
    pub fn note_read(&self, m: &Message, session: &str, now: Millis) -> Stored<()> {
        self.run(
            "INSERT INTO receipt (message_seq, session_id, read_at) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET read_at = COALESCE(read_at, excluded.read_at)",
            params![m.seq, session, now.0],
        )?;
        if m.to_session != ALL_SESSIONS {
            self.run(
                "UPDATE message SET read_at = ?2 WHERE seq = ?1 AND read_at IS NULL",
                params![m.seq, now.0],
            )?;
        }
        Ok(())
    }

    /// Moves a session's mark of read broadcasts as far as it goes.
    pub fn advance_read_mark(&self, b: &Mailboxes) -> Stored<()> {
        self.run(
            &format!(
                "UPDATE session SET read_to = COALESCE(
                   (SELECT MIN(m.seq) - 1 FROM message m
                    LEFT JOIN receipt r ON r.message_seq = m.seq AND r.session_id = ?1
                    WHERE m.to_session = '{ALL_SESSIONS}' AND m.seq > ?2 AND m.created_at >= ?3
                    AND (m.expires_at IS NULL OR m.expires_at > ?4)
                    AND m.from_session <> ?1 AND r.read_at IS NULL),
                   (SELECT MAX(seq) FROM message), read_to)
                 WHERE session_id = ?1"
            ),
            params![b.session, b.read_to, b.since.0, b.now.0],
        )?;
        Ok(())
    }
}
