//! `coord owners`: the ownership document.

use std::path::PathBuf;

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::request::Method;
use serde_json::{Value, json};

use crate::cli::reading::read_text;
use crate::cli::text::from_arg_or_file;
use crate::cli::writing::{WriteArgs, refused, send};
use crate::context::Context;
use crate::ui::neutral::lines;
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
}

pub(in crate::cli) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Show => show(cx),
        Verb::Set { file, write } => {
            let text = from_arg_or_file("the document", None, Some(&file))?;
            // A text as the body is sent as it is. An ending newline is part of a document.
            let body = Value::String(format!("{text}\n"));
            let request = cx.request(Method::Post, DOCUMENT, Some(&body));
            send(cx, &write, request, "the ownership document", |answer| {
                let n = answer.get("rules").and_then(Value::as_u64).unwrap_or(0);
                format!("the ownership document is set; areas: {n}")
            })
        }
    }
}

fn show(cx: &Context) -> Result<Report, CliError> {
    let (status, text) = read_text(cx, DOCUMENT)?;
    match status {
        200 => Ok(Report::new(lines(text.trim_end()), json!({"ownership": text}))),
        204 => Ok(Report::new("there is no ownership document", json!({"ownership": null}))),
        404 => Err(CliError::new(exit::REFUSED, "this server keeps no ownership document")),
        _ => {
            let answer = serde_json::from_str(&text).unwrap_or(Value::Null);
            Err(refused(status, &answer, "the ownership document"))
        }
    }
}
