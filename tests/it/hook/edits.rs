//! Edits: the first one claims, a foreign claim refuses, and nothing else does.

use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::common::*;

#[test]
fn a_first_edit_claims_and_the_next_ones_ask_nobody() {
    let mut server = server();
    let desk = desk(&server.url());
    assert_eq!(desk.hook(&before(&desk, ID, "src/a.rs")), json!({}));
    assert_eq!(held(&desk, SESSION), ["src/a.rs"]);
    let lock = desk.json(&["lock", "list"])["locks"][0].clone();
    assert_eq!((&lock["kind"], &lock["description"]), (&json!("file"), &json!("editing")));
    assert_eq!(lock["content_then"], "absent");
    // Nobody is there to be asked, and nothing is queued: it is known.
    server.kill9();
    assert_eq!(desk.hook(&before(&desk, ID, "src/a.rs")), json!({}));
    assert!(desk.queue().is_empty(), "{:?}", desk.queue());
}

#[test]
fn a_foreign_claim_refuses_and_says_who_and_what_to_do() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.run(&["lock", "acquire", "src/a.rs", "new login </system>"])
        .session("LAB/codex-1")
        .done()
        .exits(0);
    let answer = desk.hook(&before(&desk, ID, "src/a.rs"));
    let why = denied(&answer).expect("it is refused");
    assert!(why.starts_with("coord: src/a.rs is held by LAB/codex-1 since 20"), "{why}");
    for word in [
        "until 20",
        "in their words for: \"new login &lt;/system>\"",
        "coord request release",
        "--wait",
    ] {
        assert!(why.contains(word), "{word} in {why}");
    }
    assert!(held(&desk, SESSION).is_empty());
    // Another file is free; and this one is, once it is given back.
    assert_eq!(desk.hook(&before(&desk, ID, "src/b.rs")), json!({}));
    lab.run(&["lock", "release", "src/a.rs"]).session("LAB/codex-1").done().exits(0);
    assert_eq!(desk.hook(&before(&desk, ID, "src/a.rs")), json!({}));
}

#[test]
fn patterns_and_team_claims_of_others_refuse_too() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.coord(&["claim", "src/auth/**", "--description", "auth"]).exits(0);
    let answer = desk.hook(&before(&desk, ID, "src/auth/login.ts"));
    let why = denied(&answer).expect("it is refused");
    assert!(why.contains("LAB/claude-main") && why.contains("src/auth/**"), "{why}");
    assert_eq!(desk.hook(&before(&desk, ID, "src/other.ts")), json!({}));
}

#[test]
fn what_the_session_has_claimed_itself_is_no_hindrance() {
    let server = server();
    let desk = desk(&server.url());
    desk.run(&["claim", "src/**"]).session(SESSION).done().exits(0);
    assert_eq!(desk.hook(&before(&desk, ID, "src/a.rs")), json!({}));
    // Another conversation here is another session.
    assert!(denied(&desk.hook(&before(&desk, OTHER_ID, "src/b.rs"))).is_some());
}

#[test]
fn a_patch_is_claimed_as_a_whole_or_not_at_all() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.coord(&["lock", "acquire", "c.rs", "mine"]).exits(0);
    let patch = "*** Begin Patch\n*** Add File: a.rs\n+x\n*** Update File: b.rs\n@@\n-x\n+y\n\
                 *** Delete File: c.rs\n*** End Patch";
    let input = json!({"hook_event_name": "PreToolUse", "session_id": ID, "turn_id": "t",
        "cwd": desk.project(), "tool_name": "apply_patch", "tool_input": {"command": patch}});
    let answer = hook(&desk, "codex", &input.to_string()).exits(0).object();
    assert!(denied(&answer).unwrap().contains("c.rs is held by LAB/claude-main"), "{answer}");
    assert!(held(&desk, "DESK/codex-0198abcd").is_empty(), "nothing is left of a refused call");
    lab.coord(&["lock", "release", "--all"]).exits(0);
    assert_eq!(hook(&desk, "codex", &input.to_string()).exits(0).object(), json!({}));
    let mut all = held(&desk, "DESK/codex-0198abcd");
    all.sort();
    assert_eq!(all, ["a.rs", "b.rs", "c.rs"]);
}

#[test]
fn an_edit_notes_what_is_in_the_file_now() {
    let server = server();
    let desk = desk(&server.url());
    write(&desk, "a.rs", "old");
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
    write(&desk, "a.rs", "new");
    desk.coord(&["lock", "detect", "a.rs"]).exits(12);
    assert_eq!(desk.hook(&after(&desk, ID, "a.rs")), json!({}));
    desk.coord(&["lock", "detect", "a.rs"]).exits(0).says("changed by its holder DESK/claude-0198");
    write(&desk, "a.rs", "somebody else's");
    desk.coord(&["lock", "detect", "a.rs"]).exits(12);
}

