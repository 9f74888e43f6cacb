//! `coord sync`: send what waits, then read what is new.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::exit;
use coord_protocol::request::Method;
use serde_json::{Value, json};

use super::msg::{fetch, not_offered};
use super::reading::count;
use crate::context::Context;
use crate::hook::digest;
use crate::outbox::dead;
use crate::outbox::drain::{Report as Drained, Settled, Stopped, drain};
use crate::outbox::real_disk::RealDisk;
use crate::remote::breaker::{Breaker, Leave};
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report, say_now};

/// A drain started by a person gets this long.
const BUDGET: Duration = Duration::from_secs(30);
/// With `--wait` as long as it takes.
const BUDGET_WAITING: Duration = Duration::from_hours(24);
/// Refusals that are named one by one.
const REFUSALS_SHOWN: usize = 10;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on until nothing waits any more
    #[arg(long)]
    wait: bool,
    /// Try now, even if the server asked for silence
    #[arg(long)]
    force: bool,
    /// At most 8 KiB of mail, framed for a model
    #[arg(long)]
    brief: bool,
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    let breaker = cx.breaker();
    let leave = if a.force { Leave::Force } else { Leave::Person };
    let letters = || dead::list(&cx.outbox).map_or(0, |l| l.len());
    let before = letters();
    let mut all = Drained::default();
    for disk in outboxes(cx) {
        let done = drain_one(cx, a, &disk, &breaker, leave)?;
        all.applied.extend(done.applied);
        all.rejected.extend(done.rejected);
        all.waiting += done.waiting;
        all.stopped = all.stopped.or(done.stopped);
    }
    let mut out = vec![sent_line(&all)];
    out.extend(all.applied.iter().filter(|s| is_claim(s)).map(|s| super::lock::granted(&s.answer)));
    out.extend(all.rejected.iter().take(REFUSALS_SHOWN).map(refusal_line));
    if all.rejected.len() > REFUSALS_SHOWN {
        out.push("  ... `coord outbox dead` shows all".to_owned());
    }
    if let Some(stopped) = &all.stopped {
        out.push(waiting_line(all.waiting, stopped));
    }
    let set_aside = letters().saturating_sub(before + all.rejected.len());
    if set_aside > 0 {
        out.push(format!("{set_aside} lines of the queue are no entries: `coord outbox dead`"));
    }
    let gone = cx.forget_done_outboxes();
    out.extend(
        gone.iter().map(|g| format!("gone, with whatever was still queued in it: {}", line(g))),
    );
    // One try is enough: what the drain has just found out holds for the mail, too.
    let leave = if all.stopped.is_some() { Leave::Anybody } else { leave };
    let (offers, unread) = unread(cx, leave, a.brief, &mut out);
    let json = json!({
        "applied": all.applied.iter().map(settled_json).collect::<Vec<_>>(),
        "rejected": all.rejected.iter().map(settled_json).collect::<Vec<_>>(),
        "waiting": all.waiting,
        "set_aside": set_aside,
        "gone": gone,
        "stopped": all.stopped.as_ref().map(why),
        "unread": unread,
    });
    Ok(Report { offers, ..Report::new(out.join("\n"), json) })
}

fn is_claim(s: &Settled) -> bool {
    s.request.method == Method::Post && s.request.path == "/api/coord/locks"
}

/// This project's outbox, and those of other projects in which something was queued.
fn outboxes(cx: &Context) -> Vec<RealDisk> {
    let mut all = vec![cx.outbox.clone()];
    all.extend(cx.other_outboxes());
    all
}

fn drain_one(
    cx: &Context,
    a: &Args,
    disk: &RealDisk,
    breaker: &Breaker<'_>,
    leave: Leave,
) -> Result<Drained, CliError> {
    let tools = cx.tools_for(disk, breaker);
    let broken = |e: std::io::Error| {
        CliError::new(exit::NOT_DURABLE, format!("the outbox in {}: {e}", disk.root().display()))
    };
    if !a.wait {
        return drain(&tools, BUDGET, leave).map_err(broken);
    }
    let until = cx.clock.boot().plus(BUDGET_WAITING);
    let mut all = Drained::default();
    loop {
        let done = drain(&tools, BUDGET, leave).map_err(broken)?;
        all.applied.extend(done.applied);
        all.rejected.extend(done.rejected);
        (all.waiting, all.stopped) = (done.waiting, done.stopped);
        if all.waiting == 0 || cx.clock.boot() >= until {
            return Ok(all);
        }
        let pause = match &all.stopped {
            Some(Stopped::Resting(left, _)) => *left,
            _ => Duration::from_secs(2),
        };
        say_now(&format!(
            "coord: {} waiting; next try in {} s\n",
            all.waiting,
            pause.as_secs() + 1
        ));
        cx.clock.sleep(pause);
    }
}

fn sent_line(d: &Drained) -> String {
    let again = d.applied.iter().filter(|s| s.replayed).count();
    match (d.applied.len(), again) {
        (0, _) if d.waiting == 0 && d.rejected.is_empty() => "nothing was waiting".to_owned(),
        (1, 0) => "sent 1 write".to_owned(),
        (n, 0) => format!("sent {n} writes"),
        (n, again) => format!("sent {n} writes ({again} of them had been applied before)"),
    }
}

fn refusal_line(s: &Settled) -> String {
    let said = s.answer.get("detail").and_then(Value::as_str).unwrap_or("no reason given");
    let what = format!("{} {}", s.request.method.as_str(), s.request.path);
    format!("refused ({}): {}: {}", s.status, line(&what), line(said))
}

fn waiting_line(waiting: usize, stopped: &Stopped) -> String {
    format!("{} here: {}", count(waiting, "write"), line(&why(stopped)))
}

/// Why a drain ended early, in words.
pub(crate) fn why(stopped: &Stopped) -> String {
    match stopped {
        Stopped::Busy => "another sync is running".to_owned(),
        Stopped::Resting(left, why) => {
            format!("{why}; next try in {} s (`coord sync --force` tries now)", left.as_secs() + 1)
        }
        Stopped::Away(why) | Stopped::NotOurs(why) => why.clone(),
        Stopped::OutOfTime => "the time for this sync is over; run it again".to_owned(),
        Stopped::TooManyRefusals => {
            "too many refusals in a row; look at `coord outbox dead` first".to_owned()
        }
        Stopped::PutOff => "other programs keep the queue busy; run it again".to_owned(),
    }
}

fn settled_json(s: &Settled) -> Value {
    json!({
        "id": s.request.id,
        "method": s.request.method,
        "path": s.request.path,
        "status": s.status,
        "replayed": s.replayed,
        "answer": s.answer,
    })
}

/// Adds the unread mail to what is said; gives what of it was not offered before, and all of it.
fn unread(cx: &Context, leave: Leave, brief: bool, out: &mut Vec<String>) -> (Vec<String>, Value) {
    match fetch(cx, true, leave) {
        Ok(mail) if mail.messages.is_empty() => {
            out.push("no unread messages".to_owned());
            (Vec::new(), json!(mail))
        }
        Ok(mail) if brief => {
            let boundary = digest::boundary(&cx.rng);
            let d = digest::for_model(&mail.messages, mail.messages.len(), &boundary);
            out.push(d.text);
            (not_offered(&mail.messages[..d.shown]), json!(mail))
        }
        Ok(mail) => {
            out.push(digest::for_people(&mail.messages));
            (not_offered(&mail.messages), json!(mail))
        }
        Err(e) => {
            out.push(format!("unread messages: not known ({})", e.detail));
            (Vec::new(), Value::Null)
        }
    }
}
