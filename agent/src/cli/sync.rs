//! `coord sync`: send what waits, then read what is new.

use std::collections::HashSet;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::exit;
use serde_json::{Value, json};

use super::msg::{fetch, shown};
use super::reading::{count, count_of};
use crate::carry::{Carried, CarryError, into_outbox, open_in};
use crate::context::Context;
use crate::held;
use crate::hook::digest::inert;
use crate::hook::marks;
use crate::hook::news::in_words;
use crate::outbox::dead;
use crate::outbox::disk::Disk;
use crate::outbox::drain::{Report as Drained, Settled, Stopped, drain};
use crate::outbox::keep;
use crate::outbox::news::{self, Item, News, Outcome, notable};
use crate::outbox::real_disk::RealDisk;
use crate::remote::breaker::{Breaker, Leave, short_hash};
use crate::remote::local::LOCAL;
use crate::ui::claim_words;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report, say_now};

/// A drain started by a person gets this long.
const BUDGET: Duration = Duration::from_secs(30);
/// With `--wait` as long as it takes.
const BUDGET_WAITING: Duration = Duration::from_hours(24);
/// Refusals that are named one by one.
const REFUSALS_SHOWN: usize = 10;

/// What hooks noted of a conversation in the state folder is of no use long before this.
const NOTES_KEPT_FOR: Duration = Duration::from_hours(168);

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line are bools")]
pub(super) struct Args {
    /// Go on until nothing waits any more
    #[arg(long)]
    wait: bool,
    /// Try now, even if the server asked for silence
    #[arg(long)]
    force: bool,
    /// Carry over what is open in this workstation's own store from before there was a server: todos,
    /// decisions, unread messages
    #[arg(long)]
    from_local: bool,
    /// At most 8 KiB of mail, framed for a model
    #[arg(long)]
    brief: bool,
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    let carried = if a.from_local { Some(carry_over(cx)?) } else { None };
    let breaker = cx.breaker();
    let leave = if a.force { Leave::Force } else { Leave::Person };
    let letters = || dead::list(&cx.outbox).map_or(0, |l| l.len());
    let before = letters();
    let mut all = Drained::default();
    let outboxes = outboxes(cx);
    for disk in &outboxes {
        let done = drain_one(cx, a, disk, &breaker, leave)?;
        all.applied.extend(done.applied);
        all.rejected.extend(done.rejected);
        all.waiting += done.waiting;
        all.stopped = all.stopped.or(done.stopped);
    }
    let mut out = Vec::new();
    if let Some(c) = carried {
        let (t, d, m) = (c.todos, c.decisions, c.messages);
        out.push(format!(
            "from the local store: {t} open todos, {d} decisions, {m} unread messages"
        ));
    }
    out.push(sent_line(&all));
    out.extend(settled_claims(&all.applied));
    out.extend(all.rejected.iter().take(REFUSALS_SHOWN).map(refusal_line));
    if all.rejected.len() > REFUSALS_SHOWN {
        out.push("  ... `coord outbox dead` shows all".to_owned());
    }
    if let Some(stopped) = &all.stopped {
        out.push(waiting_line(all.waiting, stopped));
    }
    let refused = all.rejected.iter().filter(|s| dead::is_for(s)).count();
    let set_aside = letters().saturating_sub(before + refused);
    if set_aside > 0 {
        out.push(format!("{set_aside} lines of the queue are no entries: `coord outbox dead`"));
    }
    let gone = cx.registry().forget_done();
    out.extend(
        gone.iter().map(|g| format!("gone, with whatever was still queued in it: {}", line(g))),
    );
    // One try is enough: what the drain has just found out holds for the mail, too.
    let leave = if all.stopped.is_some() { Leave::Anybody } else { leave };
    let (earlier, news) = earlier_news(cx, &outboxes, &all, &mut out);
    let (offers, unread) = unread(cx, leave, a.brief, &mut out);
    let json = json!({
        "applied": all.applied.iter().map(settled_json).collect::<Vec<_>>(),
        "rejected": all.rejected.iter().map(settled_json).collect::<Vec<_>>(),
        "waiting": all.waiting,
        "set_aside": set_aside,
        "earlier": earlier,
        "gone": gone,
        "stopped": all.stopped.as_ref().map(why),
        "unread": unread,
    });
    sweep(cx, &outboxes);
    Ok(Report { offers, news, ..Report::new(out.join("\n"), json) })
}

