//! The examples are run as a reader would run them.

use std::process::Command;

use coord_tests::bins::bin;

#[test]
fn two_workstations() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/two-workstations.sh");
    let run = Command::new("bash").arg(script).arg(bin("coord")).output().expect("bash starts");
    let said = String::from_utf8_lossy(&run.stdout);
    let complained = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{}\n{said}\n{complained}", run.status);
    assert!(said.ends_with("all as it should be\n"), "{said}");
    assert_eq!(said.lines().filter(|l| l.starts_with("ok ")).count(), 22, "{said}");
}
