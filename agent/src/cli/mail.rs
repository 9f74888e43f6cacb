//! New messages to this session as they come, for whoever would not look by themselves: a person at a
//! terminal, a host tool that takes a line for a turn, a Codex session, a hook that waits (design 6).

use std::collections::HashSet;
use std::thread;
use std::time::Duration;

use coord_protocol::exit;
use coord_protocol::wire::{Change, Message, Messages};
use serde_json::json;

use super::codex_queue;
use super::ending::{Ears, Speech};
use super::follow::{Break, End, Follow, Listener, Pause};
use super::reading::{Query, ask_server};
use super::watch::note;
use crate::context::Context;
use crate::hook::digest::{self, inert};
use crate::outbox::disk::{Disk as _, Guard, Share};
use crate::remote::breaker::short_hash;
use crate::send::TRY_BUDGET;
use crate::ui::neutral::{self, cut, line};
use crate::ui::report::{line_now, say_now};

/// A line with all that is in it, about.
const LINE_BYTES_MAX: usize = 300;
/// Of that: who, and the subject.
const FROM_BYTES: usize = 80;
const SUBJECT_BYTES: usize = 100;
/// Lines of one look: each costs a turn. The others are one line together.
const LINES_MAX: usize = 3;
/// The session's own start shows what has come before; it is let speak first.
const START_GRACE: Duration = Duration::from_secs(2);
/// Messages of one question.
const PAGE: &str = "200";
/// Whoever waits for another to stop speaking looks this often.
const LOCK_LOOK: Duration = Duration::from_secs(1);

/// For whom messages are.
pub(super) enum Reader {
    /// At a terminal.
    Person,
    /// A program.
    Objects,
    /// A host tool: a line is a turn.
    Lines,
    /// A Codex session.
    Codex {
        /// Its id or name.
        thread: String,
        /// It is to go on at once.
        resume: bool,
    },
    /// A hook of a host tool that waits: what it says on stderr wakes the session.
    Waiting,
}

/// The status that says that there is something on stderr for the session.
const WAKES: u8 = 2;

/// Shows new messages until nobody reads them.
pub(super) fn watch(cx: &Context, reader: Reader) -> End {
    let mut mail = Mail::new(cx, reader);
    let is_hosted = matches!(mail.reader, Reader::Lines);
    if is_hosted {
        mail.speech.end_when_alone(Ears::Pipes);
    }
    let _only = only_speaker(&mut mail);
    if is_hosted {
        thread::sleep(START_GRACE);
    }
    Follow::new(cx, None, None).run(&mut mail)
}

/// Waits for the next message, so long at most. Where another process does that for this session, or
/// nothing can be kept that would tell, it is left to others.
pub(super) fn wait(cx: &Context, timeout: Duration) -> End {
    let only = cx.state.lock(&lock_of(cx), Share::Exclusive, Duration::ZERO);
    let Ok(Some(_only)) = only else { return End::Status(exit::DONE) };
    let mut mail = Mail::new(cx, Reader::Waiting);
    mail.speech.end_when_alone(Ears::Parent);
    mail.speech.end_after(timeout);
    Follow::new(cx, None, None).run(&mut mail)
}

fn lock_of(cx: &Context) -> String {
    format!("speaker-{:08x}.lock", short_hash(&format!("{} {}", cx.base, cx.session.id)))
}

/// One process at a time speaks to a session: waits until it is this one.
fn only_speaker(mail: &mut Mail<'_>) -> Option<Box<dyn Guard>> {
    let mut is_known = false;
    loop {
        match mail.cx.state.lock(&lock_of(mail.cx), Share::Exclusive, Duration::ZERO) {
            Ok(Some(guard)) => return Some(guard),
            Ok(None) => {
                if !std::mem::replace(&mut is_known, true) {
                    mail.note("another process shows this session its mail; waiting for its end");
                }
                thread::sleep(LOCK_LOOK);
            }
            // Nothing can be kept here: then nobody else keeps anything either.
            Err(_) => return None,
        }
    }
}

struct Mail<'a> {
    cx: &'a Context,
    reader: Reader,
    /// Messages up to this one need no second look.
    after: i64,
    /// What was said, whether that could be noted or not.
    said: HashSet<String>,
    speech: Speech,
    /// In this look: lines that may still be printed, and messages that no line was left for.
    lines_left: usize,
    unshown: usize,
}

impl Listener for Mail<'_> {
    fn connected(&mut self) -> Result<(), Break> {
        self.look()
    }

    fn change(&mut self, change: &Change, _: Option<&str>) -> Result<(), Break> {
        if change.kind == "message" { self.look() } else { Ok(()) }
    }

    fn reset(&mut self) -> Result<(), Break> {
        self.after = 0;
        Ok(())
    }

    fn note(&mut self, what: &str) {
        // Where a line is a turn, nobody is woken to hear that there is nothing to hear.
        if matches!(self.reader, Reader::Person | Reader::Codex { .. }) {
            note(what);
        }
    }
}

impl<'a> Mail<'a> {
    fn new(cx: &'a Context, reader: Reader) -> Self {
        let speech = Speech::default();
        speech.end_when_asked_to();
        Self { cx, reader, after: 0, said: HashSet::new(), speech, lines_left: 0, unshown: 0 }
    }

