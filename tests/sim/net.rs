//! The network, and what befalls requests on it.

use std::sync::Arc;
use std::time::Duration;

use coord_agent::remote::{Incoming, Net, NetError, Outgoing};
use coord_protocol::id::parse_key;
use coord_protocol::request::Method;
use coord_server::api::{Call, Reply};

use crate::chance::Dice;
use crate::files::Pid;
use crate::planted::Planted;
use crate::renamed;
use crate::server::{INSTANCE, Start};
use crate::stranger;
use crate::tampered::{self, FEED};
use crate::world::{MINUTE, Sim, World};

/// The server fails on requests with this in their body.
pub(crate) const POISON: &str = "poison";
/// What the agent takes the server's address for.
const BASE: &str = "http://simulated";

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It arrives, and so does its answer.
    Delivered,
    /// It is lost on its way.
    LostBefore,
    /// Its answer is lost.
    LostAfter,
    /// Its answer breaks off.
    Cut,
    /// It arrives when nobody waits for its answer any more.
    Late,
    /// It arrives a second time later.
    Twice,
    /// Somebody else answers.
    Stranger,
    /// The server asks for silence.
    Busy,
    /// The server does not let it in.
    Door,
    /// The server dies before it begins.
    CrashBefore,
    /// The server dies before its commit.
    CrashInside,
    /// The server dies after its commit.
    CrashAfter,
}

impl Fate {
    /// All fates but the good one.
    pub(crate) const BAD: [Self; 11] = [
        Self::LostBefore,
        Self::LostAfter,
        Self::Cut,
        Self::Late,
        Self::Twice,
        Self::Stranger,
        Self::Busy,
        Self::Door,
        Self::CrashBefore,
        Self::CrashInside,
        Self::CrashAfter,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::LostBefore => "lost before",
            Self::LostAfter => "lost after",
            Self::Cut => "answer cut",
            Self::Late => "late",
            Self::Twice => "twice",
            Self::Stranger => "stranger",
            Self::Busy => "busy",
            Self::Door => "door",
            Self::CrashBefore => "crash before",
            Self::CrashInside => "crash inside",
            Self::CrashAfter => "crash after",
        }
    }
}

/// A request on its way for too long.
pub(crate) struct Late {
    due: u64,
    call: Call,
}

impl World {
    fn draw_fate(&mut self) -> Fate {
        if self.faults.fates.is_empty() || !self.chance.hit(self.faults.net) {
            return Fate::Delivered;
        }
        let fate = *self.chance.pick(&self.faults.fates);
        self.mark(fate.name());
        fate
    }

    /// The server works on a call; a look at what it did.
    pub(crate) fn serve(&mut self, call: &Call, keep: bool) -> Reply {
        let dice = Dice::new(&mut self.chance);
        self.start_server(&dice);
        if call.path() == "/api/coord/batch" && self.faults.no_batch {
            self.mark("batch unknown");
            return Reply::nowhere(call);
        }
        if call.body.windows(POISON.len()).any(|w| w == POISON.as_bytes()) {
            self.mark("server failed on an entry");
            return Reply::error(500, "internal error");
        }
        let call = &tampered::call(self, call);
        let reply = self.server.perform(call, &dice, keep);
        tampered::after(self, call);
        if reply.replayed {
            self.mark("answered from memory");
        }
        self.note(&format!("server {} {} -> {}", call.method, call.target, reply.status));
        if keep {
            self.look_at_server().unwrap_or_else(|why| self.fail(why));
        }
        reply
    }

    /// Starts the server when it does not run.
    pub(crate) fn start_server(&mut self, dice: &Dice) {
        let (truth, planted) = (self.true_time(), self.planted);
        match self.server.start(truth, dice, planted) {
            Ok(Start::Runs) => {}
            Ok(Start::Started) => self.mark("server restart"),
            Ok(Start::Leapt) => {
                self.mark("server clock leapt");
                let now = self.now();
                self.history.leaps.push(now);
                self.leases.lose_grants();
            }
            Err(why) => self.fail(why),
        }
    }

    /// What the server did, and whether it may.
    fn look_at_server(&mut self) -> Result<(), String> {
        let effects = self.server.new_effects();
        for text in &effects.messages {
            self.ledger.message(text)?;
        }
        for text in &effects.todos {
            self.ledger.effect(text, None)?;
        }
        if let Some(wrong) = effects.wrong {
            return Err(wrong);
        }
        for answered in &effects.answered {
            self.look_at_verdict(answered, &effects.notices)?;
        }
        let clocks = self.clocks();
        let server = &self.server;
        self.leases.compare(&clocks, |id| server.end_of(id))
    }

    /// Delivers what is due.
    pub(crate) fn deliver_late(&mut self) {
        let now = self.now();
        while let Some(at) = self.late.iter().position(|l| l.due <= now) {
            let late = self.late.remove(at);
            // Nothing is on its way for longer, though nobody looked.
            if self.server.away_until <= now && now < late.due + MINUTE {
                self.mark("late request arrived");
                self.serve(&late.call, true);
            }
        }
    }

    fn send_late(&mut self, call: Call, after: u64) {
        let due = self.now() + after + self.chance.below(MINUTE);
        self.late.push(Late { due, call });
    }
}

/// The network of a process.
pub(crate) struct SimNet {
    /// The world.
    pub(crate) sim: Arc<Sim>,
    /// Who calls.
    pub(crate) pid: Pid,
}

