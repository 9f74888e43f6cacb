//! The functions of the library, one by one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use coord_protocol::edge::{Clock as _, Rng as _, fresh_id};
use coord_protocol::exit;
use coord_protocol::request::Method;
use coord_protocol::wire::{
    AddDecision, ClaimLock, CleanUp, Decision, EndSession, ExtendLock, Heartbeat, RegisterSession,
    Session,
};
use serde_json::{Value, json};

use super::mirror::{self, Folders, How};
use super::{documents as doc, key, snapshot, texts, write};
use crate::cli::file_lock::{Compared, compare, content_now, held, known, named, own, wish};
use crate::cli::generation::generation;
use crate::cli::reading::{Query, encode, read};
use crate::cli::registration;
use crate::config::project;
use crate::context::{Context, Whose};
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report, say_now};

const SESSIONS: &str = "/api/coord/sessions";

/// Calls one.
pub(super) fn call(cx: &Context, function: &str, args: &[OsString]) -> Result<Report, CliError> {
    let text = |at: usize| args.get(at).map(|a| a.to_string_lossy().into_owned());
    let set = |at: usize| text(at).filter(|t| !t.is_empty());
    let path = || {
        args.first().filter(|p| !p.is_empty()).map(PathBuf::from).ok_or_else(|| missing("a file"))
    };
    match function {
        "init" => init(cx),
        "generate" => Ok(said(&instance_id(cx))),
        "whoami" => Ok(said(&cx.session.id)),
        "register" => register(cx, set(0), set(1)),
        "unregister" => unregister(cx),
        "heartbeat" => heartbeat(cx),
        "cleanup" => cleanup(cx),
        "acquire" => acquire(cx, &path()?, set(1)),
        "release" => release(cx, &path()?),
        "renew" => renew(cx, &path()?),
        "release-all" => release_all(cx, &cx.session.id),
        "release-by" => release_all(cx, &set(0).ok_or_else(|| missing("an instance"))?),
        "check" => check(cx, &path()?),
        "detect" => detect(cx, &path()?),
        "log" => log(cx, &[text(0), text(1), text(2)], set(3)),
        "query" => query(cx, set(0).as_deref(), set(1).as_deref()),
        "decision" => decision(cx, &set(0).ok_or_else(|| missing("an id"))?),
        "list" => list(cx),
        "work" => work(cx, &set(0).unwrap_or_else(|| cx.session.id.clone())),
        "status" => reaped(cx).map(|now| said(&texts::boxed(&now))),
        "overview" => {
            let verbose = set(0).as_deref() == Some("verbose");
            reaped(cx).map(|now| said(&texts::overview(&now, verbose)))
        }
        "overview-json" => overview_json(cx),
        "locks" => {
            let rows: Vec<_> = reaped(cx)?.locks.iter().map(texts::lock).collect();
            Ok(said(&if rows.is_empty() { "No active locks.".into() } else { rows.join("\n") }))
        }
        "decisions" => {
            let limit = number(set(1).as_deref())?;
            let found = snapshot::decisions(cx, &key(cx)?, set(0).as_deref(), limit)?;
            let rows: Vec<_> = found.iter().map(texts::decision).collect();
            Ok(said(&if rows.is_empty() { "No decisions.".into() } else { rows.join("\n") }))
        }
        other => Err(CliError::new(exit::USAGE, format!("no function {other:?}"))),
    }
}

fn missing(what: &str) -> CliError {
    CliError::new(exit::REFUSED, format!("{what} is missing"))
}

fn said(text: &str) -> Report {
    Report::new(text, json!({"text": text}))
}

/// Ends with another status than 0, which in the seed is an answer.
fn ends(code: u8, note: impl Into<String>) -> Report {
    Report { exit: code, ..said("").note(note) }
}

/// Where the documents go: only where the library is used.
fn folder(cx: &Context) -> PathBuf {
    cx.env
        .path("COORD_COORDINATION_DIR")
        .unwrap_or_else(|| cx.project.root.join(".claude/coordination"))
}

/// Writes the documents anew. They are a copy: what goes wrong is said, and changes no answer.
fn mirrored(cx: &Context, report: Report, how: &How<'_>) -> Report {
    let written = key(cx).and_then(|key| mirror::write(cx, &key, &folder(cx), how));
    match written {
        Ok(_) => report,
        Err(e) => report.note(format!("coord: {}", e.detail)),
    }
}

