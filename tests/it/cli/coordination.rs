//! Seed 003's shell library on coord's engine, by real bash and jq.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use coord_tests::bins::bin;
use coord_tests::workstation::{Workstation, files_below, has_tool, mode_of};
use serde_json::{Value, json};

use super::common::{desk, rows, server, text, texts};

const SKILL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../skill/coord");

fn ready(test: &str) -> Option<Workstation> {
    let tools = ["bash", "jq"].map(|t| has_tool(test, t));
    tools.iter().all(|t| *t).then(|| Workstation::new("BOX", "ann", "local"))
}

/// Runs a script in the project, in an environment that holds only what is named.
fn bash(desk: &Workstation, script: &str, vars: &[(&str, &str)]) -> (i32, String, String) {
    let done = Command::new("bash")
        .args(["-c", script])
        .current_dir(desk.project())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", desk.home())
        .env("COORD_BIN", bin("coord"))
        .env("CLAUDE_PROJECT_DIR", desk.project())
        .env("LIB", format!("{SKILL}/lib/coordination.sh"))
        .env("BIN", format!("{SKILL}/bin"))
        .envs(vars.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("bash can be started");
    let words = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (done.status.code().unwrap_or(-1), words(&done.stdout), words(&done.stderr))
}

/// The same; it must end well.
#[track_caller]
fn fine(desk: &Workstation, script: &str) -> String {
    let script = format!("set -euo pipefail\nsource \"$LIB\"\n{script}");
    let (code, out, err) = bash(desk, &script, &[]);
    assert_eq!(code, 0, "{script}\nstdout: {out}\nstderr: {err}");
    out
}

#[test]
fn every_function_is_there_and_sourcing_twice_is_silent() {
    let Some(desk) = ready("every_function_is_there") else { return };
    let script = r#"
set -euo pipefail
source "$LIB"; INSTANCE_ID=mine; source "$LIB"
[[ -z "$INSTANCE_ID" && "$INSTANCE_PID" == "$$" ]]
echo "$EXIT_SUCCESS $EXIT_LOCK_HELD $EXIT_LOCK_EXPIRED $EXIT_CONFLICT $EXIT_STALE_INSTANCE"
echo "$LOCK_TIMEOUT $HEARTBEAT_TIMEOUT $STALE_CHECK_INTERVAL"
for f in coord_init coord_generate_instance_id coord_register_instance coord_unregister_instance \
  coord_heartbeat coord_cleanup_stale_instances coord_acquire_lock coord_release_lock \
  coord_renew_lock coord_release_all_locks coord_release_locks_by_instance coord_check_lock \
  coord_detect_conflict coord_log_decision coord_query_decisions coord_list_instances \
  coord_get_work coord_status _acquire_file_lock _release_file_lock; do
  bash -c "declare -F $f >/dev/null" || echo "missing $f"
done
_acquire_file_lock x; _release_file_lock x
coord_init
[[ "$INSTANCE_ID" =~ ^claude-[0-9]{8}-[0-9]{6}-[a-f0-9]{8}$ ]]
[[ -d "$LOCKS_DIR" && -d "$HEARTBEATS_DIR" ]]
jq -e '.instances == []' "$REGISTRY_FILE" >/dev/null
jq -e '.decisions == []' "$DECISIONS_FILE" >/dev/null
[[ "$(coord_generate_instance_id)" != "$(coord_generate_instance_id)" ]]
"#;
    let (code, out, err) = bash(&desk, script, &[]);
    assert_eq!((code, err.as_str()), (0, ""), "{out}");
    assert_eq!(out, "0 10 11 12 13\n300 300 60\n");
}

#[test]
fn instances_register_ping_and_leave() {
    let Some(desk) = ready("instances_register_ping_and_leave") else { return };
    let script = r#"
code=0; coord_heartbeat 2>/dev/null || code=$?; [[ $code == 1 ]]
coord_register_instance "Test task" "test-agent" >/dev/null
[[ -n "$INSTANCE_ID" ]]
coord_register_instance "Test task" "test-agent" >/dev/null
me="$INSTANCE_ID"; beat="$HEARTBEATS_DIR/$me.json"
jq -e --arg i "$me" '[.instances[] | select(.instance_id == $i)] | length == 1
  and .[0].current_task.description == "Test task"
  and .[0].current_task.agent_role == "test-agent"' "$REGISTRY_FILE" >/dev/null
jq -e '.ping_count == 0 and .status == "starting"' "$beat" >/dev/null
coord_heartbeat; coord_heartbeat
jq -e '.ping_count == 2 and .status == "active"' "$beat" >/dev/null
coord_list_instances | jq -e --arg i "$me" 'length == 1 and .[0].instance_id == $i' >/dev/null
coord_get_work | jq -e '.current_task.description == "Test task"' >/dev/null
[[ -z "$(coord_get_work nobody)" ]]
status="$(coord_status)"
for head in "WORKTREE COORDINATION STATUS" "Active Instances" "File Locks"; do
  [[ "$status" == *"$head"* ]]
done
[[ "$(coord_cleanup_stale_instances)" == 0 ]]
coord_acquire_lock a.txt
coord_unregister_instance; coord_unregister_instance
[[ ! -f "$beat" && -z "$(ls "$LOCKS_DIR")" ]]
jq -e '.instances == []' "$REGISTRY_FILE" >/dev/null
code=0; coord_heartbeat 2>/dev/null || code=$?; [[ $code == 1 ]]
id="$(coord_register_instance)"; [[ "$id" == "$me" ]]
"#;
    fine(&desk, script);
}

#[test]
fn two_instances_and_one_file() {
    let Some(desk) = ready("two_instances_and_one_file") else { return };
    let script = r#"
is() { local want=$1 code=0; shift; "$@" 2>err || code=$?; [[ $code == "$want" ]] || { echo "$* gave $code"; cat err; exit 1; }; }
echo one > f.txt
coord_register_instance one main >/dev/null; a="$INSTANCE_ID"; b="second-$$"
is 1 coord_renew_lock f.txt
is 0 coord_acquire_lock "$PWD/f.txt" "for a reason"
is 0 coord_acquire_lock ./f.txt
is 0 coord_check_lock f.txt
is 0 coord_renew_lock f.txt
jq -e --arg a "$a" '.file_path == "f.txt" and .locked_by.instance_id == $a
  and .intent == "for a reason" and .lock_type == "write"' "$LOCKS_DIR"/*.json >/dev/null
[[ "$(jq -r .file_hash "$LOCKS_DIR"/*.json)" == "$(sha1sum < f.txt | cut -d' ' -f1)" ]]
jq -e '.instances[0].files_locked == ["f.txt"]' "$REGISTRY_FILE" >/dev/null
INSTANCE_ID="$b"
is 10 coord_check_lock f.txt; grep -qx "Locked by: $a" err
is 10 coord_acquire_lock f.txt; grep -qx "Locked by: $a" err
is 10 coord_release_lock f.txt
is 10 coord_renew_lock f.txt
is 0 coord_release_lock other.txt
is 0 coord_detect_conflict f.txt
echo two > f.txt
is 12 coord_detect_conflict f.txt
rm f.txt
is 12 coord_detect_conflict f.txt
INSTANCE_ID="$a"
coord_acquire_lock g.txt; coord_acquire_lock h.txt
[[ "$(ls "$LOCKS_DIR" | wc -l)" == 3 ]]
is 0 coord_release_lock f.txt
is 0 coord_detect_conflict f.txt
is 0 coord_release_all_locks
[[ -z "$(ls "$LOCKS_DIR")" ]]
coord_acquire_lock g.txt
INSTANCE_ID="$b"; coord_release_locks_by_instance "$a"
is 0 coord_acquire_lock g.txt
"#;
    fine(&desk, script);
}

#[test]
fn any_name_and_any_text() {
    let Some(desk) = ready("any_name_and_any_text") else { return };
    let script = r#"
odd=$'a "b" \\ \'c\'\n$(d).txt'; long="$(printf 'd%.0s' {1..150})/$(printf 'e%.0s' {1..150})"
for f in "$odd" "$long" "-x" "100%.txt"; do
  INSTANCE_ID=one; coord_acquire_lock "$f" "$odd"
  INSTANCE_ID=two; code=0; coord_acquire_lock "$f" 2>/dev/null || code=$?; [[ $code == 10 ]]
done
for f in "$LOCKS_DIR"/*.json; do jq -e . "$f" >/dev/null; done
jq -e --arg f "$odd" 'select(.file_path == $f and .intent == $f)' "$LOCKS_DIR"/*.json >/dev/null
id="$(coord_log_decision "$odd-" "-title \"x\"" $'line\nline' 2>/dev/null || true)"; [[ -z "$id" ]]
id="$(coord_log_decision architecture "-title \"x\"" "$odd")"
[[ "$id" =~ ^DEC-[0-9]{8}-[0-9]{4}$ ]]
jq -e --arg i "$id" --arg d "$odd" '.decisions[] | select(.decision_id == $i)
  | .description == $d and .impact.scope == "module" and .status == "accepted"' "$DECISIONS_FILE" >/dev/null
coord_log_decision testing second text system >/dev/null
coord_query_decisions | jq -e 'length == 2 and .[0].title == "second"' >/dev/null
coord_query_decisions testing | jq -e 'length == 1 and .[0].impact.scope == "system"' >/dev/null
coord_query_decisions "" 1 | jq -e 'length == 1' >/dev/null
code=0; coord_query_decisions "" many 2>/dev/null || code=$?; [[ $code == 2 ]]
"#;
    fine(&desk, script);
}

#[test]
fn expired_locks_take_two_steps_and_reaped_instances_hear_so() {
    let Some(desk) = ready("expired_locks_take_two_steps") else { return };
    let vars = [("COORD_FILE_LOCK_TTL", "1"), ("COORD_SESSION_STALE_AFTER", "3")];
    let script = r#"
set -euo pipefail; source "$LIB"
is() { local want=$1 code=0; shift; "$@" 2>err || code=$?; [[ $code == "$want" ]] || { echo "$* gave $code"; cat err; exit 1; }; }
coord_register_instance one >/dev/null; a="$INSTANCE_ID"
coord_acquire_lock f.txt; sleep 1.3
INSTANCE_ID=two
is 0 coord_check_lock f.txt
is 11 coord_acquire_lock f.txt
is 0 coord_acquire_lock f.txt
INSTANCE_ID="$a"
is 10 coord_acquire_lock f.txt
is 0 coord_heartbeat
sleep 4
INSTANCE_ID=two
[[ "$(coord_cleanup_stale_instances 2>err)" == 1 ]]; grep -q "$a" err
INSTANCE_ID="$a"
is 13 coord_heartbeat
coord_register_instance again >/dev/null
is 0 coord_heartbeat
"#;
    let (code, out, err) = bash(&desk, script, &vars);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn a_folder_made_anew_begins_empty() {
    let Some(desk) = ready("a_folder_made_anew_begins_empty") else { return };
    fine(
        &desk,
        "coord_register_instance one >/dev/null; coord_acquire_lock f; echo \"$INSTANCE_ID\" > ../id",
    );
    fs::remove_dir_all(desk.project().join(".claude/coordination")).unwrap();
    let script = r#"
[[ "$(coord_list_instances)" == "[]" ]]
INSTANCE_ID="$(cat ../id)"; code=0; coord_heartbeat 2>/dev/null || code=$?; [[ $code == 1 ]]
INSTANCE_ID=other; coord_acquire_lock f
"#;
    fine(&desk, script);
    // Without the host's word the project is found from below.
    fs::create_dir_all(desk.project().join("deep/er")).unwrap();
    let script = r#"
set -euo pipefail; unset CLAUDE_PROJECT_DIR; cd deep/er; source "$LIB"
[[ "$COORD_DIR" == */app/.claude/coordination ]]
INSTANCE_ID=third; code=0; coord_acquire_lock ../../f 2>/dev/null || code=$?; [[ $code == 10 ]]
"#;
    let (code, out, err) = bash(&desk, script, &[]);
    assert_eq!(code, 0, "{out}{err}");
}

