//! `coord owners`: the ownership document.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::request::Method;
use coord_protocol::resource::Resource;
use coord_server::ownership::{DOCUMENT_BYTES_MAX, Document, Ownership};
use coord_server::service::ownership::print_of;
use serde_json::{Value, json};

use super::wanted;
use crate::cli::reading::{Query, read_text};
use crate::cli::writing::{WriteArgs, refused, send};
use crate::config::file::read_linked;
use crate::context::Context;
use crate::ui::neutral::{line, lines};
use crate::ui::report::{CliError, Report};

const DOCUMENT: &str = "/config/ownership";

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Show the document
    Show,
    /// Replace the document
    #[command(after_help = "\
Example:
  coord owners set .coordination/owners.yaml")]
    Set {
        /// The new one, as YAML; '-' reads stdin
        file: PathBuf,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Check a document without setting it
    Check {
        /// The document, as YAML; '-' reads stdin
        file: PathBuf,
    },
    /// What the document says of a file: its owners, and how strict it is there
    Of {
        /// A path, or a pattern as in .gitignore
        file: String,
    },
}

pub(in crate::cli) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Show => Ok(match stored(cx)? {
            Some(text) => Report::new(lines(text.trim_end()), json!({"ownership": text})),
            None => Report::new("there is no ownership document", json!({"ownership": null})),
        }),
        Verb::Set { file, write } => {
            let text = document(&file)?;
            // Read here too, so that nothing is queued that the server is bound to refuse.
            accept(&text)?;
            // A text as the body is sent as it is.
            // In place of the one that is known here, and of no other that somebody sets meanwhile.
            let known = stored(cx).map(|known| print_of(known.as_deref())).ok();
            let path = Query::default().and("was", known.as_deref()).on(DOCUMENT);
            let request = cx.request(Method::Post, &path, Some(&Value::String(text)));
            send(cx, &write, request, "the ownership document", |answer| {
                let n = answer.get("rules").and_then(Value::as_u64).unwrap_or(0);
                format!("the ownership document is set; paths of areas: {n}")
            })
        }
        Verb::Check { file } => {
            let read = accept(&document(&file)?)?;
            let (rules, shared, splits) = (read.rules.len(), read.shared.len(), read.splits.len());
            Ok(Report::new(
                format!("good: {rules} paths of areas, {shared} shared files, {splits} to split"),
                json!({"rules": rules, "shared_files": shared, "suggested_splits": splits}),
            ))
        }
        Verb::Of { file } => of(cx, &file),
    }
}

fn accept(text: &str) -> Result<Document, CliError> {
    Document::accept(text).map_err(|e| CliError::new(exit::REFUSED, line(&e.to_string())))
}

/// A document, byte for byte.
fn document(file: &Path) -> Result<String, CliError> {
    let most = DOCUMENT_BYTES_MAX as u64;
    let bytes = if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().lock().take(most + 1).read_to_end(&mut bytes).map(|_| bytes)
    } else {
        read_linked(file, most)
    };
    let name = || line(&file.display().to_string());
    let bytes =
        bytes.map_err(|e| CliError::new(exit::USAGE, format!("{} cannot be read: {e}", name())))?;
    String::from_utf8(bytes)
        .map_err(|_| CliError::new(exit::USAGE, format!("{} is not UTF-8 text", name())))
}

/// What the server keeps; `None`: nothing.
fn stored(cx: &Context) -> Result<Option<String>, CliError> {
    let (status, text) = read_text(cx, DOCUMENT)?;
    match status {
        200 => Ok(Some(text)),
        204 => Ok(None),
        _ => {
            let answer = serde_json::from_str(&text).unwrap_or(Value::Null);
            Err(refused(status, &answer, "the ownership document"))
        }
    }
}

fn of(cx: &Context, file: &str) -> Result<Report, CliError> {
    let key = cx.project.key.as_deref().unwrap_or_default();
    let pattern = wanted(cx, file, key)?.pattern;
    let bad = |e: &dyn std::error::Error| CliError::new(exit::REFUSED, line(&e.to_string()));
    let claim = Resource::claim(&pattern).map_err(|e| bad(&e))?;
    let text = stored(cx)?.unwrap_or_default();
    let rules = Ownership::of(Document::read(&text).map_err(|e| bad(&e))?);
    let owners = rules.owners_of(&claim);
    let severity = rules.severity(&claim).as_str();
    let (shared, splits) = (rules.is_shared(&claim), rules.should_split(&claim));
    let json = json!({"pattern": pattern, "owners": owners, "severity": severity,
        "shared": shared, "split": splits});
    let mut out = format!("{}: {severity}", line(&pattern));
    let names: Vec<_> = owners.iter().map(|o| line(o)).collect();
    out.push_str(", owned by ");
    out.push_str(if names.is_empty() { "nobody" } else { "" });
    out.push_str(&names.join(", "));
    for (is, words) in
        [(shared, ", a shared file: for a short time only"), (splits, ", to be claimed by symbols")]
    {
        if is {
            out.push_str(words);
        }
    }
    Ok(Report::new(out, json))
}
