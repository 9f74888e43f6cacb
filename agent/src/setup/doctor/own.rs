//! coord itself: who it is, its server, its queue, its copy.

use std::path::Path;
use std::time::Duration;

use coord_protocol::edge::Clock;
use coord_protocol::wire::Health;
use rustix::fs::{Access, access};

use super::Check;
use crate::config::project::is_tracked;
use crate::context::Context;
use crate::outbox::files::QUEUE;
use crate::outbox::{dead, view};
use crate::remote::local::LOCAL;
use crate::remote::{Incoming, Outgoing};
use crate::ui::neutral;
use crate::ui::report::in_words;

/// How long the server has for each of two answers.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Clocks that differ by more are worth a word: leases do not compare them, people do.
const SKEW_MAX: Duration = Duration::from_mins(1);

pub(super) fn examine(cx: &Context) -> Vec<Check> {
    let project = cx.project.key.as_deref().unwrap_or("none");
    let who =
        format!("{} on {}, session {}, project {project}", cx.user, cx.machine, cx.session.id);
    let mut all = vec![Check::ok("identity", neutral::line(&who)), state(cx)];
    if cx.base == LOCAL {
        all.push(Check::ok("server", "none is configured: this workstation's own store is used"));
    } else {
        all.extend(server(cx));
        all.push(breaker(cx));
        all.push(replica(cx));
    }
    all.extend(outbox(cx));
    all
}

/// The nearest folder above that is there can be written.
fn can_write(folder: &Path) -> bool {
    let there = folder.ancestors().find(|f| f.exists());
    there.is_some_and(|f| access(f, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

fn state(cx: &Context) -> Check {
    let folder = cx.paths.state.display();
    if can_write(&cx.paths.state) {
        return Check::ok("state folder", folder.to_string());
    }
    let what = format!("{folder} cannot be written: there is no breaker, no copy, no log");
    Check::warn("state folder", what, "mend its rights, or set COORD_STATE_DIR")
}

fn server(cx: &Context) -> Vec<Check> {
    let base = neutral::line(&cx.base);
    let heard = match cx.net.call(&Outgoing::get("/health"), ANSWER_WITHIN) {
        Ok(heard) => heard,
        Err(e) => {
            let what = format!(
                "{}: writes are queued, reads come from the copy",
                neutral::line(&e.to_string())
            );
            return vec![Check::warn(
                "server",
                what,
                "start it, or mend coord_api; then `coord sync`",
            )];
        }
    };
    let health = serde_json::from_slice::<Health>(&heard.body).ok();
    let (Some(health), true) = (health, heard.instance.is_some()) else {
        let what = format!("what answers at {base} is not a coord server");
        return vec![Check::fail(
            "server",
            what,
            "mend coord_api in identity.json, or COORD_API_URL",
        )];
    };
    let version = neutral::line(&health.version);
    let mut all = vec![if health.status != "ok" {
        let what = format!("{base} cannot reach its database");
        Check::fail("server", what, "look at the server's log")
    } else if health.version == env!("CARGO_PKG_VERSION") {
        Check::ok("server", format!("{base}, version {version}"))
    } else {
        let own = env!("CARGO_PKG_VERSION");
        let what = format!("{base} is version {version}, this is {own}");
        Check::warn("server", what, "bring both to one version")
    }];
    all.push(token(cx));
    let here = cx.clock.wall();
    let skew = if health.time > here { health.time.since(here) } else { here.since(health.time) };
    all.push(if skew > SKEW_MAX {
        let what = format!("differs from the server's by {}", in_words(skew));
        Check::warn("clock", what, "set both clocks by NTP")
    } else {
        Check::ok("clock", "agrees with the server's")
    });
    all
}

fn token(cx: &Context) -> Check {
    let asked = cx.net.call(&Outgoing::get("/api/coord/locks?limit=1"), ANSWER_WITHIN);
    match asked {
        Ok(Incoming { status: 200, .. }) => Check::ok("token", "the server lets us in"),
        Ok(answer @ Incoming { status: 401 | 403, .. }) => Check::fail(
            "token",
            neutral::line(&answer.detail().unwrap_or_else(|| "refused".to_owned())),
            "set coord_token_file in ~/.claude/identity.json, or COORD_AUTH_TOKEN",
        ),
        Ok(answer) => {
            let what = format!("the server answered {}", answer.status);
            Check::warn("token", what, "look at the server's log")
        }
        Err(e) => Check::warn("token", neutral::line(&e.to_string()), "try again"),
    }
}

fn breaker(cx: &Context) -> Check {
    let Some((left, why)) = cx.breaker().resting() else {
        return Check::ok("breaker", "closed: the server may be called");
    };
    let what = format!("rests for {} more: {}", in_words(left), neutral::line(&why));
    Check::warn("breaker", what, "`coord sync` tries at once")
}

fn replica(cx: &Context) -> Check {
    if !cx.replica_folder().exists() {
        return Check::ok("copy", "none yet; the first read makes it");
    }
    let fix = "`coord sync`; a damaged copy is made anew";
    let Some(standin) = cx.standin() else {
        return Check::warn("copy", "it cannot be opened", fix);
    };
    let age = standin.engine.borrow().age();
    match age {
        Ok(Some(age)) => Check::ok("copy", format!("the server was heard {} ago", in_words(age))),
        Ok(None) => Check::ok("copy", "empty: the server was never heard"),
        Err(e) => Check::warn("copy", neutral::line(&e.to_string()), fix),
    }
}

fn outbox(cx: &Context) -> Vec<Check> {
    let name = "outbox";
    let folder = cx.outbox.root();
    let mut all = Vec::new();
    if !can_write(folder) {
        let what = format!("{} cannot be written: nothing can be queued", folder.display());
        all.push(Check::fail(name, what, "mend its rights"));
    }
    if is_tracked(&folder.join("coord-queue.")) {
        let what = format!("git tracks {}", folder.join(QUEUE).display());
        all.push(Check::fail(name, what, "git rm --cached .claude/coord-queue.*"));
    }
    match view::all_waiting(&cx.outbox, &cx.clock) {
        Ok(waiting) if waiting.is_empty() => {}
        Ok(waiting) => {
            let what = format!("{} writes wait", waiting.len());
            all.push(Check::warn(name, what, "`coord sync` sends them"));
        }
        Err(e) => all.push(Check::fail(name, e.to_string(), "mend or move that file")),
    }
    match dead::list(&cx.outbox) {
        Ok(letters) if letters.is_empty() => {}
        Ok(letters) => {
            let what = format!("{} writes were refused", letters.len());
            all.push(Check::warn(name, what, "`coord outbox dead` says why"));
        }
        Err(e) => all.push(Check::fail(name, e.to_string(), "mend or move that file")),
    }
    if all.is_empty() {
        all.push(Check::ok(name, "nothing waits, nothing was refused"));
    }
    all
}
