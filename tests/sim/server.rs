//! The server: the real service over a database in memory, run in the caller's thread, with a look
//! at its whole state after each transaction.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::lease::RESTART_GRACE;
use coord_protocol::request::body_bytes;
use coord_protocol::session::SYSTEM;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Batch, BatchDone};
use coord_server::api::{Call, Reply, Routed, find};
use coord_server::edge::LeaseClock;
use coord_server::inline::Inline;
use coord_server::service::Rules;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::leases::touch;
use crate::planted::Planted;

/// The name that the server's answers carry.
pub(crate) const INSTANCE: &str = "coord-simulated";
/// An idle server notes the time this often.
const TICK_MS: i64 = 60_000;

/// The clocks of the server's machine.
#[derive(Debug, Default)]
struct Hands {
    wall: AtomicI64,
    boot: AtomicI64,
}

/// The same, as the engine takes them.
struct ServerClock(Arc<Hands>);

impl Clock for ServerClock {
    fn wall(&self) -> Millis {
        Millis(self.0.wall.load(Ordering::Relaxed))
    }

    fn boot(&self) -> Millis {
        Millis(self.0.boot.load(Ordering::Relaxed))
    }

    fn sleep(&self, _: Duration) {}
}

/// A request that was answered, and what it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answered {
    /// The request.
    pub(crate) call: Call,
    /// HTTP status.
    pub(crate) status: u16,
    /// JSON.
    pub(crate) body: String,
}

/// The server and what is known of it.
pub(crate) struct Server {
    inline: Inline,
    hands: Arc<Hands>,
    clock: Option<LeaseClock<ServerClock>>,
    /// Its own clock and the true one when it went down; `None` while it runs.
    down: Option<(Millis, Millis)>,
    /// Its own time when it last noted that.
    noted: Millis,
    /// How far its wall clock is off, in milliseconds.
    pub(crate) off: i64,
    /// It answers nobody until then.
    pub(crate) away_until: u64,
    answered: BTreeMap<String, Answered>,
    /// What was answered since the last look, by key.
    fresh: Vec<String>,
    messages_seen: i64,
    todos_seen: i64,
    claims_seen: i64,
    fence_seen: i64,
}

/// A note of the server itself.
#[derive(Debug)]
pub(crate) struct Notice {
    /// To whom.
    pub(crate) to: String,
    /// Its text.
    pub(crate) body: String,
}

/// What it took to have the server run.
#[derive(Debug)]
pub(crate) enum Start {
    /// Nothing.
    Runs,
    /// A restart.
    Started,
    /// A restart, after which its clock was farther than time had gone.
    Leapt,
}

/// What a transaction brought about.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Texts of messages, in the order in which they were accepted.
    pub(crate) messages: Vec<String>,
    /// What the server itself has told.
    pub(crate) notices: Vec<Notice>,
    /// Texts of todos.
    pub(crate) todos: Vec<String>,
    /// What was answered for the first time.
    pub(crate) answered: Vec<Answered>,
    /// What is wrong with the locks.
    pub(crate) wrong: Option<String>,
}

impl Server {
    /// A server with an empty database, not yet started.
    pub(crate) fn new() -> Self {
        let inline = Inline::in_memory(Rules::default(), INSTANCE).expect("a database in memory");
        Self {
            inline,
            hands: Arc::default(),
            clock: None,
            down: None,
            noted: Millis(0),
            off: 0,
            away_until: 0,
            answered: BTreeMap::new(),
            fresh: Vec::new(),
            messages_seen: 0,
            todos_seen: 0,
            claims_seen: 0,
            fence_seen: 0,
        }
    }

    /// Its own time, by which it judges.
    pub(crate) fn now(&self) -> Millis {
        self.clock.as_ref().map_or(Millis(0), LeaseClock::now)
    }

    /// Sets the clocks of its machine.
    pub(crate) fn tick(&self, truth: Millis) {
        self.hands.wall.store(truth.0 + self.off, Ordering::Relaxed);
        self.hands.boot.store(truth.0, Ordering::Relaxed);
    }

