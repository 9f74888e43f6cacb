//! The protocol document that the server was built from: its requests word for word, and the
//! shapes that it documents.

use std::process::{Command, Output};

use coord_tests::raw::{Answer, Ask};
use coord_tests::server::{TestServer, on_each_face};
use serde_json::json;

use super::shorthand::{column, id, text};

const SESSION: &str = "DESKTOP-0O8A1RL/claude-main";
const OTHER: &str = "HOWARD-HOME/claude-main";

const LOCK: &str = r#"{
    "project_key": "gururmm",
    "session_id": "DESKTOP-0O8A1RL/claude-main",
    "resource": "server/src/api/credentials.rs",
    "description": "Adding credential endpoints",
    "ttl_hours": 2
}"#;
const COMPONENT: &str = r#"{
    "project_key": "gururmm",
    "component": "server",
    "state": "deployed",
    "version": "0.3.0",
    "notes": "Deployed 2026-05-12; credential store live",
    "updated_by": "DESKTOP-0O8A1RL/claude-main"
}"#;
const WORKFLOW: &str = r#"{
    "project_key": "gururmm",
    "name": "Network Discovery Phase 1",
    "description": "TCP probe scanner + DB layer + API + dashboard",
    "status": "planning",
    "created_by": "DESKTOP-0O8A1RL/claude-main"
}"#;
const MESSAGE: &str = r#"{
    "from_session": "DESKTOP-0O8A1RL/claude-main",
    "to_session": "HOWARD-HOME/claude-main",
    "project_key": "gururmm",
    "subject": "macOS build pipeline ready for wiring",
    "body": "build-agents.sh updated. Section marked TODO-MACOS. Wire in from your end."
}"#;
/// A line of the queue file, with the other spelling of a component's path.
const QUEUE_LINE: &str = r#"{"ts":"2026-05-12T15:30:00Z","method":"PUT","path":"/api/coord/components/gururmm/server","body":{"state":"deployed","version":"0.3.0","notes":"...","updated_by":"DESKTOP-0O8A1RL/claude-main"}}"#;

