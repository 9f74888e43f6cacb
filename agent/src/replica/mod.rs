//! The workstation's copy of what the server said, with what waits here on top of it: answers reads,
//! and stands in for the server while that is away (design 4). The engine over the two databases is
//! `coord_server::replica`; here are the outboxes that it has to know of, and the lock between the
//! processes of the workstation.

pub mod pull;

use std::cell::RefCell;
use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::{Method, Request};
use coord_protocol::wire::Lock;
use coord_server::api::Call;
use coord_server::replica::{Answer, Replica, Waiting};
use coord_server::store::Stored;
use serde_json::Value;

use crate::outbox::append::{AppendError, append};
use crate::outbox::disk::{Disk, Guard, Share};
use crate::outbox::drain::{Settled, as_sent};
use crate::outbox::files::{ASIDE, JOURNAL, QUEUE};
use crate::outbox::keep::{Keep, Kept, concerns_claims, is_claim, named_ends, queue_unjudged};
use crate::outbox::view::all_waiting;

/// Kernel lock in the replica's folder: one process at a time judges a claim or brings `ahead` in
/// line. Never unlinked (G28).
pub const LOCK: &str = "claims.lock";
/// A claim waits so long for the others; then it is only queued.
const CLAIM_WAIT: Duration = Duration::from_millis(800);
/// A command's read waits so long for others.
pub const READ_PATIENCE: Duration = Duration::from_secs(1);
/// A hook's.
pub const HOOK_PATIENCE: Duration = Duration::from_millis(150);

/// The other processes of this workstation, as far as they have left word.
pub trait Neighbours {
    /// Notes, durably, that something is queued in this command's outbox. Called under [`LOCK`], so
    /// that the next one to judge a claim looks there.
    fn remember(&self) -> io::Result<()>;
    /// The outboxes in which writes for this server may wait, this command's own first.
    fn outboxes(&self) -> Vec<Box<dyn Disk + '_>>;
    /// How long ago a session was last heard here.
    fn heard(&self, session: &str) -> Option<Duration>;
}

/// Stands in for the server on this workstation.
pub struct Standin<'a> {
    /// The replica's folder, for the lock.
    pub folder: Box<dyn Disk + 'a>,
    /// The two databases.
    pub engine: RefCell<Replica<'a>>,
    /// The others here.
    pub neighbours: Box<dyn Neighbours + 'a>,
    /// The machines whose mail is wanted, sorted, divided by commas, percent-encoded.
    pub scope: String,
    /// How long a read waits for others who judge.
    pub patience: Duration,
    /// Time.
    pub clock: &'a dyn Clock,
}

impl Standin<'_> {
    /// Answers a read with everything that is known here. `unheard`: the server could not be asked,
    /// so signs of life that only this workstation saw count too. `None`: nothing is known.
    pub fn read(&self, call: &Call, unheard: bool) -> Stored<Option<Answer>> {
        let outboxes = self.neighbours.outboxes();
        let print = print(&outboxes);
        let with_own = unheard || !print.is_empty();
        if with_own {
            // Not got: the answer may lack what was queued a moment ago, but nothing older.
            let _lock = self.lock(self.patience);
            self.refresh(&outboxes)?;
        }
        self.engine.borrow().read(call, &self.scope, with_own)
    }

    /// What the server itself said, without anything that only this workstation knows.
    pub fn said(&self, call: &Call) -> Stored<Option<Answer>> {
        self.engine.borrow().read(call, &self.scope, false)
    }

    /// Brings the copy with what waits in line with the outboxes and the signs of life here.
    fn refresh(&self, outboxes: &[Box<dyn Disk + '_>]) -> Stored<()> {
        let print = print(outboxes);
        let mut engine = self.engine.borrow_mut();
        engine.refresh(&print, || waiting(outboxes, self.clock))?;
        engine.note_alive(|session| self.neighbours.heard(session))
    }

    /// The server did a write on claims: noted here at once, as the next pull may find it away.
    pub fn note(&self, request: &Request, answer: &Value) -> Stored<()> {
        let engine = self.engine.borrow();
        let text = |name: &str| answer.get(name).and_then(Value::as_str);
        if let Some(rows) = answer.get("locks").and_then(Value::as_array) {
            // Team claims: a row each.
            let rows = rows.iter().filter_map(|r| serde_json::from_value::<Lock>(r.clone()).ok());
            return rows.into_iter().try_for_each(|lock| engine.note_claim(&lock, false));
        }
        let named = named_ends(request);
        if !named.is_empty() {
            // The answer says how many, not which: unless it is all of them, the next pull tells.
            let all = answer["released"].as_u64() == u64::try_from(named.len()).ok();
            let ids: Vec<&str> = named.iter().map(String::as_str).filter(|_| all).collect();
            return engine.note_ended(&ids);
        }
        if request.method != Method::Delete {
            let literal = request.body.as_ref().is_some_and(|b| b["literal"] == true)
                || answer["kind"] == "file";
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
        self.refresh(&self.neighbours.outboxes())?;
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
        let Some(_lock) = self.lock(CLAIM_WAIT) else { return queue_unjudged(outbox, request) };
        // Before it is judged: whoever is judged next looks into this outbox, too.
        if self.neighbours.remember().is_err() {
            return queue_unjudged(outbox, request);
        }
        let Ok((status, mut answer, age)) = self.judge(request) else {
            return queue_unjudged(outbox, request);
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

/// How the outboxes are at this moment; empty when nothing waits in any of them.
fn print(outboxes: &[Box<dyn Disk + '_>]) -> String {
    let mut print = String::new();
    for (n, disk) in outboxes.iter().enumerate() {
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

/// What waits in all outboxes: each in the order of its file, and among them the one that was made
/// first.
fn waiting(outboxes: &[Box<dyn Disk + '_>], clock: &dyn Clock) -> Vec<Waiting> {
    let mut seen = HashSet::new();
    let mut queues: Vec<VecDeque<Request>> = Vec::new();
    for disk in outboxes {
        // An outbox that cannot be read holds nothing that could be shown.
        let entries = all_waiting(&**disk, clock).unwrap_or_default().into_iter();
        // What nobody judged holds nothing here.
        let new = entries.map(|e| e.request).filter(|r| !r.unjudged);
        let new = new.filter(|r| r.id.as_ref().is_none_or(|id| seen.insert(id.clone())));
        queues.push(new.collect());
    }
    let now = clock.wall();
    let mut all = Vec::new();
    loop {
        let heads = queues.iter().enumerate().filter_map(|(n, q)| Some((&q.front()?.ts, n)));
        let Some((_, first)) = heads.min() else { return all };
        let Some(request) = queues[first].pop_front() else { return all };
        let sent = as_sent(&request, now);
        let waited = Duration::from_millis(sent.waited_ms.unwrap_or(0));
        all.push(Waiting { request, past: sent.past, waited });
    }
}
