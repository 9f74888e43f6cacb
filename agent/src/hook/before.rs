//! Before a tool runs: the files that it is about to change are claimed for the session, and a live claim
//! of somebody else refuses it. Whatever goes wrong on our side lets the edit through, and stands in the
//! log.

use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::request::Request;
use coord_protocol::time::Millis;
use coord_protocol::wire::Lock;
use serde_json::Value;

use super::edits::Effects;
use super::host::Reply;
use super::input::Input;
use super::{holder, tree};
use crate::config::file::{self, ProjectFile};
use crate::config::project::{self, Project};
use crate::config::tool_call;
use crate::context::Context;
use crate::held::{self, Key, Now};
use crate::local_server::log;
use crate::lock_request;
use crate::outbox::news as outbox_news;
use crate::send::Fate;
use crate::ui::neutral::brief;

/// A claim of a hook ends after so long without a sign of life of its session: longer than the longest
/// command that the hosts let a model run, ten minutes.
pub(super) const LASTS: Duration = Duration::from_mins(15);
/// For so long after it was granted nobody is asked again.
const TRUSTED: Duration = Duration::from_mins(13);
/// All claims of one call are made within this time ...
const BUDGET: Duration = Duration::from_millis(400);
/// ... after one question, where there are several.
const QUESTION_BUDGET: Duration = Duration::from_millis(300);
/// Giving one back.
const BACK_BUDGET: Duration = Duration::from_millis(200);
/// Files of a refused call that are named.
const NAMED_MAX: usize = 3;

/// What is done with the context once the answer is out.
pub(super) type After = Box<dyn FnOnce(&Context) + Send>;

/// Whether a tool is one of coord's own, under whatever name a host gives it.
pub(super) fn is_own_tool(tool: &str) -> bool {
    tool.contains("coord_")
}

/// Notes whose call of one of our own tools it is: the MCP server is told only the call's id.
pub(super) fn note_call(cx: &Context, input: &Input) {
    if let Some(call) = &input.call
        && let Err(e) = tool_call::note(&cx.state, call, &cx.session.id)
    {
        log(&cx.state, &format!("{} call: {e}", cx.clock.wall()));
    }
}

/// What is said to a call with these effects.
pub(super) fn answer(
    cx: &Context,
    input: &Input,
    cwd: &Path,
    effects: &Effects,
) -> (Reply, Option<After>) {
    if effects.more {
        log(
            &cx.state,
            &format!("{} edit: more files than are claimed in one call", cx.clock.wall()),
        );
    }
    let files: Vec<_> = effects.files.iter().filter(|f| !f.is_dir()).collect();
    let guarded = tree::answer(cx, &effects.trees);
    if guarded.deny.is_some() {
        return (guarded, None);
    }
    let (claimed, after) = claim(cx, input, cwd, &files);
    let context = [guarded.context, claimed.context].into_iter().flatten().collect::<Vec<_>>();
    let context = (!context.is_empty()).then(|| context.join("\n"));
    (Reply { context, notice: guarded.notice, ..claimed }, after)
}

fn claim(cx: &Context, input: &Input, cwd: &Path, files: &[&PathBuf]) -> (Reply, Option<After>) {
    let run = held::run_of(&cx.base);
    let now = Now { run: &run, boot: cx.clock.boot() };
    // News of what waited may be that a claim was lost.
    let sure = !outbox_news::is_any(cx.outbox.root());
    let is_held =
        |w: &Wanted| sure && held::find(&cx.state, &cx.session.id, w.key(), now).is_some();
    let wanted = files.iter().filter_map(|f| wanted(cx, cwd, f));
    let asks: Vec<Wanted> = wanted.filter(|w| !is_held(w)).collect();
    let until = now.boot.plus(BUDGET);
    let refused = known_to_be_held(cx, &asks);
    if !refused.is_empty() {
        return (Reply { deny: Some(sentence(&refused)), ..Reply::default() }, None);
    }
    let mut claims = Claims { cx, now, granted: Vec::new(), provisional: false };
    for wanted in &asks {
        if until.since(cx.clock.boot()).is_zero() {
            log(&cx.state, &format!("{} edit: no time to claim all of it", cx.clock.wall()));
            break;
        }
        if let Some(why) = claims.ask(wanted, intent(input), until) {
            // All of a call or nothing: what it got is of no use without the rest.
            let back: Vec<Request> = claims
                .granted
                .iter()
                .map(|id| lock_request::release(cx, id, (false, None), None))
                .collect();
            let reply = Reply { deny: Some(sentence(&[why])), ..Reply::default() };
            return (reply, Some(give_back(back)));
        }
    }
    (Reply { context: claims.words(), ..Reply::default() }, None)
}

/// Of several files it is asked first, so that a refused call has claimed nothing.
fn known_to_be_held(cx: &Context, asks: &[Wanted]) -> Vec<String> {
    let Some(first) = asks.first().filter(|_| asks.len() > 1) else { return Vec::new() };
    let alike = asks.iter().filter(|w| w.project == first.project);
    let files: Vec<&str> = alike.map(|w| w.file.resource.as_str()).collect();
    holder::of_files(cx, &first.project, &files, QUESTION_BUDGET)
}