/// What became of this session's writes in drains that nobody was told of, and where it is kept.
fn earlier_news(
    cx: &Context,
    outboxes: &[RealDisk],
    now: &Drained,
    out: &mut Vec<String>,
) -> (Vec<Item>, Vec<(RealDisk, News)>) {
    let just = now.applied.iter().chain(&now.rejected).filter_map(|s| s.request.id.as_deref());
    let just: HashSet<&str> = just.collect();
    let of = |disk: &RealDisk| news::of(disk, &cx.session.id).ok().map(|n| (disk.clone(), n));
    let kept: Vec<_> = outboxes.iter().filter_map(of).collect();
    let items = kept.iter().flat_map(|(_, news)| news.items.iter());
    let items: Vec<Item> = items.filter(|i| !just.contains(i.id.as_str())).cloned().collect();
    if !items.is_empty() {
        out.push(format!("sent earlier, in passing: {}", count_of(items.len(), "write")));
        out.extend(notable(&items).into_iter().map(|i| format!("  {}", in_words(i))));
    }
    (items, kept)
}

/// Takes away what nobody comes for any more. Best effort: what stays is only clutter.
fn sweep(cx: &Context, outboxes: &[RealDisk]) {
    let now = cx.clock.wall();
    for outbox in outboxes {
        let _ = news::forget_old(outbox, now);
    }
    for file in cx.state.list("").unwrap_or_default() {
        let is_note =
            marks::PREFIXES.iter().chain([&held::PREFIX]).any(|p| file.name.starts_with(p));
        if is_note && now.since(file.modified) > NOTES_KEPT_FOR {
            let _ = cx.state.unlink(&file.name);
        }
    }
}

/// Up to where the local store was carried over to a server: in the state folder.
fn carried_note(base: &str) -> String {
    format!("carried-{:08x}", short_hash(base))
}

/// Whether anything was carried over to this server before.
pub(super) fn was_carried(cx: &Context, base: &str) -> bool {
    cx.state.len(&carried_note(base)).is_ok_and(|len| len.is_some())
}

fn carry_over(cx: &Context) -> Result<Carried, CliError> {
    if cx.base == LOCAL {
        return Err(CliError::new(exit::USAGE, "there is no server to carry anything over to")
            .hint("`coord start --background` starts one, or set coord_api in identity.json"));
    }
    let local = cx.local_store();
    if !local.exists() {
        return Ok(Carried::default());
    }
    let failed = |e: CarryError| CliError::new(exit::NOT_DURABLE, format!("nothing is lost: {e}"));
    let note = carried_note(&cx.base);
    let since = cx.state.read(&note, 0).unwrap_or_default();
    let since = String::from_utf8(since).unwrap_or_default();
    let (writes, cursor) = open_in(&local, since.trim(), cx.clock.wall()).map_err(failed)?;
    let carried = into_outbox(&cx.outbox, &writes).map_err(failed)?;
    // Lost, the same is carried once more, under the same ids.
    let _ = cx.state.put(&note, cursor.as_bytes());
    Ok(carried)
}

/// How the claims among what was sent stand now: one that was given back behind it is not held.
fn settled_claims(applied: &[Settled]) -> Vec<String> {
    let items: Vec<Item> = applied.iter().map(|s| news::item(s, true)).collect();
    let held: HashSet<&str> = notable(&items).into_iter().map(|i| i.id.as_str()).collect();
    let back = items.iter().filter(|i| i.outcome == Outcome::Released);
    let back: Vec<&str> = back.flat_map(|i| i.words.split(' ')).collect();
    let claims = applied.iter().zip(&items).filter(|(s, _)| keep::is_claim(&s.request));
    claims
        .map(|(s, item)| {
            if held.contains(item.id.as_str()) {
                claim_words::granted(&claim_words::without(&s.answer, |id| back.contains(&id)))
                    .unwrap_or_else(|| super::lock::granted(&s.answer))
            } else {
                format!("granted, and given back since: {}", line(&item.words))
            }
        })
        .collect()
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
    let item = news::item(s, false);
    match item.outcome {
        Outcome::Lost => in_words(&item),
        _ => format!("refused ({}): {}", s.status, inert(&brief(&item.words))),
    }
}

fn waiting_line(waiting: usize, stopped: &Stopped) -> String {
    format!("{} here: {}", count(waiting, "write"), brief(&why(stopped)))
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
        Ok(mail) => {
            let (text, offers) = shown(cx, &mail.messages, brief);
            out.push(text);
            (offers, json!(mail))
        }
        Err(e) => {
            out.push(format!("unread messages: not known ({})", e.detail));
            (Vec::new(), Value::Null)
        }
    }
}