    /// Says what is new: asked of the server itself, which knows what a hook has offered meanwhile.
    fn look(&mut self) -> Result<(), Break> {
        (self.lines_left, self.unshown) = (LINES_MAX, 0);
        loop {
            let page = self.page()?;
            let last = page.messages.last().map(|m| m.seq);
            let is_new = |m: &Message| m.offered_at.is_none() && !self.said.contains(&m.id);
            let fresh: Vec<Message> = page.messages.into_iter().filter(is_new).collect();
            if !fresh.is_empty() {
                self.say(&fresh)?;
            }
            self.after = last.unwrap_or(self.after);
            if page.next.is_none() {
                break;
            }
        }
        match self.unshown {
            0 => Ok(()),
            n => Ok(line_now(&format!("coord: {n} more unread: `coord msg inbox`"))?),
        }
    }

    fn page(&self) -> Result<Messages, Break> {
        let query = Query::default()
            .and("to_session", Some(&self.cx.session.id))
            .and("unread_only", Some("true"))
            .and("after", Some(&self.after.to_string()))
            .and("limit", Some(PAGE));
        let page = ask_server(self.cx, &query.on("/api/coord/messages"));
        // What is the matter shows at the next connection.
        Ok(page.map_err(|e| Pause::new(e.detail))?.0)
    }

    fn say(&mut self, fresh: &[Message]) -> Result<(), Break> {
        let speech = self.speech.clone();
        let _speaking = speech.hold();
        let mut shown = Vec::new();
        let done = self.show(fresh, &mut shown);
        self.lines_left = self.lines_left.saturating_sub(shown.len());
        self.unshown += fresh.len() - shown.len();
        self.said.extend(fresh.iter().map(|m| m.id.clone()));
        // What cannot be noted is shown once more, by another process.
        let _ = self.cx.note_offered(shown, TRY_BUDGET);
        done
    }

    /// Says it, and which of it was taken.
    fn show(&self, fresh: &[Message], shown: &mut Vec<String>) -> Result<(), Break> {
        let boundary = || digest::boundary(&self.cx.rng);
        match &self.reader {
            Reader::Person => {
                each(fresh, shown, |m| Ok(line_now(&digest::for_people(std::slice::from_ref(m)))?))
            }
            Reader::Objects => each(fresh, shown, |m| {
                let object = json!({"v": 1, "event": "message", "message": m}).to_string();
                Ok(line_now(&neutral::json(&object))?)
            }),
            Reader::Lines => {
                let now = &fresh[..fresh.len().min(self.lines_left)];
                each(now, shown, |m| Ok(line_now(&in_a_line(m))?))
            }
            Reader::Codex { thread, resume } => each(fresh, shown, |m| {
                let text = digest::for_model(std::slice::from_ref(m), 1, &boundary()).text;
                codex_queue::queue(thread, &text, *resume).map_err(|e| End::Error(e).into())
            }),
            Reader::Waiting => {
                let d = digest::for_model(fresh, fresh.len(), &boundary());
                say_now(&format!("{}\n", d.text));
                shown.extend(fresh.iter().take(d.shown).map(|m| m.id.clone()));
                Err(End::Status(WAKES).into())
            }
        }
    }
}

fn each(
    messages: &[Message],
    shown: &mut Vec<String>,
    mut say: impl FnMut(&Message) -> Result<(), Break>,
) -> Result<(), Break> {
    for m in messages {
        say(m)?;
        shown.push(m.id.clone());
    }
    Ok(())
}

/// A message as one line for a model, framed as what others wrote.
fn in_a_line(m: &Message) -> String {
    let piece = |text: &str, most: usize| {
        let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let whole = inert(&line(cut(&plain, most)));
        let kept = cut(&whole, most).to_owned();
        if kept.len() < whole.len() || plain.len() > most { format!("{kept}...") } else { kept }
    };
    let head = format!(
        "coord mail, written by a peer session, not by your user: from {} \"{}\"",
        piece(&m.from_session, FROM_BYTES),
        piece(&m.subject, SUBJECT_BYTES)
    );
    let tail = " -- show it: `coord msg inbox`";
    let room = LINE_BYTES_MAX.saturating_sub(head.len() + tail.len());
    match piece(cut(&m.body, LINE_BYTES_MAX * 4), room.saturating_sub(" | ...".len())) {
        body if body.is_empty() || room < "| x...".len() * 2 => format!("{head}{tail}"),
        body => format!("{head} | {body}{tail}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use coord_protocol::time::Millis;

    fn message(from: &str, subject: &str, body: &str) -> Message {
        Message {
            id: "i".into(),
            seq: 1,
            from_session: from.into(),
            to_session: "B/claude-main".into(),
            project_key: None,
            subject: subject.into(),
            body: body.into(),
            created_at: Millis(0),
            read_at: None,
            offered_at: None,
            expires_at: None,
        }
    }

    #[test]
    fn a_message_in_a_line() {
        assert_eq!(
            in_a_line(&message("A/x", "Deploy at 5", "hold\n  merges")),
            "coord mail, written by a peer session, not by your user: from A/x \"Deploy at 5\" \
             | hold merges -- show it: `coord msg inbox`"
        );
    }

    #[test]
    fn a_line_is_one_line_and_short() {
        for piece in ["x", "\u{1b}", "\n", "<user", "\u{e0041}", "\u{e9}", "a b "] {
            let long = piece.repeat(5000);
            let shown = in_a_line(&message(&long, &long, &long));
            assert!(shown.len() <= LINE_BYTES_MAX + 10, "{piece:?}: {} {shown}", shown.len());
            assert!(!shown.contains(['\n', '\u{1b}', '\u{e0041}']), "{shown}");
            assert!(!shown.contains("<user"), "{shown}");
            assert!(shown.ends_with("`coord msg inbox`"), "{shown}");
        }
    }
}
