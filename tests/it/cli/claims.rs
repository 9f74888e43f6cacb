//! Team claims from the command line: files, symbols, waiting, requests; with a server, without one, and
//! with one that goes away.

use std::fs;
use std::path::Path;
use std::time::Duration;

use coord_tests::command::{Ran, Run};
use coord_tests::server::eventually;
use coord_tests::workstation::Workstation;
use serde_json::{Value, json};

use super::common::{desk as desk_of, home as home_of, rows, server, text, texts};

const LOGIN: &str = "export class Login {\n  submit() { return 1; }\n  cancel() { return 2; }\n}\n";
const ID: &str = "0198abcd-ef01-2345";
const SESSION: &str = "HOWARD-HOME/claude-0198abcd";

fn with_files(at: Workstation) -> Workstation {
    fs::create_dir_all(at.project().join("src/auth")).unwrap();
    fs::write(at.project().join("src/auth/login.ts"), LOGIN).unwrap();
    for file in ["README.md", "src/README.md", "src/auth/db.ts"] {
        fs::write(at.project().join(file), "x").unwrap();
    }
    at
}

fn local() -> Workstation {
    with_files(Workstation::new("BOX", "ann", "local"))
}

fn run(at: &Workstation, who: &str, args: &[&str]) -> Run {
    at.run(args).session(who)
}

fn by(at: &Workstation, who: &str, args: &[&str]) -> Ran {
    run(at, who, args).done()
}

/// A claim that must be granted; its ids.
#[track_caller]
fn claimed(at: &Workstation, who: &str, args: &[&str]) -> Vec<String> {
    let done = by(at, who, &[&["claim", "--json"], args].concat()).exits(0).json();
    assert_eq!(done["outcome"], "done", "{done}");
    rows(&done["result"], "claim_ids").iter().map(|id| text(id).to_owned()).collect()
}

#[test]
fn a_claim_keeps_others_out_and_says_what_they_can_do() {
    let server = server();
    let (desk, home) = (with_files(desk_of(&server)), with_files(home_of(&server)));
    desk.coord(&["conflicts", "src/auth/login.ts", "docs"]).exits(0).says("all 2 are free");
    desk.coord(&["claim", "src/auth/login.ts", "docs/**", "--description", "new form"])
        .exits(0)
        .says("claimed src/auth/login.ts until ")
        .says("claimed docs/** until ")
        .says("fence")
        .says("release with: coord release");
    let id = text(&rows(&desk.json(&["claims"]), "claims")[0]["id"]).to_owned();
    home.coord(&["claim", "src/auth/login.ts", "--ttl", "3"])
        .exits(10)
        .complains("is held by DESK/claude-main (src/auth/login.ts) until ")
        .complains("new form")
        .complains(", since ")
        .complains("wait for it: coord claim src/auth/login.ts --ttl 3 --wait 300")
        .complains("ask for it: coord request release ")
        .complains("--symbol NAME");
    let refused = home.coord(&["claim", "src/**", "--json"]).exits(10).json();
    let conflict = &refused["error"]["facts"]["conflicts"][0];
    assert_eq!(conflict["conflicting_claim"]["engineer"], "DESK/claude-main", "{refused}");
    home.coord(&["conflicts", "README.md", "src/**"])
        .exits(10)
        .complains("src/** is held by DESK/claude-main (src/auth/login.ts)");
    desk.coord(&["conflicts", "src/**"]).exits(0).says("src/** is free");
    home.coord(&["claims"]).exits(0).says("docs/**").says("DESK/claude-main").says("new form");
    home.coord(&["claims", "--module", "login"]).exits(0).says("login.ts");
    home.coord(&["claims", "--engineer", "nobody"]).exits(0).says("no claims");
    home.coord(&["claims", "--project", "other"]).exits(0).says("no claims");
    home.coord(&["claims", "--all-projects"]).exits(0).says("docs/**");
    home.coord(&["release", &id]).exits(1).complains("not yours");
    home.coord(&["release", "docs/**"]).exits(1).complains("you hold no claim on docs/**");
    home.coord(&["extend", &id]).exits(1);
    desk.coord(&["extend", "docs/**", "--ttl", "9"]).exits(0).says("docs/** is yours until");
    desk.coord(&["release", "src/auth/login.ts"]).exits(0).says("released 1 claim");
    home.coord(&["claim", "src/auth/login.ts"]).exits(0);
    desk.coord(&["release", "--all"]).exits(0).says("released 1 claim");
    desk.coord(&["release", "--all"]).exits(0).says("holds no claims");
    desk.coord(&["release", &id]).exits(0).says("released 0").complains("not held any more");
    let all = desk.json(&["claims", "--all", "--engineer", "DESK/claude-main"]);
    assert_eq!(texts(rows(&all, "claims"), "pattern").len(), 2, "{all}");
}

