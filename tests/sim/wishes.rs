//! What sessions want done.

use std::sync::Arc;

use coord_protocol::request::{Method, Request};
use coord_protocol::time::Millis;
use serde_json::{Value, json};

use crate::kit::Kit;
use crate::leases::{Claim, RESOURCES, Stand};
use crate::ledger::{Kind, tag};
use crate::net::POISON;
use crate::verdicts::LOCKS;
use crate::workload::Hand;
use crate::world::{Sim, World};

/// How long claims are good: hours, and the same in milliseconds.
const TTLS: [(f64, i64); 3] = [(0.05, 180_000), (0.5, 1_800_000), (2.0, 7_200_000)];

impl Hand {
    /// Has something done, through the product.
    pub(crate) fn write(self, sim: &Arc<Sim>, kit: &Kit) {
        let id = kit.fresh_id();
        let (origin, mut request) = {
            let world = &mut *sim.look();
            match world.chance.below(100) {
                0..62 => self.wish(world),
                62..84 => self.claim(world, &id),
                _ => self.release(world, &id),
            }
        };
        request.ts = Some(kit.wall().to_string());
        request.id = Some(id);
        request.session = Some(self.session());
        sim.look().ledger.ask(origin, &request);
        kit.write(origin, &request);
    }

    /// A message or a todo, good or bad.
    fn wish(self, world: &mut World) -> (usize, Request) {
        let which = world.chance.below(89);
        let kind = match which {
            82..88 => Kind::Bad,
            88 if world.faults.poisons > 0 => Kind::Poison,
            _ => Kind::Good,
        };
        let origin = world.ledger.intend(self.machine, self.thread, kind);
        let text = tag(origin);
        let request = match kind {
            Kind::Bad if which < 86 => message(&self.session(), "NOWHERE/nobody", &text),
            Kind::Bad => post("nowhere", json!({ "text": text })),
            Kind::Poison => {
                world.faults.poisons -= 1;
                message(&self.session(), "ALL_SESSIONS", &format!("{POISON} {text}"))
            }
            _ if which < 70 => message(&self.session(), "ALL_SESSIONS", &text),
            _ => post("todos", json!({ "text": text })),
        };
        (origin, request)
    }

    /// A lock is wanted, or wanted for longer.
    fn claim(self, world: &mut World, id: &str) -> (usize, Request) {
        let session = self.session();
        let mine = |c: &&Claim| c.session == session && !matches!(c.stand, Stand::Over);
        let own = world.leases.all().iter().rev().find(mine).map(|c| c.resource);
        let again = world.chance.hit(300_000);
        let resource = own.filter(|_| again).unwrap_or(*world.chance.pick(&RESOURCES));
        let (hours, ttl_ms) = *world.chance.pick(&TTLS);
        let clocks = world.clocks_of(self.machine);
        let (now, good_until) = (world.now(), Millis(clocks.wall.0 + ttl_ms));
        let claim = Claim {
            key: id.to_owned(),
            machine: self.machine,
            session: session.clone(),
            resource,
            ttl_ms,
            made: clocks.boot,
            good_until,
            invoked: now,
            told: now,
            cap: Millis(i64::MAX),
            stand: Stand::Asked,
            lock: String::new(),
            given_up: false,
            waits: false,
        };
        world.leases.make(claim, clocks);
        world.history.ask(id, &session, resource, now);
        let origin = world.ledger.intend(self.machine, self.thread, Kind::Either);
        let ask = json!({
            "project_key": "p", "session_id": session, "resource": resource,
            "description": tag(origin), "ttl_hours": hours,
        });
        (origin, Request { not_after: Some(good_until.to_string()), ..post("locks", ask) })
    }

    /// All locks are given back, or one; now and then one of somebody else.
    fn release(self, world: &mut World, id: &str) -> (usize, Request) {
        let session = self.session();
        let now = world.now();
        let which = world.chance.below(10);
        let lock = |mine: bool, all: &[Claim]| {
            let fits = |c: &&Claim| {
                let held = matches!(c.stand, Stand::Granted(_) | Stand::Provisional);
                held && (c.session == session) == mine
            };
            all.iter().rev().find(fits).map(|c| c.lock.clone())
        };
        let lock = match which {
            0..4 => None,
            4..8 => lock(true, world.leases.all()),
            _ => lock(false, world.leases.all()),
        };
        if which < 8 {
            world.leases.give_up(&session, lock.as_deref());
        } else if lock.is_some() {
            world.mark("release of another's lock");
        } else {
            world.leases.give_up(&session, None);
        }
        world.history.ask(id, &session, "", now);
        let kind = if lock.is_some() { Kind::Either } else { Kind::Release };
        let origin = world.ledger.intend(self.machine, self.thread, kind);
        let text = tag(origin);
        let path = match lock {
            Some(lock) => format!("{LOCKS}/{lock}?session_id={session}&for={text}"),
            None => format!("{LOCKS}?session_id={session}&release_all=1&for={text}"),
        };
        (origin, Request { method: Method::Delete, path, body: None, ..post("", Value::Null) })
    }
}

fn post(what: &str, body: Value) -> Request {
    Request::new(Method::Post, format!("/api/coord/{what}"), Some(body))
}

pub(crate) fn message(from: &str, to: &str, text: &str) -> Request {
    post("messages", json!({ "from_session": from, "to_session": to, "body": text }))
}
