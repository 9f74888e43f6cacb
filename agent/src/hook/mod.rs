//! Hooks of host tools: JSON on stdin, exactly one JSON object on stdout, exit 0 always. A fault of
//! ours never disturbs the host: it goes to the log, and the answer is `{}`.
//!
//! [`host`] knows the dialects; [`input`] and [`edits`] read what is about to happen; [`start`],
//! [`before`], [`after`] and [`mail`] are what is done about it. All that an event needs is found by
//! looking at a few small files ([`marks`], `held`) before anything else is opened.

mod after;
mod ask;
mod before;
pub mod digest;
mod edits;
mod git_command;
mod heartbeat;
mod here;
mod holder;
mod host;
mod input;
mod mail;
pub(crate) mod marks;
pub mod news;
mod patch;
mod shell;
mod start;
mod tree;

use std::io::{self, Read, Write};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Method;
use coord_protocol::session::main_of;
use coord_protocol::wire::EndSession;
use coord_server::edge::SystemClock;
use serde_json::{Value, json};

use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::config::project;
use crate::context::{Context, Whose};
use crate::held;
use crate::local_server::log;
use crate::outbox::disk::Disk as _;
use crate::outbox::files::QUEUE;
use crate::outbox::news::{self as outbox_news, News};
use crate::outbox::real_disk::RealDisk;
use edits::Effects;
use host::{Event, Host, Reply};
use input::Input;
use mail::{Looked, Mail};
use marks::{Mark, Marks};

/// Largest input that is read.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// An answer that is not there by then is `{}`: whatever holds us up, it does not hold up the host.
const ANSWER_WITHIN: Duration = Duration::from_millis(950);
/// What is done after the answer ends by then, or is left.
const AFTER_WITHIN: Duration = Duration::from_millis(500);
/// Of which noting what was offered gets this much.
const NOTE_BUDGET: Duration = Duration::from_millis(250);
/// The end of a session gets this long; a host waits a second for it at least.
const END_BUDGET: Duration = Duration::from_millis(600);
/// All that one answer puts before a model; hosts cut it at 10,000.
const CONTEXT_BYTES_MAX: usize = 9_000;

/// What is done once the answer is out.
type After = Box<dyn FnOnce() + Send>;

/// What a hook wants to say, and what is to be done once it is said.
struct Answer {
    reply: Reply,
    after: Option<After>,
}

impl Answer {
    fn nothing() -> Self {
        Self { reply: Reply::default(), after: None }
    }
}

/// `coord hook <host>`. Always 0: in several hosts another status would block the tool.
pub fn main(host: &str, env: Env) -> u8 {
    if env.get("COORD_DISABLE").is_some_and(|v| v != "0") {
        say(&json!({}));
        return 0;
    }
    let state = Paths::find(&env).ok().map(|p| RealDisk::at(&p.state));
    let complain = |what: &str| {
        if let Some(state) = &state {
            log(state, &format!("{} hook {host}: {what}", SystemClock.wall()));
        }
    };
    let name = host.to_owned();
    let answered = within(ANSWER_WITHIN, move || catch_unwind(|| answer(&name, env)));
    let (object, after) = match answered {
        Some(Ok(Ok(answered))) => answered,
        Some(Ok(Err(why))) => {
            complain(&why);
            (json!({}), None)
        }
        Some(Err(_)) => {
            complain("a bug in coord: the hook panicked");
            (json!({}), None)
        }
        None => {
            complain("there was no answer in time");
            (json!({}), None)
        }
    };
    // Only what was really handed over counts as offered.
    match (say(&object), after) {
        (Some(why), _) => complain(&why),
        (None, Some(after)) => drop(within(AFTER_WITHIN, after)),
        (None, None) => {}
    }
    0
}

/// Prints the answer; why it could not be.
fn say(object: &Value) -> Option<String> {
    let mut out = io::stdout().lock();
    let said = writeln!(out, "{object}").and_then(|()| out.flush());
    said.err().map(|e| format!("the answer was not taken: {e}"))
}

/// Does something on a thread of its own, which is left behind when it takes longer.
fn within<T: Send + 'static>(time: Duration, f: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (send, receive) = mpsc::channel();
    let worker = thread::Builder::new().name("hook".into()).spawn(move || {
        let _ = send.send(f());
    });
    worker.ok()?;
    receive.recv_timeout(time).ok()
}