    /// It crashes, and is back at that time.
    pub(crate) fn crash(&mut self, truth: Millis, back_at: u64, planted: Option<Planted>) {
        self.away_until = self.away_until.max(back_at);
        self.tick(truth);
        if planted == Some(Planted::ServerForgets) {
            self.inline.tamper("DELETE FROM applied").expect("the table is there");
        }
        if self.down.is_some() || self.clock.is_none() {
            return;
        }
        let now = self.now();
        let idle = (now.0 - self.noted.0) / TICK_MS * TICK_MS;
        self.inline.keep_time(Millis(self.noted.0 + idle)).expect("the table is there");
        self.down = Some((now, truth));
    }

    /// Starts it, if it does not run. An error: a lease that was live got no time.
    pub(crate) fn start(
        &mut self,
        truth: Millis,
        rng: &dyn Rng,
        planted: Option<Planted>,
    ) -> Result<Start, String> {
        self.tick(truth);
        let down = self.down.take();
        if down.is_none() && self.clock.is_some() {
            return Ok(Start::Runs);
        }
        let stopped =
            self.number("SELECT COALESCE(MAX(value), 0) FROM meta WHERE name = 'last_time'");
        if planted == Some(Planted::NoGrace) {
            self.tamper("CREATE TEMP TABLE before AS SELECT seq, expires_at FROM claim");
        }
        let clock = self.inline.restart(ServerClock(Arc::clone(&self.hands)), rng);
        self.clock = Some(clock.expect("a server can be started"));
        if planted == Some(Planted::NoGrace) {
            self.tamper(
                "UPDATE claim SET expires_at =
                   (SELECT expires_at FROM before WHERE before.seq = claim.seq);
                 DROP TABLE before",
            );
        }
        self.noted = self.now();
        let Some((before, since)) = down else { return Ok(Start::Runs) };
        let grace = i64::try_from(RESTART_GRACE.as_millis()).unwrap_or(0);
        let now = self.now().0;
        let short = self.number(&format!(
            "SELECT COUNT(*) FROM claim WHERE ended_at IS NULL AND acquired_at <= {stopped}
             AND expires_at > {stopped} AND expires_at < {now} + MIN(ttl_ms, {grace})"
        ));
        if short > 0 {
            return Err(format!("{short} live leases got no time after a restart"));
        }
        let leapt = now - before.0 > truth.0 - since.0;
        Ok(if leapt { Start::Leapt } else { Start::Started })
    }

    /// Runs a call. `keep` false: the server dies before the commit.
    pub(crate) fn perform(&mut self, call: &Call, rng: &dyn Rng, keep: bool) -> Reply {
        let now = self.now();
        let reply = self
            .inline
            .call(call, now, rng, keep)
            .unwrap_or_else(|e| panic!("{} {}: {e}", call.method, call.target));
        if keep {
            self.noted = now;
            self.remember(call, &reply);
        }
        reply
    }

    /// Changes the database behind the engine's back: a planted bug.
    pub(crate) fn tamper(&self, sql: &str) {
        self.inline.tamper(sql).expect("the change is right");
    }

    /// Up to which row claims were looked at.
    pub(crate) fn claims_seen(&self) -> i64 {
        self.claims_seen
    }

    fn remember(&mut self, call: &Call, reply: &Reply) {
        if call.path() == "/api/coord/batch" && reply.status == 200 {
            let batch: Batch = serde_json::from_slice(&call.body).expect("it was accepted");
            let done: BatchDone = serde_json::from_str(&reply.body).expect("our own answer");
            for (entry, result) in batch.entries.into_iter().zip(done.results) {
                let call = Call {
                    method: entry.method.as_str().to_owned(),
                    target: entry.path,
                    body: body_bytes(entry.body.as_ref()),
                    key: entry.id.clone(),
                    past: entry.past,
                    late: true,
                    waited_ms: entry.waited_ms,
                    ..Call::default()
                };
                let body = result.body.to_string();
                self.remember_one(call, result.status, body, result.replayed);
            }
        } else if reply.key.is_some() {
            self.remember_one(call.clone(), reply.status, reply.body.clone(), reply.replayed);
        }
    }

    fn remember_one(&mut self, call: Call, status: u16, body: String, replayed: bool) {
        let Some(key) = call.key.clone() else { return };
        // What has no route has no effect, and its answer is not kept.
        let has_route = matches!(find(&call), Routed::To(..));
        if !replayed && has_route && !self.answered.contains_key(&key) {
            self.fresh.push(key.clone());
            self.answered.insert(key, Answered { call, status, body });
        }
    }

