//! Decisions that others should know of (seed 003).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `POST /api/coord/decisions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddDecision {
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// `architecture`, `api`, `database` ... free.
    pub category: String,
    /// What was decided.
    pub title: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// What it covers: a path, a component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The id of the decision that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
}

/// A decision.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// `DEC-YYYYMMDD-NNNN`, never given twice.
    pub display_id: String,
    /// The project.
    pub project_key: Option<String>,
    /// Its category.
    pub category: String,
    /// What was decided.
    pub title: String,
    /// Why.
    pub rationale: Option<String>,
    /// What it covers.
    pub scope: Option<String>,
    /// Who decided.
    pub decided_by: Option<String>,
    /// When.
    pub decided_at: Millis,
    /// What it replaces.
    pub supersedes: Option<String>,
    /// What replaced it.
    pub superseded_by: Option<String>,
}

/// `GET /api/coord/decisions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Decisions {
    /// Newest first.
    pub decisions: Vec<Decision>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
