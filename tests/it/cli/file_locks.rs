//! Locks on files (seed 003): one file is one lock, silence ends it, and changes by others are seen.

use std::fs;
use std::os::unix::fs::symlink;
use std::thread;
use std::time::Duration;

use coord_tests::command::{Ran, Run};
use coord_tests::server::{Setup, faces};
use coord_tests::workstation::Workstation;

use super::common::{desk as desk_of, home as home_of, rows, server, text};

fn desk() -> Workstation {
    let desk = Workstation::new("BOX", "ann", "local");
    fs::create_dir_all(desk.project().join("src")).unwrap();
    fs::write(desk.project().join("src/a.rs"), "one").unwrap();
    desk
}

fn run(desk: &Workstation, who: &str, args: &[&str]) -> Run {
    desk.run(&[&["lock"], args].concat()).session(&format!("BOX/{who}"))
}

fn lock(desk: &Workstation, who: &str, args: &[&str]) -> Ran {
    run(desk, who, args).done()
}

#[test]
fn one_holds_a_file_and_others_hear_who_and_why() {
    let desk = desk();
    lock(&desk, "a", &["check", "src/a.rs"]).exits(0).says("free");
    lock(&desk, "a", &["acquire", "src/a.rs", "new endpoints"]).exits(0).says("locked src/a.rs");
    lock(&desk, "a", &["acquire", "src/a.rs"]).exits(0).says("renewed");
    lock(&desk, "a", &["check", "src/a.rs"]).exits(0).says("yours");
    lock(&desk, "b", &["acquire", "src/a.rs"])
        .exits(10)
        .complains("BOX/a")
        .complains("new endpoints")
        .complains("wait for it: coord claim src/a.rs --wait 300")
        .complains("ask for it: coord request release ");
    lock(&desk, "b", &["check", "src/a.rs"]).exits(10).complains("Locked by: BOX/a");
    lock(&desk, "b", &["renew", "src/a.rs"]).exits(10);
    lock(&desk, "b", &["edited", "src/a.rs"]).exits(10);
    lock(&desk, "b", &["release", "src/a.rs"]).exits(10);
    lock(&desk, "a", &["release", "src/a.rs"]).exits(0).says("released");
    lock(&desk, "a", &["release", "src/a.rs"]).exits(0).says("not locked");
    lock(&desk, "a", &["renew", "src/a.rs"]).exits(1).complains("you hold no lock");
    lock(&desk, "b", &["acquire", "src/a.rs"]).exits(0);
    lock(&desk, "a", &["release", "no-such-thing"]).exits(1).complains("no-such-thing");
    lock(&desk, "a", &["acquire", "../elsewhere"]).exits(2).complains("outside of the project");
}

#[test]
fn all_spellings_links_and_folders_are_one_lock() {
    let desk = desk();
    let root = desk.project();
    symlink(root.join("src"), root.join("link")).unwrap();
    lock(&desk, "a", &["acquire", "./link/../src//a.rs"]).exits(0).says("locked src/a.rs");
    let whole = root.join("src/a.rs");
    for path in ["src/a.rs", "link/a.rs", whole.to_str().unwrap()] {
        lock(&desk, "b", &["acquire", path]).exits(10);
    }
    run(&desk, "b", &["check", "a.rs"]).cwd(&root.join("src")).done().exits(10);
    // A file that is not there yet, with a name that looks like a pattern.
    lock(&desk, "a", &["acquire", "app/[id]/*.tsx"]).exits(0);
    lock(&desk, "b", &["acquire", "link/../app/[id]/*.tsx"]).exits(10);
    lock(&desk, "b", &["acquire", "app/[id]/page.tsx"]).exits(0);
    // Any name.
    let odd = format!("a \"q\"\n\\'{}", "x".repeat(240));
    lock(&desk, "a", &["acquire", &odd]).exits(0);
    lock(&desk, "b", &["check", &odd]).exits(10);
    // Patterns of others are in the way, too.
    lock(&desk, "b", &["claim", "app", "src/**"]).exits(10);
    lock(&desk, "b", &["claim", "app", "lib/**"]).exits(0);
    lock(&desk, "a", &["acquire", "lib/x.rs"]).exits(10).complains("lib/**");
}

