//! Component states: the latest report wins, every report is kept.

use coord_protocol::wire::{Component, ComponentChange, SetComponent};

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Paged, Tx, View};

/// Sets a component's state.
pub fn set(tx: &Tx<'_>, cx: &Cx<'_>, ask: SetComponent) -> Answer<Component> {
    fields::name("project_key", &ask.project_key)?;
    fields::name("component", &ask.component)?;
    fields::name("state", &ask.state)?;
    fields::maybe_name("version", ask.version.as_deref())?;
    fields::text("notes", ask.notes.as_deref())?;
    if let Some(by) = &ask.updated_by {
        fields::session("updated_by", by)?;
        cx.touch(tx, by)?;
    }
    let c = Component {
        project_key: ask.project_key,
        component: ask.component,
        state: ask.state,
        version: ask.version,
        notes: ask.notes,
        updated_by: ask.updated_by,
        updated_at: cx.now,
    };
    tx.set_component(&c)?;
    Ok(c)
}

/// One component.
pub fn show(view: &View<'_>, project: &str, name: &str) -> Answer<Component> {
    let found = view.component(project, name)?;
    Ok(found.ok_or_else(|| Refusal::not_found("component", &format!("{project}/{name}")))?)
}

/// A component's reports, latest first.
pub fn history(
    view: &View<'_>,
    project: &str,
    name: &str,
    before: i64,
    most: usize,
) -> Answer<Paged<ComponentChange>> {
    show(view, project, name)?;
    Ok(view.component_history(project, name, before, most)?)
}