/// Once the refusal is out.
fn give_back(back: Vec<Request>) -> After {
    Box::new(move |cx: &Context| {
        for request in back {
            if let Err(e) = cx.write(&request, BACK_BUDGET) {
                log(&cx.state, &format!("{} edit: {e}", cx.clock.wall()));
            }
        }
    })
}

/// A file that is to be claimed, and the key of its project.
struct Wanted {
    file: ProjectFile,
    project: String,
}

impl Wanted {
    fn key(&self) -> Key<'_> {
        Key { project: &self.project, file: &self.file.resource }
    }
}

/// The file as its own project knows it: the model's shell may stand elsewhere. What is of no project, or
/// git's own, is nobody's business here.
fn wanted(cx: &Context, cwd: &Path, path: &Path) -> Option<Wanted> {
    let project = project_of(cx, cwd, path);
    let file = file::find(&cx.env, &project, cwd, path).ok()?;
    let of_git = file.resource.split('/').any(|part| part == ".git");
    let key = project.key.filter(|_| !of_git)?;
    Some(Wanted { file, project: key })
}

/// The project that a file lies in.
pub(super) fn project_of(cx: &Context, cwd: &Path, path: &Path) -> Project {
    let path = cwd.join(path);
    let folder = path.ancestors().skip(1).find_map(|dir| dir.canonicalize().ok());
    let folder = folder.unwrap_or_else(|| cwd.to_owned());
    project::find(&cx.env, &folder, cx.paths.home.as_deref())
}

fn intent(input: &Input) -> String {
    match &input.subagent {
        Some(agent) => format!("editing ({})", brief(agent)),
        None => "editing".to_owned(),
    }
}

/// What is asked for one call.
struct Claims<'a> {
    cx: &'a Context,
    now: Now<'a>,
    /// Ids of what the session did not have before.
    granted: Vec<String>,
    provisional: bool,
}

impl Claims<'_> {
    /// Asks for a file; a sentence when somebody else has it.
    fn ask(&mut self, wanted: &Wanted, intent: String, until: Millis) -> Option<String> {
        let cx = self.cx;
        let complain = |what: &str| log(&cx.state, &format!("{} edit: {what}", cx.clock.wall()));
        let content = match lock_request::content_soon(&wanted.file) {
            Ok(content) => content,
            Err(e) => {
                complain(&e.to_string());
                return None;
            }
        };
        let at = (&wanted.file, wanted.project.clone());
        let wish = lock_request::file_wish(cx, at, content, Some(intent), Some(LASTS));
        let left = until.since(cx.clock.boot()).max(Duration::from_millis(20));
        match cx.write(&lock_request::claim(cx, &wish, LASTS), left) {
            Ok(Fate::Done { answer, .. }) => self.got(wanted, &answer),
            Ok(Fate::Provisional { answer, .. }) => {
                self.provisional = true;
                self.got(wanted, &answer);
            }
            Ok(Fate::Refused { status: 409, answer }) if answer.get("conflicts").is_some() => {
                return Some(holder::of_refusal(&wanted.file.resource, &answer));
            }
            Ok(Fate::Refused { status, answer }) => {
                complain(&format!("{status}: {}", answer["detail"]));
            }
            // Nobody here could judge it: the edit goes on, and the server will say.
            Ok(Fate::Queued { why, .. }) => complain(&why),
            Err(e) => complain(&e.to_string()),
        }
        None
    }

    fn got(&mut self, wanted: &Wanted, answer: &Value) {
        let Ok(lock) = serde_json::from_value::<Lock>(answer.clone()) else { return };
        // By the clock of who granted it, in whole seconds: an older claim of the session may end sooner.
        let left = |e: Millis| e.since(lock.last_activity).saturating_sub(Duration::from_secs(1));
        let lasts = lock.expires_at.map_or(TRUSTED, |e| left(e) / 8 * 7);
        let (state, session) = (&self.cx.state, &self.cx.session.id);
        // What cannot be noted is asked for again.
        let _ = held::note(state, session, wanted.key(), &lock.id, self.now, lasts.min(TRUSTED));
        if !lock.renewed {
            self.granted.push(lock.id);
        }
    }

    /// What the model is told of what it got.
    fn words(&self) -> Option<String> {
        (self.provisional && !self.granted.is_empty()).then(|| {
            "coord: the server cannot be asked now. The claim on what you are about to edit is \
             provisional: it keeps out other sessions of this workstation only. When the server is \
             back you are told whether somebody else had it."
                .to_owned()
        })
    }
}

/// The refusal, for the model: who, why, until when, and what it can do.
fn sentence(refused: &[String]) -> String {
    let shown: Vec<&str> = refused.iter().take(NAMED_MAX).map(String::as_str).collect();
    let more = match refused.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        n => format!("; and {n} more"),
    };
    format!(
        "coord: {}{more}. Nothing was changed. Do not edit it another way. Work on something else, or \
         ask the holder: `coord request release <file> --reason \"...\"` or `coord msg send <holder> \
         \"<subject>\" \"<text>\"`; or wait until it is free: `coord claim <file> --wait 120`. Tell \
         your user if it blocks you.",
        shown.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_counted() {
        let many: Vec<String> = (0..5).map(|n| format!("f{n}")).collect();
        assert!(sentence(&many).starts_with("coord: f0; f1; f2; and 2 more. Nothing"));
    }
}