#[test]
fn changes_by_others_are_told_from_the_holders() {
    let desk = desk();
    let file = desk.project().join("src/a.rs");
    lock(&desk, "a", &["detect", "src/a.rs"]).exits(0).says("not locked");
    lock(&desk, "a", &["acquire", "src/a.rs"]).exits(0);
    lock(&desk, "a", &["detect", "src/a.rs"]).exits(0).says("unchanged");
    fs::write(&file, "two").unwrap();
    lock(&desk, "a", &["detect", "src/a.rs"]).exits(12).complains("somebody else");
    lock(&desk, "a", &["edited", "src/a.rs"]).exits(0).says("noted");
    lock(&desk, "a", &["detect", "src/a.rs"]).exits(0).says("by its holder");
    // What it began with stays through renewals.
    lock(&desk, "a", &["acquire", "src/a.rs"]).exits(0);
    lock(&desk, "a", &["renew", "src/a.rs"]).exits(0);
    fs::write(&file, "one").unwrap();
    lock(&desk, "b", &["detect", "src/a.rs"]).exits(0).says("unchanged");
    fs::write(&file, "three").unwrap();
    let told = run(&desk, "b", &["detect", "src/a.rs", "--json"]).done().exits(12).json();
    assert_eq!(told["error"]["facts"]["change"], "changed", "{told}");
    fs::remove_file(&file).unwrap();
    lock(&desk, "a", &["detect", "src/a.rs"]).exits(12).complains("deleted");
    lock(&desk, "a", &["acquire", "new.rs"]).exits(0);
    lock(&desk, "a", &["detect", "new.rs"]).exits(0).says("unchanged");
    fs::write(desk.project().join("new.rs"), "").unwrap();
    lock(&desk, "a", &["detect", "new.rs"]).exits(12);
}

#[test]
fn silence_ends_a_file_and_any_word_keeps_it() {
    let desk = desk().env("COORD_FILE_LOCK_TTL", "2").env("COORD_SESSION_STALE_AFTER", "100");
    lock(&desk, "a", &["acquire", "src/a.rs"]).exits(0);
    for _ in 0..3 {
        thread::sleep(Duration::from_millis(1_200));
        desk.run(&["todo", "add", "t"]).session("BOX/a").done().exits(0);
    }
    lock(&desk, "b", &["acquire", "src/a.rs"]).exits(10);
    thread::sleep(Duration::from_millis(2_200));
    lock(&desk, "b", &["check", "src/a.rs"]).exits(0).says("free");
    // Too late, also when nobody took it meanwhile.
    lock(&desk, "a", &["renew", "src/a.rs"]).exits(11).complains("is over");
    lock(&desk, "b", &["acquire", "src/a.rs"]).exits(0);
    lock(&desk, "a", &["renew", "src/a.rs"]).exits(11).complains("BOX/b");
    lock(&desk, "a", &["acquire", "src/a.rs", "--ttl", "60"]).exits(10);
}

#[test]
fn silent_sessions_end_with_their_files() {
    let desk = desk().env("COORD_SESSION_STALE_AFTER", "1").env("COORD_FILE_LOCK_TTL", "100");
    let session =
        |who: &str, args: &[&str]| desk.run(&[&["session"], args].concat()).session(who).done();
    session("BOX/a", &["heartbeat", "--strict"]).exits(1).complains("not registered");
    session("BOX/a", &["register", "--task", "t", "--role", "tester"]).exits(0);
    session("BOX/a", &["heartbeat", "--strict"]).exits(0);
    lock(&desk, "a", &["acquire", "src/a.rs"]).exits(0);
    lock(&desk, "a", &["claim", "app", "deploy"]).exits(0);
    let shown = desk.json(&["session", "show", "BOX/a"]);
    assert_eq!((&shown["status"], &shown["role"]), (&"active".into(), &"tester".into()), "{shown}");
    assert!(shown["pid"].is_number() && text(&shown["worktree"]).ends_with("app"), "{shown}");
    thread::sleep(Duration::from_millis(2_300));
    desk.coord(&["session", "show", "BOX/a"]).exits(0).says("status: stale");
    let done = desk.json(&["lock", "cleanup"]);
    assert_eq!(done["result"]["session_ids"], serde_json::json!(["BOX/a"]), "{done}");
    assert_eq!(done["result"]["locks"], 1, "{done}");
    desk.coord(&["session", "cleanup"]).exits(0).says("ended 0 silent");
    desk.coord(&["session", "list", "--all"]).exits(0).says("silent for too long");
    // Its lock of hours is another matter.
    lock(&desk, "b", &["claim", "app", "deploy"]).exits(10);
    session("BOX/a", &["heartbeat", "--strict"]).exits(13).complains("register");
    lock(&desk, "a", &["renew", "src/a.rs"]).exits(11);
    session("BOX/a", &["heartbeat", "--strict"]).exits(13);
    session("BOX/a", &["register"]).exits(0);
    session("BOX/a", &["heartbeat", "--strict"]).exits(0);
}