impl Net for SimNet {
    fn call(&self, out: &Outgoing, budget: Duration) -> Result<Incoming, NetError> {
        let planted = self.sim.look().planted;
        if planted != Some(Planted::NewIdEachTry) {
            let out = tampered::outgoing(self, out, planted);
            let version = tampered::version(self);
            let answer = self.send(&out, budget);
            tampered::arrived(self, &out, &answer, &version);
            return answer;
        }
        let (out, ids) = renamed::outgoing(out, &mut self.sim.look().chance);
        self.send(&out, budget).map(|answer| renamed::incoming(answer, &ids))
    }
}

impl SimNet {
    fn send(&self, out: &Outgoing, budget: Duration) -> Result<Incoming, NetError> {
        let call = call_of(out);
        let (fate, unreachable) = {
            let mut world = self.sim.turn(self.pid);
            let fate = world.draw_fate();
            world.note(&format!("{} {} {}: {}", self.pid, call.method, call.target, fate.name()));
            let machine = world.processes[self.pid].machine;
            let now = world.now();
            let cut_off = world.machines[machine].cut_off_until > now;
            (fate, cut_off || world.server.away_until > now)
        };
        if unreachable && fate != Fate::Stranger {
            return self.nobody_there(budget);
        }
        match fate {
            Fate::LostBefore => self.time_out(budget),
            Fate::Late => {
                let micros = u64::try_from(budget.as_micros()).unwrap_or(MINUTE);
                self.sim.look().send_late(call, micros);
                self.time_out(budget)
            }
            Fate::Stranger => Ok(self.stranger(out)),
            Fate::Busy => Ok(incoming(Reply::unavailable("Database"))),
            Fate::Door => Ok(incoming(Reply::error(401, "unauthorized"))),
            Fate::CrashBefore | Fate::CrashInside | Fate::CrashAfter => self.crash(fate, &call),
            Fate::Delivered | Fate::Twice | Fate::LostAfter | Fate::Cut => {
                let reply = self.sim.turn(self.pid).serve(&call, true);
                if fate == Fate::Twice {
                    self.sim.look().send_late(call, 0);
                }
                // The server is done, and the answer is on its way; a long one for longer.
                if out.path.starts_with(FEED) {
                    let most = *self.sim.look().chance.pick(&[1_000, 100_000, 1_500_000]);
                    let micros = self.sim.look().chance.below(most);
                    self.sim.sleep(self.pid, micros);
                }
                drop(self.sim.turn(self.pid));
                match fate {
                    Fate::LostAfter => self.time_out(budget),
                    Fate::Cut => garbled(),
                    _ => Ok(incoming(reply)),
                }
            }
        }
    }

    fn time_out(&self, budget: Duration) -> Result<Incoming, NetError> {
        self.sim.sleep(self.pid, u64::try_from(budget.as_micros()).unwrap_or(MINUTE));
        Err(NetError::Timeout(BASE.to_owned()))
    }

    fn nobody_there(&self, budget: Duration) -> Result<Incoming, NetError> {
        self.sim.look().mark("nobody there");
        if self.sim.look().chance.hit(500_000) {
            return self.time_out(budget);
        }
        Err(NetError::Unreachable(BASE.to_owned(), "connection refused".to_owned()))
    }

    fn crash(&self, fate: Fate, call: &Call) -> Result<Incoming, NetError> {
        let mut world = self.sim.turn(self.pid);
        let reply =
            (fate != Fate::CrashBefore).then(|| world.serve(call, fate == Fate::CrashAfter));
        let for_so_long = world.chance.between(10_000, MINUTE);
        let back_at = world.now() + for_so_long;
        world.crash_server(back_at);
        let early = world.planted == Some(Planted::AnswersEarly);
        drop(world);
        match reply {
            Some(reply) if early => Ok(incoming(reply)),
            _ => garbled(),
        }
    }

    fn stranger(&self, out: &Outgoing) -> Incoming {
        let mut world = self.sim.turn(self.pid);
        let mut answer = stranger::answer(&mut world.chance);
        let (planted, success) = (world.planted, (200..300).contains(&answer.status));
        let believed = (planted == Some(Planted::AnySuccessCounts) && success)
            || (planted == Some(Planted::AnyNotFoundCounts) && answer.status == 404);
        if believed {
            stranger::with_proof(&mut answer, out);
        }
        answer
    }
}

fn garbled() -> Result<Incoming, NetError> {
    Err(NetError::Garbled(BASE.to_owned(), "the connection broke off".to_owned()))
}

fn call_of(out: &Outgoing) -> Call {
    Call {
        method: out.method.map_or("GET", Method::as_str).to_owned(),
        target: out.path.clone(),
        body: out.body.clone(),
        key: out.key.as_deref().and_then(parse_key).map(str::to_owned),
        session: out.session.clone(),
        ..Call::default()
    }
}

/// An answer as the HTTP face and the client pass it on.
fn incoming(reply: Reply) -> Incoming {
    Incoming {
        status: reply.status,
        instance: Some(INSTANCE.to_owned()),
        entry: reply.key,
        replayed: reply.replayed,
        retry_after: reply.retry_after.map(|s| Duration::from_secs(u64::from(s))),
        body: reply.body.into_bytes(),
    }
}
