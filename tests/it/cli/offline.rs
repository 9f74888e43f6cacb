//! The server is away: reads are answered from the copy here and say how old they are, claims are
//! provisional, and everybody is told afterwards what became of them.

use std::thread;

use coord_tests::server::TestServer;
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::common::{desk, home, rows, server, text};

const ID: &str = "0198abcd-ef01-2345";
const SESSION: &str = "HOWARD-HOME/claude-0198abcd";

fn claim(at: &Workstation, session: &str, resource: &str) -> Value {
    at.run(&["lock", "claim", "acme/app", resource, "why", "--json"]).session(session).done().json()
}

#[test]
fn reads_are_answered_from_the_copy_and_say_their_age() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["todo", "add", "from before"]).exits(0);
    desk.coord(&["lock", "claim", "acme/app", "src/**"]).exits(0);
    desk.coord(&["component", "set", "acme/app", "api", "deployed"]).exits(0);
    desk.coord(&["decision", "add", "api", "One shape"]).exits(0);
    desk.coord(&["todo", "list"]).exits(0);
    server.kill9();
    for (words, expected) in [
        (&["todo", "list"][..], "from before"),
        (&["lock", "list"], "src/**"),
        (&["component", "list"], "deployed"),
        (&["decision", "list"], "One shape"),
        (&["session", "list"], "DESK/claude-main"),
        (&["workflow", "list"], "no workflows"),
        (&["msg", "inbox"], "no unread messages"),
        (&["status"], "src/**"),
    ] {
        let mut ran = desk.coord(words);
        ran.exits(0).says(expected).says("(as of ").says("the server cannot be asked");
    }
    let as_json = desk.json(&["todo", "list"]);
    assert!(as_json["as_of"]["age_secs"].is_u64(), "{as_json}");
    assert!(text(&as_json["as_of"]["why"]).contains("cannot be reached"), "{as_json}");
    server.restart();
    desk.coord(&["sync"]).exits(0);
    let fresh = desk.json(&["todo", "list"]);
    assert_eq!(fresh["as_of"], Value::Null, "{fresh}");
}

#[test]
fn what_was_never_heard_is_not_shown_as_empty() {
    let mut server = server();
    let desk = desk(&server);
    server.kill9();
    desk.coord(&["todo", "list"]).exits(69).complains("not known here");
    // Also when something of its own waits.
    desk.coord(&["todo", "add", "mine"]).exits(0).says("queued");
    desk.coord(&["todo", "list"]).exits(69);
}

#[test]
fn what_waits_is_seen_at_once_by_all_sessions_here_and_marked() {
    let mut server = server();
    let desk = desk(&server);
    let todo = desk.json(&["todo", "add", "finish me"]);
    desk.coord(&["todo", "list"]).exits(0);
    server.kill9();
    desk.coord(&["todo", "add", "written offline"]).exits(0).says("queued");
    desk.coord(&["todo", "done", text(&todo["result"]["id"])]).exits(0).says("queued");
    desk.coord(&["component", "set", "acme/app", "api", "building"]).exits(0);
    desk.coord(&["msg", "send", "ALL", "hello", "from a"]).exits(0);
    let by_other = |words: &[&str]| desk.run(words).session("DESK/other").done();
    by_other(&["todo", "list"]).exits(0).says("written offline  [queued here]");
    assert!(!by_other(&["todo", "list"]).told().contains("finish me"));
    by_other(&["component", "list"]).says("building").says("[queued here]");
    by_other(&["msg", "inbox"]).says("| from a");
    let todos = by_other(&["todo", "list", "--json"]).json();
    assert_eq!(rows(&todos, "todos")[0]["queued"], true, "{todos}");
    server.restart();
    by_other(&["sync"]).exits(0).says("sent");
    let list = by_other(&["todo", "list"]).out();
    assert!(list.contains("written offline") && !list.contains("[queued here]"), "{list}");
}

