//! Locks on files: `coord lock acquire`, `check`, `renew`, `edited`, `detect`, `cleanup` (seed 003).

use std::path::{Path, PathBuf};

use coord_protocol::exit;
use coord_protocol::request::Method;
use coord_protocol::wire::{ABSENT, ClaimLock, CleanUp, ExtendLock, FileState, Lock};
use serde_json::{Value, json};

use super::claims::steps::next_steps_for_lock;
use super::generation::generation;
use super::lock::claim;
use super::outbox::take_back;
use super::reading::{Query, read, said};
use super::writing::{WriteArgs, send};
use crate::config::file::{self, ProjectFile};
use crate::context::Context;
use crate::lock_request;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

/// Which file, of which project.
#[derive(Debug, clap::Args)]
pub(super) struct FileArgs {
    /// The file: any name, never a pattern
    pub(super) file: PathBuf,
    /// The project [default: the one of this folder]
    #[arg(long, value_name = "KEY")]
    pub(super) project: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct AcquireArgs {
    #[command(flatten)]
    pub(super) at: FileArgs,
    /// What for
    pub(super) intent: Option<String>,
    /// Seconds of silence after which it ends by itself [default: 300]
    #[arg(long, value_name = "SECONDS")]
    pub(super) ttl: Option<f64>,
    #[command(flatten)]
    pub(super) write: WriteArgs,
}

/// A file as the engine knows it.
pub(super) struct Known {
    pub(super) file: ProjectFile,
    pub(super) project: String,
    pub(super) state: FileState,
}

/// Finds the file that a path means, and the key of its project.
pub(super) fn named(
    cx: &Context,
    path: &Path,
    project: Option<&str>,
) -> Result<(ProjectFile, String), CliError> {
    let key = project.map(str::to_owned).or_else(|| cx.project.key.clone());
    let key = key.ok_or_else(|| {
        CliError::new(exit::USAGE, "this folder belongs to no project").hint("name it: --project")
    })?;
    let cwd = std::env::current_dir().unwrap_or_default();
    let found = file::find(&cx.env, &cx.project, &cwd, path);
    let found = found.map_err(|e| CliError::new(exit::USAGE, line(&e.to_string())))?;
    Ok((found, key))
}

/// The same, and how it stands.
pub(super) fn known(cx: &Context, path: &Path, project: Option<&str>) -> Result<Known, CliError> {
    let (file, project) = named(cx, path, project)?;
    let (state, _) = read(cx, &path_of(cx, &project, &file.resource))?;
    Ok(Known { file, project, state })
}

fn path_of(cx: &Context, project: &str, resource: &str) -> String {
    let query = Query::default()
        .and("project_key", Some(project))
        .and("resource", Some(resource))
        .and("session_id", Some(&cx.session.id));
    query.on("/api/coord/file")
}

/// What is in the file now, as the engine keeps it.
pub(super) fn content_now(file: &ProjectFile) -> Result<String, CliError> {
    lock_request::content_now(file).map_err(|e| {
        let why = format!("{} cannot be read: {e}", line(&file.real.display().to_string()));
        CliError::new(exit::REFUSED, why)
    })
}

/// The wish for a file.
pub(super) fn wish(
    cx: &Context,
    at: (&ProjectFile, String),
    intent: Option<String>,
    ttl_seconds: Option<f64>,
) -> Result<ClaimLock, CliError> {
    let content = Some(content_now(at.0)?);
    let wish = lock_request::file_wish(cx, at, content, intent, None);
    let generation = generation(cx)?;
    Ok(ClaimLock { ttl_hours: ttl_seconds.map(|s| s / 3600.0), generation, ..wish })
}

pub(super) fn acquire(cx: &Context, a: AcquireArgs) -> Result<Report, CliError> {
    let (file, project) = named(cx, &a.at.file, a.at.project.as_deref())?;
    let report = claim(cx, &wish(cx, (&file, project), a.intent, a.ttl)?, &a.write);
    let report = report.map_err(|e| next_steps_for_lock(e, &a.at))?;
    if report.json["outcome"] != "queued" {
        return Ok(report);
    }
    // Status 0 means that it is held, and a grant that comes when nobody waits for it is in the way.
    let why = line(report.json["why"].as_str().unwrap_or("not sent"));
    let id = report.json["id"].as_str().unwrap_or_default();
    let taken_back = take_back(cx, id);
    if !taken_back && let Some(sent) = sent_by_another(cx, &a.at, id) {
        return sent;
    }
    Err(not_asked(&format!("{} is not locked", line(&file.resource)), &why, taken_back))
}

/// Another process here may have sent the wish before it could be taken back: how it stands now is then
/// the answer. `None` when that cannot be seen either.
fn sent_by_another(cx: &Context, at: &FileArgs, id: &str) -> Option<Result<Report, CliError>> {
    let k = known(cx, &at.file, at.project.as_deref()).ok()?;
    let name = line(&k.file.resource);
    let sure = k.state.lock.as_ref().is_some_and(|l| not_sure(cx, &k, l).is_none());
    match (k.state.mine, k.state.lock) {
        (Some(mine), Some(lock)) if sure && lock.id == mine.id => {
            let json = json!({"outcome": "done", "id": id, "replayed": true, "result": mine});
            Some(Ok(Report::new(format!("locked {name}{}", until(&mine)), json)))
        }
        (_, Some(other)) if other.session_id != cx.session.id => Some(Err(held(&other))),
        (_, Some(_) | None) => None,
    }
}

/// A wish for now that could not be brought before the engine.
pub(super) fn not_asked(what: &str, why: &str, taken_back: bool) -> CliError {
    let e = CliError::new(exit::UNAVAILABLE, format!("{what}: {why}"));
    if taken_back {
        e.hint("nothing is queued; try again")
    } else {
        e.hint("it may still be done; `coord outbox list` shows whether it waits")
    }
}

/// The lock that keeps a session out of a file.
pub(super) fn held(lock: &Lock) -> CliError {
    let why = lock.description.as_deref().map(|d| format!(" ({})", brief(d))).unwrap_or_default();
    let until = lock.expires_at.map_or("released".to_owned(), |t| t.to_string());
    CliError::new(
        exit::LOCK_HELD,
        format!(
            "{} is held by {} since {} until {until}{why}",
            line(&lock.resource),
            line(&lock.session_id),
            lock.acquired_at
        ),
    )
    .hint(format!("Locked by: {}", line(&lock.session_id)))
    .facts(json!({"lock": lock}))
}

pub(super) fn check(cx: &Context, a: &FileArgs) -> Result<Report, CliError> {
    let k = known(cx, &a.file, a.project.as_deref())?;
    let name = line(&k.file.resource);
    let json = json!({"file": k.file.resource, "project_key": k.project, "lock": k.state.lock});
    match &k.state.lock {
        None => match lapsed_here(cx, &k) {
            Some(why) => Err(CliError::new(exit::UNAVAILABLE, why).facts(json)),
            None => Ok(Report::new(format!("{name} is free"), json)),
        },
        Some(l) if l.session_id == cx.session.id && l.provisional => Ok(Report::new(
            format!(
                "{name} is yours on this workstation, provisionally: the server is not asked yet"
            ),
            json,
        )),
        Some(l) if l.session_id == cx.session.id => match not_sure(cx, &k, l) {
            Some(why) => Err(CliError::new(exit::UNAVAILABLE, why).facts(json)),
            None => Ok(Report::new(format!("{name} is yours{}", until(l)), json)),
        },
        Some(l) => Err(held(l)),
    }
}

/// A lock of one's own that is over by the copy here may go on at the server.
fn lapsed_here(cx: &Context, k: &Known) -> Option<String> {
    cx.stale.get()?;
    let mine = k.state.mine.as_ref().filter(|l| l.ended_at.is_none())?;
    let name = line(&mine.resource);
    Some(format!("whether {name} is still yours, only the server can say"))
}

/// Why a holder that cannot ask the server may not say any more that it holds (G24).
fn not_sure(cx: &Context, k: &Known, lock: &Lock) -> Option<String> {
    cx.stale.get()?;
    let said: Option<FileState> = said(cx, &path_of(cx, &k.project, &k.file.resource));
    let of_server = said.and_then(|s| Some((s.time?, s.lock?)));
    let sure = of_server.is_some_and(|(now, l)| l.id == lock.id && l.surely_held(now));
    let name = line(&k.file.resource);
    (!sure).then(|| format!("whether {name} is still yours, only the server can say"))
}

fn until(lock: &Lock) -> String {
    lock.expires_at.map(|t| format!(" until {t}")).unwrap_or_default()
}

/// The session's own live claim on exactly this file, or why there is none.
pub(super) fn own(cx: &Context, k: &Known) -> Result<Lock, CliError> {
    let name = line(&k.file.resource);
    match &k.state.mine {
        Some(l) if l.ended_at.is_none() => Ok(l.clone()),
        Some(l) if matches!(l.end_reason.as_deref(), Some("expired" | "stale")) => {
            let now = match &k.state.lock {
                Some(other) => format!("; now it is held by {}", line(&other.session_id)),
                None => String::new(),
            };
            Err(CliError::new(exit::LOCK_EXPIRED, format!("your lock on {name} is over{now}"))
                .hint("acquire it anew, and look at what others did to the file meanwhile")
                .facts(json!({"lock": l})))
        }
        Some(_) | None => Err(match &k.state.lock {
            Some(l) if l.session_id != cx.session.id => held(l),
            Some(l) => CliError::new(
                exit::REFUSED,
                format!("{name} is covered by your lock {} on {}", line(&l.id), line(&l.resource)),
            ),
            None => CliError::new(exit::REFUSED, format!("you hold no lock on {name}")),
        }),
    }
}

/// Goes on with an own claim; with the content when the holder has edited.
pub(super) fn extend(
    cx: &Context,
    lock: &Lock,
    content: Option<String>,
    write: &WriteArgs,
) -> Result<Report, CliError> {
    let ask = ExtendLock {
        session_id: cx.session.id.clone(),
        content,
        ttl_hours: None,
        generation: generation(cx)?,
    };
    let name = line(&lock.resource);
    let request = lock_request::extend(cx, &lock.id, &ask, lock.expires_at);
    let edited = ask.content.is_some();
    send(cx, write, request, &format!("renewal of {name}"), |a| {
        if a.get("outcome").and_then(Value::as_str) == Some("past") {
            return format!("too late for {name}: its lock was over before this was sent");
        }
        let until = a.get("expires_at").and_then(Value::as_str).unwrap_or("released");
        let until = line(until);
        if edited {
            format!("noted your edit of {name}; it is yours until {until}")
        } else {
            format!("renewed {name} until {until}")
        }
    })
}

pub(super) fn renew(cx: &Context, a: &FileArgs, write: &WriteArgs) -> Result<Report, CliError> {
    let k = known(cx, &a.file, a.project.as_deref())?;
    extend(cx, &own(cx, &k)?, None, write)
}

pub(super) fn edited(cx: &Context, a: &FileArgs, write: &WriteArgs) -> Result<Report, CliError> {
    let k = known(cx, &a.file, a.project.as_deref())?;
    let lock = own(cx, &k)?;
    extend(cx, &lock, Some(content_now(&k.file)?), write)
}

/// How a file compares with what its holder knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compared {
    /// As it was when it was locked.
    Unchanged,
    /// As its holder left it.
    ByHolder,
    /// Changed by somebody else, or without a record.
    ByOthers,
    /// It was there, and is gone.
    Deleted,
}

