//! `coord watch`.

use coord_protocol::wire::Change;
use serde_json::json;

use super::ending::Speech;
use super::follow::{Break, Follow, Listener};
use super::mail;
use super::watch_words::Seen;
use crate::context::Context;
use crate::ui::neutral;
use crate::ui::report::{line_now, say_now};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each line is one change. A change that was overtaken by another one before it could be shown is not
shown by itself. With --json each line is one object; its `cursor` can be given to --since.

With --mail only new unread messages to this session are shown, each once, and they count as offered.
--lines is for host tools that take each line for a turn; --codex hands each message to a Codex session.")]
pub(super) struct Args {
    /// Begin behind this cursor instead of now
    #[arg(long, value_name = "CURSOR", conflicts_with = "mail")]
    since: Option<String>,
    /// Only this project, and what belongs to no project
    #[arg(long, value_name = "KEY", conflicts_with = "mail")]
    project: Option<String>,
    /// Only messages to this session that it was not offered yet
    #[arg(long)]
    mail: bool,
    /// One short line per message, and nothing else; ends with its parent
    #[arg(long, requires = "mail", conflicts_with = "codex")]
    lines: bool,
    /// Queue each message for this Codex session (its id or name) with `codex queue`
    #[arg(long, value_name = "THREAD", requires = "mail")]
    pub(super) codex: Option<String>,
    /// With --codex: have Codex try to resume the session at once
    #[arg(long, requires = "codex")]
    resume: bool,
}

/// Watches until Ctrl-C, or until nobody reads it; the exit status.
pub(super) fn main(cx: &Context, a: Args, as_json: bool) -> u8 {
    if a.mail {
        let to = match (a.codex, a.lines) {
            (Some(thread), _) => mail::Reader::Codex { thread, resume: a.resume },
            (None, _) if as_json => mail::Reader::Objects,
            (None, true) => mail::Reader::Lines,
            (None, false) => mail::Reader::Person,
        };
        return mail::watch(cx, to).finish(as_json);
    }
    Speech::default().end_when_asked_to();
    let mut shown = Shown { as_json, seen: Seen::default() };
    Follow::new(cx, a.since, a.project.as_deref()).run(&mut shown).finish(as_json)
}

/// A line beside what is shown.
pub(super) fn note(what: &str) {
    say_now(&format!("coord: {}\n", neutral::line(what)));
}

/// All changes, one line each.
struct Shown {
    as_json: bool,
    seen: Seen,
}

impl Listener for Shown {
    fn change(&mut self, change: &Change, cursor: Option<&str>) -> Result<(), Break> {
        if self.as_json {
            let line = json!({"v": 1, "event": "change", "cursor": cursor, "kind": change.kind,
                              "row": change.row});
            return Ok(line_now(&neutral::json(&line.to_string()))?);
        }
        Ok(self.seen.line(change).map_or(Ok(()), |line| line_now(&line))?)
    }

    fn reset(&mut self) -> Result<(), Break> {
        note(
            "the server does not know this place in its history (another database, or a backup \
             that was put back): what happened meanwhile is not shown; going on from now",
        );
        self.seen = Seen::default();
        if self.as_json {
            line_now(&json!({"v": 1, "event": "reset"}).to_string())?;
        }
        Ok(())
    }

    fn note(&mut self, what: &str) {
        note(what);
    }
}