#[test]
fn paths_are_meant_from_the_folder_and_patterns_from_the_top() {
    let desk = local();
    let inside = |folder: &str, args: &[&str]| {
        run(&desk, "BOX/a", &[&["claim", "--json"], args].concat())
            .cwd(&desk.project().join(folder))
            .done()
            .exits(0)
            .json()
    };
    for (folder, arg, pattern) in [
        ("src/auth", "login.ts", "src/auth/login.ts"),
        ("src/auth", "src/auth/**", "src/auth/**"),
        ("", "README.md", "/README.md"),
        ("src", "./new.ts", "src/new.ts"),
        ("src/auth", "/lib", "/lib"),
    ] {
        let done = inside(folder, &[arg]);
        assert_eq!(done["result"]["locks"][0]["team"]["pattern"], pattern, "{arg}: {done}");
    }
    // A file at the top is that one, not each of its name.
    by(&desk, "BOX/b", &["conflicts", "src/README.md"]).exits(0);
    by(&desk, "BOX/b", &["conflicts", "README.md"]).exits(10).complains("/README.md");
    by(&desk, "BOX/a", &["release", "--all"]).exits(0);
    let anywhere = "new.rs is not here, so it means that name at any depth; \
                    to mean only the file in this folder: ./new.rs";
    by(&desk, "BOX/b", &["conflicts", "new.rs"]).exits(0).complains(anywhere);
    by(&desk, "BOX/b", &["claim", "new.rs"]).exits(0).complains(anywhere);
    by(&desk, "BOX/a", &["claim", "deep/er/new.rs"]).exits(10).complains("BOX/b");
    by(&desk, "BOX/a", &["claim", "new.rs"]).exits(10).complains(anywhere);
    by(&desk, "BOX/a", &["conflicts", "new.rs"]).exits(10).complains(anywhere);
    by(&desk, "BOX/a", &["claim", "deep/**"]).exits(10).complains("; both mean deep/");
    for bad in ["!src/**", "../x", "src/["] {
        by(&desk, "BOX/b", &["claim", bad]).exits(2);
    }
    by(&desk, "BOX/b", &["claim"]).exits(2);
    by(&desk, "BOX/b", &["claim", "x", "--wait", "601"]).exits(2);
    // For another project a text is a pattern, whatever lies here.
    let other = inside("src/auth", &["login.ts", "--project", "acme/other"]);
    assert_eq!(other["result"]["locks"][0]["team"]["pattern"], "login.ts", "{other}");
}

