//! The workstation's copy of what the server said, and beside it the same with everything that still
//! waits here (design 4). `base` holds rows of the change feed, nothing else; `ahead` is a copy of it
//! on which the waiting writes were done by the same engine, provisionally. Both can be thrown away:
//! the one comes again from the server, the other from `base` and the outboxes.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::request::{Request, body_bytes};
use coord_protocol::time::Millis;
use coord_protocol::wire::{ChangeFeed, Lock};
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};
use serde_json::Value;

use crate::api::{Call, Reply};
use crate::local::Local;
use crate::service::Rules;
use crate::service::claims::row_of;
use crate::store::{
    OpenError, StoreError, Stored, Tx, View, is_damage, is_file_damaged, keep_out_of_feed,
    open_disposable,
};

const BASE: &str = "base.db";
const AHEAD: &str = "ahead.db";
/// Pages copied in one step: all of them.
const ALL_PAGES: i32 = -1;

/// Where the feed was read up to, and whether it was read to its end.
const CURSOR: &str = "feed_cursor";
const COMPLETE: &str = "feed_complete";
/// Whose mailboxes the feed was asked for.
const SCOPE: &str = "feed_scope";
/// Grows with whatever is put into `base`.
const VERSION: &str = "replica_version";
/// When the feed was last read to its end, by both clocks of this machine.
const PULLED_WALL: &str = "pulled_wall";
const PULLED_BOOT: &str = "pulled_boot";
const PULLED_BOOT_ID: &str = "pulled_boot_id";
/// In `ahead`: the version it was copied from, where its own changes begin, and what of the outboxes
/// was done on it.
const COPIED: &str = "copied_version";
const COPIED_TO: &str = "copied_to";
const DONE: &str = "done_print";

/// A write that waits, as far as a provisional answer needs it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The write.
    pub request: Request,
    /// It is past its time: history (G13).
    pub past: bool,
    /// For how long it has waited.
    pub waited: Duration,
}

/// The two databases.
pub struct Replica<'a> {
    base: Local<'a>,
    /// Opened when it is first needed: most reads find nothing that waits.
    ahead: OnceCell<Local<'a>>,
    dir: Option<PathBuf>,
    rules: Rules,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    boot_id: String,
}

/// Where a replica stands before a piece of the feed is read.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where the piece begins; `None`: at the beginning of the feed.
    pub cursor: Option<String>,
    /// What was put into `base` until then.
    version: u64,
}

/// What is read, and how far it can be trusted.
#[derive(Debug)]
pub struct Answer {
    /// The engine's reply; rows that only wait here carry `"queued": true`.
    pub reply: Reply,
    /// How long ago the server was last heard.
    pub age: Duration,
}

/// Opens both files in a folder; what is damaged is set aside and begun anew (G35).
pub fn open<'a>(
    dir: &Path,
    rules: Rules,
    clock: &'a dyn Clock,
    rng: &'a dyn Rng,
    boot_id: &str,
) -> Result<Replica<'a>, OpenError> {
    let base = open_or_begin_anew(dir, BASE)?;
    // Nobody reads a feed of the copy; that of `ahead` says what was done there.
    keep_out_of_feed(&base)?;
    Ok(Replica {
        base: Local::over(base, rules, clock, rng, boot_id.to_owned()),
        ahead: OnceCell::new(),
        dir: Some(dir.to_owned()),
        rules,
        clock,
        rng,
        boot_id: boot_id.to_owned(),
    })
}

fn open_or_begin_anew(dir: &Path, name: &str) -> Result<Connection, OpenError> {
    let path = dir.join(name);
    match open_disposable(&path) {
        Err(OpenError::Sqlite(e)) if is_damage(&e) => {
            set_aside(dir, name);
            open_disposable(&path)
        }
        // A later version of coord has been here; its copy is as disposable as ours.
        Err(OpenError::NewerSchema { .. }) => {
            set_aside(dir, name);
            open_disposable(&path)
        }
        done => done,
    }
}

/// Moves a damaged file out of the way, as `*.damaged`; the one from before it goes.
fn set_aside(dir: &Path, name: &str) {
    for end in ["-wal", "-shm", ""] {
        let from = dir.join(format!("{name}{end}"));
        // What cannot be moved is met again when it is opened.
        let _ = fs::rename(&from, dir.join(format!("{name}{end}.damaged")));
    }
}

/// After an error that says so: moves the damaged one of the two out of the way, or, when neither
/// says that it is, both.
pub fn set_damaged_aside(dir: &Path) {
    let damaged = |name: &&str| is_file_damaged(&dir.join(name));
    let found: Vec<&str> = [BASE, AHEAD].into_iter().filter(damaged).collect();
    for name in if found.is_empty() { vec![BASE, AHEAD] } else { found } {
        set_aside(dir, name);
    }
}

