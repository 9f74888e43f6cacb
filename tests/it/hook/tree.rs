//! The guard of a work tree that several sessions share.

use serde_json::json;

use super::common::*;
use coord_tests::server::{Setup, faces};
use coord_tests::workstation::Workstation;

/// Two sessions in one tree with a commit, and a change that nobody has claimed.
fn shared(api: &str) -> Workstation {
    let desk = desk(api);
    write(&desk, "a.rs", "old");
    write(&desk, "b.rs", "old");
    git(&desk, &["add", "a.rs", "b.rs"]);
    git(&desk, &["commit", "-qm", "first"]);
    git(&desk, &["branch", "other"]);
    desk.session_start(ID, "startup");
    desk.session_start(OTHER_ID, "startup");
    write(&desk, "a.rs", "new");
    desk
}

#[test]
fn what_would_take_others_work_away_is_refused() {
    let server = server();
    let desk = shared(&server.url());
    for command in [
        "git stash",
        "git checkout other",
        "git switch other",
        "git reset --hard",
        "git restore .",
        "git checkout -- .",
        "cd . ; git reset --hard HEAD",
    ] {
        let answer = desk.hook(&shell(&desk, ID, command));
        let why = denied(&answer).unwrap_or_else(|| panic!("{command}"));
        for word in [OTHER, "a.rs is not committed", "git worktree add", "COORD_TREE_GUARD=off"] {
            assert!(why.contains(word), "{command}: {why}");
        }
    }
    for command in
        ["git status", "git stash list", "git commit -am x", "git checkout -b new", "git clean -fd"]
    {
        assert_eq!(desk.hook(&shell(&desk, ID, command)), json!({}), "{command}");
    }
    write(&desk, "new.rs", "x");
    assert!(denied(&desk.hook(&shell(&desk, ID, "git clean -fd"))).unwrap().contains("new.rs"));
    // A decision of its person.
    assert_eq!(desk.hook(&shell(&desk, ID, "COORD_TREE_GUARD=off git stash")), json!({}));
}

#[test]
fn nobody_is_kept_from_what_harms_nobody() {
    let server = server();
    let desk = shared(&server.url());
    // One's own work is one's own, but a move of the tree is everybody's.
    desk.hook(&before(&desk, ID, "a.rs"));
    assert_eq!(desk.hook(&shell(&desk, ID, "git stash")), json!({}));
    assert!(denied(&desk.hook(&shell(&desk, ID, "git switch other"))).is_some());
    assert!(denied(&desk.hook(&shell(&desk, OTHER_ID, "git stash"))).is_some());
    // A single file is an edit of that file.
    assert_eq!(desk.hook(&shell(&desk, ID, "git checkout -- a.rs")), json!({}));
    let why = desk.hook(&shell(&desk, OTHER_ID, "git restore a.rs"));
    assert!(denied(&why).unwrap().contains("a.rs is held by"), "{why}");
    // With nothing open, or nobody else there.
    write(&desk, "a.rs", "old");
    assert_eq!(desk.hook(&shell(&desk, OTHER_ID, "git stash")), json!({}));
    write(&desk, "b.rs", "new");
    assert!(denied(&desk.hook(&shell(&desk, OTHER_ID, "git stash"))).is_some());
    desk.hook(&desk.event("SessionEnd", ID, &json!({"reason": "other"})));
    assert_eq!(desk.hook(&shell(&desk, OTHER_ID, "git stash")), json!({}));
}

#[test]
fn a_work_tree_of_ones_own_is_ones_own() {
    let server = server();
    let desk = shared(&server.url());
    git(&desk, &["worktree", "add", "-q", ".trees/mine", "other"]);
    let mine = desk.project().join(".trees/mine");
    std::fs::write(mine.join("a.rs"), "mine").unwrap();
    let command = format!("git -C {} stash", mine.display());
    assert_eq!(desk.hook(&shell(&desk, ID, &command)), json!({}));
}