#[test]
fn symbols_are_looked_for_here_and_divide_a_file() {
    let server = server();
    let (desk, home) = (with_files(desk_of(&server)), with_files(home_of(&server)));
    let claim = |at: &Workstation, symbol: &str| {
        at.coord(&["claim", "src/auth/login.ts", "--symbol", symbol])
    };
    claim(&desk, "Login::sumbit")
        .exits(1)
        .complains("Unknown symbols in 'src/auth/login.ts': ['Login::sumbit']")
        .complains("Login::submit")
        .complains("nothing was sent");
    assert!(desk.queue().is_empty());
    assert_eq!(server.get("/claims").expect(200)["count"], 0);
    claim(&desk, "Login::submit").exits(0).says("src/auth/login.ts [Login::submit]");
    claim(&home, "Login::cancel").exits(0).says("beside 1 of others");
    claim(&home, "Login").exits(10).complains("[Login::submit]");
    home.coord(&["claim", "src/auth/login.ts"]).exits(10).complains("[Login::submit]");
    // What has no grammar, or is not there, is not judged here.
    desk.coord(&["claim", "src/new.ts", "--symbol", "anything"]).exits(0);
    let two = ["claim", "src/auth/db.ts", "lib/x.ts", "--symbol", "run"];
    desk.coord(&two).exits(2).complains("of which file").complains("src/auth/db.ts#run");
    let done = desk.json(&["claim", "lib/x.ts", "lib/y.ts", "--symbol", "lib/y.ts#run"]);
    let symbols = |n: usize| done["result"]["locks"][n]["team"]["symbols"].clone();
    assert_eq!((symbols(0), symbols(1)), (Value::Null, json!(["run"])), "{done}");
}

#[test]
fn a_whole_file_gives_way_to_symbols_and_its_holder_hears_of_it() {
    let desk = local();
    claimed(&desk, "BOX/a", &["src/auth/login.ts"]);
    let claim = ["claim", "src/auth/login.ts", "--symbol", "Login::submit"];
    by(&desk, "BOX/b", &claim).exits(0);
    by(&desk, "BOX/a", &["request", "inbox"])
        .exits(0)
        .says("BOX/b has claimed [Login::submit] in src/auth/login.ts");
    by(&desk, "BOX/b", &["release", "--all"]).exits(0);
    by(&desk, "BOX/a", &["release", "--all"]).exits(0);
    claimed(&desk, "BOX/a", &["src/auth/login.ts", "--no-narrow"]);
    by(&desk, "BOX/b", &claim).exits(10);
    by(&desk, "BOX/a", &["request", "inbox"]).says("BOX/b wanted src/auth/login.ts");
}

/// Waits until a command has said that it waits.
#[track_caller]
fn until_it_waits(waiter: &coord_tests::command::Started) {
    eventually(Duration::from_secs(10), "it says for whom it waits", || {
        assert!(!waiter.has_ended(), "{}{}", waiter.out_so_far(), waiter.err_so_far());
        waiter.err_so_far().contains("waiting up to 30 s for ")
    });
}

fn waits_and_gets_it(at: &Workstation, a: &str, b: &str) {
    claimed(at, a, &["src/auth/**"]);
    let waiter = run(at, b, &["claim", "src/auth/login.ts", "docs", "--wait", "30"]).start();
    until_it_waits(&waiter);
    assert!(waiter.err_so_far().contains(&format!("{a} (src/auth/**)")), "{}", waiter.err_so_far());
    by(at, a, &["queue"]).exits(0).says(b).says("waits for src/auth/login.ts");
    by(at, a, &["queue", "--mine"]).exits(0).says("nobody waits");
    by(at, a, &["release", "src/auth/**"]).exits(0);
    waiter.wait().exits(0).says("claimed");
    by(at, a, &["conflicts", "docs/x"]).exits(10).complains(b);
    by(at, a, &["queue"]).exits(0).says("nobody waits");
    by(at, a, &["claim", "docs", "--wait", "1"]).exits(10).complains(b);
}

#[test]
fn who_waits_gets_it_when_another_process_lets_go() {
    let server = server();
    let desk = with_files(desk_of(&server));
    waits_and_gets_it(&desk, "DESK/a", "DESK/b");
    assert!(!desk.queue_file().exists(), "a wait is never queued");
}

#[test]
fn without_a_server_it_can_be_waited_too() {
    waits_and_gets_it(&local(), "BOX/a", "BOX/b");
}

