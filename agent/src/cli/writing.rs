//! What all writing verbs share: sending, and saying what became of it.

use std::time::Duration;

use clap::Args;
use coord_protocol::exit;
use coord_protocol::request::Request;
use serde_json::{Value, json};

use crate::context::Context;
use crate::outbox::append::AppendError;
use crate::outbox::view;
use crate::remote::breaker::Leave;
use crate::send::{Fate, TRY_BUDGET, fate_in};
use crate::ui::claim_words;
use crate::ui::neutral;
use crate::ui::report::{CliError, Report, in_words, say_now};

/// Longest wait of `--wait`.
const WAIT_MAX: Duration = Duration::from_mins(5);
/// Wait when the server named no time.
const WAIT_DEFAULT: Duration = Duration::from_secs(30);

/// Sessions that are named when a recipient is unknown.
const KNOWN_SHOWN: usize = 20;

/// Of a refusal, this much is shown.
const REFUSAL_BYTES: usize = 2000;

/// Options of every write.
#[derive(Debug, Default, Args)]
pub(super) struct WriteArgs {
    /// When the server is away: wait as long as it asks, try once more, then queue
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    once: OnceArg,
}

/// The id of an intent.
#[derive(Debug, Default, Args)]
pub(super) struct OnceArg {
    /// Make a repeated command one intent: the same id has its effect once
    #[arg(long = "id", id = "intent_id", value_name = "UUID")]
    id: Option<uuid_text::UuidText>,
}

impl OnceArg {
    /// Puts the id into a write, if there is one.
    pub(super) fn name(&self, request: &mut Request) {
        if let Some(id) = &self.id {
            request.id = Some(id.0.clone());
        }
    }
}

impl From<OnceArg> for WriteArgs {
    fn from(once: OnceArg) -> Self {
        Self { wait: false, once }
    }
}

/// A UUID as an argument.
mod uuid_text {
    use std::str::FromStr;

    use coord_protocol::id::Uuid;

    /// Checked text of a UUID.
    #[derive(Debug, Clone)]
    pub(crate) struct UuidText(pub(crate) String);

    impl FromStr for UuidText {
        type Err = String;

        fn from_str(s: &str) -> Result<Self, String> {
            Uuid::try_parse(s).map(|u| Self(u.to_string())).map_err(|e| e.to_string())
        }
    }
}

/// Sends a write. `done` makes the text from the server's answer; `what` names the write in
/// messages about its fate.
pub(super) fn send(
    cx: &Context,
    args: &WriteArgs,
    mut request: Request,
    what: &str,
    done: impl FnOnce(&Value) -> String,
) -> Result<Report, CliError> {
    args.once.name(&mut request);
    let id = request.id.clone().unwrap_or_default();
    let fate = if args.wait { patiently(cx, &request) } else { cx.write(&request, TRY_BUDGET) };
    told(fate.map_err(|e| not_kept(&e, &request))?, &id, what, done)
}

/// Says what became of a write.
pub(super) fn told(
    fate: Fate,
    id: &str,
    what: &str,
    done: impl FnOnce(&Value) -> String,
) -> Result<Report, CliError> {
    match fate {
        Fate::Done { answer, replayed } => {
            let report = Report::new(
                done(&answer),
                json!({"outcome": "done", "id": id, "replayed": replayed, "result": answer}),
            );
            Ok(if replayed { report.note("(this had been done before)") } else { report })
        }
        Fate::Refused { status, answer } => Err(refused(status, &answer, what)),
        Fate::Provisional { answer, why, retry_after } => {
            let secs = retry_after.map(|d| d.as_secs());
            let text = format!(
                "queued, and held provisionally: {what} ({id})\n\
                 no other session of this workstation gets it; whether somebody elsewhere holds it \
                 is not known"
            );
            let json = json!({"outcome": "provisional", "provisional": true, "id": id, "why": why,
                "retry_after": secs, "result": answer});
            Ok(Report::new(text, json).note(format!(
                "  not sent yet: {}\n  `coord sync` settles it, and the next hook of this session \
                 says how",
                neutral::line(&why)
            )))
        }
        Fate::Queued { why, retry_after } => {
            let secs = retry_after.map(|d| d.as_secs());
            Ok(Report::new(
                format!("queued: {what} ({id})"),
                json!({"outcome": "queued", "id": id, "why": why, "retry_after": secs}),
            )
            .note(format!(
                "  not sent yet: {}\n  it is kept here and goes out with the next `coord sync`",
                neutral::line(&why)
            )))
        }
    }
}

