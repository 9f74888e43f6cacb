//! Whether the host tools, which call `coord` by name, find this program.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use super::super::site::programs;
use super::Check;
use crate::config::env::Env;

/// A program that is asked for its version says it within this time.
const VERSION_WITHIN: Duration = Duration::from_secs(2);
const LINE_BYTES_MAX: u64 = 1000;
const VERSION: &str = concat!("coord ", env!("CARGO_PKG_VERSION"));

pub(super) fn examine(env: &Env) -> Vec<Check> {
    let name = "program";
    let this = std::env::current_exe().unwrap_or_default();
    let folder = this.parent().unwrap_or(&this).display().to_string();
    let Some(first) = programs(env, "coord").into_iter().next() else {
        let what = "no `coord` is on the PATH: hooks and MCP cannot start it";
        return vec![Check::fail(name, what, format!("add {folder} to the PATH"))];
    };
    let shown = first.display();
    if same_file(&first, &this) {
        return vec![Check::ok(name, format!("{VERSION} at {shown}"))];
    }
    vec![match version_of(&first) {
        Some(version) if version == VERSION => Check::ok(name, format!("{version} at {shown}")),
        Some(version) if version.starts_with("coord ") && is_number(&version[6..]) => Check::warn(
            name,
            format!("{shown} is {version}, this is {VERSION}"),
            format!("update it, or put {folder} before it on the PATH"),
        ),
        Some(_) | None => Check::fail(
            name,
            format!("the first `coord` on the PATH, {shown}, is another program"),
            format!("put {folder} before it on the PATH, or remove it"),
        ),
    }]
}

fn is_number(text: &str) -> bool {
    text.bytes().next().is_some_and(|b| b.is_ascii_digit())
}

fn same_file(a: &Path, b: &Path) -> bool {
    let real = |p: &Path| -> Option<PathBuf> { fs::canonicalize(p).ok() };
    real(a).is_some() && real(a) == real(b)
}

/// The first line that a program says of itself.
fn version_of(program: &Path) -> Option<String> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let stdout = child.stdout.take()?;
    let (send, receive) = mpsc::channel();
    // What it has started may hold the pipe for longer than anybody waits.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout.take(LINE_BYTES_MAX)).read_line(&mut line);
        let _ = send.send(read.map(|_| line));
    });
    let line = receive.recv_timeout(VERSION_WITHIN);
    // It may have ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    line.ok()?.ok().map(|l| l.trim_end().to_owned())
}