fn init(cx: &Context) -> Result<Report, CliError> {
    let id = match cx.env.get("INSTANCE_ID") {
        Some(id) => id.to_owned(),
        None => instance_id(cx),
    };
    // The seed has this folder, too. What is wrong with it all is said below.
    let _ = Folders::open(&folder(cx)).and_then(|f| f.top.sub("schemas"));
    let named = cx.env.get("COORD_PROJECT").is_some() || project::has_remote(&cx.project.root);
    let file = cx.project.root.join(project::PROJECT_ID);
    if named || file.symlink_metadata().is_ok() {
        return Ok(mirrored(cx, said(&id), &How::Changed));
    }
    // The state belongs to the folder that is there now: one made anew is another project. Of two
    // that come at once, one makes the name.
    if let Err(e) = make_project_id(cx, &file) {
        let why = line(&format!("{} cannot be made: {e}", file.display()));
        return Ok(said(&id).note(format!("coord: {why}")));
    }
    let cwd = std::env::current_dir().unwrap_or_default();
    let mut anew = Context::load(cx.env.clone(), &cwd, &Whose::Shell)?;
    super::become_instance(&mut anew)?;
    Ok(mirrored(&anew, said(&id), &How::Changed))
}

fn make_project_id(cx: &Context, file: &Path) -> std::io::Result<()> {
    let Some(dir) = file.parent() else { return Ok(()) };
    let fresh = || fresh_id(&cx.clock, &cx.rng);
    let tag = fresh().simple().to_string();
    let id = format!("local-{}\n", fresh());
    Folders::open(dir)?.top.make("project-id", &tag, id.as_bytes())?;
    // Committed, it would name the projects of everybody who clones this one.
    project::exclude_from_git(dir, &format!("**/{}", project::PROJECT_ID));
    Ok(())
}

/// `claude-YYYYMMDD-HHMMSS-<8 hex>`, in UTC.
fn instance_id(cx: &Context) -> String {
    let now = cx.clock.wall().to_string();
    let digits: String = now.chars().filter(char::is_ascii_digit).collect();
    let (day, time) = digits.split_at(8.min(digits.len()));
    format!("claude-{day}-{time}-{:08x}", cx.rng.u64() & 0xffff_ffff)
}

fn register(cx: &Context, task: Option<String>, role: Option<String>) -> Result<Report, CliError> {
    let task = task.unwrap_or_else(|| "No task specified".to_owned());
    let ask = RegisterSession {
        role: Some(role.unwrap_or_else(|| "main".to_owned())),
        pid: cx.env.get("INSTANCE_PID").and_then(|p| p.parse().ok()),
        ..registration(cx, Some(task), false)
    };
    write(cx, (Method::Post, SESSIONS), Some(&ask), "registration")?;
    Ok(mirrored(cx, said(&cx.session.id), &How::Registered(&cx.session.id)))
}

fn unregister(cx: &Context) -> Result<Report, CliError> {
    let ask = EndSession { session_id: cx.session.id.clone(), reason: None };
    write(cx, (Method::Post, "/api/coord/sessions/end"), Some(&ask), "end of the instance")?;
    Ok(mirrored(cx, said(""), &How::Changed))
}

/// The session, when it belongs to this project.
fn session(cx: &Context, id: &str) -> Result<Option<Session>, CliError> {
    let path = format!("{SESSIONS}/{}", encode(id));
    let key = key(cx)?;
    match read::<Session>(cx, &path) {
        Ok((s, _)) => Ok(Some(s).filter(|s| s.project_key.as_ref() == Some(&key))),
        Err(e) if e.exit == exit::REFUSED => Ok(None),
        Err(e) => Err(e),
    }
}

fn heartbeat(cx: &Context) -> Result<Report, CliError> {
    let me = &cx.session.id;
    if session(cx, me)?.is_none() {
        return Ok(ends(exit::REFUSED, format!("{} is not registered", line(me))));
    }
    let ask = Heartbeat { session_id: me.clone(), strict: true, generation: None };
    write(cx, (Method::Post, "/api/coord/sessions/heartbeat"), Some(&ask), "heartbeat")?;
    Ok(mirrored(cx, said(""), &How::Pinged(me)))
}