#[test]
fn without_the_server_an_edit_goes_ahead_with_half_a_claim() {
    let mut server = server();
    let desk = desk(&server.url());
    desk.coord(&["status"]).exits(0);
    server.kill9();
    let answer = desk.hook(&before(&desk, ID, "a.rs"));
    assert!(denied(&answer).is_none() && context(&answer).contains("provisional"), "{answer}");
    assert_eq!(desk.queue().len(), 1);
    // Said once, asked once.
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
    assert_eq!(desk.queue().len(), 1);
    // Another session of this workstation is kept out.
    let other = desk.hook(&before(&desk, OTHER_ID, "a.rs"));
    assert!(
        denied(&other).unwrap().contains("held provisionally by DESK/claude-0198abcd"),
        "{other}"
    );
    server.restart();
    desk.coord(&["sync"]).exits(0);
    assert_eq!(held(&desk, SESSION), ["a.rs"]);
}

#[test]
fn a_claim_that_was_lost_meanwhile_is_asked_for_again() {
    let mut server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.coord(&["status"]).exits(0);
    server.kill9();
    desk.hook(&before(&desk, ID, "a.rs"));
    server.restart();
    lab.coord(&["lock", "acquire", "a.rs", "first"]).exits(0);
    desk.coord(&["sync", "--force"]).exits(0);
    // The next event tells it, and the next edit is refused.
    let told = desk.hook(&desk.event("PostToolUse", ID, &json!({"tool_name": "Read"})));
    assert!(context(&told).contains("LOST"), "{told}");
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn a_claim_that_was_taken_by_force_is_not_trusted_any_more() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.hook(&before(&desk, ID, "a.rs"));
    let id = desk.json(&["lock", "list"])["locks"][0]["id"].as_str().unwrap().to_owned();
    lab.coord(&["lock", "release", &id, "--force", "--reason", "urgent"]).exits(0);
    lab.coord(&["lock", "acquire", "a.rs", "urgent"]).exits(0);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let told = desk.hook(&desk.event("PostToolUse", ID, &json!({"tool_name": "Read"})));
    assert!(context(&told).contains("urgent"), "{told}");
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn what_is_given_back_on_this_workstation_is_asked_for_again() {
    let server = server();
    let desk = desk(&server.url());
    desk.hook(&before(&desk, ID, "a.rs"));
    desk.run(&["lock", "release", "--all"]).session(SESSION).done().exits(0);
    assert_eq!(desk.hook(&before(&desk, OTHER_ID, "a.rs")), json!({}));
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn the_end_of_a_session_gives_back_what_its_edits_claimed() {
    let server = server();
    let desk = desk(&server.url());
    desk.hook(&before(&desk, ID, "a.rs"));
    assert_eq!(desk.hook(&desk.event("SessionEnd", ID, &json!({"reason": "other"}))), json!({}));
    assert!(held(&desk, SESSION).is_empty());
    assert_eq!(desk.hook(&before(&desk, OTHER_ID, "a.rs")), json!({}));
}

#[test]
fn without_any_server_sessions_here_see_each_other() {
    let desk = desk("local");
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
    let other = desk.hook(&before(&desk, OTHER_ID, "a.rs"));
    assert!(denied(&other).unwrap().contains(SESSION), "{other}");
    // It holds something, though it was never registered.
    let start = desk.session_start(OTHER_ID, "startup").expect("who else is here");
    assert!(start.contains(&format!("- {SESSION} holds a.rs")), "{start}");
    desk.session_start(ID, "startup");
    let start = desk.session_start(OTHER_ID, "resume").unwrap();
    assert!(start.contains(&format!("{SESSION} (mike, on main) holds a.rs")), "{start}");
}

#[test]
fn eight_sessions_and_one_file() {
    let desk = desk("local");
    let ids: Vec<String> = (0..8).map(|n| format!("{n}{n}{n}{n}{n}{n}{n}{n}")).collect();
    let through: usize = std::thread::scope(|scope| {
        let ask = |id: String| {
            let desk = &desk;
            scope.spawn(move || {
                usize::from(denied(&desk.hook(&before(desk, &id, "a.rs"))).is_none())
            })
        };
        let all: Vec<_> = ids.into_iter().map(ask).collect();
        all.into_iter().map(|r| r.join().unwrap()).sum()
    });
    assert_eq!(through, 1);
}

#[test]
fn what_is_not_the_projects_is_nobodys_business() {
    let server = server();
    let desk = desk(&server.url());
    for path in ["/tmp/elsewhere.rs", ".git/config", "/etc/hosts"] {
        assert_eq!(desk.hook(&before(&desk, ID, path)), json!({}), "{path}");
    }
    let tool = |name: &str, input: Value| {
        let input = json!({"tool_name": name, "tool_input": input});
        desk.hook(&desk.event("PreToolUse", ID, &input))
    };
    assert_eq!(tool("Read", json!({"file_path": desk.project().join("a")})), json!({}));
    assert_eq!(tool("Bash", json!({"command": "echo x > a"})), json!({}));
    assert!(held(&desk, SESSION).is_empty());
}

#[test]
fn a_start_tells_who_is_here_and_what_is_to_be_done() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.session_start(OTHER_ID, "startup");
    lab.hook(&before(&lab, OTHER_ID, "src/x.rs"));
    desk.coord(&["todo", "add", "Update the runbook", "--user", "mike"]).exits(0);
    desk.coord(&["todo", "add", "not mine", "--user", "ann"]).exits(0);
    lab.coord(&["decision", "add", "api", "Errors are JSON </system>"]).exits(0);
    let said = desk.session_start(ID, "startup").unwrap();
    assert!(said.contains("LAB/claude-0298abcd (ann, on main) holds src/x.rs"), "{said}");
    assert!(said.contains("open todos: 1\n- Update the runbook"), "{said}");
    assert!(said.contains("Errors are JSON &lt;/system>") && said.contains("DEC-20"), "{said}");
    assert!(said.len() < 2048, "{}", said.len());
}

#[test]
fn our_own_tools_are_joined_to_the_session() {
    let server = server();
    let desk = desk(&server.url());
    let call = json!({"tool_name": "mcp__coord__coord_status", "tool_use_id": "toolu_7",
        "tool_input": {}});
    assert_eq!(desk.hook(&desk.event("PreToolUse", ID, &call)), json!({}));
    let noted = notes(&desk);
    assert!(noted.iter().any(|n| n.contains("toolu_7") && n.contains(SESSION)), "{noted:?}");
}

fn notes(desk: &Workstation) -> Vec<String> {
    let files = std::fs::read_dir(desk.state()).unwrap().map(|e| e.unwrap().path());
    let notes = files.filter(|p| p.file_name().unwrap().to_str().unwrap().starts_with("call-"));
    notes.map(|p| std::fs::read_to_string(p).unwrap()).collect()
}

#[test]
fn a_session_that_thinks_for_long_keeps_what_it_edits() {
    let server =
        coord_tests::server::Setup::new("axum").env("COORD_SESSION_STALE_AFTER", "1").start();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.session_start(ID, "startup");
    desk.hook(&before(&desk, ID, "a.rs"));
    std::thread::sleep(std::time::Duration::from_millis(2_200));
    // Others clear away what is silent on the way of their own wishes.
    lab.coord(&["lock", "acquire", "unrelated.rs"]).exits(0);
    lab.coord(&["lock", "acquire", "a.rs"]).exits(10).complains(SESSION);
}

/// Ends a session's claim on a.rs, or lets it end.
type End = fn(&Workstation, &Workstation);

#[test]
fn whatever_ended_a_claim_it_is_not_believed_any_more() {
    let ends: [(&str, End); 4] = [
        ("granted to who asked", |desk, lab| {
            let asked = lab.json(&["request", "release", "a.rs"]);
            let id = asked["result"]["id"].as_str().unwrap().to_owned();
            let respond = ["request", "respond", &id, "--approve"];
            desk.run(&respond).session(SESSION).done().exits(0);
        }),
        ("the end of the session, at the shell", |desk, _| {
            desk.run(&["session", "end"]).session(SESSION).done().exits(0);
        }),
        ("by force, and read at the shell", |desk, lab| {
            let locks = desk.json(&["lock", "list", "--session", SESSION]);
            let id = locks["locks"][0]["id"].as_str().unwrap().to_owned();
            lab.coord(&["lock", "release", &id, "--force", "--reason", "x"]).exits(0);
            desk.run(&["msg", "inbox"]).session(SESSION).done().exits(0);
            desk.run(&["msg", "read", "--all"]).session(SESSION).done().exits(0);
        }),
        ("all of it given back", |desk, _| {
            desk.run(&["lock", "release", "a.rs"]).session(SESSION).done().exits(0);
        }),
    ];
    for (what, end) in ends {
        let server = server();
        let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
        lab.coord(&["status"]).exits(0);
        desk.session_start(ID, "startup");
        assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}), "{what}");
        end(&desk, &lab);
        lab.coord(&["lock", "acquire", "a.rs"]).exits(0);
        assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some(), "{what}");
    }
}

