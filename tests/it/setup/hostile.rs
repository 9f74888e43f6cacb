//! A repository whose author is no friend.

use std::fs;
use std::os::unix::fs::symlink;

use coord_tests::workstation::mode_of;

use super::common::{assert_same, git, picture, put, repository};

#[test]
fn no_link_of_a_clone_leads_out_of_it() {
    for (link, target) in [
        ("CLAUDE.md", ".bashrc"),
        (".claude/settings.json", ".claude/settings.json"),
        (".gemini", ".gemini"),
        (".gitignore", "absent"),
        (".opencode", "bin"),
    ] {
        let desk = repository();
        put(&desk, ".bashrc", "precious\n");
        put(&desk, ".claude/settings.json", "{}");
        for folder in [".gemini", "bin"] {
            fs::create_dir(desk.home().join(folder)).unwrap();
        }
        let link = desk.project().join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(desk.home().join(target), &link).unwrap();
        let before = picture(desk.home());
        let mut ran = desk.coord(&["init", "--all"]);
        ran.exits(1).complains("outside of the project");
        assert_same(&before, &picture(desk.home()), target);
        desk.coord(&["doctor"]).exits(1);
        desk.coord(&["uninstall"]).exits(0);
        assert_same(&before, &picture(desk.home()), target);
    }
}

#[test]
fn no_link_leads_into_gits_own_folder() {
    let desk = repository();
    symlink(".git/config", desk.project().join("AGENTS.md")).unwrap();
    let before = picture(desk.home());
    desk.coord(&["init", "--tool", "codex"]).exits(1).complains("AGENTS.md");
    assert_same(&before, &picture(desk.home()), "git's configuration");
}

#[test]
fn what_lies_in_the_way_is_named() {
    let desk = repository();
    put(&desk, "app/.codex", "a file");
    desk.coord(&["init", "--tool", "codex"]).exits(1).complains(".codex");
    fs::remove_file(desk.project().join(".codex")).unwrap();
    fs::create_dir_all(desk.project().join("AGENTS.md")).unwrap();
    desk.coord(&["init", "--tool", "codex"]).exits(1).complains("no regular file");
    fs::remove_dir(desk.project().join("AGENTS.md")).unwrap();
    put(&desk, "app/.codex/hooks.json", " ".repeat(5 * 1024 * 1024));
    desk.coord(&["init", "--tool", "codex"]).exits(1).complains("longer than");
    put(&desk, "app/.codex/hooks.json", format!("{}1", "[".repeat(200_000)));
    desk.coord(&["init", "--tool", "codex"]).exits(1).complains("nested deeper");
}

#[test]
fn names_of_files_do_not_steer_the_terminal() {
    let desk = repository();
    let root = desk.home().join("ev\u{1b}[2Jil");
    fs::create_dir(&root).unwrap();
    git(&root, &["init", "-q"]);
    fs::create_dir_all(root.join(".codex")).unwrap();
    fs::write(root.join(".codex/hooks.json"), "{").unwrap();
    for args in [&["init", "--all"][..], &["doctor"]] {
        let ran = desk.run(args).cwd(&root).done();
        assert!(!ran.told().contains('\u{1b}'), "{}", ran.told());
    }
}

#[test]
fn what_cannot_be_written_leaves_everything_as_it_was() {
    let desk = repository();
    put(&desk, "app/CLAUDE.md", "# x\n");
    let closed = desk.project().join(".codex");
    fs::create_dir(&closed).unwrap();
    let desk = desk.bound_by_permissions();
    coord_tests::workstation::chmod(&closed, 0o555);
    let before = picture(desk.home());
    desk.coord(&["init", "--all"]).exits(1).complains(".codex");
    let mut after = picture(desk.home());
    // coord's own empty folders may stay where it could not look after them.
    after.retain(|p, _| before.contains_key(p) || !p.starts_with(desk.home().join(".local")));
    assert_same(&before, &after, "nothing half done");
    assert_eq!(mode_of(&closed), 0o555);
}
