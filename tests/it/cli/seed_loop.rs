//! The queue file is the seed's: its shell loop sends what `coord` wrote, and `coord sync` sends
//! what a shell wrote.

use std::process::Command;

use coord_tests::proxy::{Mode, Proxy};
use coord_tests::server::TestServer;
use coord_tests::workstation::{Workstation, has_tool};
use serde_json::Value;

use super::common::{all_messages, desk, rows, server, text, texts};

/// Catch-up as the protocol page has it; only the address is another.
const LOOP: &str = r#"
while read -r line; do
  method=$(echo "$line" | jq -r .method)
  path=$(echo "$line" | jq -r .path)
  body=$(echo "$line" | jq -r .body)
  curl -s -X "$method" "$BASE$path" -H "Content-Type: application/json" -d "$body" || exit 1
  echo
done < .claude/coord-queue.jsonl
"#;

fn bash(station: &Workstation, script: &str, base: &str) -> String {
    let out = Command::new("bash")
        .args(["-c", script])
        .current_dir(station.project())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("BASE", base)
        .output()
        .expect("bash can be started");
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    text
}

fn tools(test: &str) -> bool {
    ["bash", "jq", "curl"].iter().all(|tool| has_tool(test, tool))
}

fn get(server: &TestServer, path: &str, name: &str) -> Vec<Value> {
    rows(&server.get(path).expect(200), name).to_vec()
}

#[test]
fn the_seeds_shell_loop_sends_what_coord_queued() {
    if !tools("the_seeds_shell_loop_sends_what_coord_queued") {
        return;
    }
    let mut server = server();
    let desk = desk(&server);
    let old = desk.json(&["lock", "claim", "p", "old.rs", "d"]);
    let todo = desk.json(&["todo", "add", "finish me"]);
    let sent = desk.json(&["msg", "send", "DESK", "read me", "b"]);
    let id = |made: &Value| text(&made["result"]["id"]).to_owned();
    let hard = "quotes \" and \\ and $HOME, `x`, \\n, \u{fc}\u{1f600}\nsecond line";
    server.kill9();
    for words in [
        &["msg", "send", "ALL", "queued", hard][..],
        &["todo", "add", "queued too", "--user", "mike"],
        &["component", "set", "gururmm", "server", "deployed", "--version", "0.3.0"],
        &["lock", "claim", "p", "new.rs", "d"],
        &["lock", "release", &id(&old)],
        &["todo", "done", &id(&todo)],
        &["msg", "read", &id(&sent)],
        &["workflow", "create", "gururmm", "Discovery"],
    ] {
        desk.coord(words).exits(0).says("queued");
    }
    assert_eq!(desk.queue().len(), 8);
    for (line, entry) in desk.queue().iter().enumerate() {
        for field in ["ts", "method", "path"] {
            assert!(entry[field].is_string(), "line {line} has no {field}: {entry}");
        }
    }
    server.restart();
    let answers = bash(&desk, LOOP, &server.url());
    assert!(!answers.contains("\"detail\""), "an entry was refused: {answers}");

    assert_eq!(texts(&all_messages(&server), "subject"), ["read me", "queued"]);
    assert_eq!(all_messages(&server)[1]["body"], hard);
    assert!(
        !all_messages(&server)[0]["read_at"].is_null() || {
            let shown = server
                .get(&format!("/api/coord/messages/{}?session_id=DESK/claude-main", id(&sent)));
            !shown.expect(200)["read_at"].is_null()
        }
    );
    let todos = get(&server, "/api/coord/todos", "todos");
    assert_eq!(texts(&todos, "text"), ["finish me", "queued too"]);
    assert_eq!(texts(&todos, "status"), ["done", "pending"]);
    let locks = get(&server, "/api/coord/locks", "locks");
    assert_eq!(texts(&locks, "resource"), ["new.rs"], "released and claimed");
    let components = get(&server, "/api/coord/components", "components");
    assert_eq!(texts(&components, "version"), ["0.3.0"]);
    assert_eq!(get(&server, "/api/coord/workflows", "workflows").len(), 1);
}

