//! Component states (seed 000).

use serde::{Deserialize, Serialize};

use crate::time::Millis;

/// `PUT /api/coord/components`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetComponent {
    /// The project.
    pub project_key: String,
    /// The component's name.
    pub component: String,
    /// `building`, `built`, `deploying`, `deployed`, `degraded`, `unknown`, or what you like.
    pub state: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The session that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_by: Option<String>,
}

/// `PUT /api/coord/components/<project>/<component>`: the names are in the path.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SetComponentAt {
    /// See [`SetComponent::state`].
    pub state: String,
    /// Its version.
    #[serde(default)]
    pub version: Option<String>,
    /// Free text.
    #[serde(default)]
    pub notes: Option<String>,
    /// The session that says so.
    #[serde(default)]
    pub updated_by: Option<String>,
}

/// A component as last reported.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Component {
    /// The project.
    pub project_key: String,
    /// The component's name.
    pub component: String,
    /// Its state.
    pub state: String,
    /// Its version.
    pub version: Option<String>,
    /// Free text.
    pub notes: Option<String>,
    /// Who reported it.
    pub updated_by: Option<String>,
    /// When the server heard of it.
    pub updated_at: Millis,
}

/// `GET /api/coord/components`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Components {
    /// By project and name.
    pub components: Vec<Component>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One row of `GET /api/coord/components/<project>/<component>/history`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentChange {
    /// Grows with every change of any component.
    pub seq: i64,
    /// What it became.
    #[serde(flatten)]
    pub component: Component,
}

/// `GET /api/coord/components/<project>/<component>/history`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ComponentHistory {
    /// Latest first.
    pub history: Vec<ComponentChange>,
    /// How many.
    pub count: usize,
    /// Pass as `after` to go on; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}