#[test]
fn the_three_commands_say_what_they_said() {
    let Some(desk) = ready("the_three_commands") else { return };
    let script = r#"
set -euo pipefail; unset CLAUDE_PROJECT_DIR
is() { local want=$1 code=0; shift; "$@" >out 2>&1 || code=$?; [[ $code == "$want" ]] || { echo "$* gave $code"; cat out; exit 1; }; }
has() { grep -qF -- "$1" out || { echo "no $1 in:"; cat out; exit 1; }; }
is 1 "$BIN/coord-lock"; is 1 "$BIN/coord-lock" acquire; is 1 "$BIN/coord-lock" nonsense
is 0 "$BIN/coord-lock" list
is 0 "$BIN/coord-lock" acquire f.txt
is 0 "$BIN/coord-lock" list; has f.txt
is 0 "$BIN/coord-lock" check f.txt; has "File is not locked (or locked by current instance)"
is 1 env COORD_SESSION_ID=BOX/b "$BIN/coord-lock" acquire f.txt
is 1 env COORD_SESSION_ID=BOX/b "$BIN/coord-lock" check f.txt; has "File is locked by another instance"
is 0 "$BIN/coord-lock" release f.txt
is 0 "$BIN/coord-lock" cleanup
is 0 "$BIN/coord-decisions"; is 0 "$BIN/coord-decisions" list
is 1 "$BIN/coord-decisions" add --category=x; is 1 "$BIN/coord-decisions" list --nonsense
is 0 "$BIN/coord-decisions" add --category=api-design --title="T t" --description=D
has "Decision logged: DEC-"; id="$(sed 's/.*: //' out)"
is 0 "$BIN/coord-decisions" query "$id"; has '"T t"'
is 0 "$BIN/coord-decisions" query DEC-19700101-0001; [[ ! -s out ]]
is 0 "$BIN/coord-decisions" list --category=api-design --limit=5; has "T t"
is 0 "$BIN/coord-status"; has "Active Instances: 0"; has "Total Decisions Logged: 1"
source "$LIB"; coord_register_instance "The task" reviewer >/dev/null; coord_acquire_lock g.txt
is 0 "$BIN/coord-status" --verbose; has "Active Instances: 1"; has "Task: The task"; has "    - g.txt"
has "Total File Locks: 1"; has "T t"
is 0 "$BIN/coord-status" --json; jq -e '.instances[0].files_locked == ["g.txt"]
  and (.locks | length) == 1 and (.decisions | length) == 1' out >/dev/null
is 1 "$BIN/coord-status" --nonsense
"#;
    let (code, out, err) = bash(&desk, script, &[]);
    assert_eq!(code, 0, "{out}{err}");
}

