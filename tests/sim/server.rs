//! The server: the real service over a database in memory, run in the caller's thread, with a look
//! at its whole state after each transaction.

use std::collections::BTreeMap;

use coord_protocol::edge::Rng;
use coord_protocol::request::body_bytes;
use coord_protocol::time::Millis;
use coord_protocol::wire::{Batch, BatchDone};
use coord_server::api::{Call, Reply, Routed, find};
use coord_server::inline::Inline;
use coord_server::service::Rules;

use crate::planted::Planted;

/// The name that the server's answers carry.
pub(crate) const INSTANCE: &str = "coord-simulated";

/// What was answered under a key.
struct Answered {
    call: Call,
    status: u16,
    body: String,
}

/// The server and what is known of it.
pub(crate) struct Server {
    inline: Inline,
    /// It answers nobody until then.
    pub(crate) away_until: u64,
    answered: BTreeMap<String, Answered>,
    messages_seen: i64,
    todos_seen: i64,
}

/// What a transaction brought about.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// Texts of messages, in the order in which they were accepted.
    pub(crate) messages: Vec<String>,
    /// Texts of todos.
    pub(crate) todos: Vec<String>,
    /// What is wrong with the locks.
    pub(crate) wrong: Option<String>,
}

impl Server {
    /// A server with an empty database.
    pub(crate) fn new() -> Self {
        let inline = Inline::in_memory(Rules::default(), INSTANCE).expect("a database in memory");
        Self { inline, away_until: 0, answered: BTreeMap::new(), messages_seen: 0, todos_seen: 0 }
    }

    /// It crashes, and is back at that time.
    pub(crate) fn crash(&mut self, back_at: u64, planted: Option<Planted>) {
        self.away_until = self.away_until.max(back_at);
        if planted == Some(Planted::ServerForgets) {
            self.inline.tamper("DELETE FROM applied").expect("the table is there");
        }
    }

    /// Runs a call. `keep` false: the server dies before the commit.
    pub(crate) fn perform(&mut self, call: &Call, now: Millis, rng: &dyn Rng, keep: bool) -> Reply {
        let reply = self
            .inline
            .call(call, now, rng, keep)
            .unwrap_or_else(|e| panic!("{} {}: {e}", call.method, call.target));
        if keep {
            self.remember(call, &reply);
        }
        reply
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
        if !replayed && has_route {
            self.answered.entry(key).or_insert(Answered { call, status, body });
        }
    }

    /// What became visible since the last look.
    pub(crate) fn new_effects(&mut self, now: Millis) -> Effects {
        let since = |table: &str, column: &str, seen: i64| {
            let sql = format!("SELECT {column} FROM {table} WHERE seq > {seen} ORDER BY seq");
            self.inline.texts(&sql).expect("the table is there")
        };
        let messages = since("message", "body", self.messages_seen);
        let todos = since("todo", "text", self.todos_seen);
        if !messages.is_empty() {
            self.messages_seen = self.number("SELECT MAX(seq) FROM message");
        }
        if !todos.is_empty() {
            self.todos_seen = self.number("SELECT MAX(seq) FROM todo");
        }
        Effects { messages, todos, wrong: self.wrong_with_locks(now) }
    }

    fn number(&self, sql: &str) -> i64 {
        self.inline.number(sql).expect("the query is right")
    }

    fn wrong_with_locks(&self, now: Millis) -> Option<String> {
        let twice = self.number(&format!(
            "SELECT COUNT(*) FROM (SELECT 1 FROM claim WHERE ended_at IS NULL
             AND (expires_at IS NULL OR expires_at > {}) GROUP BY project_key, resource
             HAVING COUNT(*) > 1)",
            now.0
        ));
        if twice > 0 {
            return Some("two live locks on one resource".to_owned());
        }
        let falling = self.number(
            "SELECT COUNT(*) FROM (SELECT fence, LAG(fence) OVER (ORDER BY rowid) AS before
             FROM claim WHERE fence IS NOT NULL) WHERE fence <= before",
        );
        (falling > 0).then(|| "a fence that does not rise".to_owned())
    }

    /// Grants: the text of the claim, and when it was granted.
    pub(crate) fn grants(&self) -> Vec<(String, i64)> {
        let sql = "SELECT acquired_at || ' ' || COALESCE(description, '') FROM claim
                   WHERE fence IS NOT NULL";
        let rows = self.inline.texts(sql).expect("the table is there");
        rows.iter()
            .filter_map(|r| {
                let (at, text) = r.split_once(' ')?;
                Some((text.to_owned(), at.parse().ok()?))
            })
            .collect()
    }

    /// Repeats every request that was ever answered: each must get the same answer, from memory.
    pub(crate) fn replay_all(&mut self, now: Millis, rng: &dyn Rng) -> Result<usize, String> {
        let same = |a: &str, b: &str| {
            let value = |t: &str| serde_json::from_str::<serde_json::Value>(t).ok();
            value(a) == value(b)
        };
        for (key, was) in &self.answered {
            let again = self.inline.call(&was.call, now, rng, true);
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
