//! Todos (seed 001): durable until marked done.

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `POST /api/coord/todos`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AddTodo {
    /// What to do.
    pub text: String,
    /// Whose it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to_user: Option<String>,
    /// The project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project_key: Option<String>,
    /// The todo it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Made by a program rather than on somebody's word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto: bool,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_user: Option<String>,
    /// On which machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by_machine: Option<String>,
}

/// `PATCH /api/coord/todos/<id>`: only what is present changes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ChangeTodo {
    /// `pending` or `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_by: Option<String>,
    /// New text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// New owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_to_user: Option<String>,
}

/// A todo.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Todo {
    /// Its id.
    pub id: String,
    /// What to do.
    pub text: String,
    /// `pending` or `done`.
    pub status: String,
    /// Whose it is.
    pub assigned_to_user: Option<String>,
    /// The project.
    pub project_key: Option<String>,
    /// The todo it is a part of.
    pub parent_id: Option<String>,
    /// Where it comes from.
    pub source: Option<String>,
    /// Made by a program.
    pub auto: bool,
    /// Who made it.
    pub created_by_user: Option<String>,
    /// On which machine.
    pub created_by_machine: Option<String>,
    /// When.
    pub created_at: Millis,
    /// Who did it.
    pub completed_by: Option<String>,
    /// When it was done.
    pub completed_at: Option<Millis>,
}

/// `GET /api/coord/todos`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Todos {
    /// Oldest first.
    pub todos: Vec<Todo>,
    /// How many are in `todos`.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}