/// A folder as the seed leaves it, some of it broken.
fn old_folder(desk: &Workstation) -> std::path::PathBuf {
    let dir = desk.home().join("old");
    fs::create_dir_all(dir.join("locks")).unwrap();
    fs::create_dir_all(dir.join("heartbeats")).unwrap();
    let put = |name: &str, v: &Value| fs::write(dir.join(name), v.to_string()).unwrap();
    let decision = |id: &str, title: &str| {
        json!({"decision_id": id, "timestamp": "2026-01-08T10:00:00Z", "category": "api-design",
            "made_by": {"instance_id": "claude-x"}, "title": title, "description": "d",
            "impact": {"scope": "system", "files_affected": ["a.rs"]}, "status": "accepted"})
    };
    let two = [decision("DEC-20260108-0004", "first"), decision("DEC-20260108-0004", "second")];
    put("decision-log.json", &json!({"schema_version": "1.0.0", "decisions": two}));
    let instance = |id: &str, ping: &str| {
        json!({"instance_id": id, "pid": 7, "worktree_path": "/w", "status": "active",
            "current_task": {"description": "task", "agent_role": "main"},
            "heartbeat": {"last_ping": ping}, "metadata": {"branch": "main"}})
    };
    let all = [instance("live", "2999-01-01T00:00:00Z"), instance("old", "2026-01-08T10:00:00Z")];
    put("work-registry.json", &json!({"instances": all}));
    let lock = |path: &str, until: &str| {
        json!({"file_path": path, "locked_by": {"instance_id": "live"}, "intent": "why",
            "expires_at": until})
    };
    put("locks/a.json", &lock("src/a.rs", "2999-01-01T00:00:00Z"));
    put("locks/b.json", &lock("src/b.rs", "2026-01-08T10:00:00Z"));
    fs::write(dir.join("locks/empty.json"), "").unwrap();
    fs::write(dir.join("heartbeats/broken.json"), "{\"instance_id\":").unwrap();
    dir
}

