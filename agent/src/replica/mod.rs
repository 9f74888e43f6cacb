//! The workstation's copy of what the server said, with what waits here on top of it: answers reads,
//! and stands in for the server while that is away (design 4). The engine over the two databases is
//! `coord_server::replica`; here are the outboxes that it has to know of, and the lock between the
//! processes of the workstation.

pub mod pull;

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt::Write as _;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Request;
use coord_protocol::wire::Lock;
use coord_server::api::Call;
use coord_server::replica::{Answer, Replica, Waiting};
use coord_server::store::Stored;
use serde_json::Value;

use crate::outbox::append::{AppendError, append};
use crate::outbox::disk::{Disk, Guard, Share};
use crate::outbox::drain::{Settled, as_sent};
use crate::outbox::files::{ASIDE, JOURNAL, QUEUE};
use crate::outbox::keep::{Keep, Kept, concerns_claims, is_claim};
use crate::outbox::view::all_waiting;

/// Kernel lock in the replica's folder: one process at a time judges a claim or brings `ahead` in
/// line. Never unlinked (G28).
pub const LOCK: &str = "claims.lock";
/// A claim waits so long for the others; then it is only queued.
const CLAIM_WAIT: Duration = Duration::from_millis(800);
/// A read waits so long; then it is told that it cannot be answered.
const READ_WAIT: Duration = Duration::from_secs(1);

/// Stands in for the server on this workstation.
pub struct Standin<'a> {
    /// The replica's folder, for the lock.
    pub folder: Box<dyn Disk + 'a>,
    /// The two databases.
    pub engine: RefCell<Replica<'a>>,
    /// The outboxes of this workstation in which writes for this server wait.
    pub outboxes: Vec<Box<dyn Disk + 'a>>,
    /// Time.
    pub clock: &'a dyn Clock,
}

impl Standin<'_> {
    /// Answers a read with everything that is known here. `None`: the server was never heard.
    pub fn read(&self, call: &Call) -> Stored<Option<Answer>> {
        let print = self.print();
        let anything_waits = !print.is_empty();
        if anything_waits && !self.engine.borrow().is_in_line(&print)? {
            // Not got: the answer may lack what was queued a moment ago, but nothing older.
            let _lock = self.lock(READ_WAIT);
            self.refresh(&self.print())?;
        }
        self.engine.borrow().read(call, anything_waits)
    }

    /// How the outboxes are at this moment; empty when nothing waits in any of them.
    fn print(&self) -> String {
        let mut print = String::new();
        for (n, disk) in self.outboxes.iter().enumerate() {
            let queue = disk.stamp(QUEUE).ok().flatten();
            let aside = disk.list(ASIDE).unwrap_or_default();
            if queue.is_none() && aside.is_empty() {
                continue;
            }
            let journal = disk.stamp(JOURNAL).ok().flatten();
            // Writing into a text cannot fail.
            let _ = write!(print, "{n}:{queue:?}{journal:?}");
            for a in aside {
                let _ = write!(print, "{}={},", a.name, a.len);
            }
        }
        print
    }

    fn refresh(&self, print: &str) -> Stored<()> {
        self.engine.borrow_mut().refresh(print, || self.waiting())
    }

    /// What waits, in the order in which it was made.
    fn waiting(&self) -> Vec<Waiting> {
        let mut all = Vec::new();
        let mut seen = HashSet::new();
        for disk in &self.outboxes {
            // An outbox that cannot be read holds nothing that could be shown.
            let entries = all_waiting(&**disk, self.clock).unwrap_or_default();
            let new = entries.into_iter().map(|e| e.request);
            all.extend(new.filter(|r| r.id.as_ref().is_none_or(|id| seen.insert(id.clone()))));
        }
        if self.outboxes.len() > 1 {
            // Within one outbox the order of the file counts; between them, that of the ids.
            all.sort_by(|a, b| a.ts.cmp(&b.ts));
        }
        let now = self.clock.wall();
        let as_waiting = |request: Request| {
            let sent = as_sent(&request, now);
            let waited = Duration::from_millis(sent.waited_ms.unwrap_or(0));
            Waiting { request, past: sent.past, waited }
        };
        all.into_iter().map(as_waiting).collect()
    }

    /// The server did a write on claims: noted here at once, as the next pull may find it away.
    pub fn note(&self, request: &Request, answer: &Value) -> Stored<()> {
        let engine = self.engine.borrow();
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        if is_claim(request) {
            let literal = request.body.as_ref().is_some_and(|b| b["literal"] == true);
            return match serde_json::from_value::<Lock>(answer.clone()) {
                Ok(lock) => engine.note_claim(&lock, literal),
                // A claim that was past: there is nothing to hold.
                Err(_) => Ok(()),
            };
        }
        let many = answer.get("ids").and_then(Value::as_array).into_iter().flatten();
        let ids: Vec<&str> = many.filter_map(Value::as_str).chain(text("id")).collect();
        engine.note_ended(&ids)
    }

    fn lock(&self, wait: Duration) -> Option<Box<dyn Guard>> {
        self.folder.lock(LOCK, Share::Exclusive, wait).ok().flatten()
    }

    /// What is known here says to a claim.
    fn judge(&self, request: &Request) -> Stored<(u16, Value, Option<Duration>)> {
        self.refresh(&self.print())?;
        let engine = self.engine.borrow();
        let reply = engine.would_answer(request)?;
        let answer = serde_json::from_str(&reply.body).unwrap_or(Value::Null);
        Ok((reply.status, answer, engine.age()?))
    }
}

impl Keep for Standin<'_> {
    /// A claim is judged, and queued, under the lock: no other process of this workstation gets what
    /// this one was told that it has.
    fn keep(&self, outbox: &dyn Disk, request: &Request) -> Result<Kept, AppendError> {
        if !is_claim(request) {
            return append(outbox, request).map(|()| Kept::Queued);
        }
        let Some(_lock) = self.lock(CLAIM_WAIT) else {
            return append(outbox, request).map(|()| Kept::Queued);
        };
        let Ok((status, mut answer, age)) = self.judge(request) else {
            return append(outbox, request).map(|()| Kept::Queued);
        };
        if let Some(fields) = answer.as_object_mut() {
            // Null: the server was never heard, and only this workstation has spoken.
            fields.insert("known_secs_ago".to_owned(), age.map(|a| a.as_secs()).into());
        }
        if status >= 400 {
            return Ok(Kept::Refused { status, answer });
        }
        append(outbox, request)?;
        Ok(Kept::Provisional(answer))
    }

    fn settled(&self, done: &[Settled]) {
        for s in done.iter().filter(|s| concerns_claims(&s.request)) {
            // What cannot be noted comes with the next pull.
            let _ = self.note(&s.request, &s.answer);
        }
    }
}