/// Compares; `None` when nothing is known of what was there.
pub(super) fn compare(lock: &Lock, now: &str) -> Option<Compared> {
    let then = lock.content_then.as_deref()?;
    Some(if now == then {
        Compared::Unchanged
    } else if lock.content_now.as_deref() == Some(now) {
        Compared::ByHolder
    } else if now == ABSENT {
        Compared::Deleted
    } else {
        Compared::ByOthers
    })
}

pub(super) fn detect(cx: &Context, a: &FileArgs) -> Result<Report, CliError> {
    let k = known(cx, &a.file, a.project.as_deref())?;
    let name = line(&k.file.resource);
    let Some(lock) = &k.state.lock else {
        let json = json!({"file": k.file.resource, "change": null, "lock": null});
        return Ok(Report::new(format!("{name} is not locked; there is nothing to compare"), json));
    };
    let by = line(&lock.session_id);
    let Some(found) = compare(lock, &content_now(&k.file)?) else {
        let why = format!("the lock of {by} does not say what was in {name}");
        return Err(CliError::new(exit::REFUSED, why).facts(json!({"lock": lock})));
    };
    let said = |word: &str| json!({"file": k.file.resource, "change": word, "lock": lock});
    match found {
        Compared::Unchanged => {
            Ok(Report::new(format!("{name} is unchanged since {by} locked it"), said("unchanged")))
        }
        Compared::ByHolder => {
            Ok(Report::new(format!("{name} was changed by its holder {by}"), said("holder")))
        }
        Compared::ByOthers | Compared::Deleted => {
            let how = if found == Compared::Deleted { "deleted" } else { "changed" };
            let why = format!(
                "{name} was {how} by somebody else, or without a record, since {by} locked it"
            );
            Err(CliError::new(exit::CONFLICT, why).facts(said(how)))
        }
    }
}

