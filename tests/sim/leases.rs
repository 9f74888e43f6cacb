//! What sessions believe to hold, as they were told, by their own clocks; and whether two of them
//! ever believe what cannot both be true.

use coord_protocol::time::Millis;
use serde_json::Value;

/// What sessions want to lock.
pub(crate) const RESOURCES: [&str; 6] =
    ["deploy", "src/a.rs", "src/b.rs", "src/*.rs", "src/**", "docs/**"];

/// Which of the resources touch each other, put down by hand: the rule itself is under test.
pub(crate) fn touch(a: &str, b: &str) -> bool {
    let wider = |x: &str, y: &str| match x {
        "src/**" => y.starts_with("src/"),
        "src/*.rs" => y == "src/a.rs" || y == "src/b.rs",
        _ => false,
    };
    a == b || wider(a, b) || wider(b, a)
}

/// How a claim stands in the eyes of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// Nobody has said anything yet, or only that it is queued.
    Asked,
    /// It keeps out others of this workstation.
    Provisional,
    /// The server granted it: held until then by the boot clock (by the wall clock, where that slip
    /// is planted).
    Granted(Millis),
    /// Refused, given back, lost, over.
    Over,
}

/// A claim.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The request's id.
    pub(crate) key: String,
    /// On which workstation.
    pub(crate) machine: usize,
    /// Whose.
    pub(crate) session: String,
    /// On what.
    pub(crate) resource: &'static str,
    /// For how long.
    pub(crate) ttl_ms: i64,
    /// When it was made, by the boot clock there.
    pub(crate) made: Millis,
    /// Until when it is good, by the wall clock there.
    pub(crate) good_until: Millis,
    /// True time of its making, in microseconds.
    pub(crate) invoked: u64,
    /// True time of the latest word on it.
    pub(crate) told: u64,
    /// By the boot clock: it was asked to end then at the latest.
    pub(crate) cap: Millis,
    /// How it stands.
    pub(crate) stand: Stand,
    /// The lock it is, once granted.
    pub(crate) lock: String,
    /// Its session has asked to end it.
    pub(crate) given_up: bool,
    /// It was acknowledged as waiting for the server.
    pub(crate) waits: bool,
}

/// The clocks of a workstation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    /// What people see.
    pub(crate) wall: Millis,
    /// Time since it was switched on.
    pub(crate) boot: Millis,
}

impl Claim {
    /// G24: until when a grant counts as held that was asked for at this moment.
    pub(crate) fn safe_until(&self, asked: Millis) -> Millis {
        Millis(asked.0 + self.ttl_ms - (self.ttl_ms / 20).max(1_000))
    }

    /// Whether its session believes to hold it.
    fn is_held(&self, now: Clocks, by_wall: bool) -> bool {
        match self.stand {
            // Good as long as both clocks say so: a leap of the wall clock ends it for the queue.
            Stand::Provisional => {
                now.wall <= self.good_until
                    && now.boot < self.cap.min(Millis(self.made.0 + self.ttl_ms))
            }
            Stand::Granted(until) => (if by_wall { now.wall } else { now.boot }) < until,
            Stand::Asked | Stand::Over => false,
        }
    }

    fn in_the_way_of(&self, other: &Self) -> bool {
        self.session != other.session && touch(self.resource, other.resource)
    }
}

/// All claims.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    claims: Vec<Claim>,
    /// The planted bug: grants are judged by the wall clock.
    by_wall: bool,
}

impl Leases {
    /// None yet. `by_wall` is a planted bug: grants are judged by the wall clock.
    pub(crate) fn new(by_wall: bool) -> Self {
        Self { by_wall, ..Self::default() }
    }

    /// A claim is being made. Who asks to hold for a shorter time what it holds already has it for
    /// no longer: the server may have agreed, whatever becomes of the answer.
    pub(crate) fn make(&mut self, claim: Claim, clocks: Clocks) {
        let cap = claim.safe_until(claim.made);
        let shown = self.on_its_clock(cap, clocks);
        let same = |c: &&mut Claim| c.session == claim.session && c.resource == claim.resource;
        for c in self.claims.iter_mut().filter(same) {
            c.cap = c.cap.min(cap);
            if let Stand::Granted(before) = c.stand {
                c.stand = Stand::Granted(before.min(shown));
            }
        }
        self.claims.push(claim);
    }

    /// A moment of the boot clock on the clock that grants are judged by.
    fn on_its_clock(&self, boot: Millis, now: Clocks) -> Millis {
        if self.by_wall { Millis(boot.0 - now.boot.0 + now.wall.0) } else { boot }
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Claim] {
        &self.claims
    }

    /// The claim with this id.
    pub(crate) fn find(&self, key: &str) -> Option<usize> {
        self.claims.iter().position(|c| c.key == key)
    }

    /// What is still believed, by number.
    fn held(&self, clocks: &[Clocks]) -> Vec<usize> {
        let held = |c: &Claim| c.is_held(clocks[c.machine], self.by_wall);
        (0..self.claims.len()).filter(|n| held(&self.claims[*n])).collect()
    }

