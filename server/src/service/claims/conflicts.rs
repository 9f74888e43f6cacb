//! May these files be worked on? The same judgement as that of a claim on them, without one.

use coord_protocol::claim::Who;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::Severity;
use serde::Serialize;

use super::items::{read_pattern, too_broad};
use super::judge::{TOO_COSTLY, Wish, look};
use super::queue::{Place, before};
use crate::service::{Answer, Cx, Refusal, areas, fields};
use crate::store::{ClaimRow, View};

/// Patterns and files of one question at most.
const PATTERNS_MAX: usize = 2_000;

/// Of these, patterns that begin with no folder.
const BROAD_MAX: usize = 100;
/// Conflicts of one answer at most.
const CONFLICTS_MAX: usize = 1_000;

/// `GET /conflicts`.
#[derive(Debug, Serialize)]
pub struct Conflicts {
    /// Whether there is any.
    pub has_conflicts: bool,
    /// Which.
    pub conflicts: Vec<Conflict>,
    /// The opposite of `has_conflicts`.
    pub safe_to_proceed: bool,
    /// The same.
    pub safe: bool,
    /// What to do.
    pub suggestion: Option<String>,
}

/// One of them.
#[derive(Debug, Serialize)]
pub struct Conflict {
    /// As it was asked.
    pub your_pattern: String,
    /// Who holds it.
    pub engineer: String,
    /// On what.
    pub pattern: String,
    /// Of the area.
    pub severity: Severity,
    /// Until when.
    pub expires_at: Option<Millis>,
    /// A path that both mean.
    pub overlap: Vec<String>,
    /// Of a file that was asked for: what else is known of the claim.
    #[serde(flatten)]
    pub held: Option<Held>,
}

/// What seed 002 does not say of a claim that is in the way.
#[derive(Debug, Serialize)]
pub struct Held {
    /// The claim.
    pub claim_id: String,
    /// In which session.
    pub session_id: Option<String>,
    /// Since when.
    pub since: Millis,
    /// What for.
    pub description: Option<String>,
    /// Only these symbols.
    pub symbols: Option<Vec<String>>,
}

/// Who asks, and about what.
pub struct Question<'a> {
    /// What is to be worked on: would a claim on it be granted?
    pub patterns: &'a [String],
    /// Names of files, each meaning exactly itself, that were worked on: who holds them?
    pub files: &'a [String],
    /// Who asks.
    pub engineer: &'a str,
    /// The project; '' is none.
    pub project: &'a str,
    /// The asker's sessions.
    pub sessions: &'a [String],
}

/// Answers. What a partner of the asker holds is no conflict: they have agreed, or the rules have.
pub fn ask(view: &View<'_>, cx: &Cx<'_>, q: &Question<'_>) -> Answer<Conflicts> {
    fields::name("engineer", q.engineer)?;
    if q.patterns.len() + q.files.len() > PATTERNS_MAX {
        let why = format!("more than {PATTERNS_MAX} patterns and files in one question");
        return Err(Refusal::new(422, why).into());
    }
    let areas = areas::of(view)?;
    let mut conflicts = Vec::new();
    let mut broad = 0;
    let wished = q.patterns.iter().map(|p| (p, false));
    for (pattern, is_file) in wished.chain(q.files.iter().map(|f| (f, true))) {
        let literal = |name| Resource::literal(name).map_err(|e| e.to_string());
        let read = if is_file { literal(pattern) } else { read_pattern(pattern) };
        let resource = read.map_err(|why| Refusal::new(400, why))?;
        broad += usize::from(resource.is_broad());
        if broad > BROAD_MAX {
            return Err(Refusal::new(400, too_broad(BROAD_MAX)).into());
        }
        let hard = areas.severity(&resource).is_hard();
        let found = one(view, cx, q, pattern, (&resource, hard), is_file)?;
        conflicts.extend(found);
        // Whether there are more changes nothing any more.
        if conflicts.len() >= CONFLICTS_MAX {
            conflicts.truncate(CONFLICTS_MAX);
            break;
        }
    }
    let suggestion = conflicts.first().map(suggest);
    let has_conflicts = !conflicts.is_empty();
    Ok(Conflicts {
        has_conflicts,
        conflicts,
        safe_to_proceed: !has_conflicts,
        safe: !has_conflicts,
        suggestion,
    })
}

fn one(
    view: &View<'_>,
    cx: &Cx<'_>,
    q: &Question<'_>,
    pattern: &str,
    (resource, hard): (&Resource, bool),
    is_file: bool,
) -> Answer<Vec<Conflict>> {
    let session = q.sessions.iter().find(|s| !s.is_empty()).map_or("", String::as_str);
    let who = Who { session, engineer: Some(q.engineer) };
    let wish = Wish { project: q.project, who, resource, symbols: None, hard };
    let found = look(view, cx, &wish)?;
    if found.too_costly {
        return Err(Refusal::new(400, TOO_COSTLY).into());
    }
    let is_mine = |row: &ClaimRow| {
        row.who().is(&who) || (!row.session_id.is_empty() && q.sessions.contains(&row.session_id))
    };
    let others = found.in_the_way.iter().map(|(met, _)| met).filter(|met| is_mine(&met.row));
    let own: Vec<&ClaimRow> = found.own.iter().chain(others.map(|met| &met.row)).collect();
    let partner = |id: &str| {
        let mut partners = own.iter().filter_map(|r| r.team.as_deref()).flat_map(|t| &t.partners);
        partners.any(|p| p == id)
    };
    let mut conflicts: Vec<Conflict> = Vec::new();
    for (met, _) in &found.in_the_way {
        if is_mine(&met.row) || partner(&met.row.id) {
            continue;
        }
        let team = met.row.team.as_deref();
        conflicts.push(Conflict {
            your_pattern: pattern.to_owned(),
            engineer: met.row.holder().to_owned(),
            pattern: met.row.pattern().to_owned(),
            severity: team.map_or(Severity::Soft, |t| t.severity),
            expires_at: met.row.expires_at,
            overlap: vec![met.witness.clone()],
            held: is_file.then(|| held(&met.row)),
        });
    }
    // Whoever waits has nothing yet.
    if conflicts.is_empty()
        && !is_file
        && !has_it_all(&found.own, resource)
        && let Some(w) = before(view, cx, &wish, Place::newcomer())?
    {
        conflicts.push(Conflict {
            your_pattern: pattern.to_owned(),
            engineer: w.engineer,
            pattern: w.pattern,
            severity: Severity::Soft,
            expires_at: Some(w.expires_at),
            overlap: vec![resource.as_str().to_owned()],
            held: None,
        });
    }
    Ok(conflicts)
}

fn held(row: &ClaimRow) -> Held {
    Held {
        claim_id: row.id.clone(),
        session_id: Some(row.session_id.clone()).filter(|s| !s.is_empty()),
        since: row.acquired_at,
        description: row.description.as_deref().map(fields::brief),
        symbols: row.team.as_deref().and_then(|t| t.symbols.clone()),
    }
}

/// The asker holds just this, as whole files: a claim on it would be renewed.
fn has_it_all(own: &[ClaimRow], resource: &Resource) -> bool {
    own.iter().any(|r| {
        let whole = r.team.as_deref().is_some_and(|t| t.symbols.is_none());
        whole && r.resource == resource.as_str()
    })
}

fn suggest(c: &Conflict) -> String {
    let until = c.expires_at.map_or("released".to_owned(), |t| t.to_string());
    format!(
        "Conflict with {} on {} (expires {until}). Wait for that, narrow your scope, claim the symbols \
         that you change, or ask for its release.",
        c.engineer, c.pattern
    )
}