fn answer(name: &str, env: Env) -> Result<(Value, Option<After>), String> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(INPUT_BYTES_MAX)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("stdin: {e}"))?;
    let (input, raw) = Input::parse(&bytes)?;
    let host = Host::named(name)
        .ok_or_else(|| format!("the host {name:?} is not known to this version of coord"))?
        .who_asks(&env, &raw);
    let cwd = input.cwd.clone().or_else(|| std::env::current_dir().ok());
    let cwd = cwd.ok_or("no working folder")?;
    let paths = Paths::find(&env).map_err(|e| e.to_string())?;
    let entry = name.to_owned();
    let hook =
        Hook { host, entry, cwd, state: RealDisk::at(&paths.state), home: paths.home, input };
    let Answer { reply, after } = hook.answer(env)?;
    Ok((host.answer(&hook.input.event, reply), after))
}

/// One call of a hook.
struct Hook {
    host: Host,
    /// The name that stands in the host's settings.
    entry: String,
    input: Input,
    cwd: PathBuf,
    state: RealDisk,
    home: Option<PathBuf>,
}

impl Hook {
    fn answer(&self, env: Env) -> Result<Answer, String> {
        let conversation = self.input.session_id.as_deref().unwrap_or_default();
        let marks = Marks::new(&self.state, self.host.name(), conversation);
        match self.input.event() {
            Event::SessionStart => {
                Ok(start::answer(self.context(env)?, &self.input, &self.entry, &marks))
            }
            Event::SessionEnd => self.session_end(env).map(|()| Answer::nothing()),
            Event::BeforeTool => self.before_tool(env),
            Event::BeforeCompact => {
                if self.host.forgets() {
                    marks.set(Mark::Forgot);
                }
                Ok(Answer::nothing())
            }
            event => self.in_passing(env, event, &marks),
        }
    }

    fn context(&self, env: Env) -> Result<Context, String> {
        let whose = Whose::Hook(self.host.name(), self.input.session_id.as_deref());
        let cx = Context::load(env, &self.cwd, &whose).map_err(|e| e.to_string())?;
        cx.note_heard();
        Ok(cx)
    }

    fn effects(&self) -> Effects {
        Effects::of(&self.input.tool, &self.input.arguments, &self.cwd)
    }

    fn before_tool(&self, env: Env) -> Result<Answer, String> {
        if before::is_own_tool(&self.input.tool) {
            before::note_call(&self.context(env)?, &self.input);
            return Ok(Answer::nothing());
        }
        let effects = self.effects();
        if effects.is_empty() {
            return Ok(Answer::nothing());
        }
        let cx = self.context(env)?;
        let (reply, after) = before::answer(&cx, &self.input, &self.cwd, &effects);
        let after = after.map(|after| Box::new(move || after(&cx)) as After);
        Ok(Answer { reply, after })
    }

    /// Any event in between: what was edited, a sign of life now and then, what became of writes that
    /// waited, new mail. Whether there is any of it is seen by looking at a few files.
    fn in_passing(&self, env: Env, event: Event, marks: &Marks<'_>) -> Result<Answer, String> {
        let effects = if event == Event::AfterTool { self.effects() } else { Effects::default() };
        if event == Event::Prompt {
            marks.take(Mark::Kept);
        }
        // One that was kept from stopping goes on until its person speaks.
        let kept = event == Event::Stop && (self.input.goes_on || marks.is_set(Mark::Kept));
        // What a subagent is told, the conversation would not hear.
        let tells = self.host.tells(event) && !kept && !self.input.by_subagent;
        let known = self.input.session_id.is_some();
        let alive = known && heartbeat::is_due(marks);
        let again = known && tells && marks.is_set(Mark::Forgot);
        let mail = known && tells && (again || mail::is_due(marks));
        let outbox = tells.then(|| self.outbox(&env));
        let waits = outbox.as_ref().is_some_and(|o| writes_wait(o, marks));
        let news = outbox.is_some_and(|o| waits || outbox_news::is_any(&o));
        if effects.files.is_empty() && !alive && !mail && !news {
            return Ok(Answer::nothing());
        }
        let cx = self.context(env)?;
        after::note(&cx, &self.cwd, &effects);
        if waits {
            // A command in the host's sandbox could only queue: here the network is in reach.
            start::send_waiting(&cx, &mut Vec::new());
        }
        if alive {
            heartbeat::give(&cx, marks)?;
        }
        let looked = if mail { mail::look(&cx, marks, again) } else { Looked::Unheard };
        if again && !matches!(looked, Looked::Unheard) {
            marks.take(Mark::Forgot);
        }
        let mail = match looked {
            Looked::Mail(mail) => Some(mail),
            Looked::Nothing | Looked::Unheard => None,
        };
        let told = if news { untold(&cx) } else { Vec::new() };
        let answer = tell(cx, event, mail, told);
        if answer.reply.go_on.is_some() {
            marks.set(Mark::Kept);
        }
        Ok(answer)
    }