    /// A wall clock leaps: which of the claims that wait there are past is judged anew by it, so from
    /// here on nobody can rely on what was provisional.
    pub(crate) fn lose_provisional(&mut self, machine: usize) {
        for c in self.claims.iter_mut().filter(|c| c.machine == machine) {
            if c.stand == Stand::Provisional {
                c.stand = Stand::Over;
            }
        }
    }

    /// A workstation was switched off: who held something there holds nothing any more.
    pub(crate) fn lose(&mut self, machine: usize) {
        for c in self.claims.iter_mut().filter(|c| c.machine == machine) {
            c.stand = Stand::Over;
            c.given_up = true;
        }
    }

    /// The server's clock leapt ahead while it was away: its leases ended early, as promised.
    pub(crate) fn lose_grants(&mut self) {
        for c in self.claims.iter_mut().filter(|c| matches!(c.stand, Stand::Granted(_))) {
            c.stand = Stand::Over;
        }
    }

    /// A session asks to end this lock, or all of its own.
    pub(crate) fn give_up(&mut self, session: &str, lock: Option<&str>) {
        let of = |l: &str| self.claims.iter().find(|c| c.lock == l || c.key == l);
        let resource = lock.and_then(of).map(|c| c.resource);
        // Also what was to extend it, and has no answer yet.
        let its = |c: &&mut Claim| c.session == session && resource.is_none_or(|r| c.resource == r);
        for c in self.claims.iter_mut().filter(its) {
            c.stand = Stand::Over;
            c.given_up = true;
        }
    }

    /// The server has judged a claim that waited: what was provisional about it is over.
    pub(crate) fn judged(&mut self, key: &str) {
        if let Some(n) = self.find(key)
            && self.claims[n].stand == Stand::Provisional
        {
            self.claims[n].stand = Stand::Over;
        }
    }

    /// A session was told that its claim is queued, which holds nothing.
    pub(crate) fn tell_queued(&mut self, n: usize) {
        self.claims[n].waits = true;
    }

    /// A session was told that its claim holds provisionally.
    pub(crate) fn tell_provisional(
        &mut self,
        n: usize,
        answer: &Value,
        now: u64,
        clocks: &[Clocks],
    ) -> Result<(), String> {
        if answer["provisional"] != true || !answer["fence"].is_null() {
            return Err(format!("a provisional answer like a grant: {answer}"));
        }
        self.claims[n].waits = true;
        self.begin(n, Stand::Provisional, answer, now, clocks)
    }

    /// A session was told that its claim is granted, on asking at this moment of its boot clock.
    pub(crate) fn tell_granted(
        &mut self,
        n: usize,
        answer: &Value,
        asked: Millis,
        now: u64,
        clocks: &[Clocks],
    ) -> Result<(), String> {
        let c = &self.claims[n];
        let until = self.on_its_clock(c.safe_until(asked).min(c.cap), clocks[c.machine]);
        self.begin(n, Stand::Granted(until), answer, now, clocks)
    }

    fn begin(
        &mut self,
        n: usize,
        stand: Stand,
        answer: &Value,
        now: u64,
        clocks: &[Clocks],
    ) -> Result<(), String> {
        if self.claims[n].given_up {
            return Ok(());
        }
        let lock = answer["id"].as_str().unwrap_or_default().to_owned();
        let c = &mut self.claims[n];
        (c.stand, c.told, c.lock) = (stand, now, lock);
        if c.is_held(clocks[c.machine], self.by_wall) { self.alone(n, clocks) } else { Ok(()) }
    }

    /// Whether nobody else believes to hold what this claim is on.
    fn alone(&self, n: usize, clocks: &[Clocks]) -> Result<(), String> {
        let new = &self.claims[n];
        for other in self.held(clocks).into_iter().map(|o| &self.claims[o]) {
            if !other.in_the_way_of(new) {
                continue;
            }
            let both = |what: fn(&Stand) -> bool| what(&other.stand) && what(&new.stand);
            let granted = both(|s| matches!(s, Stand::Granted(_)));
            let provisional = both(|s| *s == Stand::Provisional);
            // A provisional answer and a grant that were on their way at once know nothing of
            // each other.
            let apart = other.machine != new.machine || new.invoked < other.told;
            if granted || (provisional && other.machine == new.machine) || !(provisional || apart) {
                return Err(format!("two sessions hold what touches: {other:?} and {new:?}"));
            }
        }
        Ok(())
    }

    /// Compares belief with what the server holds: `end` says how the server sees a lock that is
    /// over (`None`: it is live).
    pub(crate) fn compare(
        &mut self,
        clocks: &[Clocks],
        end: impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        for n in self.held(clocks) {
            let c = &self.claims[n];
            if !matches!(c.stand, Stand::Granted(_)) {
                continue;
            }
            match end(&c.lock).as_deref() {
                None => {}
                Some("released") => self.claims[n].stand = Stand::Over,
                Some(why) => return Err(format!("says held, but the server says {why}: {c:?}")),
            }
        }
        Ok(())
    }
}