#[test]
fn who_goes_away_leaves_the_queue() {
    let server = server();
    let desk = with_files(desk_of(&server));
    for at in [&desk, &local()] {
        claimed(at, "X/a", &["docs"]);
        let mut waiter = run(at, "X/b", &["claim", "docs", "--wait", "30"]).start();
        until_it_waits(&waiter);
        waiter.kill9();
        drop(waiter.wait());
        let free = || {
            let queue = by(at, "X/a", &["queue", "--json"]).exits(0).json();
            rows(&queue, "requests").is_empty()
        };
        // Without a server nobody looks after the queue before something ends.
        if at.home() == desk.home() {
            eventually(Duration::from_secs(10), "the waiter is gone", free);
        } else {
            std::thread::sleep(Duration::from_millis(3_200));
        }
        by(at, "X/a", &["release", "--all"]).exits(0);
        by(at, "X/c", &["claim", "docs"]).exits(0);
    }
}

#[test]
fn a_waiter_that_dies_keeps_nothing_from_others() {
    let at = local();
    claimed(&at, "X/a", &["docs"]);
    let mut dies = run(&at, "X/b", &["claim", "docs", "--wait", "30"]).start();
    until_it_waits(&dies);
    let waits = run(&at, "X/c", &["claim", "docs", "--wait", "30"]).start();
    until_it_waits(&waits);
    dies.kill9();
    drop(dies.wait());
    // At once: the dead one comes first in the queue, and is served.
    by(&at, "X/a", &["release", "--all"]).exits(0);
    waits.wait().exits(0).says("claimed");
    by(&at, "X/c", &["claims", "--engineer", "X/b"]).exits(0).says("no claims");
}

#[test]
fn a_place_in_the_queue_is_cancelled_or_kept_over_a_restart() {
    let mut server = server();
    let desk = with_files(desk_of(&server));
    claimed(&desk, "DESK/a", &["docs"]);
    let wait = |who: &str| {
        let waiter = run(&desk, who, &["claim", "docs", "--wait", "30"]).start();
        until_it_waits(&waiter);
        waiter
    };
    let place = |who: &str| {
        let queue = by(&desk, who, &["queue", "--mine", "--json"]).exits(0).json();
        text(&rows(&queue, "requests")[0]["queue_id"]).to_owned()
    };
    let waiter = wait("DESK/b");
    let id = place("DESK/b");
    by(&desk, "DESK/a", &["queue", "cancel", &id]).exits(1).complains("not yours");
    by(&desk, "DESK/b", &["queue", "cancel", &id]).exits(0).says("waits no more");
    waiter.wait().exits(10).complains("DESK/a");
    let waiter = wait("DESK/c");
    let id = place("DESK/c");
    server.kill9();
    server.restart();
    eventually(Duration::from_secs(10), "it waits again", || {
        waiter.err_so_far().contains("the connection is lost")
    });
    std::thread::sleep(Duration::from_millis(1_500));
    desk.close_breaker();
    assert_eq!(place("DESK/c"), id, "the same place");
    by(&desk, "DESK/a", &["release", "--all"]).exits(0);
    waiter.wait().exits(0).says("claimed");
}

#[test]
fn a_claim_without_the_server_is_provisional_and_never_waits() {
    let mut server = server();
    let desk = with_files(desk_of(&server));
    desk.coord(&["claims"]).exits(0);
    let taken = claimed(&desk, "DESK/a", &["taken"]);
    server.kill9();
    by(&desk, "DESK/b", &["claim", "docs", "lib", "--wait", "20"])
        .exits(0)
        .says("held provisionally")
        .complains("it cannot be waited now");
    let queued = &desk.queue()[0];
    assert_eq!(queued["body"]["wait_seconds"], Value::Null, "{queued}");
    assert!(text(&queued["path"]).starts_with("/claims"), "{queued}");
    assert!(queued["not_after"].is_string(), "{queued}");
    // Others here are kept out of it, and of what the server had granted before.
    by(&desk, "DESK/c", &["claim", "docs/x.md"])
        .exits(10)
        .complains("DESK/b")
        .complains("the server cannot be asked now");
    by(&desk, "DESK/c", &["claim", "taken/x"]).exits(10).complains("DESK/a");
    by(&desk, "DESK/c", &["conflicts", "lib/x"]).exits(10).complains("DESK/b");
    by(&desk, "DESK/c", &["claims"]).says("docs").says("[queued here]").says("(as of ");
    by(&desk, "DESK/c", &["outbox", "list"]).says("claim on docs, lib in app");
    // Given back one by one, by what they are on.
    by(&desk, "DESK/b", &["release", "lib"]).exits(0).says("queued: release");
    by(&desk, "DESK/c", &["claim", "lib/x"]).exits(0).says("held provisionally");
    by(&desk, "DESK/a", &["release", &taken[0]]).exits(0).says("queued");
    by(&desk, "DESK/c", &["claim", "src", "--symbol", "two words"]).exits(0);
    by(&desk, "DESK/c", &["request", "inbox"]).exits(0).says("as far as is known here");
    server.restart();
    let mut sync = desk.coord(&["sync"]);
    sync.exits(0).says("claimed docs until ").says("claimed lib/x until ");
    assert!(!sync.out().contains("claimed lib until"), "given back since: {}", sync.told());
    let live = server.get("/claims").expect(200);
    let held: Vec<_> =
        rows(&live, "claims").iter().map(|c| (text(&c["engineer"]), text(&c["pattern"]))).collect();
    assert_eq!(held, [("DESK/b", "docs"), ("DESK/c", "lib/x"), ("DESK/c", "/src")]);
}

