//! After a tool has changed files: what is in them now is noted with the session's claims, which is a sign
//! of life, too.

use std::path::Path;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::wire::ExtendLock;

use super::before::{LASTS, project_of};
use super::edits::Effects;
use crate::config::file;
use crate::context::Context;
use crate::held::{self, Key, Now};
use crate::local_server::log;
use crate::lock_request;
use crate::send::Fate;

/// All that is sent for one call ends within this time.
const BUDGET: Duration = Duration::from_millis(300);

/// Notes the content of what the session has claimed.
pub(super) fn note(cx: &Context, cwd: &Path, effects: &Effects) {
    let run = held::run_of(&cx.base);
    let now = Now { run: &run, boot: cx.clock.boot() };
    let until = now.boot.plus(BUDGET);
    for path in &effects.files {
        let project = project_of(cx, cwd, path);
        let Ok(file) = file::find(&cx.env, &project, cwd, path) else { continue };
        let Some(project) = &project.key else { continue };
        let key = Key { project, file: &file.resource };
        let Some(id) = held::find(&cx.state, &cx.session.id, key, now) else { continue };
        let Ok(content) = lock_request::content_soon(&file) else { continue };
        let session_id = cx.session.id.clone();
        let ask = ExtendLock { session_id, content, ..ExtendLock::default() };
        let good_until = cx.clock.wall().plus(LASTS);
        let request = lock_request::extend(cx, &id, &ask, Some(good_until));
        let left = until.since(cx.clock.boot()).max(Duration::from_millis(20));
        match cx.write(&request, left) {
            // It is over: the next edit asks anew.
            Ok(Fate::Refused { .. }) => held::forget(&cx.state, &cx.session.id),
            Ok(_) => {}
            Err(e) => log(&cx.state, &format!("{} edited: {e}", cx.clock.wall())),
        }
    }
}
