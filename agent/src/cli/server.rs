//! `coord start`, `coord stop`, `coord serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coord_protocol::exit;
use coord_server::serve::{ServeError, bind, log_to_stderr};
use coord_server::settings::{BadSetting, Settings, yes};
use serde_json::json;

use super::sync::was_carried;
use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::context::Context;
use crate::local_server::{self, Record};
use crate::outbox::real_disk::RealDisk;
use crate::remote::breaker::Breaker;
use crate::ui::report::{CliError, Report, answer_now, finish};

/// How long a server in the background gets to come up.
const READY_WITHIN: Duration = Duration::from_secs(15);
const DATABASE: &str = "coord.db";

#[derive(Debug, Default, Clone, clap::Args)]
pub(super) struct ServeArgs {
    #[arg(long, help = "Address to listen on [env: COORD_HOST] [default: 127.0.0.1]")]
    host: Option<String>,
    #[arg(long, help = "Port; 0 takes a free one [env: COORD_PORT] [default: 8080]")]
    port: Option<u16>,
    #[arg(
        long,
        value_name = "FILE",
        help = "\
Database file [env: COORD_DATABASE_PATH] [default: coord.db in the user's data folder]"
    )]
    database: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct StartArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Return when the server is up; it goes on without this terminal
    #[arg(long)]
    background: bool,
}

impl ServeArgs {
    /// What is not asked for otherwise is as it was when a server last ran here: others know its
    /// address, and its database holds what they wrote.
    fn or_as_last_time(&self, cx: &Context) -> Self {
        let mut args = self.clone();
        if let Some(last) = local_server::last_record(&cx.state) {
            let port = || last.url.rsplit_once(':').and_then(|(_, p)| p.parse().ok());
            if args.port.is_none() && cx.env.get("COORD_PORT").is_none() {
                args.port = port();
            }
            if args.database.is_none() && cx.env.get("COORD_DATABASE_PATH").is_none() {
                args.database = Some(last.database.clone());
            }
        }
        args
    }

    /// The variables, with the options over them.
    fn settings(&self, env: &Env, paths: &Paths) -> Result<Settings, CliError> {
        let state = RealDisk::at(&paths.state);
        let open = env.get("COORD_ALLOW_INSECURE_NO_AUTH").is_some_and(yes);
        let made = if open || env.get("COORD_AUTH_TOKEN").is_some() {
            None
        } else {
            let made = local_server::token_or_new(&state).map_err(|e| {
                CliError::new(
                    exit::CONFIG,
                    format!("cannot keep a token in {}: {e}", paths.state.display()),
                )
            })?;
            Some(made)
        };
        let var = |name: &str| match name {
            "COORD_HOST" if self.host.is_some() => self.host.clone(),
            "COORD_PORT" if self.port.is_some() => self.port.map(|p| p.to_string()),
            "COORD_AUTH_TOKEN" => env.get(name).map(str::to_owned).or_else(|| made.clone()),
            _ => env.get(name).map(str::to_owned),
        };
        let mut settings = Settings::read(&var, paths.data.join(DATABASE))
            .map_err(|e: BadSetting| CliError::new(exit::CONFIG, e.to_string()))?;
        if let Some(file) = &self.database {
            settings.database.clone_from(file);
        }
        Ok(settings)
    }

    /// The same options for a server in the background.
    fn as_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(v) = value {
                words.extend([name.to_owned(), v]);
            }
        };
        add("--host", self.host.clone());
        add("--port", self.port.map(|p| p.to_string()));
        add("--database", self.database.as_ref().map(|d| d.display().to_string()));
        words
    }
}

fn serve_error(e: &ServeError) -> CliError {
    let code = match e {
        ServeError::Open(_) | ServeError::Store(_) => exit::DATA,
        ServeError::Listen { .. } | ServeError::NoFace(..) | ServeError::Io(_) => exit::CONFIG,
    };
    CliError::new(code, e.to_string())
}

/// `coord serve`: until SIGTERM.
pub(super) fn serve(args: &ServeArgs, env: &Env, as_json: bool) -> u8 {
    let run = || -> Result<Report, CliError> {
        let paths = Paths::find(env)?;
        let settings = args.settings(env, &paths)?;
        run_server(&settings, &paths.state, |_| {})?;
        Ok(Report::new("", json!({})))
    };
    finish(run(), as_json)
}

/// Runs a server in this process; `listening` is told where, once it can be reached.
fn run_server(
    settings: &Settings,
    state: &Path,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), CliError> {
    log_to_stderr(&settings.log_level, settings.log_json);
    let bound = bind(settings).map_err(|e| serve_error(&e))?;
    let state = RealDisk::at(state);
    let url = format!("http://{}", bound.address);
    let database = std::path::absolute(&settings.database).unwrap_or(settings.database.clone());
    local_server::put_record(&state, &Record::of_this_process(url, database))
        .map_err(|e| CliError::new(exit::CONFIG, format!("{}: {e}", state.root().display())))?;
    listening(bound.address);
    // The record stays: it says where to look for the server, not that it runs.
    bound.run().map_err(|e| serve_error(&e))
}

/// `coord start`.
pub(super) fn start(cx: &Context, a: &StartArgs, as_json: bool) -> Result<Report, CliError> {
    if let Some(running) = local_server::record(&cx.state) {
        return already(cx, a, &running);
    }
    let a = &StartArgs { serve: a.serve.or_as_last_time(cx), background: a.background };
    if a.background {
        return in_background(cx, a);
    }
    let settings = a.serve.settings(&cx.env, &cx.paths)?;
    let quiet = Settings { log_level: quiet_level(cx), ..settings };
    run_server(&quiet, &cx.paths.state, |address| {
        let url = format!("http://{address}");
        forget_rest(cx, &url);
        if as_json {
            answer_now(&format!("{}\n", json!({"v": 1, "ok": true, "url": url})));
        } else {
            let text = welcome(cx, &url, &quiet.database);
            answer_now(&format!("{text}\nCtrl-C stops it.\n"));
        }
    })?;
    Ok(Report::new("", json!({})))
}