#[test]
fn of_two_workstations_one_holds_and_the_other_is_told() {
    let mut server = server();
    let (desk, home) = (with_files(desk_of(&server)), with_files(home_of(&server)));
    for at in [&desk, &home] {
        at.coord(&["claims"]).exits(0);
    }
    server.kill9();
    let desc = ["claim", "src/auth/**", "--description", "mine"];
    by(&desk, "DESK/a", &desc).exits(0).says("held provisionally");
    by(&home, SESSION, &["claim", "src/auth/login.ts"]).exits(0).says("held provisionally");
    server.restart();
    home.close_breaker();
    desk.coord(&["sync"]).exits(0).says("claimed src/auth/** until ");
    let told = home.session_start(ID, "startup").expect("there is news");
    assert!(told.contains("LOST") && told.contains("DESK/a"), "{told}");
    assert!(told.contains("src/auth/login.ts is held by"), "{told}");
    let again = home.session_start(ID, "resume").expect("who else is here");
    assert!(!again.contains("LOST"), "once: {again}");
    home.coord(&["outbox", "dead"]).exits(0).says("no dead letters");
    // The holder hears of it, too.
    by(&desk, "DESK/a", &["msg", "inbox"]).says(SESSION).says("src/auth/login.ts");
}

#[test]
fn a_holder_is_asked_and_answers() {
    let desk = local();
    let (a, b) = ("BOX/a", "BOX/b");
    claimed(&desk, a, &["src/auth/**"]);
    let ask = |more: &[&str]| {
        let words = ["request", "release", "src/auth/db.ts", "--reason", "hotfix", "--json"];
        let done = by(&desk, b, &[&words, more].concat()).exits(0).json();
        text(&done["result"]["id"]).to_owned()
    };
    by(&desk, b, &["request", "release", "/lib"]).exits(1).complains("nobody else holds /lib");
    by(&desk, a, &["request", "inbox"]).exits(0).says("nobody asks");
    let first = ask(&["--urgency", "high", "--scope", "src/auth/db.ts"]);
    by(&desk, a, &["request", "inbox"])
        .exits(0)
        .says("BOX/b asks for src/auth/** of BOX/a, of it src/auth/db.ts, high: hotfix")
        .says(&format!("coord request respond {first}"));
    by(&desk, a, &["status"]).exits(0).says("`coord request inbox`");
    by(&desk, b, &["request", "respond", &first, "--approve"]).exits(1);
    by(&desk, a, &["request", "respond", &first]).exits(2);
    by(&desk, a, &["request", "respond", &first, "--deny", "--approve"]).exits(2);
    by(&desk, a, &["request", "respond", &first, "--deny", "--note", "soon"]).exits(0);
    by(&desk, a, &["request", "respond", &first, "--deny"]).exits(0).says("was denied before");
    let mut late = by(&desk, a, &["request", "respond", &first, "--approve"]);
    late.exits(1).complains("was denied before, by BOX/a").complains("coord release ");
    by(&desk, b, &["claim", "src/auth/db.ts"]).exits(10);
    by(&desk, b, &["request", "show", &first]).exits(0).says("denied by BOX/a").says("soon");
    let second = ask(&[]);
    let coexist = ["--coexist", "src/auth/db.ts"];
    by(&desk, a, &[&["request", "respond", &second], &coexist[..]].concat()).exits(0);
    by(&desk, b, &["claims", "--engineer", b]).exits(0).says("src/auth/db.ts");
    by(&desk, b, &["release", "--all"]).exits(0);
    let third = ask(&[]);
    by(&desk, a, &["request", "respond", &third, "--narrow", "src/auth/forms/**"]).exits(0);
    by(&desk, b, &["claim", "src/auth/db.ts"]).exits(0);
    by(&desk, b, &["request", "list", "--mine", "--decision", "narrowed"]).says(&third);
    by(&desk, a, &["request", "list", "--mine"]).exits(0).says("no requests");
    by(&desk, a, &["request", "show", "absent"]).exits(1).complains("not found");
}

