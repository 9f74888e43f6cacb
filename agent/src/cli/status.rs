//! `coord status`.

use coord_protocol::wire::Status;
use serde_json::json;

use super::reading::{Query, read};
use super::writing::waiting_here;
use crate::context::Context;
use crate::outbox::dead;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this project
    #[arg(long, value_name = "KEY")]
    project: Option<String>,
}

pub(super) fn run(cx: &Context, a: &Args) -> Result<Report, CliError> {
    let query = Query::default()
        .and("project_key", a.project.as_deref())
        .and("session_id", Some(&cx.session.id));
    let (s, raw): (Status, _) = read(cx, &query.on("/api/coord/status"))?;
    let mut out = vec![format!("you are {} ({})", line(&cx.session.id), line(&cx.base))];
    out.push(format!("unread messages: {}", s.unread_messages));
    out.push(format!("open todos: {}", s.open_todos));
    section(&mut out, "locks", &s.active_locks, super::lock::row);
    section(&mut out, "components", &s.recent_components, super::component::row);
    section(&mut out, "workflows", &s.active_workflows, super::workflow::row);
    section(&mut out, "sessions", &s.sessions, super::session::row);
    let waiting = waiting_here(cx);
    if waiting > 0 {
        out.push(format!("waiting here: {waiting} writes not acknowledged by the server"));
    }
    let elsewhere = cx.other_outboxes().len();
    if elsewhere > 0 {
        out.push(format!("writes wait in {elsewhere} other projects too; `coord sync` sends them"));
    }
    let dead = dead::list(&cx.outbox).map_or(0, |l| l.len());
    if dead > 0 {
        out.push(format!("dead letters: {dead}, see `coord outbox dead`"));
    }
    let json = json!({"session": cx.session.id, "server": cx.base, "waiting": waiting, "dead": dead, "status": raw});
    Ok(Report::new(out.join("\n"), json))
}

fn section<T>(out: &mut Vec<String>, title: &str, rows: &[T], row: impl Fn(&T) -> String) {
    out.push(
        format!("{title}: {}", if rows.is_empty() { "none".to_owned() } else { String::new() })
            .trim_end()
            .to_owned(),
    );
    out.extend(rows.iter().map(|r| format!("  {}", row(r))));
}
