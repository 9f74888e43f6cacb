//! Waiting at the server: one long call, made again under the same key when its connection breaks, so
//! that the place in the queue is kept. Such a call never goes into the outbox.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::{Request, body_bytes};
use serde_json::Value;

use super::queue::leave;
use crate::context::Context;
use crate::outbox::view::anything_waiting;
use crate::remote::breaker::{Leave, May};
use crate::remote::verdict::{Verdict, is_ours, judge};
use crate::remote::{Incoming, Outgoing};
use crate::send::Fate;

/// The answer may come so much later than the wait ends.
const SLACK: Duration = Duration::from_secs(5);
/// A call that is answered sooner has not waited.
const WAITS_AFTER: Duration = Duration::from_millis(400);
/// So often it is looked whom it waits for; then it is only said that it waits.
const LOOKS: u32 = 3;
/// Between two tries, when a connection breaks.
const PAUSE: Duration = Duration::from_secs(1);
/// So often it is looked whether the caller still waits.
const INTEREST_EVERY: Duration = Duration::from_millis(100);
const LOOK_BUDGET: Duration = Duration::from_millis(1_500);

/// What came of waiting.
pub(super) enum Waited {
    /// The server's answer.
    Told(Fate),
    /// It cannot be waited there, and why.
    Away(String),
}

/// How one call ended.
enum Try {
    Told(Fate),
    Broken(String),
}

/// Sends a write whose answer may take `wait`. `whom` says for whom it waits, once the server knows.
pub(super) fn at_server(
    cx: &Context,
    request: &Request,
    wait: Duration,
    whom: &(dyn Fn() -> Option<String> + Sync),
) -> Waited {
    if anything_waiting(&cx.outbox).unwrap_or(true) {
        return Waited::Away("other writes are waiting before it".to_owned());
    }
    let breaker = cx.breaker();
    if let May::Rest(_, why) = breaker.ask(Leave::Anybody) {
        return Waited::Away(why);
    }
    let until = cx.clock.boot().plus(wait + SLACK);
    let parked = AtomicBool::new(false);
    loop {
        let left = until.since(cx.clock.boot());
        let why = match one_call(cx, request, left, &parked, whom) {
            Try::Told(fate) => {
                breaker.succeeded();
                return Waited::Told(fate);
            }
            Try::Broken(why) => why,
        };
        let left = until.since(cx.clock.boot());
        if !parked.load(Ordering::Relaxed) || left <= PAUSE || cx.aside.is_over() {
            breaker.failed(&why, None);
            return Waited::Away(why);
        }
        cx.aside.say("the connection is lost; trying again, the place is kept");
        thread::sleep(PAUSE);
    }
}

/// One call. Beside it, it is looked for whom it waits, and said once.
fn one_call(
    cx: &Context,
    request: &Request,
    budget: Duration,
    parked: &AtomicBool,
    whom: &(dyn Fn() -> Option<String> + Sync),
) -> Try {
    let out = Outgoing {
        body: body_bytes(request.body.as_ref()),
        key: request.id.clone(),
        session: request.session.clone(),
        ..Outgoing::new(request.method, &request.path)
    };
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            say_for_whom(cx, &is_done, parked, whom);
            if cx.aside.can_end() {
                watch_interest(cx, &is_done, request);
            }
        });
        let answer = cx.net.call(&out, budget);
        drop(done);
        match answer {
            Ok(answer) => of_answer(&answer, request),
            Err(e) => Try::Broken(e.to_string()),
        }
    })
}

/// Says whom the call waits for, once the server knows.
fn say_for_whom(
    cx: &Context,
    is_done: &Receiver<()>,
    parked: &AtomicBool,
    whom: &(dyn Fn() -> Option<String> + Sync),
) {
    for _ in 0..LOOKS {
        if is_done.recv_timeout(WAITS_AFTER) != Err(RecvTimeoutError::Timeout)
            || parked.load(Ordering::Relaxed)
            || cx.aside.is_over()
        {
            return;
        }
        if let Some(words) = whom() {
            parked.store(true, Ordering::Relaxed);
            let how = if cx.aside.can_end() { "" } else { "; Ctrl-C ends the wait" };
            cx.aside.say(&format!("{words}{how}"));
            return;
        }
    }
}

/// A caller that has lost interest leaves the queue; the call is then answered at once.
fn watch_interest(cx: &Context, is_done: &Receiver<()>, request: &Request) {
    let mut pause = INTEREST_EVERY;
    while is_done.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
        if cx.aside.is_over() {
            let leave = leave(cx, request.id.as_deref().unwrap_or_default());
            let out = Outgoing {
                key: leave.id.clone(),
                session: leave.session.clone(),
                ..Outgoing::new(leave.method, &leave.path)
            };
            // Unheard, it is said once more; the connection's end says it, too.
            let _ = cx.net.call(&out, LOOK_BUDGET);
            pause = PAUSE;
        }
    }
}

fn of_answer(answer: &Incoming, request: &Request) -> Try {
    let json = || answer.json().unwrap_or(Value::Null);
    let refused = || Try::Told(Fate::Refused { status: answer.status, answer: json() });
    match judge(answer, request.id.as_deref()) {
        Verdict::Applied => Try::Told(Fate::Done { answer: json(), replayed: answer.replayed }),
        Verdict::Rejected => refused(),
        Verdict::Keep if is_ours(answer) && matches!(answer.status, 401 | 403) => refused(),
        Verdict::Keep => {
            let said = answer.detail().unwrap_or_default();
            Try::Broken(
                format!("the server answered {} {said}", answer.status).trim_end().to_owned(),
            )
        }
    }
}

/// Asks the server beside a wait; anything but a good answer is `None`.
pub(super) fn look(cx: &Context, path: &str) -> Option<Value> {
    let out = Outgoing { session: Some(cx.session.id.clone()), ..Outgoing::get(path) };
    let answer = cx.net.call(&out, LOOK_BUDGET).ok()?;
    (answer.status == 200 && is_ours(&answer)).then(|| answer.json())?
}