#[test]
fn an_asker_waits_for_the_answer() {
    let server = server();
    for at in [with_files(desk_of(&server)), local()] {
        let id = claimed(&at, "X/a", &["docs"]).remove(0);
        let words = ["request", "release", &id, "--wait", "30"];
        let asker = run(&at, "X/b", &words).start();
        until_it_waits(&asker);
        let pending =
            by(&at, "X/a", &["request", "list", "--decision", "pending", "--json"]).json();
        let request = text(&rows(&pending, "requests")[0]["id"]).to_owned();
        by(&at, "X/a", &["request", "respond", &request, "--approve"]).exits(0).says("approved");
        asker.wait().exits(0).says("X/a let go");
        by(&at, "X/b", &["claim", "docs"]).exits(0);
        by(&at, "X/a", &["request", "release", "docs", "--wait", "1"]).exits(0).says("asked X/b");
    }
}

#[test]
fn a_request_made_offline_waits_in_the_queue() {
    let mut server = server();
    let desk = with_files(desk_of(&server));
    claimed(&desk, "DESK/a", &["docs"]);
    by(&desk, "DESK/b", &["claims"]).exits(0);
    server.kill9();
    by(&desk, "DESK/b", &["request", "release", "docs", "--wait", "9"]).exits(0).says("queued");
    assert_eq!(desk.queue()[0]["body"]["wait_seconds"], 0);
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    by(&desk, "DESK/a", &["request", "inbox"]).exits(0).says("DESK/b asks for docs");
}

