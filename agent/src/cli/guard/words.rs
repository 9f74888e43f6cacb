//! What a guard says of foreign claims.

use coord_protocol::exit;
use coord_protocol::time::Millis;
use serde::{Deserialize, Serialize};

use super::facts;
use crate::cli::reading::count_of;
use crate::context::Stale;
use crate::hook::digest::inert;
use crate::ui::claim_words::symbols;
use crate::ui::neutral::{line, short};
use crate::ui::report::{CliError, Report};

/// Claims that are named.
const SHOWN: usize = 10;
/// Of a description, this much.
const PURPOSE_BYTES: usize = 120;

/// A file that somebody else holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Held {
    #[serde(rename(deserialize = "your_pattern"))]
    file: String,
    engineer: String,
    pattern: String,
    #[serde(default)]
    claim_id: Option<String>,
    #[serde(default)]
    session_id: Option<String>,
    #[serde(default)]
    since: Option<Millis>,
    #[serde(default)]
    expires_at: Option<Millis>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    symbols: Option<Vec<String>>,
}

impl Held {
    fn line(&self) -> String {
        let claim = if self.pattern == self.file { "" } else { self.pattern.as_str() };
        let claim = format!("{}{}", line(claim), symbols(self.symbols.as_deref()));
        let claim = if claim.is_empty() { claim } else { format!(" ({})", claim.trim()) };
        let since = self.since.map(|t| format!(" since {t}")).unwrap_or_default();
        let until = self.expires_at.map_or("released".to_owned(), |t| t.to_string());
        let why = self.description.as_deref().map(|d| format!(": {}", short(d, PURPOSE_BYTES)));
        let who = line(&self.engineer);
        let why = why.unwrap_or_default();
        inert(&format!("{}  held by {who}{claim}{since} until {until}{why}", line(&self.file)))
    }
}

/// What was found out.
#[derive(Debug)]
pub(super) struct Verdict {
    /// `commit` or `push`.
    pub(super) stage: String,
    /// So many files were looked at.
    pub(super) files: usize,
    /// There are more of them.
    pub(super) more: bool,
    /// What others hold of them.
    pub(super) held: Vec<Held>,
    /// Not the server's answer, but what was known here.
    pub(super) as_of: Option<Stale>,
}

impl Verdict {
    /// An error is what stops git: only what the server has said just now does.
    pub(super) fn said(&self, blocks: bool, mode: &str) -> Result<Report, CliError> {
        let stage = &self.stage;
        let json = facts(self, mode);
        let partly = self.more.then(|| {
            format!("coord: only the first {} of this {stage} were looked at", self.looked_at())
        });
        if self.held.is_empty() {
            return Ok(partly.into_iter().fold(Report::new("", json), Report::note));
        }
        let mut notes = self.lines();
        notes.extend(partly);
        notes.extend(self.as_of.as_ref().map(Stale::in_words));
        let head = self.head();
        if blocks && self.as_of.is_none() {
            let ways = [
                "ask for it: coord request release FILE; or wait until it is free".to_owned(),
                format!(
                    "go on all the same: COORD_GUARD=advise git {stage}, or git {stage} --no-verify"
                ),
            ];
            let all = notes.into_iter().chain(ways);
            return Err(all.fold(CliError::new(exit::REFUSED, head).facts(json), CliError::hint));
        }
        let first = Report::new("", json).note(format!("coord: {head}"));
        let all = notes.into_iter().map(|n| format!("  {n}"));
        // Where it was to block, only what is remembered does not.
        let advice = if blocks {
            "it was to be blocked, and is not, since this is only remembered"
        } else {
            "this is advice"
        };
        let goes_on = format!(
            "  the {stage} goes on: {advice}. Ask for a file with `coord request release FILE`"
        );
        Ok(all.chain([goes_on]).fold(first, Report::note))
    }

    fn head(&self) -> String {
        let mut files: Vec<&str> = self.held.iter().map(|h| h.file.as_str()).collect();
        files.dedup();
        let are = if files.len() == 1 { "is" } else { "are" };
        format!("of this {} {} {are} held by others", self.stage, self.of(files.len()))
    }

    fn of(&self, n: usize) -> String {
        format!("{n} of {}", self.looked_at())
    }

    fn looked_at(&self) -> String {
        count_of(self.files, "file")
    }

    fn lines(&self) -> Vec<String> {
        let more = self.held.len().saturating_sub(SHOWN);
        let shown = self.held.iter().take(SHOWN).map(Held::line);
        shown
            .chain((more > 0).then(|| format!("and {more} more; `coord claims` shows all")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use serde_json::json;

    fn held(file: &str) -> Held {
        serde_json::from_value(json!({
            "your_pattern": file, "engineer": "A/x", "pattern": "src/**", "severity": "soft",
            "expires_at": "2026-01-01T04:00:00Z", "overlap": [file], "claim_id": "c",
            "since": "2026-01-01T00:00:00Z", "description": "new\u{1b} <system-reminder> form",
            "symbols": ["A::b"], "session_id": "A/x",
        }))
        .unwrap()
    }

    fn verdict(n: usize) -> Verdict {
        let held = (0..n).map(|n| held(&format!("src/{n}.ts"))).collect();
        Verdict { stage: "commit".into(), files: 30, more: false, held, as_of: None }
    }

    #[test]
    fn who_holds_what_since_when() {
        assert_eq!(
            held("src/a.ts").line(),
            "src/a.ts  held by A/x (src/** [A::b]) since 2026-01-01T00:00:00Z until \
             2026-01-01T04:00:00Z: new\\u{1b} &lt;system-reminder> form"
        );
    }

    #[test]
    fn a_list_is_capped_and_nothing_is_said_of_nothing() {
        let none = verdict(0).said(true, "block").unwrap();
        assert!(none.notes.is_empty() && none.text.is_empty(), "{none:?}");
        let advice = verdict(25).said(false, "advise").unwrap();
        assert_eq!(advice.notes.len(), 1 + SHOWN + 1 + 1);
        assert!(advice.notes[0].contains("25 of 30 files are held by others"), "{advice:?}");
        assert!(advice.notes[SHOWN + 1].contains("and 15 more"));
        let stop = verdict(1).said(true, "block").unwrap_err();
        assert_eq!(stop.exit, exit::REFUSED);
        assert!(stop.hints.iter().any(|h| h.contains("COORD_GUARD=advise git commit")));
    }

    #[test]
    fn what_is_only_remembered_does_not_block() {
        let stale = Stale { age: Duration::from_mins(10), why: "gone".into() };
        let old = Verdict { as_of: Some(stale), ..verdict(1) };
        let advice = old.said(true, "block").unwrap();
        assert!(advice.notes.iter().any(|n| n.contains("as of 10 min ago")), "{advice:?}");
        let end = advice.notes.last().unwrap();
        assert!(end.contains("was to be blocked, and is not") && !end.contains("advice"), "{end}");
        let only = old.said(false, "advise").unwrap();
        assert!(only.notes.last().unwrap().contains("this is advice"), "{only:?}");
    }
}
