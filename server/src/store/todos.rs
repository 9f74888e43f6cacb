//! Todos.

use coord_protocol::time::Millis;
use coord_protocol::wire::Todo;
use rusqlite::{Row, params};

use super::{Paged, Stored, Tx, View, limit};

const COLUMNS: &str = "id, text, status, assigned_to_user, project_key, parent_id, source, auto,
    created_by_user, created_by_machine, created_at, completed_by, completed_at";

fn todo(r: &Row<'_>) -> rusqlite::Result<Todo> {
    Ok(Todo {
        id: r.get(0)?,
        text: r.get(1)?,
        status: r.get(2)?,
        assigned_to_user: r.get(3)?,
        project_key: r.get(4)?,
        parent_id: r.get(5)?,
        source: r.get(6)?,
        auto: r.get(7)?,
        created_by_user: r.get(8)?,
        created_by_machine: r.get(9)?,
        created_at: Millis(r.get(10)?),
        completed_by: r.get(11)?,
        completed_at: r.get::<_, Option<i64>>(12)?.map(Millis),
    })
}

impl View<'_> {
    /// One todo.
    pub fn todo(&self, id: &str) -> Stored<Option<Todo>> {
        self.row(&format!("SELECT {COLUMNS} FROM todo WHERE id = ?1"), [id], todo)
    }

    /// Todos, oldest first, each with its place in the order.
    pub fn todos(
        &self,
        user: Option<&str>,
        project: Option<&str>,
        status: Option<&str>,
        after: i64,
        most: usize,
    ) -> Stored<Paged<(i64, Todo)>> {
        self.page(
            most,
            &format!(
                "SELECT {COLUMNS}, seq FROM todo WHERE (?1 IS NULL OR assigned_to_user = ?1)
                 AND (?2 IS NULL OR project_key = ?2) AND (?3 IS NULL OR status = ?3)
                 AND seq > ?4 ORDER BY seq LIMIT ?5"
            ),
            params![user, project, status, after, limit(most + 1)],
            |r| Ok((r.get(13)?, todo(r)?)),
        )
    }

    /// How many todos are not done.
    pub fn open_todos(&self, project: Option<&str>) -> Stored<i64> {
        self.number(
            "SELECT COUNT(*) FROM todo WHERE status <> 'done' AND (?1 IS NULL OR project_key = ?1)",
            [project],
        )
    }
}

impl Tx<'_> {
    /// Adds a todo.
    pub fn add_todo(&self, t: &Todo) -> Stored<()> {
        self.run(
            &format!(
                "INSERT INTO todo ({COLUMNS})
                 VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)"
            ),
            params![
                t.id,
                t.text,
                t.status,
                t.assigned_to_user,
                t.project_key,
                t.parent_id,
                t.source,
                t.auto,
                t.created_by_user,
                t.created_by_machine,
                t.created_at.0,
                t.completed_by,
                t.completed_at.map(|m| m.0)
            ],
        )?;
        Ok(())
    }

    /// Writes a todo's changeable fields.
    pub fn update_todo(&self, t: &Todo) -> Stored<()> {
        self.run(
            "UPDATE todo SET text = ?2, status = ?3, assigned_to_user = ?4, completed_by = ?5,
             completed_at = ?6 WHERE id = ?1",
            params![
                t.id,
                t.text,
                t.status,
                t.assigned_to_user,
                t.completed_by,
                t.completed_at.map(|m| m.0)
            ],
        )?;
        Ok(())
    }
}