#[test]
fn the_manner_is_a_setting() {
    let server = server();
    let desk = shared(&server.url());
    let said = |manner: &str| {
        let input = shell(&desk, ID, "git stash").to_string();
        let mut ran =
            desk.run(&["hook", "claude"]).env("COORD_TREE_GUARD", manner).stdin(input).done();
        ran.exits(0).object()
    };
    assert_eq!(said("off"), json!({}));
    let advice = said("advise");
    assert!(denied(&advice).is_none() && context(&advice).contains(OTHER), "{advice}");
    assert!(advice["systemMessage"].is_null());
    let warning = said("warn");
    assert!(denied(&warning).is_none() && context(&warning).contains(OTHER), "{warning}");
    assert!(warning["systemMessage"].as_str().unwrap().contains(OTHER), "{warning}");
    assert!(denied(&said("block")).is_some());
    assert!(denied(&said("loud")).is_some(), "a word that is none is the default");
    desk.write_identity(&json!({"machine": "DESK", "user": "mike", "coord_api": server.url(),
        "tree_guard": "off"}));
    assert_eq!(desk.hook(&shell(&desk, ID, "git stash")), json!({}));
}

#[test]
fn it_works_without_the_server() {
    let mut server = server();
    let desk = shared(&server.url());
    server.kill9();
    let why = desk.hook(&shell(&desk, ID, "git stash"));
    assert!(denied(&why).unwrap().contains(OTHER), "{why}");
    let alone = shared("local");
    assert!(denied(&alone.hook(&shell(&alone, ID, "git stash"))).is_some());
}

/// The same with files in folders; `docs/d.md` is changed, and claimed by nobody.
fn folders(api: &str) -> Workstation {
    let desk = desk(api);
    for file in ["src/m.rs", "docs/d.md", "a.rs", "b.rs", ".gitignore"] {
        write(&desk, file, if file == ".gitignore" { "build/\n.env\n" } else { "old" });
    }
    git(&desk, &["add", "src", "docs", "a.rs", "b.rs", ".gitignore"]);
    git(&desk, &["commit", "-qm", "first"]);
    desk.session_start(ID, "startup");
    desk.session_start(OTHER_ID, "startup");
    write(&desk, "docs/d.md", "new");
    desk
}

#[track_caller]
fn refused(desk: &Workstation, command: &str, words: &[&str]) {
    let answer = desk.hook(&shell(desk, ID, command));
    let why = denied(&answer).unwrap_or_else(|| panic!("{command} passes"));
    for word in words {
        assert!(why.contains(word), "{command}: {why}");
    }
}

#[track_caller]
fn passes(desk: &Workstation, command: &str) {
    assert_eq!(desk.hook(&shell(desk, ID, command)), json!({}), "{command}");
}

#[test]
fn only_what_the_command_touches_counts() {
    let server = server();
    let desk = folders(&server.url());
    for command in [
        "git restore src/",
        "git checkout -- src",
        "git stash push src/m.rs",
        "git stash push -m docs/d.md src/m.rs",
        "git checkout HEAD -- 'src/*'",
        "cd src && git restore .",
        "cd src && git clean -fd",
        "COORD_TREE_GUARD=off git checkout -- docs/",
        "git commit -m \"$(cat <<'EOF'\nwhy:\ngit stash -u\nEOF\n)\"",
    ] {
        passes(&desk, command);
    }
    assert_eq!(held(&desk, SESSION), ["src/m.rs"], "a file given back is an edit of it");
    refused(&desk, "git restore docs/", &["`git restore` would", "docs/d.md is not"]);
    refused(&desk, "git checkout docs", &["`git checkout` would", "docs/d.md is not"]);
    refused(&desk, "git checkout -- 'd*'", &["docs/d.md"]);
    refused(&desk, "cd src && git restore ..", &["docs/d.md"]);
    refused(&desk, "cd src && git stash", &["docs/d.md"]);
    write(&desk, "src/new.rs", "x");
    refused(&desk, "git clean -fd src/", &["`git clean` would", "src/new.rs is not"]);
    refused(&desk, "git clean -fd -e node_modules", &["src/new.rs"]);
    passes(&desk, "git clean -fd docs/");
    write(&desk, "build/out", "x");
    write(&desk, "docs/.env", "x");
    passes(&desk, "git clean -fd docs/");
    refused(&desk, "git clean -fdx docs/", &["docs/.env"]);
    refused(&desk, "git clean -fdX", &["build/", "docs/.env"]);
    assert_eq!(held(&desk, SESSION), ["src/m.rs"], "nothing else was claimed");
}

