//! The one way in which a write leaves this workstation (design 4): try the server with the id
//! already minted; on any doubt queue it, durably, under that same id; never overtake what waits.

use std::time::Duration;

use coord_protocol::request::{Request, body_bytes};
use serde_json::Value;

use crate::outbox::append::{AppendError, append};
use crate::outbox::drain::{Report, Settled, Tools, drain, fits_in_passing};
use crate::outbox::keep::{Kept, is_claim};
use crate::outbox::view::anything_waiting;
use crate::remote::breaker::{Leave, May};
use crate::remote::verdict::{Verdict, is_ours, judge};
use crate::remote::{Incoming, Outgoing};

/// A single try gets this long: a write ends within 2.5 s whatever the server does.
pub const TRY_BUDGET: Duration = Duration::from_millis(1_500);
/// A write that queued behind others may use this much to see them off.
pub const DRAIN_BUDGET: Duration = Duration::from_millis(1_500);

/// However long the others took, a claim gets this long.
const TRY_MIN: Duration = Duration::from_millis(200);

/// What became of a write.
#[derive(Debug, Clone)]
pub enum Fate {
    /// The server did it.
    Done {
        /// Its answer.
        answer: Value,
        /// It had done it before.
        replayed: bool,
    },
    /// The server said no. Nothing is queued.
    Refused {
        /// HTTP status.
        status: u16,
        /// Its answer.
        answer: Value,
    },
    /// Kept here, durably; it will be sent later.
    Queued {
        /// Why it was not sent now.
        why: String,
        /// How long the server asked for silence, when it did.
        retry_after: Option<Duration>,
    },
    /// Kept like that, and it holds on this workstation until the server has settled it (G27).
    Provisional {
        /// The answer of the workstation's own engine.
        answer: Value,
        /// Why it was not sent now.
        why: String,
        /// How long the server asked for silence, when it did.
        retry_after: Option<Duration>,
    },
}

/// Sends a write, or queues it. The request has its id already. An error means that it is
/// neither: it was not sent for sure, and could not be kept.
pub fn write(t: &Tools<'_>, request: &Request, budget: Duration) -> Result<Fate, AppendError> {
    if anything_waiting(t.disk)? {
        if is_claim(request) {
            return claim_behind_others(t, request, budget);
        }
        return behind_others(t, request, budget);
    }
    ask_first(t, request, budget)
}

fn ask_first(t: &Tools<'_>, request: &Request, budget: Duration) -> Result<Fate, AppendError> {
    match t.breaker.ask(Leave::Anybody) {
        May::Rest(_, why) => queue(t, request, why, None),
        May::Call => try_now(t, request, budget),
    }
}

/// One try; on any doubt the queue.
pub fn try_now(t: &Tools<'_>, request: &Request, budget: Duration) -> Result<Fate, AppendError> {
    let out = Outgoing {
        body: body_bytes(request.body.as_ref()),
        key: request.id.clone(),
        session: request.session.clone(),
        ..Outgoing::new(request.method, &request.path)
    };
    let answer = match t.net.call(&out, budget) {
        Ok(a) => a,
        Err(e) => {
            t.breaker.no_answer(&e, budget);
            return queue(t, request, e.to_string(), None);
        }
    };
    match judge(&answer, request.id.as_deref()) {
        Verdict::Applied => {
            t.breaker.succeeded();
            let replayed = answer.replayed;
            Ok(Fate::Done { answer: answer.json().unwrap_or(Value::Null), replayed })
        }
        Verdict::Rejected => {
            t.breaker.succeeded();
            Ok(refused(&answer))
        }
        // Our server, but it does not let us in, or not in this form. An answer, not an outage.
        Verdict::Keep if is_ours(&answer) && is_the_door(answer.status) => Ok(refused(&answer)),
        Verdict::Keep => {
            let why = why_not(&answer);
            t.breaker.failed(&why, answer.retry_after);
            queue(t, request, why, answer.retry_after)
        }
    }
}

/// Others wait: go behind them, then try to see all of them off.
fn behind_others(t: &Tools<'_>, request: &Request, budget: Duration) -> Result<Fate, AppendError> {
    append(t.disk, request)?;
    let waiting = "other writes are waiting before it".to_owned();
    let queued = |why| Ok(Fate::Queued { why, retry_after: None });
    if let Some((_, why)) = t.breaker.resting() {
        return queued(why);
    }
    if !fits_in_passing(t.disk)? {
        return queued(format!("{waiting}, more than can be sent in passing"));
    }
    // It is queued already: whatever goes wrong from here on is for the next drain.
    let Ok(report) = drain(t, budget.min(DRAIN_BUDGET), Leave::Anybody) else {
        return queued(waiting);
    };
    fate_in(&report, request).map_or_else(|| queued(waiting), Ok)
}

/// A claim means something at once, so it is not only put behind the others: first those are sent,
/// and then it is the first again.
fn claim_behind_others(
    t: &Tools<'_>,
    request: &Request,
    budget: Duration,
) -> Result<Fate, AppendError> {
    if let Some((_, why)) = t.breaker.resting() {
        return queue(t, request, why, None);
    }
    let waiting = "other writes are waiting before it".to_owned();
    if !fits_in_passing(t.disk)? {
        return queue(t, request, waiting, None);
    }
    let begun = t.clock.boot();
    match drain(t, budget.min(DRAIN_BUDGET), Leave::Anybody) {
        Ok(report) if report.stopped.is_none() && report.waiting == 0 => {
            let left = budget.saturating_sub(t.clock.boot().since(begun)).max(TRY_MIN);
            ask_first(t, request, left)
        }
        Ok(_) | Err(_) => queue(t, request, waiting, None),
    }
}

/// What a drain made of a write; `None` when it still waits.
pub fn fate_in(report: &Report, request: &Request) -> Option<Fate> {
    let mine = |s: &&Settled| s.request.id == request.id;
    let done = |s: &Settled| Fate::Done { answer: s.answer.clone(), replayed: s.replayed };
    let no = |s: &Settled| Fate::Refused { status: s.status, answer: s.answer.clone() };
    let applied = report.applied.iter().find(mine).map(done);
    applied.or_else(|| report.rejected.iter().find(mine).map(no))
}

fn queue(
    t: &Tools<'_>,
    request: &Request,
    why: String,
    retry_after: Option<Duration>,
) -> Result<Fate, AppendError> {
    Ok(match t.keeper.keep(t.disk, request)? {
        Kept::Queued => Fate::Queued { why, retry_after },
        Kept::Provisional(answer) => Fate::Provisional { answer, why, retry_after },
        Kept::Refused { status, answer } => Fate::Refused { status, answer },
    })
}

fn is_the_door(status: u16) -> bool {
    matches!(status, 401 | 403 | 413..=415 | 421 | 431)
}

fn refused(answer: &Incoming) -> Fate {
    Fate::Refused { status: answer.status, answer: answer.json().unwrap_or(Value::Null) }
}

fn why_not(answer: &Incoming) -> String {
    if is_ours(answer) {
        let said = answer.detail().unwrap_or_default();
        format!("the server answered {} {said}", answer.status).trim_end().to_owned()
    } else {
        format!("what answers there ({}) is not a coord server", answer.status)
    }
}