fn send(server: &TestServer, method: &str, path: &str, body: &str) -> Answer {
    server.ask(Ask::new(method, path).header("Content-Type", "application/json").body(body))
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

fn is_time(text: &str) -> bool {
    text.len() == 20 && text.ends_with('Z') && text.as_bytes()[10] == b'T'
}

#[test]
fn the_life_of_a_lock() {
    on_each_face(|s| {
        let look = "/api/coord/locks?project_key=gururmm&resource=server/src/api/credentials.rs";
        assert_eq!(s.get(look).expect(200), json!({"locks": [], "count": 0}));

        let lock = send(s, "POST", "/api/coord/locks", LOCK).expect(201);
        assert!(is_uuid(&id(&lock)), "{lock}");
        assert_eq!(lock["ttl_hours"].as_f64(), Some(2.0));
        for time in ["acquired_at", "last_activity", "expires_at"] {
            assert!(is_time(&text(&lock, time)), "{time} in {lock}");
        }
        assert_eq!(s.get(look).expect(200)["locks"], json!([lock]));

        let others = LOCK.replace(SESSION, OTHER);
        let no = send(s, "POST", "/api/coord/locks", &others).refused(409);
        for part in [SESSION, "server/src/api/credentials.rs", "Adding credential endpoints"] {
            assert!(no.contains(part), "{part:?} is not in {no:?}");
        }
        let release = format!("/api/coord/locks/{}?session_id={SESSION}", id(&lock));
        assert_eq!(s.delete(&release).expect(200)["released"], true);
        assert_eq!(s.get(look).expect(200)["count"], 0);
        send(s, "POST", "/api/coord/locks", &others).expect(201);
    });
}

#[test]
fn a_session_cleans_up() {
    on_each_face(|s| {
        for resource in ["a", "b", "c"] {
            let body = LOCK.replace("server/src/api/credentials.rs", resource);
            send(s, "POST", "/api/coord/locks", &body).expect(201);
        }
        let all = format!("/api/coord/locks?session_id={SESSION}&release_all=true");
        assert_eq!(s.delete(&all).expect(200)["released"], 3);
        assert_eq!(s.delete(&all).expect(200)["released"], 0);
        s.delete(&format!("/api/coord/locks?session_id={SESSION}")).refused(422);
        s.delete("/api/coord/locks?release_all=true").refused(422);
    });
}

#[test]
fn components_in_both_spellings() {
    on_each_face(|s| {
        let first = send(s, "PUT", "/api/coord/components", COMPONENT).expect(200);
        assert_eq!(text(&first, "updated_by"), SESSION);
        assert!(is_time(&text(&first, "updated_at")));
        let line: serde_json::Value = serde_json::from_str(QUEUE_LINE).unwrap();
        send(s, &text(&line, "method"), &text(&line, "path"), &line["body"].to_string())
            .expect(200);

        let list = s.get("/api/coord/components?project_key=gururmm").expect(200);
        assert_eq!(column(&list, "components", "notes"), ["..."]);
        assert_eq!(s.get("/api/coord/components?project_key=else").expect(200)["count"], 0);
        let one = "/api/coord/components/gururmm/server";
        assert_eq!(text(&s.get(one).expect(200), "version"), "0.3.0");
        let history = s.get(&format!("{one}/history")).expect(200);
        let notes = column(&history, "history", "notes");
        assert_eq!(notes, ["...", "Deployed 2026-05-12; credential store live"]);
        s.get("/api/coord/components/gururmm/none").refused(404);
    });
}

#[test]
fn workflows_and_work_items() {
    on_each_face(|s| {
        let workflow = id(&send(s, "POST", "/api/coord/workflows", WORKFLOW).expect(201));
        assert!(is_uuid(&workflow));
        let item = format!(
            r#"{{
            "workflow_id": "{workflow}",
            "project_key": "gururmm",
            "title": "Write migrations 017-019 for discovery tables",
            "status": "pending",
            "priority": 10
        }}"#
        );
        let item = id(&send(s, "POST", "/api/coord/work-items", &item).expect(201));
        let path = format!("/api/coord/work-items/{item}");
        let done = send(s, "PATCH", &path, r#"{ "status": "completed" }"#).expect(200);
        assert_eq!(
            (text(&done, "status").as_str(), done["priority"].as_i64()),
            ("completed", Some(10))
        );
        for status in ["pending", "in_progress", "blocked", "completed", "cancelled"] {
            send(s, "PATCH", &path, &json!({"status": status}).to_string()).expect(200);
        }
        let path = format!("/api/coord/workflows/{workflow}");
        for status in ["planning", "active", "blocked", "completed", "cancelled"] {
            send(s, "PATCH", &path, &json!({"status": status}).to_string()).expect(200);
        }
        send(s, "PATCH", &path, r#"{"status": "finished"}"#).refused(422);
        let list = s.get(&format!("/api/coord/work-items?workflow_id={workflow}")).expect(200);
        assert_eq!(column(&list, "work_items", "id"), [item]);
    });
}

#[test]
fn messages_between_sessions() {
    on_each_face(|s| {
        let inbox = format!("/api/coord/messages?to_session={OTHER}&unread_only=true");
        send(s, "POST", "/api/coord/messages", MESSAGE).refused(404);
        // Looking into its inbox makes a session known.
        assert_eq!(s.get(&inbox).expect(200), json!({"messages": [], "count": 0}));
        let sent = send(s, "POST", "/api/coord/messages", MESSAGE).expect(201);
        assert!(is_uuid(&id(&sent)));

        let unread = s.get(&inbox).expect(200);
        assert_eq!(column(&unread, "messages", "id"), [id(&sent)]);
        for (field, value) in [
            ("from_session", SESSION),
            ("to_session", OTHER),
            ("subject", "macOS build pipeline ready for wiring"),
            ("body", "build-agents.sh updated. Section marked TODO-MACOS. Wire in from your end."),
        ] {
            assert_eq!(text(&unread["messages"][0], field), value);
        }
        let read = s.ask(Ask::new("PUT", &format!("/api/coord/messages/{}/read", id(&sent))));
        assert!(is_time(&text(&read.expect(200), "read_at")));
        assert_eq!(s.get(&inbox).expect(200)["count"], 0);
        let all = s.get(&format!("/api/coord/messages?to_session={OTHER}")).expect(200);
        assert_eq!(all["count"], 1);
    });
}

#[test]
fn status_and_health() {
    on_each_face(|s| {
        send(s, "POST", "/api/coord/locks", LOCK).expect(201);
        send(s, "PUT", "/api/coord/components", COMPONENT).expect(200);
        send(s, "POST", "/api/coord/workflows", WORKFLOW).expect(201);
        s.get(&format!("/api/coord/messages?to_session={OTHER}")).expect(200);
        send(s, "POST", "/api/coord/messages", MESSAGE).expect(201);

        let status = s.get("/api/coord/status").expect(200);
        for (list, field, value) in [
            ("active_locks", "session_id", SESSION),
            ("recent_components", "component", "server"),
            ("active_workflows", "name", "Network Discovery Phase 1"),
        ] {
            assert_eq!(column(&status, list, field), [value]);
        }
        assert_eq!(status["unread_messages"], 1);
        let mine = s.get(&format!("/api/coord/status?session_id={SESSION}")).expect(200);
        assert_eq!(mine["unread_messages"], 0);

        let health = s.get("/health").expect(200);
        assert_eq!(text(&health, "status"), "ok");
        assert_eq!(text(&health, "database"), "connected");
        s.get("/readyz").expect(200);
    });
}

/// Runs a line of shell; `None` where one of the programs it needs is missing.
fn shell(test: &str, needs: &[&str], script: &str, vars: &[(&str, &str)]) -> Option<Output> {
    for program in needs {
        if Command::new(program).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none(), "CI must have {program}");
            eprintln!("SKIPPED {test}: no {program}");
            return None;
        }
    }
    let mut sh = Command::new("sh");
    sh.args(["-c", script]).envs(vars.iter().copied());
    for proxy in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"] {
        sh.env_remove(proxy);
    }
    Some(sh.output().unwrap())
}

