//! The drain: sends what waits, in order, and takes an entry out of the queue only on proof that
//! this server has dealt with this entry (reliability 5.3, G12).

use std::io;
use std::time::Duration;

use coord_protocol::edge::{Clock, Rng};
use coord_protocol::limits::BATCH_ENTRIES_MAX;
use coord_protocol::request::{Method, Request, body_bytes};
use coord_protocol::time::Millis;
use coord_protocol::wire::{Batch, BatchDone, EntryDone};
use serde_json::{Value, json};

use super::dead::{self, Letter};
use super::disk::{Disk, Share};
use super::files::{ASIDE, DRAIN_LOCK, QUEUE};
use super::keep::Keep;
use super::line::Entry;
use super::rewrite::{Rewrite, has_asides, rewrite};
use super::view::{anything_waiting, pending};
use super::{journal, news, trouble};
use crate::remote::breaker::{Breaker, Leave, May};
use crate::remote::verdict::{Verdict, is_ours, judge, of_status};
use crate::remote::{Incoming, Net, NetError, Outgoing};

/// Rounds, so that a chatty neighbour cannot hold a drain for ever.
const ROUNDS_MAX: usize = 20;
/// Entries in one batch: beyond this nothing is gained, and other writers wait longer.
const BATCH_ENTRIES: usize = 200;
/// Bytes in one batch.
const BATCH_BYTES: usize = 256 * 1024;
/// A rewrite waits for appenders within the drain's time, but not longer than this ...
const LOCK_WAIT_MAX: Duration = Duration::from_secs(2);
/// ... and at least this long, also when the time is over: a moment is enough for coord's own.
const LOCK_WAIT_MIN: Duration = Duration::from_millis(20);
/// One request of a drain gets this long at most.
const CALL_BUDGET: Duration = Duration::from_secs(5);
/// A call that the end of our own time cut shorter than this says nothing about the server.
const FAIR_CALL: Duration = Duration::from_millis(300);
/// More refusals in a row than this look like a mistake of ours, not of the entries (G10).
const REFUSALS_IN_A_ROW: usize = 20;
/// What a claim past its time is noted with when the server cannot take it as history.
const STATUS_GONE: u16 = 410;
/// What is known of an entry whose answer was not read.
const TOO_LARGE: &str = "the server's answer to it is too large to be read";

const _: () = assert!(BATCH_ENTRIES <= BATCH_ENTRIES_MAX);

/// Reading and rewriting a longer queue takes more time than a hook or a write has.
const IN_PASSING_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// Whether a drain that somebody does in passing could end in time. A longer queue is left to
/// `coord sync`.
pub fn fits_in_passing(disk: &dyn Disk) -> io::Result<bool> {
    let aside: u64 = disk.list(ASIDE)?.iter().map(|e| e.len).sum();
    Ok(disk.len(QUEUE)?.unwrap_or(0) + aside <= IN_PASSING_BYTES_MAX)
}

/// What sending works with: an outbox, the server, and the breaker between them.
pub struct Tools<'a> {
    /// The outbox's folder.
    pub disk: &'a dyn Disk,
    /// What keeps a write that cannot be sent now.
    pub keeper: &'a dyn Keep,
    /// The server.
    pub net: &'a dyn Net,
    /// Whether it may be called.
    pub breaker: &'a Breaker<'a>,
    /// Time.
    pub clock: &'a dyn Clock,
    /// Chance.
    pub rng: &'a dyn Rng,
}

/// How one entry ended.
#[derive(Debug, Clone)]
pub struct Settled {
    /// The entry.
    pub request: Request,
    /// Its status.
    pub status: u16,
    /// It had been applied before.
    pub replayed: bool,
    /// The server's answer.
    pub answer: Value,
}

/// Why a drain ended before the queue was empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// Another drain is at work.
    Busy,
    /// The breaker is open: for so long, because of this.
    Resting(Duration, String),
    /// The server could not be reached or could not do it.
    Away(String),
    /// What answers there is not the server we know, or does not let us in.
    NotOurs(String),
    /// The time for this drain is over.
    OutOfTime,
    /// Too many refusals in a row.
    TooManyRefusals,
    /// Appenders kept the queue busy.
    PutOff,
}

