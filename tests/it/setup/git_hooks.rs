//! Git's hooks, run by git itself, with a `coord` in between that writes down how it was called.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use coord_tests::workstation::{Workstation, chmod, mode_of};

use super::common::{git, picture, put, repository};

/// A `coord` that notes its arguments and input, and ends with a status.
fn stub(desk: &Workstation, status: u8) -> PathBuf {
    let notes = desk.home().join("notes");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> {0}\ncase \"$2\" in push) cat >> {0} ;; esac\nexit {status}\n",
        notes.display()
    );
    let file = put(desk, "bin/coord", script);
    chmod(&file, 0o755);
    notes
}

fn run_git(desk: &Workstation, args: &[&str], with_coord: bool) -> Output {
    let bin = desk.home().join("bin");
    let path = if with_coord {
        format!("{}:/usr/bin:/bin", bin.display())
    } else {
        "/usr/bin:/bin".into()
    };
    Command::new("git")
        .current_dir(desk.project())
        .args(["-c", "user.name=a", "-c", "user.email=a@b"])
        .args(args)
        .env_clear()
        .env("PATH", path)
        .env("HOME", desk.home())
        .output()
        .unwrap()
}

#[test]
fn git_asks_the_guard_and_keeps_to_its_word() {
    let desk = repository();
    let notes = stub(&desk, 0);
    let remote = desk.home().join("remote.git");
    git(desk.home(), &["init", "-q", "--bare", "remote.git"]);
    git(&desk.project(), &["remote", "add", "origin", remote.to_str().unwrap()]);
    // A hook of the user's that reads what git says.
    let seen = desk.home().join("seen");
    let own = format!("#!/bin/bash\nset -e\ncat > {}\n", seen.display());
    chmod(&put(&desk, "app/.git/hooks/pre-push", own), 0o755);
    desk.coord(&["init", "--tool", "codex", "--git-hooks"]).exits(0);
    assert_eq!(mode_of(&desk.project().join(".git/hooks/pre-commit")) & 0o111, 0o111);
    put(&desk, "app/a", "x");
    git(&desk.project(), &["add", "a"]);
    for args in [&["commit", "-qm", "m"][..], &["push", "-q", "origin", "HEAD:main"]] {
        let done = run_git(&desk, args, true);
        assert!(done.status.success(), "{done:?}");
    }
    let told = fs::read_to_string(&notes).unwrap();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines[0], "guard commit");
    assert!(lines[1].starts_with("guard push origin "), "{told}");
    assert!(lines[2].contains("refs/heads/main"), "the guard hears what is pushed: {told}");
    assert_eq!(
        fs::read_to_string(&seen).unwrap(),
        format!("{}\n", lines[2]),
        "and so does the user's hook"
    );
    // A guard that says no is obeyed; one that does not know its job, or none, is in nobody's way.
    stub(&desk, 2);
    assert!(run_git(&desk, &["commit", "-q", "--allow-empty", "-m", "o"], true).status.success());
    assert!(run_git(&desk, &["push", "-q", "origin", "HEAD:main"], true).status.success());
    stub(&desk, 1);
    put(&desk, "app/a", "y");
    git(&desk.project(), &["add", "a"]);
    assert!(!run_git(&desk, &["push", "-q", "origin", "HEAD:other"], true).status.success());
    assert!(!run_git(&desk, &["commit", "-qm", "n"], true).status.success());
    let done = run_git(&desk, &["commit", "-qm", "n"], false);
    assert!(done.status.success(), "{done:?}");
    assert!(run_git(&desk, &["push", "-q", "origin", "HEAD:main"], false).status.success());
    assert!(fs::read_to_string(&seen).unwrap().contains("refs/heads/main"));
}

#[test]
fn a_hook_that_is_no_shell_script_is_left_alone() {
    let desk = repository();
    let file = put(&desk, "app/.git/hooks/pre-commit", "#!/usr/bin/env python3\nprint(1)\n");
    chmod(&file, 0o755);
    let before = picture(desk.home());
    desk.coord(&["init", "--all", "--git-hooks"]).exits(1).complains("no shell script");
    assert_eq!(before, picture(desk.home()));
    desk.coord(&["init", "--all"]).exits(0);
}

#[test]
fn the_folder_that_git_uses_is_honoured() {
    let desk = repository();
    git(&desk.project(), &["config", "core.hooksPath", ".husky"]);
    desk.coord(&["init", "--tool", "codex", "--git-hooks"]).exits(0);
    assert!(desk.project().join(".husky/pre-commit").exists());
    assert!(!desk.project().join(".git/hooks/pre-commit").exists());
    desk.coord(&["doctor"]).says("pre-commit and pre-push are wired");
    chmod(&desk.project().join(".husky/pre-commit"), 0o644);
    desk.coord(&["doctor"]).says("is not executable");
    desk.coord(&["uninstall"]).exits(0);
    assert!(!desk.project().join(".husky").exists());
    // The folder is another one by now: what is on record is given back all the same.
    desk.coord(&["init", "--tool", "codex", "--git-hooks"]).exits(0);
    git(&desk.project(), &["config", "core.hooksPath", ".other"]);
    desk.coord(&["uninstall"]).exits(0);
    assert!(!desk.project().join(".husky").exists());
    // One that all repositories of the user share is not one project's to change.
    let shared = desk.home().join("shared-hooks");
    fs::create_dir(&shared).unwrap();
    git(&desk.project(), &["config", "core.hooksPath", shared.to_str().unwrap()]);
    desk.coord(&["init", "--tool", "codex", "--git-hooks"]).exits(1).complains("core.hooksPath");
    assert_eq!(fs::read_dir(&shared).unwrap().count(), 0);
}

#[test]
fn a_linked_work_tree_shares_the_hooks_of_its_clone() {
    let desk = repository();
    git(&desk.project(), &["commit", "-q", "--allow-empty", "-m", "m"]);
    git(&desk.project(), &["worktree", "add", "-q", "../tree"]);
    let tree = desk.home().join("tree");
    let run = |args: &[&str]| desk.run(args).cwd(&tree).done();
    run(&["init", "--tool", "codex", "--git-hooks"]).exits(0);
    assert!(tree.join(".codex/hooks.json").exists());
    assert!(desk.project().join(".git/hooks/pre-push").exists());
    run(&["uninstall"]).exits(0);
    assert!(!desk.project().join(".git/hooks/pre-push").exists());
}