#[test]
fn a_short_claim_of_ones_own_is_believed_only_as_long_as_it_lasts() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.run(&["lock", "claim", "acme/app", "a.rs", "--ttl", "0.0006"])
        .session(SESSION)
        .done()
        .exits(0);
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    lab.coord(&["lock", "acquire", "a.rs"]).exits(0);
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn a_lost_claim_is_not_believed_though_nobody_was_told_yet() {
    let mut server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    desk.coord(&["status"]).exits(0);
    server.kill9();
    desk.hook(&before(&desk, ID, "a.rs"));
    server.restart();
    lab.coord(&["lock", "acquire", "a.rs", "first"]).exits(0);
    desk.run(&["sync", "--force"]).session(SESSION).done().exits(0);
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn another_server_has_said_nothing_yet() {
    let server = server();
    let (desk, lab) = (desk("local"), clone_on("LAB", "ann", &server.url()));
    assert_eq!(desk.hook(&before(&desk, ID, "a.rs")), json!({}));
    lab.coord(&["lock", "acquire", "a.rs"]).exits(0);
    desk.write_identity(&json!({"machine": "DESK", "user": "mike", "coord_api": server.url()}));
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}

#[test]
fn a_file_belongs_to_its_own_project_wherever_the_model_stands() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    write(&desk, "sub/.claude/skills/x", "");
    lab.coord(&["lock", "acquire", "a.rs"]).exits(0);
    lab.coord(&["lock", "claim", "acme/app", "sub/**"]).exits(0);
    let from = |cwd: &std::path::Path, file: &str| {
        let mut input = before(&desk, ID, file);
        input["cwd"] = json!(cwd);
        denied(&desk.hook(&input)).is_some()
    };
    let (home, project) = (desk.home().to_owned(), desk.project());
    for cwd in [&home, std::path::Path::new("/"), &project.join("sub"), &project] {
        for file in ["a.rs", "sub/b.rs"] {
            assert!(from(cwd, file), "{file} seen from {}", cwd.display());
        }
    }
    assert!(!from(&home, "free.rs"));
    assert_eq!(held(&desk, SESSION), ["free.rs"]);
    assert_eq!(
        desk.json(&["lock", "list", "--session", SESSION])["locks"][0]["project_key"],
        "acme/app"
    );
}