/// Whether the copy in this folder was written so lately, without opening it.
pub fn written_within(dir: &Path, span: Duration) -> bool {
    let written = |end: &str| dir.join(format!("{BASE}{end}")).metadata()?.modified();
    let last = ["", "-wal"].iter().filter_map(|end| written(end).ok()).max();
    last.is_some_and(|t| t.elapsed().is_ok_and(|age| age < span))
}

impl<'a> Replica<'a> {
    /// Over two open databases.
    pub fn over(
        base: Connection,
        ahead: Connection,
        rules: Rules,
        clock: &'a dyn Clock,
        rng: &'a dyn Rng,
        boot_id: &str,
    ) -> rusqlite::Result<Self> {
        keep_out_of_feed(&base)?;
        let local = |conn| Local::over(conn, rules, clock, rng, boot_id.to_owned());
        Ok(Self {
            base: local(base),
            ahead: OnceCell::from(local(ahead)),
            dir: None,
            rules,
            clock,
            rng,
            boot_id: boot_id.to_owned(),
        })
    }

    /// The copy with what waits on top.
    fn ahead(&self) -> Stored<&Local<'a>> {
        if let (None, Some(dir)) = (self.ahead.get(), &self.dir) {
            let conn = open_or_begin_anew(dir, AHEAD).map_err(|e| match e {
                OpenError::Sqlite(e) => StoreError::Sqlite(e),
                e => StoreError::Gone(e.to_string()),
            })?;
            let (rules, boot_id) = (self.rules, self.boot_id.clone());
            let local = Local::over(conn, rules, self.clock, self.rng, boot_id);
            return Ok(self.ahead.get_or_init(|| local));
        }
        self.ahead.get().ok_or_else(|| StoreError::Gone(AHEAD.to_owned()))
    }

    fn seen(&self) -> View<'_> {
        self.base.view()
    }

    /// Whose mail is kept here once `own` is: a scope grows, so that sessions of several names on one
    /// workstation do not take turns in beginning anew. Names divided by commas.
    pub fn scope_with(&self, own: &str) -> Stored<String> {
        let known = self.seen().note(SCOPE)?.unwrap_or_default();
        let mut names: Vec<&str> =
            known.split(',').chain(own.split(',')).filter(|n| !n.is_empty()).collect();
        names.sort_unstable();
        names.dedup();
        Ok(names.join(","))
    }

    /// Where to go on reading the feed.
    pub fn place(&self, scope: &str) -> Stored<Place> {
        let version = self.version()?;
        let view = self.seen();
        let known = view.note(SCOPE)?.as_deref() == Some(scope);
        Ok(Place { cursor: if known { view.note(CURSOR)? } else { None }, version })
    }

    /// Takes in a piece of the feed that was read from `place` on. False: another process has gone on
    /// from there meanwhile, or has noted what may be later than this piece, which is not needed.
    pub fn absorb(&self, scope: &str, place: &Place, feed: &ChangeFeed) -> Stored<bool> {
        let (wall, boot) = (self.clock.wall(), self.clock.boot());
        self.base.write(|tx| {
            let here = tx
                .note(CURSOR)?
                .filter(|_| tx.note(SCOPE).ok().flatten().as_deref() == Some(scope));
            if here != place.cursor || self.version()? != place.version {
                return Ok(false);
            }
            if feed.reset {
                tx.clear_feed()?;
                tx.set_note(COMPLETE, "")?;
            }
            for c in &feed.changes {
                tx.put_row(&c.kind, &c.row)?;
            }
            if feed.reset || !feed.changes.is_empty() {
                self.bump(tx)?;
            }
            tx.set_note(CURSOR, &feed.cursor)?;
            tx.set_note(SCOPE, scope)?;
            // The answer took some time: our idea of the server's clock is late by that, never early.
            tx.set_boot_anchor(&self.boot_id, feed.time_ms.saturating_sub(boot.0))?;
            tx.set_last_time(Millis(feed.time_ms))?;
            if !feed.more {
                tx.set_note(COMPLETE, "yes")?;
                tx.set_note(PULLED_WALL, &wall.0.to_string())?;
                tx.set_note(PULLED_BOOT, &boot.0.to_string())?;
                tx.set_note(PULLED_BOOT_ID, &self.boot_id)?;
            }
            Ok(true)
        })
    }

    /// How long ago the server was last heard to the end; `None`: never, so nothing is known.
    pub fn age(&self) -> Stored<Option<Duration>> {
        let view = self.seen();
        if view.note(COMPLETE)?.as_deref() != Some("yes") {
            return Ok(None);
        }
        let number = |name: &str| -> Stored<Millis> {
            Ok(Millis(view.note(name)?.and_then(|t| t.parse().ok()).unwrap_or(0)))
        };
        let same_run = view.note(PULLED_BOOT_ID)?.as_deref() == Some(self.boot_id.as_str());
        Ok(Some(if same_run {
            self.clock.boot().since(number(PULLED_BOOT)?)
        } else {
            self.clock.wall().since(number(PULLED_WALL)?)
        }))
    }

    /// Answers a read of somebody whose mail is in `scope`: from what the server said, or with what
    /// waits on top of it. `None`: the server was never heard on this.
    pub fn read(&self, call: &Call, scope: &str, anything_waits: bool) -> Stored<Option<Answer>> {
        let Some(age) = self.age()? else { return Ok(None) };
        // Whose mail is not kept here cannot be told that there is none.
        let mail = ["/api/coord/messages", "/api/coord/status"];
        if mail.iter().any(|p| call.path().starts_with(p))
            && Some(self.scope_with(scope)?) != self.seen().note(SCOPE)?
        {
            return Ok(None);
        }
        if !anything_waits {
            return Ok(Some(Answer { reply: self.base.call(call)?, age }));
        }
        let reply = self.ahead()?.call(call)?;
        Ok(Some(Answer { reply: mark(reply, &self.touched()?), age }))
    }

    /// The server has granted a claim. Its row comes again with the next pull.
    pub fn note_claim(&self, lock: &Lock, literal: bool) -> Stored<()> {
        let Some((row, anchor)) = row_of(lock, literal) else { return Ok(()) };
        let boot = self.clock.boot();
        self.changed(|tx| {
            // A workstation that never heard more of the server knows its clock by this at least; an
            // answer from memory makes it late, never early.
            if tx.boot_anchor(&self.boot_id)?.is_none() {
                let anchor = lock.last_activity.0.saturating_sub(boot.0);
                tx.set_boot_anchor(&self.boot_id, anchor)?;
            }
            tx.put_granted(&row, &anchor)
        })
    }

    /// Claims have ended at the server.
    pub fn note_ended(&self, ids: &[&str]) -> Stored<()> {
        let now = self.clock.wall();
        self.changed(|tx| {
            for id in ids {
                tx.mark_ended(id, now, "released", None, None)?;
            }
            Ok(())
        })
    }

    fn changed(&self, run: impl FnOnce(&Tx<'_>) -> Stored<()>) -> Stored<()> {
        self.base.write(|tx| {
            run(tx)?;
            self.bump(tx)
        })
    }

    /// Inside the transaction, so that each change has a number of its own.
    fn bump(&self, tx: &Tx<'_>) -> Stored<()> {
        tx.set_note(VERSION, &(self.version()? + 1).to_string())
    }

    /// Brings `ahead` in line with what waits. `print` stands for the outboxes as they are; when it
    /// is what it was, nothing is done. The caller keeps others from doing the same at once.
    pub fn refresh(&mut self, print: &str, waiting: impl FnOnce() -> Vec<Waiting>) -> Stored<()> {
        self.set_clocks()?;
        if self.is_in_line(print)? {
            return Ok(());
        }
        let waiting = waiting();
        let version = self.version()?.to_string();
        let mut done = self.ahead()?.view().applied_keys()?;
        let ids: HashSet<&str> = waiting.iter().filter_map(|w| w.request.id.as_deref()).collect();
        let begins_anew = self.ahead()?.view().note(COPIED)?.as_deref() != Some(&version)
            || done.iter().any(|id| !ids.contains(id.as_str()))
            // What has no id yet cannot be recognised again.
            || waiting.iter().any(|w| w.request.id.is_none());
        if begins_anew {
            self.copy(&version)?;
            done.clear();
        }
        let ahead = self.ahead()?;
        ahead.write(|tx| {
            for w in &waiting {
                if w.request.id.as_ref().is_none_or(|id| !done.contains(id)) {
                    ahead.provisional(tx, &call_of(w), w.waited)?;
                }
            }
            tx.set_note(DONE, print)
        })
    }

    /// Until the server was heard in this run of the machine, both go by the wall clock as it is now,
    /// and from there by the boot clock: steps of the wall clock end no claim (G28, G38).
    fn set_clocks(&self) -> Stored<()> {
        for local in [&self.base, self.ahead()?] {
            if local.view().boot_anchor(&self.boot_id)?.is_none() {
                let anchor = self.base.time(&self.seen())?.0.saturating_sub(self.clock.boot().0);
                local.write(|tx| tx.set_boot_anchor(&self.boot_id, anchor))?;
            }
        }
        Ok(())
    }

    /// Sessions of this workstation were heard here so long ago: while the server is away, that is what
    /// keeps their claims on files (seed 003).
    pub fn note_alive(&self, ago: impl Fn(&str) -> Option<Duration>) -> Stored<()> {
        let ahead = self.ahead()?;
        let now = ahead.time(&ahead.view())?;
        let seen = |s: String| {
            let at = Millis(now.0.saturating_sub(i64::try_from(ago(&s)?.as_millis()).ok()?));
            Some((s, at))
        };
        let holders = ahead.view().holders_of_files()?;
        let heard: Vec<_> = holders.into_iter().filter_map(seen).collect();
        if heard.is_empty() {
            return Ok(());
        }
        ahead.write(|tx| heard.iter().try_for_each(|(s, at)| tx.saw_session(s, *at)))
    }

    /// Whether `ahead` is up to date with this state of the outboxes.
    pub fn is_in_line(&self, print: &str) -> Stored<bool> {
        let ahead = self.ahead()?.view();
        Ok(ahead.note(DONE)?.as_deref() == Some(print)
            && ahead.note(COPIED)?.as_deref() == Some(self.version()?.to_string().as_str()))
    }

    /// What the engine would answer now to a write that cannot be sent. Nothing is kept of it: that
    /// is the outbox's part, and [`Self::refresh`] follows. `None`: the server was never heard, and
    /// nothing waits, so nothing is known that could be in the way.
    pub fn would_answer(&self, request: &Request) -> Stored<Reply> {
        let w = Waiting { request: request.clone(), past: false, waited: Duration::ZERO };
        let ahead = self.ahead()?;
        ahead.tried(|tx| ahead.provisional(tx, &call_of(&w), Duration::ZERO))
    }

    fn version(&self) -> Stored<u64> {
        Ok(self.seen().note(VERSION)?.and_then(|v| v.parse().ok()).unwrap_or(0))
    }

    fn copy(&mut self, version: &str) -> Stored<()> {
        self.ahead()?;
        let Some(ahead) = self.ahead.get_mut() else { return Err(busy().into()) };
        let step = Backup::new(&self.base.conn, &mut ahead.conn)?.step(ALL_PAGES)?;
        if step != StepResult::Done {
            // Somebody else is at one of the files; whoever asked asks again.
            return Err(busy().into());
        }
        let ahead = self.ahead()?;
        let up_to = ahead.view().feed_head()?;
        ahead.write(|tx| {
            tx.set_note(COPIED, version)?;
            tx.set_note(COPIED_TO, &up_to.to_string())
        })
    }

    /// Names of the rows that what waits has touched.
    fn touched(&self) -> Stored<HashSet<String>> {
        let view = self.ahead()?.view();
        let since = view.note(COPIED_TO)?.and_then(|n| n.parse().ok()).unwrap_or(0);
        view.names_of_changed(since)
    }
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)
}