/// Ends silent sessions and lapsed claims.
pub(super) fn cleanup(cx: &Context, write: &WriteArgs) -> Result<Report, CliError> {
    let ask = CleanUp::default();
    let request = cx.request(Method::Post, "/api/coord/sessions/cleanup", Some(&ask));
    send(cx, write, request, "clean-up", |a| {
        let n = |name: &str| a.get(name).and_then(Value::as_u64).unwrap_or(0);
        let mut out = format!("ended {} silent sessions, {} locks", n("sessions"), n("locks"));
        for id in a["session_ids"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            out.push_str("\n  ");
            out.push_str(&line(id));
        }
        out
    })
}

/// Gives a file back. `path` may also be something that is no file at all.
pub(super) fn release(
    cx: &Context,
    path: &Path,
    (force, reason): (bool, Option<&str>),
    write: &WriteArgs,
) -> Result<Report, CliError> {
    let k = known(cx, path, None)?;
    let name = line(&k.file.resource);
    let lock = match (&k.state.mine, &k.state.lock) {
        (Some(mine), _) if mine.ended_at.is_none() => mine,
        (_, Some(other)) if force => other,
        (mine, None) => {
            if mine.is_none() && !k.file.real.exists() {
                let why = format!("no lock has the id {name}, and there is no such file");
                return Err(CliError::new(exit::REFUSED, why));
            }
            let json = json!({"outcome": "done", "file": k.file.resource, "released": false});
            return Ok(Report::new(format!("{name} was not locked"), json));
        }
        // Somebody else's, or one that covers more.
        (_, Some(lock)) => {
            own(cx, &k)?;
            lock
        }
    };
    super::lock::release_one(cx, &lock.id, (force, reason), write)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_change_it_is() {
        let lock = |then: Option<&str>, now: Option<&str>| -> Lock {
            serde_json::from_value(json!({
                "id": "i", "project_key": "p", "session_id": "s", "resource": "r",
                "description": null, "ttl_hours": 1, "acquired_at": "2026-01-01T00:00:00Z",
                "last_activity": "2026-01-01T00:00:00Z", "expires_at": null, "fence": 1,
                "content_then": then, "content_now": now,
            }))
            .unwrap()
        };
        let l = lock(Some("a"), Some("b"));
        assert_eq!(compare(&l, "a"), Some(Compared::Unchanged));
        assert_eq!(compare(&l, "b"), Some(Compared::ByHolder));
        assert_eq!(compare(&l, "c"), Some(Compared::ByOthers));
        assert_eq!(compare(&l, ABSENT), Some(Compared::Deleted));
        assert_eq!(compare(&lock(Some(ABSENT), Some(ABSENT)), ABSENT), Some(Compared::Unchanged));
        assert_eq!(compare(&lock(None, None), "a"), None);
    }
}