#[test]
fn a_damaged_copy_is_set_aside_and_the_queue_does_not_care() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["todo", "add", "one"]).exits(0);
    desk.coord(&["todo", "list"]).exits(0);
    let dir = std::fs::read_dir(desk.state()).unwrap().map(|e| e.unwrap().path());
    let replica = dir.into_iter().find(|p| p.to_string_lossy().contains("replica-")).unwrap();
    server.kill9();
    desk.coord(&["todo", "add", "two"]).exits(0).says("queued");
    let rubbish = b"not a database at all ".repeat(500);
    for name in ["base.db", "ahead.db"] {
        std::fs::write(replica.join(name), &rubbish).unwrap();
    }
    desk.coord(&["todo", "list"]).exits(69);
    desk.coord(&["lock", "claim", "p", "r"]).exits(0);
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 2 writes");
    desk.coord(&["todo", "list"]).exits(0).says("one").says("two");
    assert!(replica.join("base.db.damaged").exists());
}

#[test]
fn a_provisional_claim_keeps_out_other_sessions_of_this_workstation() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["lock", "list"]).exits(0);
    // Granted after the copy was made, and the server goes before the next pull.
    let taken = claim(&desk, "DESK/a", "taken/**");
    assert_eq!(taken["outcome"], "done");
    server.kill9();
    let mine = claim(&desk, "DESK/a", "src/**");
    assert_eq!((&mine["outcome"], &mine["provisional"]), (&json!("provisional"), &json!(true)));
    assert_eq!(mine["result"]["fence"], Value::Null, "{mine}");
    let by_b = |resource: &str| {
        desk.run(&["lock", "claim", "acme/app", resource]).session("DESK/b").done()
    };
    by_b("src/a.rs").exits(10).complains("DESK/a").complains("the server cannot be asked now");
    // What the server had granted before it went is known, too.
    by_b("taken/x").exits(10).complains("DESK/a");
    by_b("docs/**").exits(0).says("held provisionally");
    desk.coord(&["lock", "list"]).says("src/**").says("[queued here]");
    // Given back, it is free again, all before the server has heard of it.
    let id = text(&mine["id"]);
    desk.run(&["lock", "release", id]).session("DESK/a").done().exits(0);
    by_b("src/a.rs").exits(0).says("held provisionally");
    server.restart();
    desk.coord(&["sync"]).exits(0).says("fence");
    let live = server.get("/api/coord/locks").expect(200);
    let held: Vec<_> = rows(&live, "locks")
        .iter()
        .map(|l| (text(&l["session_id"]), text(&l["resource"])))
        .collect();
    assert_eq!(held, [("DESK/a", "taken/**"), ("DESK/b", "docs/**"), ("DESK/b", "src/a.rs")]);
}

