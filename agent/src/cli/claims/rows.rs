//! Claims as lists show them.

use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use serde::Deserialize;

use crate::cli::reading::{Query, read};
use crate::context::Context;
use crate::ui::claim_words::symbols;
use crate::ui::neutral::{brief, line};
use crate::ui::report::CliError;

/// Rows of one list.
pub(super) const LIST_MAX: &str = "500";

/// A claim, as `GET /claims` gives it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) engineer: String,
    pub(super) pattern: String,
    #[serde(default)]
    pub(super) claim_type: String,
    #[serde(default)]
    pub(super) description: Option<String>,
    #[serde(default)]
    pub(super) severity: String,
    pub(super) created_at: Millis,
    #[serde(default)]
    pub(super) expires_at: Option<Millis>,
    #[serde(default)]
    pub(super) released_at: Option<Millis>,
    #[serde(default)]
    pub(super) repo: Option<String>,
    #[serde(default)]
    pub(super) session_id: Option<String>,
    #[serde(default)]
    pub(super) symbols: Option<Vec<String>>,
    #[serde(default)]
    pub(super) coexists_with: Option<String>,
    #[serde(default)]
    pub(super) ttl_shortened: u8,
    /// `claim`; locks stand in the list, too.
    #[serde(default = "claim")]
    pub(super) kind: String,
}

fn claim() -> String {
    "claim".to_owned()
}

/// `GET /claims`.
#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    pub(super) claims: Vec<Row>,
    /// There are more of them.
    #[serde(default)]
    pub(super) more: bool,
}

impl Row {
    /// Whether it is a team claim that this session made by `coord claim`.
    pub(super) fn is_own(&self, cx: &Context) -> bool {
        self.kind == "claim" && self.engineer == cx.session.id
    }

    /// What it is on.
    pub(super) fn resource(&self) -> Option<Resource> {
        let read = match self.kind.as_str() {
            "claim" => Resource::claim,
            "file" => Resource::literal,
            _ => Resource::parse,
        };
        read(&self.pattern).ok()
    }

    /// In one line.
    pub(super) fn line(&self) -> String {
        let until = self.expires_at.map_or("until released".to_owned(), |t| format!("until {t}"));
        let end = self.released_at.map_or(until, |t| format!("ended {t}"));
        let why = self.description.as_deref().map(|d| format!("  {}", brief(d)));
        let mut marks = Vec::new();
        if self.kind != "claim" {
            marks.push("lock");
        } else if self.claim_type != "file" && !self.claim_type.is_empty() {
            marks.push(self.claim_type.as_str());
        }
        if self.severity == "hard" {
            marks.push("hard");
        }
        if self.coexists_with.is_some() {
            marks.push("beside others");
        }
        if self.ttl_shortened == 1 && self.released_at.is_none() {
            marks.push("its release is asked for");
        }
        let marks = match marks.as_slice() {
            [] => String::new(),
            m => format!("  ({})", line(&m.join(", "))),
        };
        format!(
            "{}  {}  {}{}  {}  {end}{}{marks}",
            line(&self.id),
            line(self.repo.as_deref().unwrap_or("-")),
            line(&self.pattern),
            symbols(self.symbols.as_deref()),
            line(&self.engineer),
            why.unwrap_or_default()
        )
    }
}

/// Live claims of a project, with what waits here on top.
pub(super) fn live(cx: &Context, project: Option<&str>) -> Result<Vec<Row>, CliError> {
    let query = Query::default().and("repo", project).and("full", Some("true"));
    let (rows, _): (Rows, _) = read(cx, &query.on("/claims"))?;
    Ok(rows.claims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_in_one_line() {
        let row: Row = serde_json::from_value(json!({
            "id": "c1", "engineer": "A/x", "pattern": "src/a.ts", "claim_type": "module",
            "description": "why\u{1b}", "severity": "hard", "created_at": "2026-01-01T00:00:00Z",
            "expires_at": "2026-01-01T04:00:00Z", "repo": "p", "symbols": ["A"],
            "ttl_shortened": 1, "kind": "claim",
        }))
        .unwrap();
        assert_eq!(
            row.line(),
            "c1  p  src/a.ts [A]  A/x  until 2026-01-01T04:00:00Z  why\\u{1b}  \
             (module, hard, its release is asked for)"
        );
    }
}