/// What a drain did.
#[derive(Debug, Default)]
pub struct Report {
    /// Entries that took effect (now, or before).
    pub applied: Vec<Settled>,
    /// Entries that were refused; they are dead letters now.
    pub rejected: Vec<Settled>,
    /// Entries still waiting.
    pub waiting: usize,
    /// Why it ended early; `None` when nothing waits.
    pub stopped: Option<Stopped>,
}

/// Sends what waits, for at most `budget`.
pub fn drain(t: &Tools<'_>, budget: Duration, leave: Leave) -> io::Result<Report> {
    // Where nothing was ever queued, nothing is touched: no folder, no lock file.
    if nothing_to_do(t.disk)? {
        return Ok(Report::default());
    }
    let Some(_lock) = t.disk.lock(DRAIN_LOCK, Share::Exclusive, Duration::ZERO)? else {
        return Ok(Report { stopped: Some(Stopped::Busy), ..Report::default() });
    };
    let mut run = Run {
        t,
        until: t.clock.boot().plus(budget),
        report: Report::default(),
        one_by_one: false,
        refusals: 0,
    };
    let Some(ready) = tidy(t, run.until)? else {
        run.report.stopped = Some(Stopped::PutOff);
        run.report.waiting = pending(t.disk)?.entries.len();
        return Ok(run.report);
    };
    if ready.is_empty() {
        return Ok(run.report);
    }
    let stopped = run.send_all(ready, leave);
    // Also after an error: what was settled must not wait for the next drain to be noted.
    let left = tidy(t, run.until);
    run.report.stopped = stopped?;
    run.report.waiting = match left? {
        Some(entries) => entries.len(),
        None => pending(t.disk)?.entries.len(),
    };
    Ok(run.report)
}

fn nothing_to_do(disk: &dyn Disk) -> io::Result<bool> {
    Ok(disk.len(QUEUE)?.is_none() && !anything_waiting(disk)? && journal::is_empty(disk)?)
}

/// Rewrites the queue when there is anything to do, and gives what waits then. `None`: put off.
fn tidy(t: &Tools<'_>, until: Millis) -> io::Result<Option<Vec<Entry>>> {
    let now = pending(t.disk)?;
    if !now.untidy && !has_asides(t.disk)? && journal::is_empty(t.disk)? {
        return Ok(Some(now.entries));
    }
    let wait = until.since(t.clock.boot()).clamp(LOCK_WAIT_MIN, LOCK_WAIT_MAX);
    match rewrite(t.disk, t.clock, t.rng, wait)? {
        Rewrite::Done => Ok(Some(pending(t.disk)?.entries)),
        Rewrite::PutOff => Ok(None),
    }
}

struct Run<'a> {
    t: &'a Tools<'a>,
    until: Millis,
    report: Report,
    one_by_one: bool,
    refusals: usize,
}

/// Ends a round: the drain is over, for this reason.
type Halt = Result<(), Stopped>;