#[test]
fn an_old_folder_is_taken_over_once() {
    let desk = Workstation::new("BOX", "ann", "local");
    let dir = old_folder(&desk);
    let dir = dir.to_str().unwrap();
    let first = desk.json(&["import", "coordination", dir]);
    for (what, n) in [("decisions", 2), ("instances", 1), ("locks", 1), ("expired", 2)] {
        assert_eq!(first[what], n, "{what} in {first}");
    }
    let problems = first["problems"].to_string();
    assert!(problems.contains("empty.json") && problems.contains("broken.json"), "{problems}");
    let decisions = desk.json(&["decision", "list"]);
    let mut ids = texts(rows(&decisions, "decisions"), "display_id");
    ids.sort();
    assert_eq!(ids, ["DEC-20260108-0004", "DEC-20260108-0005"], "the seed gives ids twice");
    assert_eq!(decisions["decisions"][0]["decided_at"], "2026-01-08T10:00:00Z");
    desk.coord(&["lock", "check", "src/a.rs"]).exits(10).complains("Locked by: live");
    let before = [desk.json(&["lock", "list"]), desk.json(&["decision", "list"])];
    let again = desk.json(&["import", "coordination", dir]);
    assert_eq!((&again["decisions"], &again["known_before"]), (&0.into(), &4.into()), "{again}");
    assert_eq!(before[1], desk.json(&["decision", "list"]));
    assert_eq!(rows(&before[0], "locks").len(), rows(&desk.json(&["lock", "list"]), "locks").len());
    desk.coord(&["import", "coordination", "no-such-folder"]).exits(2);
}