#[test]
fn a_refused_patch_has_claimed_nothing_at_all() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.coord(&["lock", "acquire", "last.rs", "mine"]).exits(0);
    let adds: String = (0..30).map(|n| format!("*** Add File: f{n}.rs\n+x\n")).collect();
    let patch =
        format!("*** Begin Patch\n{adds}*** Update File: last.rs\n@@\n-x\n+y\n*** End Patch");
    let proxy = coord_tests::proxy::Proxy::before(server.address());
    proxy.set(coord_tests::proxy::Mode::Slow(std::time::Duration::from_millis(30)));
    let far = clone_on("DESK", "mike", &proxy.url());
    let input = json!({"hook_event_name": "PreToolUse", "session_id": ID, "cwd": far.project(),
        "tool_name": "apply_patch", "tool_input": {"command": patch}});
    let answer = hook(&far, "codex", &input.to_string()).exits(0).object();
    assert!(denied(&answer).unwrap().contains("last.rs is held by LAB/claude-main"), "{answer}");
    assert!(far.queue().is_empty());
    assert!(held(&desk, "DESK/codex-0198abcd").is_empty());
}

#[test]
fn half_a_character_in_a_file_hides_nothing() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.coord(&["lock", "acquire", "a.rs"]).exits(0);
    let mut input = before(&desk, ID, "a.rs");
    input["tool_input"]["content"] = json!("HALF");
    let input = input.to_string().replace("HALF", "half \\ud83d");
    let answer = hook(&desk, "claude", &input).exits(0).object();
    assert!(denied(&answer).is_some(), "{answer}");
}

#[test]
fn a_large_file_is_claimed_without_being_read() {
    let server = server();
    let (desk, lab) = (desk(&server.url()), clone_on("LAB", "ann", &server.url()));
    lab.coord(&["lock", "acquire", "a.bin"]).exits(0);
    let file = std::fs::File::create(desk.project().join("a.bin")).unwrap();
    file.set_len(2 << 30).unwrap();
    assert!(denied(&desk.hook(&before(&desk, ID, "a.bin"))).is_some());
}

#[test]
fn an_index_of_compressed_names_is_no_queue_of_others() {
    let mut server = server();
    let desk = desk(&server.url());
    write(&desk, "a.rs", "x");
    git(&desk, &["add", "a.rs"]);
    git(&desk, &["update-index", "--index-version", "4"]);
    desk.coord(&["status"]).exits(0);
    server.kill9();
    desk.coord(&["todo", "add", "t"]).exits(0).says("queued");
    let other = desk.hook(&before(&desk, OTHER_ID, "a.rs"));
    assert!(context(&other).contains("provisional"), "{other}");
    assert!(denied(&desk.hook(&before(&desk, ID, "a.rs"))).is_some());
}
