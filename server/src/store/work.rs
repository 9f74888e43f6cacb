//! Workflows and work items.

use coord_protocol::time::Millis;
use coord_protocol::wire::{WorkItem, Workflow};
use rusqlite::{Row, params};

use super::{Paged, Stored, Tx, View, limit};

const WORKFLOW: &str =
    "id, project_key, name, description, status, created_by, created_at, updated_at";

fn workflow(r: &Row<'_>) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        id: r.get(0)?,
        project_key: r.get(1)?,
        name: r.get(2)?,
        description: r.get(3)?,
        status: r.get(4)?,
        created_by: r.get(5)?,
        created_at: Millis(r.get(6)?),
        updated_at: Millis(r.get(7)?),
    })
}

const ITEM: &str = "id, workflow_id, project_key, title, description, status, priority,
    assigned_to, created_at, updated_at";

fn item(r: &Row<'_>) -> rusqlite::Result<WorkItem> {
    Ok(WorkItem {
        id: r.get(0)?,
        workflow_id: r.get(1)?,
        project_key: r.get(2)?,
        title: r.get(3)?,
        description: r.get(4)?,
        status: r.get(5)?,
        priority: r.get(6)?,
        assigned_to: r.get(7)?,
        created_at: Millis(r.get(8)?),
        updated_at: Millis(r.get(9)?),
    })
}

impl View<'_> {
    /// One workflow.
    pub fn workflow(&self, id: &str) -> Stored<Option<Workflow>> {
        self.row(&format!("SELECT {WORKFLOW} FROM workflow WHERE id = ?1"), [id], workflow)
    }

    /// Workflows, newest first, after the one with the id `after`; `open_only` leaves out what is
    /// over.
    pub fn workflows(
        &self,
        project: Option<&str>,
        status: Option<&str>,
        open_only: bool,
        after: Option<&str>,
        most: usize,
    ) -> Stored<Paged<Workflow>> {
        self.page(
            most,
            &format!(
                "SELECT {WORKFLOW} FROM workflow WHERE (?1 IS NULL OR project_key = ?1)
                 AND (?2 IS NULL OR status = ?2)
                 AND (NOT ?3 OR status NOT IN ('completed', 'cancelled'))
                 AND (?5 IS NULL OR seq < (SELECT seq FROM workflow WHERE id = ?5))
                 ORDER BY seq DESC LIMIT ?4"
            ),
            params![project, status, open_only, limit(most + 1), after],
            workflow,
        )
    }

    /// One work item.
    pub fn work_item(&self, id: &str) -> Stored<Option<WorkItem>> {
        self.row(&format!("SELECT {ITEM} FROM work_item WHERE id = ?1"), [id], item)
    }

    /// Work items, highest priority first, then oldest, after the one with the id `after`.
    pub fn work_items(
        &self,
        workflow: Option<&str>,
        project: Option<&str>,
        status: Option<&str>,
        after: Option<&str>,
        most: usize,
    ) -> Stored<Paged<WorkItem>> {
        self.page(
            most,
            &format!(
                "SELECT {ITEM} FROM work_item WHERE (?1 IS NULL OR workflow_id = ?1)
                 AND (?2 IS NULL OR project_key = ?2) AND (?3 IS NULL OR status = ?3)
                 AND (?5 IS NULL OR (-priority, seq) >
                      (SELECT -priority, seq FROM work_item WHERE id = ?5))
                 ORDER BY -priority, seq LIMIT ?4"
            ),
            params![workflow, project, status, limit(most + 1), after],
            item,
        )
    }
}

impl Tx<'_> {
    /// Adds a workflow.
    pub fn add_workflow(&self, w: &Workflow) -> Stored<()> {
        self.run(
            &format!("INSERT INTO workflow ({WORKFLOW}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8)"),
            params![
                w.id,
                w.project_key,
                w.name,
                w.description,
                w.status,
                w.created_by,
                w.created_at.0,
                w.updated_at.0
            ],
        )?;
        Ok(())
    }

    /// Writes a workflow's changeable fields.
    pub fn update_workflow(&self, w: &Workflow) -> Stored<()> {
        self.run(
            "UPDATE workflow SET name = ?2, description = ?3, status = ?4, updated_at = ?5
             WHERE id = ?1",
            params![w.id, w.name, w.description, w.status, w.updated_at.0],
        )?;
        Ok(())
    }

    /// Adds a work item.
    pub fn add_work_item(&self, w: &WorkItem) -> Stored<()> {
        self.run(
            &format!("INSERT INTO work_item ({ITEM}) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)"),
            params![
                w.id,
                w.workflow_id,
                w.project_key,
                w.title,
                w.description,
                w.status,
                w.priority,
                w.assigned_to,
                w.created_at.0,
                w.updated_at.0
            ],
        )?;
        Ok(())
    }

    /// Writes a work item's changeable fields.
    pub fn update_work_item(&self, w: &WorkItem) -> Stored<()> {
        self.run(
            "UPDATE work_item SET title = ?2, description = ?3, status = ?4, priority = ?5,
             assigned_to = ?6, updated_at = ?7 WHERE id = ?1",
            params![
                w.id,
                w.title,
                w.description,
                w.status,
                w.priority,
                w.assigned_to,
                w.updated_at.0
            ],
        )?;
        Ok(())
    }
}