/// Twelve entries without ids, as a shell script would queue them.
const JQ: &str = r#"
for n in 1 2 3 4 5 6 7 8 9 10; do
  jq -nc --arg n "$n" '{ts:"2026-05-12T15:30:00Z",method:"POST",path:"/api/coord/todos",body:{text:("todo "+$n)}}'
done >> .claude/coord-queue.jsonl
jq -nc '{ts:"2026-05-12T15:30:00Z",method:"PUT",path:"/api/coord/components/gururmm/server",
  body:{state:"deployed",version:"0.3.0",notes:"...",updated_by:"DESK/claude-main"}}' >> .claude/coord-queue.jsonl
jq -nc '{method:"POST",path:"/api/coord/messages",body:({from_session:"DESK/claude-main",subject:"s",body:"b"}|tojson)}' \
  >> .claude/coord-queue.jsonl
"#;

#[track_caller]
fn each_took_effect_once(server: &TestServer) {
    let todos = texts(&get(server, "/api/coord/todos", "todos"), "text");
    let want: Vec<_> = (1..=10).map(|n| format!("todo {n}")).collect();
    assert_eq!(todos, want, "each once and in order");
    assert_eq!(all_messages(server).len(), 1);
    let history = server.get("/api/coord/components/gururmm/server/history").expect(200);
    assert_eq!(rows(&history, "history").len(), 1);
}

#[test]
fn sync_sends_what_a_shell_queued() {
    if !tools("sync_sends_what_a_shell_queued") {
        return;
    }
    let server = server();
    let desk = desk(&server);
    bash(&desk, JQ, "");
    assert_eq!(desk.queue().len(), 12);
    assert!(desk.queue().iter().all(|e| e["id"].is_null()));
    desk.coord(&["sync"]).exits(0).says("sent 12 writes");
    each_took_effect_once(&server);
    assert!(!desk.queue_file().exists(), "a queue that was sent is gone");
    desk.coord(&["sync"]).exits(0).says("nothing was waiting");
    each_took_effect_once(&server);
}

#[test]
fn sync_sends_each_once_when_answers_are_lost() {
    if !tools("sync_sends_each_once_when_answers_are_lost") {
        return;
    }
    for mode in [Mode::LoseAnswer, Mode::CutAnswer(60), Mode::CutAnswer(600)] {
        let server = server();
        let proxy = Proxy::before(server.address());
        let desk = Workstation::new("DESK", "mike", &proxy.url());
        bash(&desk, JQ, "");
        proxy.once("POST /api/coord/batch", mode);
        let first = desk.json(&["sync"]);
        assert_eq!(first["waiting"], 12, "{mode:?}: {first}");
        assert_eq!(proxy.unmet(), 0);
        each_took_effect_once(&server);
        let second = desk.json(&["sync"]);
        assert_eq!(second["waiting"], 0, "{second}");
        assert_eq!(rows(&second, "applied").len(), 12, "{second}");
        assert!(rows(&second, "applied").iter().all(|a| a["replayed"] == true), "{second}");
        each_took_effect_once(&server);
        assert!(!desk.queue_file().exists());
    }
}

#[test]
fn two_syncs_at_once_and_a_restored_copy_repeat_nothing() {
    if !tools("two_syncs_at_once_and_a_restored_copy_repeat_nothing") {
        return;
    }
    let server = server();
    let desk = desk(&server);
    bash(&desk, JQ, "");
    let running: Vec<_> = (0..6).map(|_| desk.run(&["sync", "--json"]).start()).collect();
    let copies: Vec<_> = running.into_iter().map(|r| r.wait().exits(0).json()).collect();
    let sent: usize = copies.iter().map(|c| rows(c, "applied").len()).sum();
    assert_eq!(sent, 12, "{copies:?}");
    each_took_effect_once(&server);
    // An entry with an id that comes back has no second effect.
    desk.write_queue(
        "{\"id\":\"i-1\",\"method\":\"POST\",\"path\":\"/api/coord/workflows\",\
         \"body\":{\"project_key\":\"p\",\"name\":\"n\"}}\n",
    );
    let copy = std::fs::read(desk.queue_file()).unwrap();
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    desk.write_queue(copy);
    desk.coord(&["sync"]).exits(0).says("applied before");
    assert_eq!(get(&server, "/api/coord/workflows", "workflows").len(), 1);
}
