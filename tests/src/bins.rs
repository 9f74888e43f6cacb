//! Finds the programs under test, built from the present sources.

use std::env::{self, consts::EXE_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What cargo tells a test about its package. Build scripts look at these names: passed on, they
/// would have dependencies built anew each time.
const OF_THIS_PACKAGE: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];

/// The program `name` of this workspace, with the profile and the features of the running test.
///
/// Once per test process cargo is asked to build it: it knows what is missing or stale, and does
/// nothing otherwise.
pub fn bin(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let path = BUILT.get_or_init(build).join(format!("{name}{EXE_SUFFIX}"));
    assert!(path.exists(), "cargo built no {}", path.display());
    path
}

/// Builds the programs and returns the folder where they lie.
fn build() -> PathBuf {
    let folder = folder();
    let profile = match folder.file_name().and_then(|n| n.to_str()) {
        Some("debug") | None => "dev",
        Some(other) => other,
    };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["build", "--quiet", "--profile", profile])
        .args(["--package", "coord-server", "--package", "coord-agent"]);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|n| OF_THIS_PACKAGE.iter().any(|p| n.starts_with(p))) {
            cargo.env_remove(name);
        }
    }
    cargo.arg("--target-dir").arg(target());
    if cfg!(feature = "tiny-http") {
        cargo.args(["--features", "coord-server/tiny-http,coord-agent/tiny-http"]);
    }
    let status = cargo.status().expect("cargo can be started");
    assert!(status.success(), "cargo could not build the programs under test: {status}");
    folder
}

/// The target folder of the running test.
pub fn target() -> PathBuf {
    folder().parent().expect("target/<profile> lies in a folder").to_owned()
}

/// `target/<profile>`: test programs lie in `deps` below it.
fn folder() -> PathBuf {
    let me = env::current_exe().expect("a test knows where it lies");
    me.parent().and_then(Path::parent).expect("a test lies in target/<profile>/deps").to_owned()
}