#[test]
fn of_many_processes_one_gets_a_provisional_claim() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["lock", "list"]).exits(0);
    server.kill9();
    desk.coord(&["todo", "add", "opens the breaker"]).exits(0);
    for round in 0..3 {
        let resource = format!("round-{round}/**");
        let won: usize = thread::scope(|scope| {
            let tries: Vec<_> = (0..12)
                .map(|n| {
                    let (desk, resource) = (&desk, &resource);
                    scope.spawn(move || {
                        let session = format!("DESK/s{n}");
                        let args = ["lock", "claim", "acme/app", resource];
                        let ran = desk.run(&args).session(&session).done();
                        assert!([Some(0), Some(10)].contains(&ran.status.code()), "{}", ran.told());
                        usize::from(ran.status.success() && ran.out().contains("provisionally"))
                    })
                })
                .collect();
            tries.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

/// Two workstations claim what overlaps while the server is away; both come back.
fn both_claim(server: &mut TestServer, a: &Workstation, b: &Workstation) {
    for at in [a, b] {
        at.coord(&["lock", "list"]).exits(0);
    }
    server.kill9();
    assert_eq!(claim(a, "DESK/a", "src/**")["outcome"], "provisional");
    assert_eq!(claim(b, SESSION, "**/api.rs")["outcome"], "provisional");
    server.restart();
    b.close_breaker();
}

#[test]
fn of_two_workstations_one_holds_and_the_other_is_told_by_its_next_hook_once() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    both_claim(&mut server, &desk, &home);
    desk.coord(&["sync"]).exits(0).says("locked src/**");
    let told = home.session_start(ID, "startup").expect("there is news");
    assert!(told.contains("LOST") && told.contains("DESK/a"), "{told}");
    assert!(told.contains("src/api.rs") && told.contains("src/**"), "the overlap is named: {told}");
    let again = home.session_start(ID, "resume");
    assert!(again.is_none(), "once: {again:?}");
    // The holder is told, too, by a message.
    let inbox = desk.run(&["msg", "inbox"]).session("DESK/a").done().out();
    assert!(inbox.contains("MESSAGE FROM coord/server"), "{inbox}");
    assert!(inbox.contains(SESSION) && inbox.contains("src/api.rs"), "{inbox}");
    // Both see the same.
    let seen = |at: &Workstation| at.json(&["lock", "list"])["locks"].clone();
    assert_eq!(seen(&desk), seen(&home));
    assert_eq!(rows(&json!({"l": seen(&desk)}), "l").len(), 1);
}

#[test]
fn what_was_held_meanwhile_is_named_and_both_sides_hear_of_it() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["lock", "list"]).exits(0);
    server.kill9();
    assert_eq!(claim(&home, SESSION, "src/**")["outcome"], "provisional");
    server.restart();
    // Somebody who reaches the server has it for a while, and gives it back.
    thread::sleep(std::time::Duration::from_millis(1_100));
    let held = claim(&desk, "DESK/a", "src/lib.rs");
    let id = text(&held["result"]["id"]);
    desk.run(&["lock", "release", id]).session("DESK/a").done().exits(0);
    home.coord(&["sync"]).exits(0).says("locked src/**").says("DESK/a").says("src/lib.rs");
    let inbox = desk.run(&["msg", "inbox"]).session("DESK/a").done().out();
    assert!(inbox.contains("worked on src/** too"), "{inbox}");
}

#[test]
fn the_report_says_what_was_applied_and_what_was_refused() {
    let mut server = server();
    let home = home(&server);
    home.coord(&["todo", "list"]).exits(0);
    server.kill9();
    let as_hook = |words: &[&str]| home.run(words).session(SESSION).done();
    as_hook(&["todo", "add", "one"]).exits(0);
    as_hook(&["msg", "send", "NOBODY", "s", "b"]).exits(0).says("queued");
    as_hook(&["todo", "add", "two"]).exits(0);
    server.restart();
    home.close_breaker();
    let told = home.session_start(ID, "startup").expect("there is news");
    assert!(told.contains("3 writes of yours") && told.contains("2 of them done"), "{told}");
    assert!(told.contains("NOBODY"), "{told}");
    assert_eq!(home.session_start(ID, "resume"), None, "once");
}

#[test]
fn a_hook_without_the_server_shows_what_is_known_here() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.session_start("other000", "startup");
    desk.coord(&["msg", "send", "ALL", "Deploy at 5", "hold merges"]).exits(0);
    home.coord(&["todo", "list"]).exits(0);
    server.kill9();
    let told = home.session_start(ID, "startup").expect("mail is known");
    assert!(told.contains("| hold merges") && told.contains("as of "), "{told}");
    // It was offered, also by what is known here.
    let again = home.session_start(ID, "resume").unwrap_or_default();
    assert!(!again.contains("hold merges"), "{again}");
    home.coord(&["session", "list"]).exits(0).says(SESSION);
    server.restart();
    home.coord(&["sync"]).exits(0);
    desk.coord(&["msg", "sent"]).says("offered to");
}

#[test]
fn a_lost_claim_is_told_and_is_no_dead_letter() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["lock", "list"]).exits(0);
    server.kill9();
    // More than so many refusals in a row would stop a drain.
    for n in 0..25 {
        assert_eq!(claim(&home, SESSION, &format!("src/{n}"))["outcome"], "provisional");
    }
    home.run(&["todo", "add", "behind them"]).session(SESSION).done().exits(0);
    server.restart();
    assert_eq!(claim(&desk, "DESK/a", "src/**")["outcome"], "done");
    let mut synced = home.run(&["sync"]).session(SESSION).done();
    synced.exits(0).says("LOST").says("DESK/a").says("src/3");
    home.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
    assert!(!home.queue_file().exists());
    assert_eq!(server.get("/api/coord/todos").expect(200)["count"], 1);
}

