//! Todos.

use coord_protocol::wire::{AddTodo, ChangeTodo, Todo};

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Tx, View};

const STATUSES: &[&str] = &["pending", "done"];

/// Adds a todo.
pub fn add(tx: &Tx<'_>, cx: &Cx<'_>, ask: AddTodo) -> Answer<Todo> {
    if ask.text.trim().is_empty() {
        return Err(Refusal::new(422, "text is empty").into());
    }
    fields::text("text", Some(&ask.text))?;
    for (field, value) in [
        ("assigned_to_user", &ask.assigned_to_user),
        ("project_key", &ask.project_key),
        ("source", &ask.source),
        ("created_by_user", &ask.created_by_user),
        ("created_by_machine", &ask.created_by_machine),
    ] {
        fields::maybe_name(field, value.as_deref())?;
    }
    if let Some(parent) = &ask.parent_id {
        show(tx, parent)?;
    }
    let t = Todo {
        id: cx.new_id(),
        text: ask.text,
        status: "pending".to_owned(),
        assigned_to_user: ask.assigned_to_user,
        project_key: ask.project_key,
        parent_id: ask.parent_id,
        source: ask.source,
        auto: ask.auto,
        created_by_user: ask.created_by_user,
        created_by_machine: ask.created_by_machine,
        created_at: cx.now,
        completed_by: None,
        completed_at: None,
    };
    tx.add_todo(&t)?;
    Ok(t)
}

/// One todo.
pub fn show(view: &View<'_>, id: &str) -> Answer<Todo> {
    Ok(view.todo(id)?.ok_or_else(|| Refusal::not_found("todo", id))?)
}

/// Changes the fields that are given. Done twice is done: the first time and person stay.
pub fn change(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, ask: ChangeTodo) -> Answer<Todo> {
    let old = show(tx, id)?;
    let status = ask.status.unwrap_or_else(|| old.status.clone());
    fields::one_of("status", &status, STATUSES)?;
    let (completed_by, completed_at) = match (old.status.as_str(), status.as_str()) {
        ("done", "done") => (old.completed_by.clone(), old.completed_at),
        (_, "done") => (ask.completed_by, Some(cx.now)),
        _ => (None, None),
    };
    let t = Todo {
        text: ask.text.unwrap_or_else(|| old.text.clone()),
        status,
        assigned_to_user: ask.assigned_to_user.or_else(|| old.assigned_to_user.clone()),
        completed_by,
        completed_at,
        ..old
    };
    if t.text.trim().is_empty() {
        return Err(Refusal::new(422, "text is empty").into());
    }
    fields::text("text", Some(&t.text))?;
    fields::maybe_name("completed_by", t.completed_by.as_deref())?;
    fields::maybe_name("assigned_to_user", t.assigned_to_user.as_deref())?;
    tx.update_todo(&t)?;
    Ok(t)
}