/// Ends what is silent here, and gives the ids of the sessions.
fn reap(cx: &Context) -> Result<Vec<String>, CliError> {
    let ask = CleanUp { project_key: Some(key(cx)?) };
    let path = "/api/coord/sessions/cleanup";
    let done = write(cx, (Method::Post, path), Some(&ask), "clean-up")?;
    let ids = done["session_ids"].as_array().into_iter().flatten();
    Ok(ids.filter_map(Value::as_str).map(str::to_owned).collect())
}

fn cleanup(cx: &Context) -> Result<Report, CliError> {
    let gone = reap(cx)?;
    let report = gone.iter().fold(said(&gone.len().to_string()), |r, id| {
        r.note(format!("Cleaned up stale instance: {}", line(id)))
    });
    Ok(mirrored(cx, report, &How::Changed))
}

/// What there is once silent sessions have ended.
fn reaped(cx: &Context) -> Result<snapshot::Snapshot, CliError> {
    if !reap(cx)?.is_empty()
        && let Err(e) = mirror::write(cx, &key(cx)?, &folder(cx), &How::Changed)
    {
        say_now(&format!("coord: {}\n", e.detail));
    }
    snapshot::take(cx, &key(cx)?)
}

fn acquire(cx: &Context, path: &Path, intent: Option<String>) -> Result<Report, CliError> {
    let (file, project) = named(cx, path, None)?;
    let ask = ClaimLock { two_step: true, ..wish(cx, (&file, project), intent, None)? };
    match write(cx, (Method::Post, "/api/coord/locks"), Some(&ask), "lock") {
        Ok(done) if done["outcome"] == "cleared" => {
            let note = format!("Expired lock removed: {}; ask again", line(&file.resource));
            Ok(mirrored(cx, ends(exit::LOCK_EXPIRED, note), &How::Changed))
        }
        Ok(_) => Ok(mirrored(cx, said(""), &How::Changed)),
        Err(e) if e.exit == exit::LOCK_HELD => {
            let by = e.facts["conflicts"][0]["lock"]["session_id"].as_str().unwrap_or("?");
            Ok(ends(exit::LOCK_HELD, format!("{}\nLocked by: {}", e.detail, line(by))))
        }
        Err(e) => Err(e),
    }
}

/// As an answer, when it is one of the seed's.
fn answer(e: CliError) -> Result<Report, CliError> {
    if e.exit == exit::UNAVAILABLE || e.exit == exit::NOT_DURABLE {
        return Err(e);
    }
    let note = std::iter::once(e.detail.as_str()).chain(e.hints.iter().map(String::as_str));
    Ok(ends(e.exit, note.collect::<Vec<_>>().join("\n")))
}

fn release(cx: &Context, path: &Path) -> Result<Report, CliError> {
    let k = known(cx, path, None)?;
    let lock = match (&k.state.mine, &k.state.lock) {
        (Some(mine), _) if mine.ended_at.is_none() => mine,
        (_, None) => return Ok(said("")),
        (_, Some(other)) => return answer(held(other)),
    };
    let query = Query::default().and("session_id", Some(&cx.session.id));
    let path = query.on(&format!("/api/coord/locks/{}", encode(&lock.id)));
    write(cx, (Method::Delete, &path), None::<&Value>, "release")?;
    Ok(mirrored(cx, said(""), &How::Changed))
}

fn renew(cx: &Context, path: &Path) -> Result<Report, CliError> {
    let k = known(cx, path, None)?;
    let lock = match own(cx, &k) {
        Ok(lock) => lock,
        Err(e) => return answer(e),
    };
    let ask = ExtendLock {
        session_id: cx.session.id.clone(),
        content: None,
        ttl_hours: None,
        generation: generation(cx)?,
    };
    let path = format!("/api/coord/locks/{}", encode(&lock.id));
    let what = format!("renewal of {}", line(&lock.resource));
    match write(cx, (Method::Patch, &path), Some(&ask), &what) {
        Ok(_) => Ok(mirrored(cx, said(""), &How::Changed)),
        Err(e) => answer(e),
    }
}