fn call_of(w: &Waiting) -> Call {
    let r = &w.request;
    Call {
        method: r.method.as_str().to_owned(),
        target: r.path.clone(),
        body: body_bytes(r.body.as_ref()),
        key: r.id.clone(),
        session: r.session.clone(),
        past: w.past,
        ..Call::default()
    }
}

/// Says of each row that waits here that it does.
fn mark(reply: Reply, touched: &HashSet<String>) -> Reply {
    let Ok(mut body) = serde_json::from_str::<Value>(&reply.body) else { return reply };
    mark_in(&mut body, touched);
    Reply { body: body.to_string(), ..reply }
}

fn mark_in(value: &mut Value, touched: &HashSet<String>) {
    match value {
        Value::Array(all) => all.iter_mut().for_each(|v| mark_in(v, touched)),
        Value::Object(fields) => {
            fields.values_mut().for_each(|v| mark_in(v, touched));
            let text = |name: &str| fields.get(name).and_then(Value::as_str);
            let name = match (text("id"), text("component"), text("session_id")) {
                (Some(id), _, _) => Some(id.to_owned()),
                (None, Some(c), _) => text("project_key").map(|p| format!("{p}/{c}")),
                (None, None, session) => session.map(str::to_owned),
            };
            if name.is_some_and(|n| touched.contains(&n)) {
                fields.insert("queued".to_owned(), Value::Bool(true));
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether an error says that the file is damaged, so that [`set_aside`] is the cure.
pub fn is_damaged(e: &StoreError) -> bool {
    matches!(e, StoreError::Sqlite(e) if is_damage(e))
}

#[cfg(test)]
mod tests;
