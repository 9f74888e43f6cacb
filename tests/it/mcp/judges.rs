//! Programs that know nothing of us judge the server: the inspector, the Python client, and the
//! protocol's own conformance suite.

use std::path::Path;
use std::process::Command;

use coord_tests::bins::{bin, target};

/// Parts of what they say: a judge that was left out would be missed.
const HEARD: &[&str] = &[
    "inspector, legacy: --strict",
    "inspector, auto: --strict",
    "inspector, modern: --strict",
    "python client, mode auto",
    "python client, mode legacy",
    "python client, mode 2026-07-28",
    "conformance (npm), 2025-11-25: server-initialize",
    "conformance (next), 2026-07-28: server-stateless",
    "conformance (next), 2026-07-28: sep-2164-resource-not-found",
];

#[test]
fn outside_judges_find_nothing() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/mcp-judges.sh");
    let judged = Command::new(script).arg(bin("coord")).env("CARGO_TARGET_DIR", target()).output();
    let judged = judged.expect("tools/mcp-judges.sh can be run");
    let said = String::from_utf8_lossy(&judged.stdout).into_owned();
    let why = String::from_utf8_lossy(&judged.stderr).into_owned();
    if judged.status.code() == Some(3) {
        assert!(std::env::var_os("CI").is_none(), "outside_judges_find_nothing: {why}");
        eprintln!("SKIPPED mcp::judges::outside_judges_find_nothing: {why}");
        return;
    }
    assert!(judged.status.success(), "{said}\n{why}");
    for words in HEARD {
        let passed = said.lines().any(|l| l.starts_with("passed: ") && l.contains(words));
        assert!(passed, "{words} is missing in\n{said}");
    }
}