fn release_all(cx: &Context, session: &str) -> Result<Report, CliError> {
    let query = Query::default().and("session_id", Some(session)).and("release_all", Some("true"));
    write(cx, (Method::Delete, &query.on("/api/coord/locks")), None::<&Value>, "release")?;
    Ok(mirrored(cx, said(""), &How::Changed))
}

fn check(cx: &Context, path: &Path) -> Result<Report, CliError> {
    match known(cx, path, None)?.state.lock {
        Some(l) if l.session_id != cx.session.id => {
            Ok(ends(exit::LOCK_HELD, format!("Locked by: {}", line(&l.session_id))))
        }
        Some(_) | None => Ok(said("")),
    }
}

fn detect(cx: &Context, path: &Path) -> Result<Report, CliError> {
    let k = known(cx, path, None)?;
    let Some(lock) = &k.state.lock else { return Ok(said("")) };
    match compare(lock, &content_now(&k.file)?) {
        Some(Compared::ByOthers | Compared::Deleted) => {
            let note =
                format!("Conflict: {} was changed since it was locked", line(&lock.resource));
            Ok(ends(exit::CONFLICT, note))
        }
        Some(Compared::Unchanged | Compared::ByHolder) | None => Ok(said("")),
    }
}

fn log(
    cx: &Context,
    said_by: &[Option<String>; 3],
    scope: Option<String>,
) -> Result<Report, CliError> {
    let [Some(category), Some(title), Some(description)] = said_by else {
        return Err(missing("category, title or description"));
    };
    let ask = AddDecision {
        project_key: Some(key(cx)?),
        category: category.clone(),
        title: title.clone(),
        description: Some(description.clone()),
        scope: Some(scope.unwrap_or_else(|| "module".to_owned())),
        decided_by: Some(cx.session.id.clone()),
        ..AddDecision::default()
    };
    let made = write(cx, (Method::Post, "/api/coord/decisions"), Some(&ask), "decision")?;
    let id = made["display_id"].as_str().unwrap_or_default();
    Ok(mirrored(cx, said(id), &How::Changed))
}

/// A limit; the seed ends with 2 for anything else.
fn number(text: Option<&str>) -> Result<usize, CliError> {
    let Some(text) = text else { return Ok(10) };
    text.parse().map_err(|_| {
        CliError::new(exit::USAGE, format!("the limit must be a number, not {text:?}"))
    })
}

fn query(cx: &Context, category: Option<&str>, limit: Option<&str>) -> Result<Report, CliError> {
    let found = snapshot::decisions(cx, &key(cx)?, category, number(limit)?)?;
    Ok(said(&pretty(&json!(found.iter().map(doc::decision).collect::<Vec<_>>()))))
}

fn decision(cx: &Context, id: &str) -> Result<Report, CliError> {
    match read::<Decision>(cx, &format!("/api/coord/decisions/{}", encode(id))) {
        Ok((d, _)) => Ok(said(&pretty(&doc::decision(&d)))),
        // The seed prints nothing, and ends with 0.
        Err(e) if e.exit == exit::REFUSED => Ok(said("")),
        Err(e) => Err(e),
    }
}

fn list(cx: &Context) -> Result<Report, CliError> {
    let now = reaped(cx)?;
    let all: Vec<_> = now.sessions.iter().map(|s| doc::instance(s, &now.locks)).collect();
    Ok(said(&pretty(&json!(all))))
}

fn work(cx: &Context, id: &str) -> Result<Report, CliError> {
    match session(cx, id)?.filter(snapshot::is_registered) {
        Some(s) => Ok(said(&pretty(&doc::instance(&s, &snapshot::locks(cx, &key(cx)?)?)))),
        None => Ok(said("")),
    }
}

fn overview_json(cx: &Context) -> Result<Report, CliError> {
    let now = reaped(cx)?;
    let all: Vec<_> = now.sessions.iter().map(|s| doc::instance(s, &now.locks)).collect();
    let mut v = doc::registry(&all, cx.clock.wall());
    let lock = |l| doc::lock(l, &now.sessions, &cx.project.root);
    v["locks"] = now.locks.iter().map(lock).collect();
    v["decisions"] = now.decisions.iter().map(doc::decision).collect();
    Ok(said(&pretty(&v)))
}

fn pretty(value: &Value) -> String {
    let text = format!("{value:#}");
    text.lines().map(crate::ui::neutral::json).collect::<Vec<_>>().join("\n")
}
