//! Decisions that others should know of (seed 003).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// What a decision can be; the last is set when another one replaces it.
pub const DECISION_STATUSES: [&str; 5] =
    ["proposed", "accepted", "implemented", "deprecated", "superseded"];

/// `POST /api/coord/decisions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AddDecision {
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// `architecture`, `api-design`, `database-schema` ... free.
    pub category: String,
    /// What was decided.
    pub title: String,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// What it covers: `local`, `module`, `service`, `system`, `global`, a path, a component.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Who decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// The id of the decision that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<String>,
    /// The whole of it, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// One of [`DECISION_STATUSES`]; `accepted` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// What was considered instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternatives: Vec<String>,
    /// Files that it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
    /// Decisions or things that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Of an import: the id that it had, kept when it is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_id: Option<String>,
    /// Of an import: when it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Millis>,
}

/// `PATCH /api/coord/decisions/<id>`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChangeDecision {
    /// One of [`DECISION_STATUSES`].
    pub status: String,
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
    /// The whole of it, in words.
    #[serde(default)]
    pub description: Option<String>,
    /// One of [`DECISION_STATUSES`].
    #[serde(default)]
    pub status: String,
    /// What was considered instead.
    #[serde(default)]
    pub alternatives: Vec<String>,
    /// Files that it concerns.
    #[serde(default)]
    pub files: Vec<String>,
    /// Decisions or things that it rests on.
    #[serde(default)]
    pub depends_on: Vec<String>,
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
