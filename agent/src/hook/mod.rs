//! Hooks of host tools: JSON on stdin, exactly one JSON object on stdout, exit 0 always. A fault of
//! ours never disturbs the host: it goes to the log, and the answer is `{}`.

mod claude;
pub mod digest;
mod heartbeat;
mod input;
pub mod news;

use std::io::{self, Read, Write};
use std::panic::catch_unwind;
use std::path::Path;

use coord_protocol::edge::Clock;
use coord_server::edge::SystemClock;
use serde_json::{Value, json};

use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::config::project;
use crate::context::{Context, Whose};
use crate::local_server::log;
use crate::outbox::news as outbox_news;
use crate::outbox::real_disk::RealDisk;
use input::Input;

/// Largest input that is read.
const INPUT_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// What a hook wants to say, and what is to be done once it is said.
struct Answer {
    object: Value,
    after: Option<Box<dyn FnOnce() + Send>>,
}

impl Answer {
    fn nothing() -> Self {
        Self { object: json!({}), after: None }
    }
}

/// `coord hook <host>`. Always 0: in several hosts another status would block the tool.
pub fn main(host: &str, env: Env) -> u8 {
    let state = Paths::find(&env).ok().map(|p| RealDisk::at(&p.state));
    let complain = |what: &str| {
        if let Some(state) = &state {
            log(state, &format!("{} hook {host}: {what}", SystemClock.wall()));
        }
    };
    let host = host.to_owned();
    let answered = catch_unwind(move || answer(&host, env));
    let answer = match answered {
        Ok(Ok(a)) => a,
        Ok(Err(why)) => {
            complain(&why);
            Answer::nothing()
        }
        Err(_) => {
            complain("a bug in coord: the hook panicked");
            Answer::nothing()
        }
    };
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{}", answer.object).and_then(|()| out.flush());
    match (said, answer.after) {
        // Only what was really handed over counts as offered.
        (Ok(()), Some(after)) => after(),
        (Err(e), _) => complain(&format!("the answer was not taken: {e}")),
        (Ok(()), None) => {}
    }
    0
}

fn answer(host: &str, env: Env) -> Result<Answer, String> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("stdin: {e}"))?;
    let input = Input::parse(&bytes)?;
    let cwd =
        input.cwd.clone().or_else(|| std::env::current_dir().ok()).ok_or("no working folder")?;
    match host {
        "claude" if claude::concerns(&input.event) => {
            let cx = context(env, &cwd, &input)?;
            Ok(claude::answer(cx, &input))
        }
        "claude" => in_passing(env, &cwd, host, &input),
        other => Err(format!("the host {other:?} is not known to this version of coord")),
    }
}

fn context(env: Env, cwd: &Path, input: &Input) -> Result<Context, String> {
    let whose = Whose::Hook("claude", input.session_id.as_deref());
    let cx = Context::load(env, cwd, &whose).map_err(|e| e.to_string())?;
    cx.note_heard();
    Ok(cx)
}

/// Any other event: a sign of life now and then, and what became of writes that waited, where the
/// event can carry it. Both are looked for with two looks at the disk.
fn in_passing(env: Env, cwd: &Path, host: &str, input: &Input) -> Result<Answer, String> {
    let session = input.session_id.as_deref().unwrap_or_default();
    let paths = Paths::find(&env).map_err(|e| e.to_string())?;
    let due = !session.is_empty() && heartbeat::is_due(&RealDisk::at(&paths.state), host, session);
    let news = claude::tells(&input.event)
        && outbox_news::is_any(
            &project::find(&env, cwd, paths.home.as_deref()).root.join(".claude"),
        );
    if !due && !news {
        return Ok(Answer::nothing());
    }
    let cx = context(env, cwd, input)?;
    if due {
        heartbeat::give(&cx, host, session)?;
    }
    Ok(if news { claude::tell(cx, &input.event) } else { Answer::nothing() })
}