#[test]
fn what_is_written_can_be_taken_over_elsewhere() {
    let desk = Workstation::new("BOX", "ann", "local");
    desk.coord(&["session", "register", "--task", "t", "--role", "r"]).exits(0);
    desk.coord(&["lock", "acquire", "a.rs", "why"]).exits(0);
    desk.coord(&["decision", "add", "security", "No plain tokens", "--alternative", "x"]).exits(0);
    let dir = desk.home().join("out");
    let dir = dir.to_str().unwrap();
    desk.coord(&["export", "coordination", dir]).exits(0).says("1 instances, 1 locks, 1 decisions");
    let read = |name: &str| -> Value {
        serde_json::from_slice(&fs::read(format!("{dir}/{name}")).unwrap()).unwrap()
    };
    let (registry, log) = (read("work-registry.json"), read("decision-log.json"));
    assert_eq!(registry["instances"][0]["files_locked"], json!(["a.rs"]), "{registry}");
    assert_eq!(text(&log["decisions"][0]["title"]), "No plain tokens");
    let other = Workstation::new("OTHER", "bob", "local");
    let taken = other.json(&["import", "coordination", dir]);
    for what in ["decisions", "instances", "locks"] {
        assert_eq!(taken[what], 1, "{what} in {taken}");
    }
    let shown = other.json(&["decision", "show", text(&log["decisions"][0]["decision_id"])]);
    assert_eq!(shown["alternatives"], json!(["x"]), "{shown}");
}

#[test]
fn scripts_at_once_leave_whole_documents() {
    let Some(desk) = ready("scripts_at_once") else { return };
    fine(&desk, "coord_init");
    thread::scope(|scope| {
        for n in 0..8 {
            let desk = &desk;
            scope.spawn(move || {
                fine(
                    desk,
                    &format!(
                        "INSTANCE_ID=i{n}\ncoord_register_instance t{n} >/dev/null\n\
                    coord_acquire_lock f{n}\ncoord_log_decision testing d{n} x >/dev/null"
                    ),
                );
            });
        }
    });
    thread::sleep(Duration::from_millis(10));
    let script = r#"
jq -e '.instances | length == 8' "$REGISTRY_FILE" >/dev/null
jq -e '(.decisions | length == 8) and ([.decisions[].decision_id] | unique | length == 8)' "$DECISIONS_FILE" >/dev/null
[[ "$(ls "$LOCKS_DIR" | wc -l)" == 8 && -z "$(find "$COORD_DIR" -name '*.tmp')" ]]
"#;
    fine(&desk, script);
}

/// What must not be touched: a folder with a file that looks like a document, and a file.
fn victims(desk: &Workstation) -> (std::path::PathBuf, std::path::PathBuf) {
    let (dir, file) = (desk.home().join("victim"), desk.home().join("precious"));
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("package.json"), "{}").unwrap();
    fs::write(&file, "precious").unwrap();
    (dir, file)
}