#[test]
fn the_real_curl() {
    on_each_face(|s| {
        let script = r#"
            curl -sS -X POST "$url/api/coord/locks" -H 'Content-Type: application/json' -d "$lock" &&
            curl -sS "$url/api/coord/locks?project_key=gururmm&resource=server/src/api/credentials.rs" &&
            curl -sS -X DELETE "$url/api/coord/locks?session_id=DESKTOP-0O8A1RL/claude-main&release_all=true" &&
            curl -sS -I "$url/health" &&
            head -c 1100000 /dev/zero | curl -sS -o /dev/null -w '%{http_code}' --data-binary @- "$url/api/coord/locks""#;
        let vars = [("url", s.url()), ("lock", LOCK.to_owned())];
        let vars = vars.each_ref().map(|(n, v)| (*n, v.as_str()));
        let Some(out) = shell("the_real_curl", &["curl"], script, &vars) else { return };
        let (told, failed) =
            (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.success(), "{failed}");
        for part in ["\"acquired_at\"", "\"count\":1", "\"released\":1", "HTTP/1.1 200"] {
            assert!(told.contains(part), "{part:?} is not in {told}");
        }
        assert!(told.ends_with("413"), "{told}");
    });
}

#[test]
fn the_documents_own_catch_up_loop() {
    on_each_face(|s| {
        let script = r#"
            while read -r line; do
            method=$(echo "$line" | jq -r .method)
            path=$(echo "$line" | jq -r .path)
            body=$(echo "$line" | jq -r .body)
            curl -s -X "$method" "$url$path" -H "Content-Type: application/json" -d "$body"
            done < "$queue""#;
        let queue = s.dir().join("coord-queue.jsonl");
        std::fs::write(&queue, format!("{QUEUE_LINE}\n")).unwrap();
        let (url, queue) = (s.url(), queue.display().to_string());
        let vars = [("url", url.as_str()), ("queue", queue.as_str())];
        let test = "the_documents_own_catch_up_loop";
        if shell(test, &["curl", "jq"], script, &vars).is_none() {
            return;
        }
        let component = s.get("/api/coord/components/gururmm/server").expect(200);
        assert_eq!(text(&component, "state"), "deployed");
    });
}
