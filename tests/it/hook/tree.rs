//! The guard of a work tree that several sessions share.

use serde_json::json;

use super::common::*;
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
