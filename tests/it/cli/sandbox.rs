//! As in Codex's default sandbox: HOME and `.git` are read-only, there are no sockets, and only the
//! work tree can be written. A command queues there; the next one outside sends it.

use std::fs;
use std::process::Command;

use coord_tests::server::TestServer;
use coord_tests::workstation::{Workstation, has_tool};

/// Whether this system lets a test make such a sandbox.
fn can_confine() -> bool {
    has_tool("sandbox", "unshare")
        && Command::new("unshare").args(["-rmn", "true"]).status().is_ok_and(|s| s.success())
}

#[test]
fn a_command_in_a_sandbox_queues_and_the_next_hook_delivers() {
    if !can_confine() {
        assert!(std::env::var_os("CI").is_none(), "sandbox needs user namespaces");
        eprintln!("SKIPPED sandbox: no user namespaces");
        return;
    }
    let server = TestServer::start("axum");
    let desk = Workstation::new("BOX", "ann", &server.url());
    fs::create_dir_all(desk.project().join(".git/info")).unwrap();
    let program = coord_tests::bins::bin("coord");
    let (home, git) = (desk.home().display(), desk.project().join(".git").display().to_string());
    let project = desk.project().display().to_string();
    let confined = format!(
        "set -e; mount --bind '{home}' '{home}'; mount --bind '{project}' '{project}'; \
         mount --bind '{git}' '{git}'; mount -o remount,bind,ro '{home}'; \
         mount -o remount,bind,ro '{git}'; \
         ! touch '{home}/x' 2>/dev/null; ! touch '{git}/x' 2>/dev/null; \
         cd '{project}'; exec '{}' msg send ALL hello 'from the inside'",
        program.display()
    );
    let run = Command::new("unshare")
        .args(["-rmn", "sh", "-c", &confined])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", desk.home())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.starts_with("queued"), "{said}\n{complained}");
    assert_eq!(desk.queue().len(), 1);

    desk.session_start("0198abcd", "startup");
    assert!(!desk.queue_file().exists(), "the hook sent it");
    let list = server.get("/api/coord/messages?from_session=BOX/claude-main").expect(200);
    assert_eq!(list["messages"][0]["body"], "from the inside");
    assert_eq!(list["count"], 1);
}
