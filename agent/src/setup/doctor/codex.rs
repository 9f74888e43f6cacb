//! Codex's trust: of the project, and of each hook. Only the user gives it; here it is looked at, by
//! asking Codex itself where it is installed.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::super::files::read;
use super::super::json::is_hook;
use super::super::site::program;
use super::super::table;
use super::super::wiring::Scope;
use super::Check;
use super::hosts::Surveyed;
use crate::config::env::Env;

/// Codex answers within this time, or is not asked.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What it says is not longer.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
const NAME: &str = "codex trust";
const FIX: &str = "start `codex` here, open /hooks, and trust coord's hooks";

fn config(places: &[Surveyed<'_>]) -> Option<table::Settings> {
    let place = places.first()?;
    let text = read(&place.site.places.codex.join("config.toml")).ok().flatten()?;
    table::settings(&text)
}

/// Whether coord's plugin is switched on.
pub(super) fn plugin(places: &[Surveyed<'_>]) -> bool {
    config(places).is_some_and(|c| c.has_plugin)
}

pub(super) fn examine(env: &Env, places: &[Surveyed<'_>]) -> Option<Check> {
    let project = places.iter().find(|p| p.site.scope == Scope::Project);
    let root = project.map_or_else(|| places[0].site.root(), |p| p.site.root());
    let config = config(places).unwrap_or_default();
    let trusted = config.trusted.iter().any(|p| Path::new(p) == root);
    let in_project = project.is_some_and(|p| p.wired.contains(&super::super::host::Host::Codex));
    if in_project && !trusted {
        let what =
            format!("{} is not trusted: Codex skips its hooks and its server", root.display());
        return Some(Check::warn(
            NAME,
            what,
            "start `codex` here and trust the folder; then /hooks",
        ));
    }
    let Some(codex) = program(env, "codex") else {
        let file = root.join(".codex/hooks.json").display().to_string();
        let noted = config.hooks.iter().any(|key| key.starts_with(&file));
        return (in_project && !noted)
            .then(|| Check::warn(NAME, "no hook of this project was ever trusted", FIX));
    };
    Some(match hooks(&codex, root) {
        Ok(hooks) if hooks.is_empty() => {
            Check::warn(NAME, "Codex lists no hook of coord's", "coord init --tool codex")
        }
        Ok(hooks) => {
            let idle = hooks.iter().filter(|h| !h.runs).count();
            match idle {
                0 => Check::ok(NAME, format!("all {} hooks are trusted", hooks.len())),
                n => {
                    let what =
                        format!("{n} of {} hooks are not trusted: Codex skips them", hooks.len());
                    Check::warn(NAME, what, FIX)
                }
            }
        }
        Err(why) => Check::warn(NAME, format!("Codex could not be asked: {why}"), FIX),
    })
}

/// A hook of ours, as Codex sees it.
#[derive(Debug, PartialEq, Eq)]
struct Hook {
    runs: bool,
}

/// Asks Codex for the hooks that it sees in a folder.
fn hooks(codex: &Path, root: &Path) -> Result<Vec<Hook>, String> {
    let mut child = Command::new(codex)
        .arg("app-server")
        .current_dir(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| e.to_string())?;
    let answer = asked(&mut child, root);
    // It would wait for more; when it has ended already, that is as well.
    let _ = child.kill();
    let _ = child.wait();
    answer.map(|a| ours(&a))
}

fn asked(child: &mut Child, root: &Path) -> Result<Value, String> {
    let client = json!({"name": "coord", "title": "coord", "version": env!("CARGO_PKG_VERSION")});
    let calls = [
        json!({"id": 1, "method": "initialize", "params": {"clientInfo": client}}),
        json!({"method": "initialized"}),
        json!({"id": 2, "method": "hooks/list", "params": {"cwds": [root]}}),
    ];
    let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err("it has no pipes".to_owned());
    };
    let lines: String = calls.iter().map(|c| format!("{c}\n")).collect();
    stdin.write_all(lines.as_bytes()).map_err(|e| e.to_string())?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout.take(ANSWER_BYTES_MAX)).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    let until = Instant::now() + ANSWER_WITHIN;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let line = receive.recv_timeout(left).map_err(|_| "no answer in time".to_owned())?;
        let Ok(value) = serde_json::from_str::<Value>(&line) else { continue };
        if value["id"] != 2 {
            continue;
        }
        return match value["error"]["message"].as_str() {
            Some(why) => Err(crate::ui::neutral::brief(why)),
            None => Ok(value["result"].clone()),
        };
    }
}

/// Those of its answer that call us.
fn ours(result: &Value) -> Vec<Hook> {
    let lists = result["data"].as_array().into_iter().flatten();
    let all = lists.flat_map(|l| l["hooks"].as_array().into_iter().flatten());
    let ours = all.filter(|h| h["command"].as_str().is_some_and(is_hook));
    let runs = |h: &Value| {
        let trusted = matches!(h["trustStatus"].as_str(), Some("trusted" | "managed"));
        trusted && h["enabled"] != false
    };
    ours.map(|h| Hook { runs: runs(h) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_as_codex_lists_them() {
        let hook = |command: &str, status: &str, enabled: bool| json!({"command": command, "trustStatus": status, "enabled": enabled});
        let ours_of = |h: Value| ours(&json!({"data": [{"hooks": [h]}]}));
        assert_eq!(ours_of(hook("make", "untrusted", true)), []);
        for (status, enabled, runs) in [
            ("trusted", true, true),
            ("untrusted", true, false),
            ("modified", true, false),
            ("trusted", false, false),
        ] {
            let found = ours_of(hook("coord hook codex || true", status, enabled));
            assert_eq!(found, [Hook { runs }], "{status} {enabled}");
        }
    }
}
