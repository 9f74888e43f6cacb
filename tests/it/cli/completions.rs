//! `coord completions` and `coord man`: scripts that shells take, pages that man takes.

use std::fs;
use std::process::{Command, Stdio};

use coord_tests::workstation::{Workstation, has_tool};

use super::common::rows;

/// What bash offers for the last of these words.
fn offered(at: &Workstation, words: &[&str]) -> Vec<String> {
    let script = at.home().join("coord.bash");
    at.coord(&["completions", "bash"]).exits(0);
    fs::write(&script, at.coord(&["completions", "bash"]).out()).unwrap();
    let list = words.iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(" ");
    let last = words.len() - 1;
    let program = format!(
        "source '{}'; COMP_WORDS=({list}); COMP_CWORD={last}; \
         _coord coord '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        script.display(),
        words[last],
        words[last - 1]
    );
    let done = Command::new("bash").args(["--norc", "-c", &program]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    if !has_tool("bash_completes_commands_and_options", "bash") {
        return;
    }
    let at = Workstation::bare();
    assert_eq!(offered(&at, &["coord", "msg", "se"]), ["send", "sent"]);
    assert_eq!(offered(&at, &["coord", "gua"]), ["guard"]);
    assert!(offered(&at, &["coord", "watch", "--"]).contains(&"--mail".to_owned()));
    let urgency = offered(&at, &["coord", "claim", "x", "--urgency", "bl"]);
    assert_eq!(urgency, ["blocking"]);
}

#[test]
fn each_shell_has_a_script() {
    let at = Workstation::bare();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = at.coord(&["completions", shell]).exits(0).out();
        assert!(script.contains("coord") && script.contains("hotspots"), "{shell}: {script}");
        assert_eq!(at.json(&["completions", shell])["shell"], shell);
        if !["bash", "zsh", "fish"].contains(&shell) || !has_shell(shell) {
            continue;
        }
        let file = at.home().join(shell);
        fs::write(&file, script).unwrap();
        let checked = Command::new(shell).arg("-n").arg(&file).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
    at.coord(&["completions", "tcsh"]).exits(2);
}

fn has_shell(shell: &str) -> bool {
    Command::new(shell).args(["-c", ""]).stderr(Stdio::null()).status().is_ok()
}

#[test]
fn there_is_a_page_for_each_command() {
    let at = Workstation::bare();
    at.coord(&["man"]).exits(0).says(".TH coord 1").says("coord\\-msg(1)");
    let dir = at.home().join("man/man1");
    let told = at.json(&["man", "--dir", &dir.to_string_lossy()]);
    let files = rows(&told, "files");
    for name in ["coord.1", "coord-claim.1", "coord-msg-send.1", "coord-guard-push.1"] {
        assert!(files.contains(&name.into()), "{name} in {files:?}");
    }
    assert!(!files.contains(&"coord-coordination.1".into()), "what is hidden has no page");
    for file in files {
        let page = fs::read_to_string(dir.join(file.as_str().unwrap())).unwrap();
        assert!(page.contains("\n.TH ") && page.contains("\n.SH SYNOPSIS"), "{file}: {page}");
    }
    let page = fs::read_to_string(dir.join("coord-msg-send.1")).unwrap();
    assert!(page.contains("coord\\-msg\\-send \\- Send a message"), "{page}");
    assert!(page.contains("\\-\\-body\\-file"), "{page}");
    if has_tool("there_is_a_page_for_each_command", "man") {
        for page in ["coord.1", "coord-claim.1"] {
            let shown = Command::new("man")
                .args(["--warnings", "-l"])
                .arg(dir.join(page))
                .env("LC_ALL", "C")
                .output()
                .unwrap();
            let (out, err) = (shown.stdout, String::from_utf8_lossy(&shown.stderr));
            assert!(shown.status.success() && err.is_empty(), "{err}");
            assert!(String::from_utf8_lossy(&out).contains("SYNOPSIS"));
        }
    }
    let file = at.home().join("file");
    fs::write(&file, "").unwrap();
    at.coord(&["man", "--dir", &file.to_string_lossy()]).exits(74).complains("file");
}