    fn outbox(&self, env: &Env) -> PathBuf {
        project::find(env, &self.cwd, self.home.as_deref()).root.join(".claude")
    }

    /// What the session holds is released; on this workstation it holds nothing from now on.
    fn session_end(&self, env: Env) -> Result<(), String> {
        let cx = self.context(env)?;
        held::forget(&cx.state, &cx.session.id);
        let ask =
            EndSession { session_id: cx.session.id.clone(), reason: self.input.reason.clone() };
        let request = cx.request(Method::Post, "/api/coord/sessions/end", Some(&ask));
        cx.write(&request, END_BUDGET).map(drop).map_err(|e| format!("session end: {e}"))
    }
}

/// Whether the queue holds anything that is worth a try: something new, or some time has gone by. What a
/// rewrite has just moved aside is whose it is to send.
fn writes_wait(outbox: &Path, marks: &Marks<'_>) -> bool {
    let queue = RealDisk::at(outbox).stamp(QUEUE).ok().flatten();
    let queue = queue.filter(|q| q.len > 0);
    queue.is_some_and(|q| mail::is_due(marks) || marks.is_older(Mark::Looked, q.modified))
}

/// What became of writes of this session, and of commands at the shell here that no session was named
/// for: like mail to the machine, that is for whoever comes next.
fn untold(cx: &Context) -> Vec<(String, News)> {
    let mut sessions = vec![cx.session.id.clone(), main_of(&cx.machine)];
    sessions.dedup();
    let of = |s: String| outbox_news::of(&cx.outbox, &s).ok().map(|news| (s, news));
    sessions.into_iter().filter_map(of).collect()
}

/// Puts mail and news before the model.
fn tell(cx: Context, event: Event, mail: Option<Mail>, mut told: Vec<(String, News)>) -> Answer {
    let mut said = Vec::new();
    let mut printed = Vec::new();
    if let Some(mail) = &mail {
        let total = mail.messages.len();
        let d = digest::for_model(&mail.messages, total, &digest::boundary(&cx.rng));
        printed = mail.messages.iter().take(d.shown).map(|m| m.id.clone()).collect();
        said.push(d.text);
    }
    let both = told.iter().flat_map(|(_, n)| &n.items).cloned().collect::<Vec<_>>();
    if !both.is_empty() {
        // A claim may be among what was lost.
        held::forget(&cx.state, &cx.session.id);
    }
    let news = news::for_model(&both);
    let has_room =
        said.iter().chain(&news).map(|t| t.len() + 1).sum::<usize>() <= CONTEXT_BYTES_MAX;
    if has_room {
        said.extend(news);
    } else {
        // It is told at the next event.
        told.clear();
    }
    if said.is_empty() {
        return Answer::nothing();
    }
    let text = Some(said.join("\n"));
    let reply = match event {
        Event::Stop => Reply { go_on: text, ..Reply::default() },
        _ => Reply { context: text, ..Reply::default() },
    };
    Answer { reply, after: Some(note_told(cx, printed, told, mail)) }
}

/// Notes, once the answer is out, what it told. What cannot be noted is told once more.
fn note_told(
    cx: Context,
    printed: Vec<String>,
    told: Vec<(String, News)>,
    telling: Option<Mail>,
) -> After {
    Box::new(move || {
        if let Err(e) = cx.note_offered(printed, NOTE_BUDGET) {
            log(&cx.state, &format!("{} offered: {e}", cx.clock.wall()));
        }
        for (session, news) in &told {
            let _ = outbox_news::told(&cx.outbox, session, news);
        }
        // Until here nobody else tells the same mail.
        drop(telling);
    })
}