    /// What a request was answered, if it ever was.
    pub(crate) fn answer(&self, key: &str) -> Option<&Answered> {
        self.answered.get(key)
    }

    /// What became visible since the last look.
    pub(crate) fn new_effects(&mut self) -> Effects {
        let mut effects = Effects::default();
        let messages = self.texts(&format!(
            "SELECT json_array(seq, from_session, to_session, body) FROM message
             WHERE seq > {} ORDER BY seq",
            self.messages_seen
        ));
        for (seq, from, to, body) in
            messages.iter().map(|m| parsed::<(i64, String, String, String)>(m))
        {
            self.messages_seen = seq;
            if from == SYSTEM {
                effects.notices.push(Notice { to, body });
            } else {
                effects.messages.push(body);
            }
        }
        let todos = self.texts(&format!(
            "SELECT json_array(seq, text) FROM todo WHERE seq > {} ORDER BY seq",
            self.todos_seen
        ));
        for (seq, text) in todos.iter().map(|t| parsed::<(i64, String)>(t)) {
            self.todos_seen = seq;
            effects.todos.push(text);
        }
        let fresh = std::mem::take(&mut self.fresh);
        effects.answered = fresh.iter().map(|key| self.answered[key].clone()).collect();
        effects.wrong = self.wrong_with_locks().err();
        effects
    }

    /// The first number that a query gives.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.inline.number(sql).expect("the query is right")
    }

    /// The texts that a query gives.
    pub(crate) fn texts(&self, sql: &str) -> Vec<String> {
        self.inline.texts(sql).expect("the query is right")
    }

    fn wrong_with_locks(&mut self) -> Result<(), String> {
        let now = self.now().0;
        let granted = self.texts(&format!(
            "SELECT json_array(seq, fence, acquired_at) FROM claim
             WHERE seq > {} ORDER BY seq",
            self.claims_seen
        ));
        if granted.is_empty() {
            return Ok(());
        }
        for (seq, fence, at) in granted.iter().map(|g| parsed::<(i64, Option<i64>, i64)>(g)) {
            self.claims_seen = seq;
            if at < now {
                return Err(format!("a claim of {} ms before its grant", now - at));
            }
            let Some(fence) = fence else { continue };
            if fence <= self.fence_seen {
                return Err("a fence that does not rise".to_owned());
            }
            self.fence_seen = fence;
        }
        let live = self.texts(&format!(
            "SELECT json_array(session_id, resource) FROM claim WHERE ended_at IS NULL
             AND (expires_at IS NULL OR expires_at > {now})"
        ));
        let live: Vec<(String, String)> = live.iter().map(|l| parsed(l)).collect();
        for (n, (a, on)) in live.iter().enumerate() {
            if let Some(other) = live[..n].iter().find(|(b, too)| a != b && touch(on, too)) {
                return Err(format!("two live locks that touch: {a} on {on}, {other:?}"));
            }
        }
        Ok(())
    }

    /// How a lock ended; `None` while it is live.
    pub(crate) fn end_of(&self, id: &str) -> Option<String> {
        let rows = self.texts(&format!(
            "SELECT CASE WHEN ended_at IS NOT NULL THEN end_reason
               WHEN expires_at <= {} THEN 'expired' ELSE '' END FROM claim WHERE id = '{id}'",
            self.now().0
        ));
        let end = rows.into_iter().next().unwrap_or_else(|| "unknown".to_owned());
        (!end.is_empty()).then_some(end)
    }

    /// Repeats every request that was ever answered: each must get the same answer, from memory.
    pub(crate) fn replay_all(&mut self, rng: &dyn Rng) -> Result<usize, String> {
        let same = |a: &str, b: &str| {
            let value = |t: &str| serde_json::from_str::<Value>(t).ok();
            value(a) == value(b)
        };
        for (key, was) in &self.answered {
            let again = self.inline.call(&was.call, self.now(), rng, true);
            let again = again.map_err(|e| format!("{key}: {e}"))?;
            if !again.replayed || again.status != was.status || !same(&again.body, &was.body) {
                return Err(format!(
                    "key {key} was answered {} {} and is now answered {} {}",
                    was.status, was.body, again.status, again.body
                ));
            }
        }
        Ok(self.answered.len())
    }
}

/// A row that was read as JSON.
pub(crate) fn parsed<T: DeserializeOwned>(row: &str) -> T {
    serde_json::from_str(row).expect("the query gives this")
}
