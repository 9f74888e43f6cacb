//! Workflows and their work items (seed 000).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `POST /api/coord/workflows`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreateWorkflow {
    /// The project.
    pub project_key: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `planning` (default), `active`, `blocked`, `completed`, `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The session that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// `PATCH /api/coord/workflows/<id>`: only what is present changes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ChangeWorkflow {
    /// New name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// A workflow.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Workflow {
    /// Its id.
    pub id: String,
    /// The project.
    pub project_key: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Who made it.
    pub created_by: Option<String>,
    /// When.
    pub created_at: Millis,
    /// Last change.
    pub updated_at: Millis,
}

/// `GET /api/coord/workflows`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Workflows {
    /// Newest first.
    pub workflows: Vec<Workflow>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `POST /api/coord/work-items`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddWorkItem {
    /// The workflow it belongs to.
    pub workflow_id: String,
    /// The project; absent is the workflow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// What to do.
    pub title: String,
    /// More about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `pending` (default), `in_progress`, `blocked`, `completed`, `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Higher first; 0 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// The session that works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
}

/// `PATCH /api/coord/work-items/<id>`: only what is present changes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ChangeWorkItem {
    /// New title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// New description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// New priority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// New worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to: Option<String>,
}

/// A work item.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkItem {
    /// Its id.
    pub id: String,
    /// Its workflow.
    pub workflow_id: String,
    /// The project.
    pub project_key: String,
    /// What to do.
    pub title: String,
    /// More about it.
    pub description: Option<String>,
    /// Where it stands.
    pub status: String,
    /// Higher first.
    pub priority: i64,
    /// Who works on it.
    pub assigned_to: Option<String>,
    /// When it was made.
    pub created_at: Millis,
    /// Last change.
    pub updated_at: Millis,
}

/// `GET /api/coord/work-items`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WorkItems {
    /// Highest priority first, then oldest.
    pub work_items: Vec<WorkItem>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