#[test]
fn nothing_is_written_or_removed_through_links_of_a_clone() {
    let Some(desk) = ready("nothing_is_written_or_removed_through_links") else { return };
    let (dir, file) = victims(&desk);
    let coordination = desk.project().join(".claude/coordination");
    let script = r#"
set -euo pipefail; source "$LIB"
coord_register_instance t >/dev/null; coord_acquire_lock f; coord_heartbeat
coord_release_lock f; coord_cleanup_stale_instances >/dev/null; coord_status >/dev/null
"#;
    for trap in [".mirror.lock", "locks", "heartbeats", "whole", "absent"] {
        let _ = fs::remove_file(&coordination);
        let _ = fs::remove_dir_all(&coordination);
        if trap == "whole" || trap == "absent" {
            let to = if trap == "whole" { dir.clone() } else { desk.home().join("absent") };
            symlink(to, &coordination).unwrap();
        } else {
            fs::create_dir(&coordination).unwrap();
            let to = if trap == ".mirror.lock" { &file } else { &dir };
            symlink(to, coordination.join(trap)).unwrap();
        }
        let (code, out, err) = bash(&desk, script, &[]);
        assert_eq!(code, 0, "{trap}: {out}{err}");
        assert!(err.contains("it is a link, or no folder"), "{trap}: {err}");
        // An export names the folder itself.
        let mut ran = desk.coord(&["export", "coordination", coordination.to_str().unwrap()]);
        ran.exits(74).complains("it is a link, or no folder");
        assert_eq!(fs::read_to_string(&file).unwrap(), "precious", "{trap}");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 1, "{trap}");
        assert_eq!(fs::read_to_string(dir.join("package.json")).unwrap(), "{}");
        assert!(!desk.home().join("absent").exists());
    }
}

#[test]
fn only_documents_of_ours_are_removed_and_they_are_closed_to_others() {
    let Some(desk) = ready("only_documents_of_ours_are_removed") else { return };
    let locks = desk.project().join(".claude/coordination/locks");
    fine(&desk, "coord_register_instance t >/dev/null; coord_acquire_lock f.txt");
    fs::write(locks.join("package.json"), "{}").unwrap();
    symlink(desk.home().join("precious"), locks.join("data.json")).unwrap();
    fs::write(desk.home().join("precious"), "precious").unwrap();
    for file in files_below(&desk.project().join(".claude/coordination")) {
        if file.file_name().is_some_and(|n| n != "package.json") {
            assert_eq!(mode_of(&file), 0o600, "{}", file.display());
        }
    }
    for folder in ["", "locks", "heartbeats"] {
        assert_eq!(mode_of(&desk.project().join(".claude/coordination").join(folder)), 0o700);
    }
    fine(&desk, "coord_init; coord_cleanup_stale_instances >/dev/null; coord_log_decision a b c");
    assert!(locks.join("Zi50eHQ.json").exists());
    let (code, out, err) = bash(&desk, "source \"$LIB\"; coord_init
        coord_release_locks_by_instance \"$(jq -r .locked_by.instance_id \"$LOCKS_DIR/Zi50eHQ.json\")\"", &[]);
    assert_eq!(code, 0, "{out}{err}");
    let mut left: Vec<_> = fs::read_dir(&locks).unwrap().map(|e| e.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["data.json", "package.json"], "the lock's file is gone, others stay");
}