#[test]
fn what_the_shell_makes_of_a_word_is_not_known() {
    let server = server();
    let desk = folders(&server.url());
    for command in [
        "git checkout -- $(git diff --name-only)",
        "git restore $(git ls-files -m)",
        "git restore `git ls-files -m`",
        "for f in docs/*; do git checkout -- \"$f\"; done",
        "git checkout -- docs/{d,e}.md",
        "git ls-files -m | xargs git checkout --",
        "out=$(git stash)",
        "echo \"so: $(git stash)\"",
        "timeout -k 5 30 git stash",
        "env -i A=1 git stash",
        "bash <<EOF\ngit stash\nEOF",
    ] {
        refused(&desk, command, &["docs/d.md is not committed"]);
    }
    assert!(held(&desk, SESSION).is_empty(), "{:?}", held(&desk, SESSION));
    write(&desk, "docs/d.md", "old");
    passes(&desk, "git checkout -- $(git diff --name-only)");
    assert!(held(&desk, SESSION).is_empty());
    // The folder is the one that the command runs in.
    passes(&desk, "(cd src && ls) && git checkout -- b.rs");
    passes(&desk, "cd $(git rev-parse --show-toplevel) && git checkout -- a.rs");
    let mut all = held(&desk, SESSION);
    all.sort();
    assert_eq!(all, ["a.rs", "b.rs"]);
}

#[test]
fn a_name_is_a_branch_or_a_path() {
    let server = server();
    let desk = folders(&server.url());
    git(&desk, &["branch", "b.rs"]);
    refused(&desk, "git checkout b.rs", &["docs/d.md"]);
    std::fs::remove_file(desk.project().join("a.rs")).unwrap();
    passes(&desk, "git checkout a.rs");
    assert_eq!(held(&desk, SESSION), ["a.rs"]);
    refused(&desk, "git checkout HEAD~0", &["docs/d.md"]);
}

#[test]
fn what_ones_own_claims_mean_is_ones_own() {
    let server = server();
    let desk = folders(&server.url());
    desk.run(&["lock", "claim", "acme/app", "docs/**", "prose"]).session(SESSION).done().exits(0);
    passes(&desk, "git restore docs/");
    passes(&desk, "git stash");
    write(&desk, "docs/more/new.md", "x");
    passes(&desk, "git stash -u");
    passes(&desk, "git clean -fd");
    write(&desk, "other/new.md", "x");
    refused(&desk, "git clean -fd", &["other/new.md is not"]);
}

#[test]
fn who_is_silent_but_holds_something_still_works_here() {
    let server = Setup::new(faces()[0]).env("COORD_SESSION_STALE_AFTER", "1").start();
    let desk = folders(&server.url());
    let said = || {
        let input = shell(&desk, ID, "git stash").to_string();
        let ran = desk.run(&["hook", "claude"]);
        ran.env("COORD_SESSION_STALE_AFTER", "1").stdin(input).done().exits(0).object()
    };
    desk.hook(&before(&desk, OTHER_ID, "b.rs"));
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert!(denied(&said()).unwrap().contains(OTHER));
    let all = desk.json(&["lock", "list", "--session", OTHER]);
    let id = all["locks"][0]["id"].as_str().unwrap().to_owned();
    desk.run(&["lock", "release", &id]).session(OTHER).done().exits(0);
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(said(), json!({}));
}

#[test]
fn another_repository_has_a_project_of_its_own() {
    let server = server();
    let desk = folders(&server.url());
    let other = desk.project().join("vendor");
    std::fs::create_dir_all(&other).unwrap();
    for args in [
        &["-C", "vendor", "init", "-q", "-b", "main"][..],
        &["-C", "vendor", "remote", "add", "origin", "git@example.com:acme/lib.git"],
        &["-C", "vendor", "commit", "--allow-empty", "-qm", "first"],
    ] {
        git(&desk, args);
    }
    std::fs::write(other.join("x.rs"), "x").unwrap();
    passes(&desk, "git -C vendor stash -u");
    // Somebody who works there.
    let third = "0398abcd-ef01-2345";
    let mut start = desk.event("SessionStart", third, &json!({"source": "startup"}));
    start["cwd"] = json!(other);
    desk.hook(&start);
    refused(&desk, "git -C vendor stash -u", &["DESK/claude-0398abcd", "x.rs is not committed"]);
}