/// A server of this user runs: fine, unless another one was asked for.
fn already(cx: &Context, a: &StartArgs, running: &Record) -> Result<Report, CliError> {
    let other_port =
        a.serve.port.is_some_and(|p| p != 0 && !running.url.ends_with(&format!(":{p}")));
    let asked_for = a.serve.database.as_ref().map(|d| std::path::absolute(d).unwrap_or(d.clone()));
    let other_database = asked_for.is_some_and(|d| d != running.database);
    if a.serve.host.is_some() || other_port || other_database {
        let why =
            format!("a server of yours is running already at {}, set up otherwise", running.url);
        return Err(CliError::new(exit::CONFIG, why).hint("`coord stop` ends it"));
    }
    forget_rest(cx, &running.url);
    let text = format!("a server is running already: {}", running.url);
    let json = json!({"url": running.url, "pid": running.pid, "already_running": true});
    Ok(Report::new(text, json))
}

/// Whatever was wrong with the server at this address: it is here now.
fn forget_rest(cx: &Context, url: &str) {
    Breaker::new(&cx.state, &cx.clock, &cx.rng, url).succeeded();
}

/// At a terminal only what needs attention is worth a line, unless asked for.
fn quiet_level(cx: &Context) -> String {
    cx.env.get("COORD_LOG_LEVEL").unwrap_or("warn").to_owned()
}

fn in_background(cx: &Context, a: &StartArgs) -> Result<Report, CliError> {
    // Settings are checked here, where somebody sees the error.
    let settings = a.serve.settings(&cx.env, &cx.paths)?;
    let failed = |why: String| {
        let e = CliError::new(exit::CONFIG, why);
        match local_server::log_tail(&cx.state) {
            tail if tail.is_empty() => e,
            tail => e.hint(format!("the end of its log:\n{tail}")),
        }
    };
    let mut child = local_server::spawn(&cx.state, &a.serve.as_words())
        .map_err(|e| failed(format!("the server cannot be started: {e}")))?;
    let pid = i32::try_from(child.id()).unwrap_or(0);
    let mut ended = None;
    let up = local_server::wait_for(ready_within(cx), || {
        ended = child.try_wait().ok().flatten();
        let mine = || local_server::record(&cx.state).filter(|r| r.pid == pid);
        ended.map(|_| None).or_else(|| mine().map(Some))
    });
    match (up.flatten(), ended) {
        (Some(record), _) => {
            forget_rest(cx, &record.url);
            let text = welcome(cx, &record.url, &settings.database);
            let json = json!({"url": record.url, "pid": record.pid, "database": settings.database});
            Ok(Report::new(format!("{text}\n`coord stop` stops it."), json))
        }
        (None, Some(status)) => {
            let code = status.code().and_then(|c| u8::try_from(c).ok()).unwrap_or(exit::CONFIG);
            Err(CliError { exit: code, ..failed(format!("the server ended at once ({status})")) })
        }
        (None, None) => Err(failed("the server did not come up in time".to_owned())),
    }
}

fn ready_within(cx: &Context) -> Duration {
    let set = cx.env.get("COORD_START_READY_TIMEOUT_SEC").and_then(|v| v.parse().ok());
    set.map_or(READY_WITHIN, Duration::from_secs)
}

fn welcome(cx: &Context, url: &str, database: &Path) -> String {
    let coord = how_to_call();
    let state = cx.paths.state.display();
    let open = cx.env.get("COORD_ALLOW_INSECURE_NO_AUTH").is_some_and(yes);
    let token = if open {
        "  token     none: everybody who reaches the port is let in\n".to_owned()
    } else {
        format!("  token     {state}/token (your own coord commands find it by themselves)\n")
    };
    let carry = if cx.local_store().exists() && !was_carried(cx, url) {
        format!(
            "\nSessions here worked without a server before. What is open there is not lost:\n\
             \x20 {coord} sync --from-local\n"
        )
    } else {
        String::new()
    };
    format!(
        "coord serves {url}\n\
         \x20 database  {}\n{token}\
         \n\
         Next, in another terminal:\n\
         \x20 {coord} status\n\
         \x20 {coord} msg send ALL \"Hello\" \"First message\"\n\
         \x20 {coord} todo add \"Try coord\"\n\
         \x20 {coord} todo list\n{carry}",
        database.display()
    )
}

/// How the reader can type this very program.
fn how_to_call() -> String {
    let exe = std::env::current_exe().unwrap_or_else(|_| "coord".into());
    let on_path = std::env::var_os("PATH").is_some_and(|p| {
        std::env::split_paths(&p).any(|dir| {
            dir.join("coord").canonicalize().is_ok_and(|c| Some(c) == exe.canonicalize().ok())
        })
    });
    if on_path { "coord".to_owned() } else { exe.display().to_string() }
}

/// `coord stop`.
pub(super) fn stop(cx: &Context) -> Result<Report, CliError> {
    let Some(record) = local_server::record(&cx.state) else {
        return Ok(Report::new("no server of yours is running here", json!({"stopped": false})));
    };
    let clean = local_server::stop(&record)
        .map_err(|e| CliError::new(exit::REFUSED, format!("process {}: {e}", record.pid)))?;
    let text = if clean { "stopped" } else { "killed: it did not stop in time" };
    Ok(Report::new(format!("{} {text}", record.url), json!({"stopped": true, "clean": clean})))
}