impl Run<'_> {
    fn send_all(&mut self, mut ready: Vec<Entry>, leave: Leave) -> io::Result<Option<Stopped>> {
        match self.t.breaker.ask(leave) {
            May::Call => {}
            May::Rest(left, why) => return Ok(Some(Stopped::Resting(left, why))),
        }
        if let Err(stopped) = self.greet() {
            return Ok(Some(stopped));
        }
        for _ in 0..ROUNDS_MAX {
            // A line without an id came after the rewrite. It is adopted before the next round,
            // because an id must be on disk before the first send; what is behind it waits too.
            let adopted = ready.iter().take_while(|e| e.request.id.is_some()).count();
            if let Err(stopped) = self.send_round(&ready[..adopted])? {
                return Ok(Some(stopped));
            }
            match tidy(self.t, self.until)? {
                None => return Ok(Some(Stopped::PutOff)),
                Some(more) if more.is_empty() => return Ok(None),
                Some(more) => ready = more,
            }
        }
        // Others kept adding all the while; the next drain goes on.
        Ok(Some(Stopped::OutOfTime))
    }

    /// Is it our server that answers there? (5.3, step 4)
    fn greet(&self) -> Halt {
        let hello = Outgoing::get("/health");
        let answer = self.call(&hello)?;
        if is_ours(&answer) {
            return Ok(());
        }
        let why = format!("what answers there ({}) is not a coord server", answer.status);
        self.t.breaker.failed(&why, answer.retry_after);
        Err(Stopped::NotOurs(why))
    }

    fn budget(&self) -> Result<Duration, Stopped> {
        let left = self.until.since(self.t.clock.boot());
        if left.is_zero() { Err(Stopped::OutOfTime) } else { Ok(left.min(CALL_BUDGET)) }
    }

    fn call(&self, out: &Outgoing) -> Result<Incoming, Stopped> {
        self.call_for_head(out).map(|(answer, _)| answer)
    }

    /// Also whether all of the answer was read: our server's head alone says something, too.
    fn call_for_head(&self, out: &Outgoing) -> Result<(Incoming, bool), Stopped> {
        let given = self.budget()?;
        match self.t.net.call(out, given) {
            Ok(answer) => Ok((answer, true)),
            Err(NetError::TooLarge(_, head)) if is_ours(&head) => Ok((*head, false)),
            Err(e) => Err(self.no_answer(&e, given)),
        }
    }

    /// No answer came in the time that was given for it.
    fn no_answer(&self, e: &NetError, given: Duration) -> Stopped {
        if matches!(e, NetError::Timeout(_)) && given < FAIR_CALL {
            return Stopped::OutOfTime;
        }
        self.t.breaker.failed(&e.to_string(), None);
        Stopped::Away(e.to_string())
    }

    fn send_round(&mut self, ready: &[Entry]) -> io::Result<Halt> {
        let mut rest = ready;
        // Halved where a batch as a whole says nothing of its entries.
        let mut most = BATCH_ENTRIES;
        while !rest.is_empty() {
            let n = batch_len(rest).min(most);
            let (now, later) = rest.split_at(n);
            let sent = if self.one_by_one {
                self.send_plainly(now)?.map(|()| Sent::Batch)
            } else {
                self.send_batch(now)?
            };
            let halt = match sent {
                Ok(Sent::Batch) => Ok(()),
                Ok(Sent::NoBatches) => {
                    self.one_by_one = true;
                    continue;
                }
                Ok(Sent::Refused(_) | Sent::Unread) if n > 1 => {
                    most = n / 2;
                    continue;
                }
                Ok(Sent::Refused(answer)) => self.refused_alone(&now[0], &answer)?,
                Ok(Sent::Unread) => self.unread_alone(&now[0])?,
                Err(stopped) => Err(stopped),
            };
            if halt.is_err() {
                return Ok(halt);
            }
            rest = later;
            most = (most * 2).min(BATCH_ENTRIES);
        }
        Ok(Ok(()))
    }

    fn send_batch(&mut self, entries: &[Entry]) -> io::Result<Result<Sent, Stopped>> {
        let now = self.t.clock.wall();
        let requests: Vec<Request> = entries.iter().map(|e| as_sent(&e.request, now)).collect();
        let body = serde_json::to_vec(&Batch { entries: requests.clone() })?;
        let out = Outgoing { body, ..Outgoing::new(Method::Post, "/api/coord/batch") };
        let (answer, whole) = match self.call_for_head(&out) {
            Ok(a) => a,
            Err(stopped) => return Ok(Err(stopped)),
        };
        match answer.status {
            404 | 405 | 501 if is_ours(&answer) => return Ok(Ok(Sent::NoBatches)),
            // It may hold one entry that is to blame.
            400 | 413 | 422 | 500 if is_ours(&answer) => return Ok(Ok(Sent::Refused(answer))),
            200 if is_ours(&answer) => {}
            _ => return Ok(Err(self.not_now(&answer))),
        }
        if !whole {
            return Ok(Ok(Sent::Unread));
        }
        let Ok(done) = serde_json::from_slice::<BatchDone>(&answer.body) else {
            return Ok(Err(Stopped::NotOurs("the answer to the batch cannot be read".to_owned())));
        };
        let answered = requests
            .into_iter()
            .zip(done.results)
            .take_while(|(r, d)| r.id.as_deref() == Some(d.id.as_str()))
            .map(|(r, d)| (r, of_status(d.status), d))
            .collect::<Vec<_>>();
        if answered.is_empty() {
            return Ok(Err(Stopped::NotOurs("the batch was answered without results".to_owned())));
        }
        self.t.breaker.succeeded();
        Ok(self.settle(answered)?.map(|()| Sent::Batch))
    }

    /// To a server that takes no batch. Only an entry of a batch can say that its time is over, and
    /// such a server would grant it: a dead letter (G13).
    fn send_plainly(&mut self, entries: &[Entry]) -> io::Result<Halt> {
        for e in entries {
            let request = as_sent(&e.request, self.t.clock.wall());
            let halt = if request.past {
                self.give_up(request, STATUS_GONE, "its time was over before it could be sent")?
            } else {
                self.send_plain(request, false)?
            };
            if halt.is_err() {
                return Ok(halt);
            }
        }
        Ok(Ok(()))
    }

    /// As a call of its own. `done_before`: a batch with it was answered, so this asks what to.
    fn send_plain(&mut self, request: Request, done_before: bool) -> io::Result<Halt> {
        let id = request.id.clone().unwrap_or_default();
        let out = Outgoing {
            body: body_bytes(request.body.as_ref()),
            key: Some(id.clone()),
            session: request.session.clone(),
            ..Outgoing::new(request.method, &request.path)
        };
        let (answer, whole) = match self.call_for_head(&out) {
            Ok(a) => a,
            Err(stopped) => return Ok(Err(stopped)),
        };
        let mut verdict = judge(&answer, Some(&id));
        if answer.status == 500 && is_ours(&answer) && self.is_poison(&id)? {
            verdict = Verdict::Rejected;
        }
        if verdict == Verdict::Keep {
            if done_before && is_ours(&answer) && of_status(answer.status) != Verdict::Keep {
                return self.give_up(request, answer.status, TOO_LARGE);
            }
            return Ok(Err(self.not_now(&answer)));
        }
        self.t.breaker.succeeded();
        let body = if whole {
            serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
        } else {
            json!({ "detail": TOO_LARGE })
        };
        let done = EntryDone { id, status: answer.status, replayed: answer.replayed, body };
        self.settle(vec![(request, verdict, done)])
    }

    /// The server refused a batch of this entry alone.
    fn refused_alone(&mut self, entry: &Entry, answer: &Incoming) -> io::Result<Halt> {
        let request = as_sent(&entry.request, self.t.clock.wall());
        let id = request.id.clone().unwrap_or_default();
        // What is too large with a batch around it may fit without.
        if answer.status == 413 && !request.past {
            return self.send_plain(request, false);
        }
        if answer.status == 500 && !self.is_poison(&id)? {
            return Ok(Err(self.not_now(answer)));
        }
        let said = answer.detail().unwrap_or_else(|| "refused by the server".to_owned());
        self.give_up(request, answer.status, &said)
    }

    /// The answer to a batch of this entry alone is too large. It was done, and is remembered: the
    /// head of the answer to it says how.
    fn unread_alone(&mut self, entry: &Entry) -> io::Result<Halt> {
        let request = as_sent(&entry.request, self.t.clock.wall());
        if request.past {
            return self.give_up(request, STATUS_GONE, TOO_LARGE);
        }
        self.send_plain(request, true)
    }

    fn give_up(&mut self, request: Request, status: u16, why: &str) -> io::Result<Halt> {
        self.t.breaker.succeeded();
        let id = request.id.clone().unwrap_or_default();
        let body = json!({ "detail": why });
        let done = EntryDone { id, status, replayed: false, body };
        self.settle(vec![(request, Verdict::Rejected, done)])
    }

    fn is_poison(&self, id: &str) -> io::Result<bool> {
        trouble::note(self.t.disk, id, self.t.clock.wall())
    }

    /// An answer after which the entry stays: say why, and rest.
    fn not_now(&self, answer: &Incoming) -> Stopped {
        let said = answer.detail().unwrap_or_default();
        let why = format!("the server answered {} {said}", answer.status);
        self.t.breaker.failed(why.trim(), answer.retry_after);
        if is_ours(answer) && answer.status >= 500 {
            Stopped::Away(why)
        } else {
            Stopped::NotOurs(why)
        }
    }

    /// Puts results on record: dead letters first and durably, then the sessions' news, then the
    /// journal.
    fn settle(&mut self, answered: Vec<(Request, Verdict, EntryDone)>) -> io::Result<Halt> {
        let now = self.t.clock.wall();
        let applied_before = self.report.applied.len();
        let mut letters = Vec::new();
        let mut noted = Vec::new();
        let mut told = Vec::new();
        let mut halt = Ok(());
        for (request, verdict, done) in answered {
            if verdict == Verdict::Keep {
                halt = Err(Stopped::Away(format!("the server answered {}", done.status)));
                break;
            }
            noted.push((done.id.clone(), done.status));
            let settled = Settled {
                request,
                status: done.status,
                replayed: done.replayed,
                answer: done.body,
            };
            let applied = verdict == Verdict::Applied;
            if let Some(session) = &settled.request.session
                && news::is_worth_telling(&settled, applied)
            {
                told.push((session.clone(), news::item(&settled, applied)));
            }
            if verdict == Verdict::Applied {
                self.refusals = 0;
                self.report.applied.push(settled);
                continue;
            }
            if dead::is_for(&settled) {
                letters.push(letter(now, &settled)?);
                self.refusals += 1;
            }
            self.report.rejected.push(settled);
            if self.refusals > REFUSALS_IN_A_ROW {
                halt = Err(Stopped::TooManyRefusals);
                break;
            }
        }
        self.t.keeper.settled(&self.report.applied[applied_before..]);
        dead::add(self.t.disk, &letters)?;
        news::add(self.t.disk, now, &told)?;
        journal::note(self.t.disk, &noted)?;
        Ok(halt)
    }
}

