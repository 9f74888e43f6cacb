//! What sessions are told about their claims.

use coord_agent::outbox::append::AppendError;
use coord_agent::outbox::drain::Report;
use coord_agent::outbox::keep::is_claim;
use coord_agent::send::Fate;
use coord_protocol::request::Request;
use coord_protocol::time::Millis;
use serde_json::Value;

use crate::kit::settled_claims;
use crate::world::World;

impl World {
    /// A drain has told what became of claims; it began at this moment of the boot clock.
    pub(crate) fn tell_settled(&mut self, report: &Report, begun: Millis) {
        let now = self.now();
        for s in report.applied.iter().chain(&report.rejected) {
            self.history.answer(s.request.id.as_deref().unwrap_or_default(), now);
        }
        for (key, answer, replayed) in settled_claims(report) {
            let Some(n) = self.leases.find(&key) else { continue };
            // What the server remembers it may have granted long ago.
            self.mark("told: settled");
            let asked = if replayed { self.leases.all()[n].made } else { begun };
            self.tell_answer(n, &answer, asked);
        }
    }

    /// A session was told what became of its write.
    pub(crate) fn tell_claim(
        &mut self,
        request: &Request,
        fate: &Result<Fate, AppendError>,
        from_here: bool,
        asked: Millis,
    ) {
        let key = request.id.as_deref().unwrap_or_default();
        let now = self.now();
        let of_server = match fate {
            Ok(Fate::Done { .. }) => true,
            Ok(Fate::Refused { status, .. }) => *status != 401 && !from_here,
            Ok(Fate::Queued { .. } | Fate::Provisional { .. }) | Err(_) => false,
        };
        if of_server {
            self.history.answer(key, now);
        }
        let Some(n) = self.leases.find(key).filter(|_| is_claim(request)) else { return };
        match fate {
            Ok(Fate::Done { answer, .. }) => self.tell_answer(n, answer, asked),
            Ok(Fate::Provisional { answer, .. }) => {
                self.mark("provisional: granted");
                let clocks = self.clocks();
                let told = self.leases.tell_provisional(n, answer, now, &clocks);
                told.unwrap_or_else(|why| self.fail(why));
            }
            Ok(Fate::Queued { .. }) => {
                self.mark("provisional: only queued");
                self.leases.tell_queued(n);
            }
            Ok(Fate::Refused { .. }) if from_here => self.mark("provisional: refused"),
            Ok(Fate::Refused { .. }) | Err(_) => {}
        }
    }

    fn tell_answer(&mut self, n: usize, answer: &Value, asked: Millis) {
        let (now, clocks) = (self.now(), self.clocks());
        if answer["fence"].is_i64() {
            self.mark("told: granted");
            let told = self.leases.tell_granted(n, answer, asked, now, &clocks);
            told.unwrap_or_else(|why| self.fail(why));
        }
    }
}
