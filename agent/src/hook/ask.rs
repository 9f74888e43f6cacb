//! One question of a hook to the server: by the breaker's leave, and what came of it is told to the breaker.

use std::time::Duration;

use crate::context::Context;
use crate::remote::breaker::{Leave, May};
use crate::remote::verdict::is_ours;
use crate::remote::{Incoming, Outgoing};

/// The answer of our server, whatever it says; why there is none.
pub(super) fn ask(cx: &Context, out: &Outgoing, within: Duration) -> Result<Incoming, String> {
    let breaker = cx.breaker();
    if let May::Rest(_, why) = breaker.ask(Leave::Anybody) {
        return Err(why);
    }
    let answer = cx.net.call(out, within).map_err(|e| {
        breaker.no_answer(&e, within);
        e.to_string()
    })?;
    if !is_ours(&answer) || answer.status >= 500 {
        let why = format!("the server answered {}", answer.status);
        breaker.failed(&why, answer.retry_after);
        return Err(why);
    }
    breaker.succeeded();
    Ok(answer)
}