/// An entry as it is sent at this moment: marked when it is past its time, and with how long it has
/// waited, both by the clock that wrote it (G13).
pub fn as_sent(request: &Request, now: Millis) -> Request {
    let time = |t: &Option<String>| t.as_deref().and_then(|t| Millis::parse(t).ok());
    let past = time(&request.not_after).is_some_and(|t| now > t);
    let waited = time(&request.ts).map(|t| now.since(t));
    let waited_ms = waited.map(|w| u64::try_from(w.as_millis()).unwrap_or(u64::MAX));
    Request { past, waited_ms, ..request.clone() }
}

/// How a batch went.
enum Sent {
    /// Each entry has its answer.
    Batch,
    /// The server knows no batches.
    NoBatches,
    /// The server said no to the batch as a whole.
    Refused(Incoming),
    /// The server has done it, and its answer is too large to be read.
    Unread,
}

fn batch_len(entries: &[Entry]) -> usize {
    let mut bytes = 0;
    let fitting = entries
        .iter()
        .take(BATCH_ENTRIES)
        .take_while(|e| {
            bytes += e.text.len();
            bytes <= BATCH_BYTES
        })
        .count();
    fitting.max(1)
}

fn letter(at: Millis, s: &Settled) -> io::Result<Letter> {
    let said = s.answer.get("detail").and_then(Value::as_str).unwrap_or("refused by the server");
    Ok(Letter {
        at,
        reason: said.to_owned(),
        status: Some(s.status),
        id: s.request.id.clone(),
        text: Some(serde_json::to_string(&Request {
            past: false,
            waited_ms: None,
            ..s.request.clone()
        })?),
        hex: None,
        answer: Some(s.answer.clone()),
    })
}

#[cfg(test)]
mod tests;
