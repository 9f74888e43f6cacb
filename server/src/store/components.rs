//! Component states and their history.

use coord_protocol::time::Millis;
use coord_protocol::wire::{Component, ComponentChange};
use rusqlite::{Row, params};

use super::{Paged, Stored, Tx, View, limit};

fn component(r: &Row<'_>) -> rusqlite::Result<Component> {
    Ok(Component {
        project_key: r.get(0)?,
        component: r.get(1)?,
        state: r.get(2)?,
        version: r.get(3)?,
        notes: r.get(4)?,
        updated_by: r.get(5)?,
        updated_at: Millis(r.get(6)?),
    })
}

const COLUMNS: &str = "project_key, component, state, version, notes, updated_by, updated_at";

impl View<'_> {
    /// Components, by project and name, after the one with these two.
    pub fn components(
        &self,
        project: Option<&str>,
        after: Option<(String, String)>,
        most: usize,
    ) -> Stored<Paged<Component>> {
        let after = after.unzip();
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS} FROM component WHERE (?1 IS NULL OR project_key = ?1)
                 AND (?3 IS NULL OR (project_key, component) > (?3, ?4))
                 ORDER BY project_key, component LIMIT ?2"
            ),
            params![project, limit(most + 1), after.0, after.1],
            component,
        )
    }

    /// Components, latest change first.
    pub fn components_by_time(
        &self,
        project: Option<&str>,
        most: usize,
    ) -> Stored<Paged<Component>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS} FROM component WHERE ?1 IS NULL OR project_key = ?1
                 ORDER BY updated_at DESC, project_key, component LIMIT ?2"
            ),
            params![project, limit(most + 1)],
            component,
        )
    }

    /// One component.
    pub fn component(&self, project: &str, name: &str) -> Stored<Option<Component>> {
        self.row(
            &format!("SELECT {COLUMNS} FROM component WHERE project_key = ?1 AND component = ?2"),
            [project, name],
            component,
        )
    }

    /// A component's changes before the change `before`, latest first.
    pub fn component_history(
        &self,
        project: &str,
        name: &str,
        before: i64,
        most: usize,
    ) -> Stored<Paged<ComponentChange>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS}, seq FROM component_change
                 WHERE project_key = ?1 AND component = ?2 AND seq < ?4 ORDER BY seq DESC LIMIT ?3"
            ),
            params![project, name, limit(most + 1), before],
            |r| Ok(ComponentChange { component: component(r)?, seq: r.get(7)? }),
        )
    }
}

impl Tx<'_> {
    /// Sets a component's state and keeps the change.
    pub fn set_component(&self, c: &Component) -> Stored<()> {
        let values = params![
            c.project_key,
            c.component,
            c.state,
            c.version,
            c.notes,
            c.updated_by,
            c.updated_at.0
        ];
        self.run(
            &format!("INSERT OR REPLACE INTO component ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7)"),
            values,
        )?;
        self.run(
            &format!("INSERT INTO component_change ({COLUMNS}) VALUES (?1,?2,?3,?4,?5,?6,?7)"),
            values,
        )?;
        Ok(())
    }
}
