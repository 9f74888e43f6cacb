//! Reading the server's change feed into the replica.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::time::Millis;
use coord_protocol::wire::ChangeFeed;
use coord_server::replica::Replica;

use crate::remote::breaker::{Breaker, Leave, May};
use crate::remote::verdict::is_ours;
use crate::remote::{Net, Outgoing};

/// Rows in one piece of the feed.
const PIECE: &str = "500";
/// Less time than this is not worth a try.
const SHORTEST: Duration = Duration::from_millis(20);

/// Why the server could not be heard to the end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unheard {
    /// It is not asked now: the breaker rests.
    #[error("{why}; next try in {} s, or with `coord sync`", left.as_secs() + 1)]
    Resting {
        /// For how long.
        left: Duration,
        /// Because of what.
        why: String,
    },
    /// It could not be asked, or could not answer.
    #[error("{0}")]
    Away(String),
    /// It knows no change feed.
    #[error("the server has no change feed")]
    Unsupported,
    /// It refused.
    #[error("the server refused ({0})")]
    Refused(u16, Vec<u8>),
    /// There was more than the time allowed.
    #[error("there is more than could be read in this time")]
    More,
    /// The replica could not take it.
    #[error("the local copy: {0}")]
    Replica(String),
}

/// What a pull works with.
pub struct Pull<'a> {
    /// The server.
    pub net: &'a dyn Net,
    /// Whether it may be called.
    pub breaker: &'a Breaker<'a>,
    /// Time.
    pub clock: &'a dyn Clock,
    /// The machines whose mail is wanted, sorted, divided by commas, percent-encoded.
    pub scope: &'a str,
    /// Who asks: reading is a sign of life.
    pub session: &'a str,
}

impl Pull<'_> {
    /// Reads on from where the replica stands, to the end of the feed or of the time.
    pub fn run(
        &self,
        replica: &Replica<'_>,
        budget: Duration,
        leave: Leave,
    ) -> Result<(), Unheard> {
        if let May::Rest(left, why) = self.breaker.ask(leave) {
            return Err(Unheard::Resting { left, why });
        }
        let until = self.clock.boot().plus(budget);
        loop {
            let place = replica.place(self.scope).map_err(|e| Unheard::Replica(e.to_string()))?;
            let feed = self.piece(place.cursor.as_deref(), until)?;
            let more = feed.more;
            // Not taken: another process has read on meanwhile; then go on from there.
            let taken = replica
                .absorb(self.scope, &place, &feed)
                .map_err(|e| Unheard::Replica(e.to_string()))?;
            if taken && !more {
                return Ok(());
            }
        }
    }

    fn piece(&self, since: Option<&str>, until: Millis) -> Result<ChangeFeed, Unheard> {
        let left = until.since(self.clock.boot());
        if left < SHORTEST {
            return Err(Unheard::More);
        }
        let since = since.unwrap_or_default();
        let path = format!("/api/coord/changes?limit={PIECE}&machine={}&since={since}", self.scope);
        let out = Outgoing { session: Some(self.session.to_owned()), ..Outgoing::get(&path) };
        let answer = self.net.call(&out, left).map_err(|e| {
            self.breaker.no_answer(&e, left);
            Unheard::Away(e.to_string())
        })?;
        if !is_ours(&answer) {
            let why = format!("what answers there ({}) is not a coord server", answer.status);
            return Err(self.failed(why, answer.retry_after));
        }
        match answer.status {
            200 => {}
            404 => return Err(Unheard::Unsupported),
            s if s >= 500 => {
                return Err(self.failed(format!("the server answered {s}"), answer.retry_after));
            }
            s => return Err(Unheard::Refused(s, answer.body)),
        }
        self.breaker.succeeded();
        serde_json::from_slice(&answer.body)
            .map_err(|e| Unheard::Away(format!("the server's answer cannot be read: {e}")))
    }

    fn failed(&self, why: String, retry_after: Option<Duration>) -> Unheard {
        self.breaker.failed(&why, retry_after);
        Unheard::Away(why)
    }
}