#[test]
fn a_holder_says_held_only_while_it_can_be_sure() {
    let mut server = server();
    let desk = desk(&server);
    std::fs::write(desk.project().join("a.rs"), "fn main() {}").unwrap();
    let check = |file: &str| desk.coord(&["lock", "check", file]);
    desk.coord(&["lock", "acquire", "a.rs", "--ttl", "4"]).exits(0);
    check("a.rs").exits(0).says("is yours until");
    server.kill9();
    check("a.rs").exits(0).says("is yours until").says("(as of ");
    // In the last second of the lease nobody here can know whether the server has ended it.
    thread::sleep(std::time::Duration::from_millis(3_200));
    let late = check("a.rs");
    assert_ne!(late.status.code(), Some(0), "{}", late.told());
    // What was locked while the server is away is said to be that.
    desk.coord(&["lock", "acquire", "b.rs"]).exits(0).says("held provisionally");
    check("b.rs").exits(0).says("provisionally");
    let other = desk.run(&["lock", "check", "b.rs"]).session("DESK/other").done();
    assert_eq!(other.status.code(), Some(10), "{}", other.told());
    assert!(other.err().contains("(as of "), "{}", other.told());
}

#[test]
fn a_session_at_work_is_told_at_its_next_tool_or_command() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    both_claim(&mut server, &desk, &home);
    desk.coord(&["sync"]).exits(0);
    // Somebody else at that workstation sends what waits.
    home.run(&["todo", "list"]).session("HOWARD-HOME/other").done().exits(0);
    let tool = home.event("PostToolUse", ID, &json!({"tool_name": "Edit"}));
    let told = home.hook(&tool)["hookSpecificOutput"].clone();
    assert_eq!(told["hookEventName"], "PostToolUse");
    assert!(text(&told["additionalContext"]).contains("LOST"), "{told}");
    assert_eq!(home.hook(&tool), json!({}), "once");
    // The same by a command, where no hook is.
    server.kill9();
    assert_eq!(claim(&home, SESSION, "docs/again.md")["outcome"], "provisional");
    server.restart();
    home.close_breaker();
    home.run(&["sync"]).session("HOWARD-HOME/other").done().exits(0).says("locked docs/again.md");
    let mut next = home.run(&["todo", "list"]).session(SESSION).done();
    next.exits(0).complains("queued before: granted now: docs/again.md");
    let again = home.run(&["todo", "list"]).session(SESSION).done();
    assert!(!again.told().contains("queued before"), "{}", again.told());
}

#[test]
fn what_waits_is_told_as_what_it_is() {
    let mut server = server();
    let (desk, home) = (desk(&server), home(&server));
    home.coord(&["session", "register"]).exits(0);
    desk.coord(&["decision", "add", "api", "First"]).exits(0);
    desk.coord(&["decision", "list"]).exits(0);
    server.kill9();
    desk.coord(&["decision", "add", "api", "Second"]).exits(0).says("queued");
    desk.coord(&["decision", "list"]).exits(0).says("Second  [queued here]").says("First");
    desk.coord(&["msg", "send", "HOWARD-HOME", "hello", "b"]).exits(0).says("queued");
    desk.coord(&["msg", "sent"]).exits(0).says("queued here, not sent yet");
    assert!(!desk.coord(&["msg", "sent"]).out().contains("accepted"));
    // Claimed and given back: nobody is told that it is held.
    let made = claim(&desk, "DESK/a", "brief/**");
    desk.run(&["lock", "release", text(&made["id"])]).session("DESK/a").done().exits(0);
    desk.coord(&["todo", "done", "nonsense"]).exits(0);
    server.restart();
    let mut synced = desk.coord(&["sync"]);
    synced.exits(0).says("granted, and given back since: brief/**");
    synced.says("refused (404): change of todo nonsense");
    assert!(!synced.out().contains("release it with"), "{}", synced.out());
    desk.coord(&["decision", "list"]).exits(0).says("DEC-").says("Second");
    let next = desk.run(&["todo", "list"]).session("DESK/a").done();
    assert!(!next.told().contains("queued before"), "{}", next.told());
}

