//! `coord sync`: send what waits, then read what is new.

use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::exit;
use coord_protocol::wire::Messages;
use serde_json::{Value, json};

use super::msg::{fetch, note_offered};
use super::reading::count;
use crate::context::Context;
use crate::hook::digest;
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
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    let breaker = cx.breaker();
    let leave = if a.force { Leave::Force } else { Leave::Person };
    let mut all = Drained::default();
    for disk in outboxes(cx) {
        let done = drain_one(cx, a, &disk, &breaker, leave)?;
        all.applied.extend(done.applied);
        all.rejected.extend(done.rejected);
        all.waiting += done.waiting;
        all.stopped = all.stopped.or(done.stopped);
    }
    let mut out = vec![sent_line(&all)];
    out.extend(all.rejected.iter().take(REFUSALS_SHOWN).map(refusal_line));
    if all.rejected.len() > REFUSALS_SHOWN {
        out.push("  ... `coord outbox dead` shows all".to_owned());
    }
    if let Some(stopped) = &all.stopped {
        out.push(waiting_line(all.waiting, stopped));
    }
    let (mail, unread) = unread(cx, &mut out);
    let json = json!({
        "applied": all.applied.iter().map(settled_json).collect::<Vec<_>>(),
        "rejected": all.rejected.iter().map(settled_json).collect::<Vec<_>>(),
        "waiting": all.waiting,
        "stopped": all.stopped.as_ref().map(why),
        "unread": unread,
    });
    let report = Report::new(out.join("\n"), json);
    if let Some(mail) = mail {
        note_offered(cx, &mail.messages);
    }
    Ok(report)
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

fn unread(cx: &Context, out: &mut Vec<String>) -> (Option<Messages>, Value) {
    match fetch(cx, true) {
        Ok(mail) => {
            out.push(if mail.messages.is_empty() {
                "no unread messages".to_owned()
            } else {
                digest::for_people(&mail.messages)
            });
            let json = json!(mail);
            (Some(mail), json)
        }
        Err(e) => {
            out.push(format!("unread messages: not known ({})", e.detail));
            (None, Value::Null)
        }
    }
}
