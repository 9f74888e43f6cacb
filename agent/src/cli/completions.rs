//! `coord completions` and `coord man`: made from the grammar itself.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use coord_protocol::exit;
use serde_json::json;

use super::Cli;
use super::reading::count_of;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

const NAME: &str = "coord";

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord completions bash > ~/.local/share/bash-completion/completions/coord
  coord completions zsh > ~/.zfunc/_coord
  coord completions fish > ~/.config/fish/completions/coord.fish")]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// Write a page for each command into this folder instead of the first one to stdout
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(a: &Args) -> Report {
    let mut script = Vec::new();
    clap_complete::generate(a.shell, &mut Cli::command(), NAME, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Report::new(script.trim_end(), json!({"shell": a.shell.to_string(), "script": script}))
}

pub(super) fn man(a: &ManArgs) -> Result<Report, CliError> {
    let mut root = Cli::command();
    root.build();
    let pages = pages(&root).map_err(|e| failed(Path::new("the page"), &e))?;
    let Some(dir) = &a.dir else {
        let text = pages.into_iter().next().map(|p| p.text).unwrap_or_default();
        return Ok(Report::new(text.trim_end(), json!({"page": text})));
    };
    fs::create_dir_all(dir).map_err(|e| failed(dir, &e))?;
    for page in &pages {
        let file = dir.join(&page.file);
        fs::write(&file, &page.text).map_err(|e| failed(&file, &e))?;
    }
    let files: Vec<&str> = pages.iter().map(|p| p.file.as_str()).collect();
    let text = format!("{} in {}", count_of(files.len(), "page"), line(&dir.display().to_string()));
    Ok(Report::new(text, json!({"dir": dir, "files": files})))
}

fn failed(what: &Path, e: &std::io::Error) -> CliError {
    CliError::new(exit::NOT_DURABLE, line(&format!("{}: {e}", what.display())))
}

struct Page {
    file: String,
    text: String,
}

/// The page of a command, and those of the commands below it.
fn pages(command: &Command) -> std::io::Result<Vec<Page>> {
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(command.clone());
    let file = page.get_filename();
    page.render(&mut text)?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut all = vec![Page { file, text }];
    let shown = |c: &&Command| !c.is_hide_set() && c.get_name() != "help";
    for below in command.get_subcommands().filter(shown) {
        all.extend(pages(below)?);
    }
    Ok(all)
}
