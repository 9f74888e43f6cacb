//! Whose a call is. A host starts one server and may run several conversations with it, one after the
//! other or at once: so it is looked anew with every call (docs/mcp.md has the order).

use std::path::Path;
use std::time::Duration;

use coord_protocol::wire::{Session, SessionStatus, Sessions};
use coord_server::api::Call;
use serde_json::Value;

use crate::config::env::Env;
use crate::config::paths::Paths;
use crate::config::session::{Said, is_nobody};
use crate::config::tool_call;
use crate::context::{Context, Whose};
use crate::outbox::real_disk::RealDisk;
use crate::remote::Outgoing;
use crate::remote::local::LOCAL;
use crate::remote::query::Query;
use crate::ui::report::CliError;

/// Host tools, and a word in the name that each gives itself as a client.
const TOOLS: &[&str] = &["claude", "codex", "copilot", "cursor", "gemini", "opencode"];

/// The local store is given this long.
const KNOWN_WITHIN: Duration = Duration::from_millis(300);

/// What the protocol says of a call.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// `_meta` of the request.
    pub meta: Value,
    /// The client's name for itself.
    pub client: Option<String>,
}

impl Caller {
    /// The surroundings of its call.
    pub(super) fn context(
        &self,
        env: &Env,
        cwd: &Path,
        named: Option<&str>,
        process: &str,
    ) -> Result<Context, CliError> {
        let said = self.said(env, named, process);
        let cx = Context::load(env.clone(), cwd, &Whose::Call(&said))?;
        let tool = said.tool.as_deref().filter(|_| is_nobody(env, &said));
        let Some(neighbour) = tool.and_then(|tool| neighbour(&cx, tool)) else { return Ok(cx) };
        let said = Said { neighbour: Some(neighbour), ..said };
        Ok(Context::load(env.clone(), cwd, &Whose::Call(&said))?)
    }

    fn said(&self, env: &Env, named: Option<&str>, process: &str) -> Said {
        let text = |name: &str| self.meta.get(name).and_then(Value::as_str);
        let id = text("sessionId").or_else(|| text("threadId"));
        let noted = text("claudecode/toolUseId").and_then(|call| {
            let state = RealDisk::at(&Paths::find(env).ok()?.state);
            tool_call::take(&state, call)
        });
        Said {
            named: named.map(str::to_owned),
            // Only Codex puts the conversation into the call.
            tool: self.tool().or(id.map(|_| "codex")).map(str::to_owned),
            id: id.map(str::to_owned),
            noted,
            neighbour: None,
            process: process.to_owned(),
        }
    }

    fn tool(&self) -> Option<&'static str> {
        let client = self.client.as_deref()?.to_ascii_lowercase();
        TOOLS.iter().copied().find(|t| client.contains(t))
    }
}

/// The only live session of a host tool in this work tree, as far as it is known here: hosts that say
/// nothing in a call have hooks or plugins that registered it.
fn neighbour(cx: &Context, tool: &str) -> Option<String> {
    let query = Query::default().and("project_key", cx.project.key.as_deref());
    let all = known(cx, &query.and("limit", Some("500")).on("/api/coord/sessions"))?;
    let all: Sessions = serde_json::from_slice(&all).ok()?;
    only_one(&all.sessions, &cx.machine, tool, &cx.project.root.display().to_string())
}

/// What is known of something without asking anybody elsewhere.
fn known(cx: &Context, path: &str) -> Option<Vec<u8>> {
    if cx.base == LOCAL {
        return cx.net.call(&Outgoing::get(path), KNOWN_WITHIN).ok().map(|answer| answer.body);
    }
    let call = Call { method: "GET".to_owned(), target: path.to_owned(), ..Call::default() };
    cx.standin()?.said(&call).ok()?.map(|known| known.reply.body.into_bytes())
}

fn only_one(all: &[Session], machine: &str, tool: &str, tree: &str) -> Option<String> {
    let mut here = all.iter().filter(|s| {
        s.status == SessionStatus::Active
            && s.machine.as_deref() == Some(machine)
            && s.tool.as_deref() == Some(tool)
            && s.worktree.as_deref() == Some(tree)
    });
    here.next().filter(|_| here.next().is_none()).map(|s| s.session_id.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_neighbour_is_unmistakable_or_none() {
        let session = |id: &str, tool: &str, tree: &str, status: &str| -> Session {
            serde_json::from_value(json!({"session_id": id, "machine": "BOX", "user": null,
                "tool": tool, "project_key": null, "branch": null, "task": null,
                "worktree": tree, "status": status, "generation": 1, "ended_at": null,
                "first_seen": "2026-01-01T00:00:00Z", "last_seen": "2026-01-01T00:00:00Z"}))
            .unwrap()
        };
        let mut all = vec![
            session("BOX/gemini-1", "gemini", "/app", "active"),
            session("BOX/gemini-2", "gemini", "/app", "ended"),
            session("BOX/gemini-3", "gemini", "/other", "active"),
            session("BOX/cursor-4", "cursor", "/app", "active"),
        ];
        assert_eq!(only_one(&all, "BOX", "gemini", "/app").as_deref(), Some("BOX/gemini-1"));
        assert_eq!(only_one(&all, "DESK", "gemini", "/app"), None);
        all.push(session("BOX/gemini-5", "gemini", "/app", "active"));
        assert_eq!(only_one(&all, "BOX", "gemini", "/app"), None);
    }

    #[test]
    fn what_a_host_says_of_a_call() {
        let of = |client: Option<&str>, meta: Value| {
            let caller = Caller { meta, client: client.map(str::to_owned) };
            let said = caller.said(&Env::default(), None, "p");
            (said.tool, said.id)
        };
        let text = |s: &str| Some(s.to_owned());
        let codex = json!({"sessionId": "s1", "threadId": "t1"});
        assert_eq!(of(Some("codex-mcp-client"), codex.clone()), (text("codex"), text("s1")));
        assert_eq!(of(None, codex), (text("codex"), text("s1")));
        assert_eq!(of(Some("Gemini-CLI"), Value::Null), (text("gemini"), None));
        assert_eq!(of(Some("inspector"), json!({"sessionId": 7})), (None, None));
    }
}