#[test]
fn traps_in_an_old_folder_are_named_and_stop_nothing() {
    let desk = Workstation::new("BOX", "ann", "local");
    let dir = old_folder(&desk);
    fs::write(desk.home().join("secret"), "{\"file_path\": \"secret.rs\"}").unwrap();
    symlink(desk.home().join("secret"), dir.join("locks/link.json")).unwrap();
    symlink("/dev/zero", dir.join("locks/zero.json")).unwrap();
    fs::write(dir.join("locks/long.json"), " ".repeat(9 << 20)).unwrap();
    for name in ["locks/pipe.json", "heartbeats/pipe.json"] {
        assert!(Command::new("mkfifo").arg(dir.join(name)).status().unwrap().success());
    }
    let told = desk.json(&["import", "coordination", dir.to_str().unwrap()]);
    for (what, n) in [("decisions", 2), ("instances", 1), ("locks", 1)] {
        assert_eq!(told[what], n, "{what} in {told}");
    }
    let problems = told["problems"].to_string();
    for name in ["link.json", "zero.json", "long.json", "locks/pipe.json", "heartbeats/pipe.json"] {
        assert!(problems.contains(name), "{name} in {problems}");
    }
    let other = Workstation::new("BOX", "ann", "local");
    fs::remove_dir_all(dir.join("locks")).unwrap();
    fs::remove_file(dir.join("decision-log.json")).unwrap();
    symlink("/dev/zero", dir.join("decision-log.json")).unwrap();
    symlink("/", dir.join("locks")).unwrap();
    let told = other.json(&["import", "coordination", dir.to_str().unwrap()]);
    assert_eq!((&told["instances"], &told["decisions"]), (&1.into(), &0.into()), "{told}");
    let problems = told["problems"].to_string();
    assert!(problems.contains("decision-log.json") && problems.contains("locks: it is no folder"));
}

#[test]
fn a_project_id_that_is_a_trap_hangs_nothing() {
    let desk = Workstation::new("BOX", "ann", "local");
    let file = desk.project().join(".claude/coordination/project-id");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    assert!(Command::new("mkfifo").arg(&file).status().unwrap().success());
    let claimed = desk.json(&["lock", "acquire", "a.rs"]);
    assert_eq!(claimed["result"]["project_key"], "app", "{claimed}");
    assert!(desk.hook(&desk.event("Stop", "0198abcd", &json!({}))).is_object());
    fs::remove_file(&file).unwrap();
    symlink("/dev/zero", &file).unwrap();
    desk.coord(&["lock", "check", "a.rs"]).exits(0).says("yours");
}

#[test]
fn with_the_server_away_only_what_was_done_ends_well() {
    let tools = ["bash", "jq"].map(|t| has_tool("with_the_server_away", t));
    if !tools.iter().all(|t| *t) {
        return;
    }
    let mut server = server();
    let desk = desk(&server);
    let ours = "set -euo pipefail\nsource \"$LIB\"\n\
        is() { local want=$1 code=0; shift; \"$@\" >out 2>err || code=$?; \
        [[ $code == \"$want\" ]] || { echo \"$* gave $code\"; cat out err; exit 1; }; }\n\
        INSTANCE_ID=one; ";
    let run = |script: &str| {
        let (code, out, err) = bash(&desk, &format!("{ours}{script}"), &[]);
        assert_eq!(code, 0, "{script}\n{out}{err}");
    };
    run("coord_register_instance t >/dev/null; coord_acquire_lock f.txt; coord_renew_lock f.txt");
    server.kill9();
    desk.close_breaker();
    run("is 69 coord_renew_lock f.txt; grep -q 'not done' err; grep -q 'nothing is queued' err");
    assert!(desk.queue().is_empty(), "{:?}", desk.queue());
    // A claim is judged by what is known here: this workstation keeps to it.
    run("is 0 coord_acquire_lock g.txt");
    assert_eq!(desk.queue().len(), 1, "{:?}", desk.queue());
    run("INSTANCE_ID=two; is 10 coord_acquire_lock g.txt; is 10 coord_check_lock g.txt");
    run("is 69 coord_renew_lock g.txt; is 0 coord_check_lock g.txt");
    assert_eq!(desk.queue().len(), 1, "{:?}", desk.queue());
    run("is 69 coord_log_decision a b c; is 69 coord_heartbeat; is 69 coord_release_lock g.txt
        is 69 coord_status; is 69 coord_list_instances; is 69 coord_cleanup_stale_instances
        is 0 coord_get_work; is 0 coord_query_decisions; is 0 coord_detect_conflict g.txt");
    assert_eq!(desk.queue().len(), 1, "{:?}", desk.queue());
    desk.coord(&["lock", "acquire", "h.txt"]).exits(0).says("held provisionally");
    assert_eq!(desk.queue().len(), 2);
    server.restart();
    desk.coord(&["sync", "--force"]).exits(0);
    run("is 0 coord_renew_lock f.txt; is 0 coord_renew_lock g.txt");
}