#[test]
fn an_old_conversation_cannot_act_as_the_new_one() {
    let desk = desk();
    desk.session_start("0198abcd", "startup");
    let me = "BOX/claude-0198abcd";
    let lock = |generation: &str, args: &[&str]| {
        desk.run(args).session(me).env("COORD_GENERATION", generation).done()
    };
    let first = desk.json(&["session", "show", me])["generation"].as_i64().unwrap();
    let (old, new) = (first.to_string(), (first + 1).to_string());
    lock(&old, &["lock", "acquire", "src/a.rs"]).exits(0);
    desk.session_start("0198abcd", "startup");
    assert_eq!(desk.json(&["session", "show", me])["generation"], first + 1);
    for args in [
        &["lock", "acquire", "src/b.rs"][..],
        &["lock", "claim", "p", "x"],
        &["lock", "renew", "src/a.rs"],
        &["lock", "release", "src/a.rs"],
        &["session", "heartbeat"],
    ] {
        lock(&old, args).exits(13).complains("newer conversation");
    }
    lock(&new, &["lock", "release", "src/a.rs"]).exits(0);
    lock("x", &["lock", "acquire", "src/b.rs"]).exits(78).complains("COORD_GENERATION");
}

#[test]
fn the_overview_shows_sessions_with_their_files() {
    let server = server();
    let (desk, home) = (desk_of(&server), home_of(&server));
    desk.coord(&["status"]).exits(0).says("sessions: none").says("locks in all: 0, decisions: 0");
    home.coord(&["session", "register", "--task", "api", "--role", "backend"]).exits(0);
    home.coord(&["lock", "acquire", "x.rs", "endpoints"]).exits(0);
    home.coord(&["decision", "add", "testing", "Real processes"]).exits(0);
    desk.coord(&["status"])
        .exits(0)
        .says("as backend  doing api  (active)")
        .says("files: 1\n      - x.rs")
        .says("locks in all: 1, decisions: 1");
    desk.coord(&["status", "--verbose"])
        .exits(0)
        .says("holder: HOWARD-HOME/claude-main\n    for: endpoints\n    ends: 20")
        .says("testing  Real processes");
    let status = desk.json(&["status"])["status"].clone();
    for name in ["sessions", "active_locks", "recent_decisions"] {
        assert!(!rows(&status, name).is_empty(), "{status}");
    }
}

#[test]
fn a_restart_does_not_count_as_silence() {
    let setup = Setup::new(faces()[0])
        .env("COORD_FILE_LOCK_TTL", "2")
        .env("COORD_SESSION_STALE_AFTER", "2");
    let mut server = setup.start();
    let (desk, home) = (desk_of(&server), home_of(&server));
    desk.coord(&["session", "register"]).exits(0);
    desk.coord(&["lock", "acquire", "a"]).exits(0);
    server.term();
    thread::sleep(Duration::from_millis(2_500));
    server.restart();
    home.close_breaker();
    home.coord(&["session", "register"]).exits(0);
    home.coord(&["session", "show", "DESK/claude-main"]).exits(0).says("status: active");
    home.coord(&["lock", "acquire", "--project", "app", "a"]).exits(10);
}

#[test]
fn a_renewal_that_waits_is_good_for_as_long_as_the_lease() {
    let mut server = server();
    let desk = desk_of(&server);
    desk.coord(&["lock", "acquire", "a"]).exits(0);
    let held = desk.json(&["lock", "check", "a"])["lock"].clone();
    server.kill9();
    desk.coord(&["lock", "renew", "a"]).exits(0).says("queued");
    assert_eq!(text(&desk.queue()[0]["not_after"]), text(&held["expires_at"]));
}
