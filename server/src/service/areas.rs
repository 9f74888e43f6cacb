//! What the ownership document says of a resource, for the rules.

use coord_protocol::resource::Resource;
use coord_protocol::wire::Severity;

use crate::store::{Stored, View};

/// What the document says.
#[derive(Debug, Default)]
pub(super) struct Areas;

/// Of this database.
pub(super) fn of(_: &View<'_>) -> Stored<Areas> {
    Ok(Areas)
}

impl Areas {
    pub(super) fn severity(&self, _: &Resource) -> Severity {
        Severity::Soft
    }

    pub(super) fn is_shared(&self, _: &Resource) -> bool {
        false
    }

    pub(super) fn should_split(&self, _: &Resource) -> bool {
        false
    }

    pub(super) fn owners_of(&self, _: &Resource) -> Vec<String> {
        Vec::new()
    }
}
