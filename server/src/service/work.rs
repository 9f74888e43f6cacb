//! Workflows and work items.

use coord_protocol::wire::{
    AddWorkItem, ChangeWorkItem, ChangeWorkflow, CreateWorkflow, WorkItem, Workflow,
};

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Tx, View};

const WORKFLOW_STATUSES: &[&str] = &["planning", "active", "blocked", "completed", "cancelled"];
const ITEM_STATUSES: &[&str] = &["pending", "in_progress", "blocked", "completed", "cancelled"];

/// Creates a workflow.
pub fn create_workflow(tx: &Tx<'_>, cx: &Cx<'_>, ask: CreateWorkflow) -> Answer<Workflow> {
    let status = ask.status.unwrap_or_else(|| "planning".to_owned());
    fields::name("project_key", &ask.project_key)?;
    fields::name("name", &ask.name)?;
    fields::text("description", ask.description.as_deref())?;
    fields::one_of("status", &status, WORKFLOW_STATUSES)?;
    if let Some(by) = &ask.created_by {
        fields::session("created_by", by)?;
        cx.touch(tx, by)?;
    }
    let w = Workflow {
        id: cx.new_id(),
        project_key: ask.project_key,
        name: ask.name,
        description: ask.description,
        status,
        created_by: ask.created_by,
        created_at: cx.now,
        updated_at: cx.now,
    };
    tx.add_workflow(&w)?;
    Ok(w)
}

/// One workflow.
pub fn workflow(view: &View<'_>, id: &str) -> Answer<Workflow> {
    Ok(view.workflow(id)?.ok_or_else(|| Refusal::not_found("workflow", id))?)
}

/// Changes the fields that are given.
pub fn change_workflow(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    id: &str,
    ask: ChangeWorkflow,
) -> Answer<Workflow> {
    let old = workflow(tx, id)?;
    let w = Workflow {
        name: ask.name.unwrap_or(old.name),
        description: ask.description.or(old.description),
        status: ask.status.unwrap_or(old.status),
        updated_at: cx.now,
        ..old
    };
    fields::name("name", &w.name)?;
    fields::text("description", w.description.as_deref())?;
    fields::one_of("status", &w.status, WORKFLOW_STATUSES)?;
    tx.update_workflow(&w)?;
    Ok(w)
}

/// Adds a work item to a workflow.
pub fn add_item(tx: &Tx<'_>, cx: &Cx<'_>, ask: AddWorkItem) -> Answer<WorkItem> {
    let parent = workflow(tx, &ask.workflow_id)?;
    let project_key = ask.project_key.unwrap_or(parent.project_key);
    let status = ask.status.unwrap_or_else(|| "pending".to_owned());
    fields::name("project_key", &project_key)?;
    fields::name("title", &ask.title)?;
    fields::text("description", ask.description.as_deref())?;
    fields::maybe_name("assigned_to", ask.assigned_to.as_deref())?;
    fields::one_of("status", &status, ITEM_STATUSES)?;
    let w = WorkItem {
        id: cx.new_id(),
        workflow_id: parent.id,
        project_key,
        title: ask.title,
        description: ask.description,
        status,
        priority: ask.priority.unwrap_or(0),
        assigned_to: ask.assigned_to,
        created_at: cx.now,
        updated_at: cx.now,
    };
    tx.add_work_item(&w)?;
    Ok(w)
}

/// One work item.
pub fn item(view: &View<'_>, id: &str) -> Answer<WorkItem> {
    Ok(view.work_item(id)?.ok_or_else(|| Refusal::not_found("work item", id))?)
}

/// Changes the fields that are given.
pub fn change_item(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, ask: ChangeWorkItem) -> Answer<WorkItem> {
    let old = item(tx, id)?;
    let w = WorkItem {
        title: ask.title.unwrap_or(old.title),
        description: ask.description.or(old.description),
        status: ask.status.unwrap_or(old.status),
        priority: ask.priority.unwrap_or(old.priority),
        assigned_to: ask.assigned_to.or(old.assigned_to),
        updated_at: cx.now,
        ..old
    };
    fields::name("title", &w.title)?;
    fields::text("description", w.description.as_deref())?;
    fields::maybe_name("assigned_to", w.assigned_to.as_deref())?;
    fields::one_of("status", &w.status, ITEM_STATUSES)?;
    tx.update_work_item(&w)?;
    Ok(w)
}
