//! `coord request inbox`: what this session is asked, and what happened around its claims.

use coord_protocol::exit;
use serde_json::Value;

use super::request::{Asked, Requests, row};
use crate::cli::reading::{Query, ask_server, encode, listed, read};
use crate::context::Context;
use crate::ui::claim_words::symbols;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// The server notes that this session has seen it. Without it, what is known here of requests.
pub(super) fn inbox(cx: &Context) -> Result<Report, CliError> {
    let path = format!("/sessions/{}/pending_requests", encode(&cx.session.id));
    match ask_server::<Value>(cx, &path) {
        Ok((pending, raw)) => {
            let all = pending["pending"].as_array().into_iter().flatten();
            let rows: Vec<_> = all.map(entry).collect();
            Ok(listed(&rows, "nobody asks for anything", raw))
        }
        Err(e) if e.exit == exit::UNAVAILABLE => {
            let path = Query::default().and("decision", Some("pending")).on("/requests");
            let (mut found, mut raw): (Requests, Value) = read(cx, &path)?;
            let to_me = |holder: Option<&str>| holder == Some(cx.session.id.as_str());
            found.requests.retain(|r| to_me(r.holder_engineer.as_deref()));
            if let Some(all) = raw["requests"].as_array_mut() {
                all.retain(|r| to_me(r["holder_engineer"].as_str()));
            }
            let rows: Vec<_> = found.requests.iter().map(row).collect();
            Ok(listed(&rows, "nobody asks for anything, as far as is known here", raw))
        }
        Err(e) => Err(e),
    }
}

/// An entry of the inbox.
fn entry(e: &Value) -> String {
    let text = |name: &str| line(e[name].as_str().unwrap_or("?"));
    let at = text("created_at");
    match e["kind"].as_str() {
        Some("request") => match serde_json::from_value::<Asked>(e.clone()) {
            Ok(r) => format!(
                "{}\n    coord request respond {} --approve | --deny | --narrow P | --coexist P",
                row(&r),
                line(&r.id)
            ),
            Err(_) => format!("{at}  a request that cannot be read"),
        },
        Some("auto-narrow-notice") => {
            let names = e["overlapping_symbols"].as_array().into_iter().flatten();
            let names = names.flat_map(|o| o["symbols"].as_array().into_iter().flatten());
            let names: Vec<_> = names.filter_map(Value::as_str).map(str::to_owned).collect();
            let (by, yours) = (text("narrowed_by"), text("holder_pattern"));
            format!("{at}  {by} has claimed{} in {yours}, which you hold", symbols(Some(&names)))
        }
        Some("auto-conflict") => format!(
            "{at}  {} wanted {}, which your {} covers",
            text("attempted_by"),
            text("attempted_pattern"),
            text("holder_pattern")
        ),
        Some(other) => format!("{at}  {}", line(other)),
        None => at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn entries_of_the_inbox() {
        let conflict = json!({"kind": "auto-conflict", "created_at": "t", "attempted_by": "B/y",
            "attempted_pattern": "src/a.ts", "holder_pattern": "src/**"});
        assert_eq!(entry(&conflict), "t  B/y wanted src/a.ts, which your src/** covers");
        let narrowed = json!({"kind": "auto-narrow-notice", "created_at": "t",
            "narrowed_by": "B/y", "holder_pattern": "src/a.ts",
            "overlapping_symbols": [{"file": "src/a.ts", "symbols": ["A::b"]}]});
        assert_eq!(entry(&narrowed), "t  B/y has claimed [A::b] in src/a.ts, which you hold");
    }
}