/// Two work trees of one project, side by side in one home.
fn two_trees(desk: &Workstation) -> [std::path::PathBuf; 2] {
    ["one", "two"].map(|name| {
        let tree = desk.home().join(name);
        std::fs::create_dir_all(tree.join(".claude")).unwrap();
        tree
    })
}

#[test]
fn work_trees_of_one_workstation_do_not_both_get_a_provisional_claim() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["lock", "list"]).exits(0);
    server.kill9();
    desk.coord(&["todo", "add", "opens the breaker"]).exits(0);
    let trees = two_trees(&desk);
    for round in 0..6 {
        let resource = format!("r{round}/**");
        let won: usize = thread::scope(|scope| {
            let tries: Vec<_> = trees
                .iter()
                .enumerate()
                .map(|(n, tree)| {
                    let args = ["lock", "claim", "acme/app", &resource];
                    let run = desk.run(&args).session(&format!("DESK/s{n}")).cwd(tree);
                    scope.spawn(move || usize::from(run.done().out().contains("provisionally")))
                })
                .collect();
            tries.into_iter().map(|t| t.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
}

#[test]
fn what_was_renewed_and_who_is_at_work_is_known_when_the_server_goes() {
    let mut server = server();
    let desk = desk(&server);
    let by = |who: &str, words: &[&str]| desk.run(words).session(who).done();
    by("DESK/a", &["lock", "acquire", "f", "--ttl", "4"]).exits(0);
    by("DESK/b", &["lock", "list"]).exits(0);
    thread::sleep(std::time::Duration::from_millis(2_500));
    by("DESK/a", &["lock", "renew", "f"]).exits(0);
    server.kill9();
    thread::sleep(std::time::Duration::from_secs(2));
    // By the first grant it would be over; the server has heard of the renewal.
    by("DESK/b", &["lock", "acquire", "f"]).exits(10).complains("DESK/a");
    // Provisional, and its holder goes on working: its neighbours do not get it.
    by("DESK/a", &["lock", "acquire", "g", "--ttl", "3"]).exits(0).says("provisionally");
    for _ in 0..3 {
        thread::sleep(std::time::Duration::from_millis(1_400));
        by("DESK/a", &["todo", "list"]);
    }
    by("DESK/b", &["lock", "acquire", "g"]).exits(10).complains("DESK/a");
}

#[test]
fn mail_that_is_not_kept_here_is_not_said_to_be_none() {
    let mut server = server();
    let desk = desk(&server);
    let ci = |words: &[&str]| desk.run(words).session("CI/w").done();
    ci(&["session", "register"]).exits(0);
    let other = home(&server);
    other.coord(&["msg", "send", "CI/w", "for you", "x"]).exits(0);
    desk.coord(&["status"]).exits(0);
    server.kill9();
    ci(&["msg", "inbox"]).exits(69);
    server.restart();
    desk.close_breaker();
    // Once it has asked, both are served, whoever asks last.
    ci(&["todo", "list"]).exits(0);
    desk.coord(&["todo", "list"]).exits(0);
    server.kill9();
    ci(&["msg", "inbox"]).exits(0).says("for you").says("(as of ");
    desk.coord(&["msg", "inbox"]).exits(0).says("no unread");
}

#[test]
fn damage_to_one_copy_leaves_the_other() {
    let mut server = server();
    let desk = desk(&server);
    desk.coord(&["todo", "add", "one"]).exits(0);
    desk.coord(&["todo", "list"]).exits(0);
    server.kill9();
    desk.coord(&["todo", "add", "two"]).exits(0);
    desk.coord(&["todo", "list"]).exits(0).says("two");
    let dir = std::fs::read_dir(desk.state()).unwrap().map(|e| e.unwrap().path());
    let replica = dir.into_iter().find(|p| p.to_string_lossy().contains("replica-")).unwrap();
    std::fs::write(replica.join("ahead.db"), b"not a database at all ".repeat(500)).unwrap();
    let _ = std::fs::remove_file(replica.join("ahead.db-wal"));
    desk.coord(&["todo", "list"]);
    desk.coord(&["todo", "list"]).exits(0).says("one").says("two");
}