fn git(folder: &Path, args: &[&str]) {
    let done = std::process::Command::new("git")
        .args(["-C", folder.to_str().unwrap(), "-c", "user.name=x", "-c", "user.email=x@x"])
        .args(args)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn two_work_trees_of_a_clone_are_one_project() {
    if !coord_tests::workstation::has_tool("claims", "git") {
        return;
    }
    let desk = local();
    let main = desk.home().join("clone");
    fs::create_dir_all(main.join("src")).unwrap();
    fs::write(main.join("src/a.ts"), "export const a = 1;\n").unwrap();
    git(&main, &["init", "-q"]);
    git(&main, &["remote", "add", "origin", "https://example.com/acme/app.git"]);
    git(&main, &["add", "."]);
    git(&main, &["commit", "-q", "-m", "x"]);
    git(&main, &["worktree", "add", "-q", "../second"]);
    let second = desk.home().join("second");
    run(&desk, "BOX/a", &["claim", "a.ts"]).cwd(&main.join("src")).done().exits(0);
    let mut other = run(&desk, "BOX/b", &["claim", "src/a.ts"]).cwd(&second).done();
    other.exits(10).complains("BOX/a (src/a.ts)");
    // By its path in the other tree it is the same file.
    let path = main.join("src/a.ts");
    run(&desk, "BOX/b", &["conflicts", path.to_str().unwrap()]).cwd(&second).done().exits(10);
    run(&desk, "BOX/b", &["claims"]).cwd(&second).done().exits(0).says("acme/app  src/a.ts");
    run(&desk, "BOX/a", &["release", "src/a.ts"]).cwd(&second).done().exits(0).says("released 1");
}

#[test]
fn owners_and_hot_spots() {
    let mut server = server();
    let desk = with_files(desk_of(&server));
    let document = "areas:\n  auth:\n    paths: ['src/auth/**']\n    owners: [amy]\n    \
                    severity: hard\nshared_files:\n  - package.json\n";
    fs::write(desk.project().join("owners.yaml"), document).unwrap();
    fs::write(desk.project().join("bad.yaml"), "areas: 7\n").unwrap();
    desk.coord(&["owners", "show"]).exits(0).says("no ownership document");
    desk.coord(&["owners", "check", "owners.yaml"]).exits(0).says("good: 1 paths of areas");
    desk.coord(&["owners", "check", "bad.yaml"]).exits(1);
    desk.coord(&["owners", "set", "bad.yaml"]).exits(1);
    desk.coord(&["owners", "set", "absent.yaml"]).exits(2).complains("absent.yaml");
    desk.coord(&["owners", "set", "owners.yaml"]).exits(0).says("is set");
    assert_eq!(desk.json(&["owners", "show"])["ownership"], document);
    desk.coord(&["owners", "of", "src/auth/login.ts"]).exits(0).says("hard, owned by amy");
    desk.coord(&["owners", "of", "README.md"]).exits(0).says("soft, owned by nobody");
    // In a hard area a file does not give way to symbols.
    claimed(&desk, "DESK/a", &["src/auth/login.ts"]);
    let symbol = ["claim", "src/auth/login.ts", "--symbol", "Login::submit"];
    for _ in 0..2 {
        by(&desk, "DESK/b", &symbol).exits(10);
    }
    desk.coord(&["hotspots"]).exits(0).says("no hot spots");
    desk.coord(&["hotspots", "--days", "0"]).exits(2);
    desk.coord(&["hotspots", "--min", "2"])
        .exits(0)
        .says("app  src/auth/login.ts  refused 2 times, by 1");
    desk.coord(&["hotspots", "promote", "src/auth/login.ts"]).exits(0).says("is a shared file");
    desk.coord(&["hotspots", "promote", "README.md", "--split"]).exits(0).says("by symbols");
    desk.coord(&["owners", "show"]).says("src/auth/login.ts").says("/README.md");
    server.kill9();
    desk.coord(&["owners", "show"]).exits(0).says("amy").says("(as of ");
    desk.coord(&["hotspots", "--min", "2"]).exits(0).says("refused 2 times").says("(as of ");
    desk.coord(&["owners", "of", "package.json"]).exits(0).says("a shared file");
    desk.coord(&["owners", "set", "owners.yaml"]).exits(0).says("queued");
    server.restart();
    desk.coord(&["sync"]).exits(0).says("sent 1 write");
    assert_eq!(desk.json(&["owners", "show"])["ownership"], document);
}

#[test]
fn locks_and_claims_are_in_each_others_way() {
    let desk = local();
    claimed(&desk, "BOX/a", &["src/auth/**"]);
    by(&desk, "BOX/b", &["lock", "acquire", "src/auth/login.ts"]).exits(10).complains("BOX/a");
    by(&desk, "BOX/b", &["lock", "acquire", "README.md"]).exits(0);
    by(&desk, "BOX/a", &["claim", "README.md"]).exits(10).complains("BOX/b");
    by(&desk, "BOX/a", &["claims"]).exits(0).says("(lock)");
    by(&desk, "BOX/b", &["status"]).exits(0).says("src/auth/**").says("BOX/a");
    // Each has its own way back.
    by(&desk, "BOX/b", &["release", "--all"]).exits(0).says("holds no claims");
    by(&desk, "BOX/b", &["lock", "release", "README.md"]).exits(0);
    by(&desk, "BOX/a", &["claim", "README.md"]).exits(0);
}