/// The seed's literal behaviour in the foreground: wait the server's time, retry once, then queue.
fn patiently(cx: &Context, request: &Request) -> Result<Fate, AppendError> {
    let breaker = cx.breaker();
    let tools = cx.tools(&breaker);
    let first = cx.write(request, TRY_BUDGET)?;
    let (Fate::Queued { retry_after, .. } | Fate::Provisional { retry_after, .. }) = &first else {
        return Ok(first);
    };
    // It is queued from here on: whatever ends the wait, Ctrl-C included, loses nothing.
    let resting = breaker.resting().map(|(left, _)| left);
    let mut left = retry_after.or(resting).unwrap_or(WAIT_DEFAULT).min(WAIT_MAX);
    while !left.is_zero() {
        say_now(&format!("\rcoord: queued; trying again in {:>3} s ", left.as_secs() + 1));
        let step = left.min(Duration::from_secs(1));
        std::thread::sleep(step);
        left -= step;
    }
    say_now("\n");
    let Ok(report) = crate::outbox::drain::drain(&tools, TRY_BUDGET, Leave::Force) else {
        return Ok(first);
    };
    Ok(fate_in(&report, request).unwrap_or(first))
}

/// The write is neither sent nor kept: the caller gets it back on stderr (G2).
pub(super) fn not_kept(e: &AppendError, request: &Request) -> CliError {
    let line = serde_json::to_string(request).unwrap_or_default();
    let unsuitable =
        matches!(e, AppendError::Disk(io) if io.kind() == std::io::ErrorKind::Unsupported);
    let code = if unsuitable { exit::CONFIG } else { exit::NOT_DURABLE };
    CliError::new(code, format!("not sent and not queued: {e}"))
        .hint("nothing was kept; this is the write, to keep it yourself:")
        .hint(line)
}

/// The server said no.
pub(super) fn refused(status: u16, answer: &Value, what: &str) -> CliError {
    let said = answer.get("detail").and_then(Value::as_str).map(str::to_owned);
    let said = said.or_else(|| claim_words::refusal(answer));
    let said = said.as_deref().unwrap_or("no reason given");
    let held = status == 409 && answer.get("conflicts").is_some();
    let fact = |name: &str| answer.get(name).is_some();
    let code = match status {
        409 if held => exit::LOCK_HELD,
        409 if fact("generation") => exit::STALE_INSTANCE,
        410 if fact("lock") => exit::LOCK_EXPIRED,
        410 if fact("end_reason") => exit::STALE_INSTANCE,
        _ => exit::REFUSED,
    };
    let e = CliError::new(code, format!("{what}: {}", neutral::short(said, REFUSAL_BYTES)))
        .facts(answer.clone());
    let e = match answer.get("known_sessions").and_then(Value::as_array) {
        Some(known) if !known.is_empty() => {
            let names: Vec<_> = known
                .iter()
                .filter_map(Value::as_str)
                .take(KNOWN_SHOWN)
                .map(neutral::line)
                .collect();
            e.hint(format!("known sessions: {}", names.join(", ")))
        }
        _ => e,
    };
    let e = match answer.get("known_secs_ago").map(Value::as_u64) {
        Some(secs) => {
            let ago = secs.map(|s| format!(", as of {} ago", in_words(Duration::from_secs(s))));
            let ago = ago.unwrap_or_default();
            e.hint(format!("the server cannot be asked now: this is what is known here{ago}"))
        }
        None => e,
    };
    match status {
        401 => e.hint("set COORD_AUTH_TOKEN, or coord_token_file in identity.json"),
        _ => e,
    }
}

/// How many writes wait here; 0 when that cannot be seen.
pub(super) fn waiting_here(cx: &Context) -> usize {
    view::pending(&cx.outbox).map_or(0, |p| p.entries.len())
}
