//! The server by itself, for machines without an agent. `coord serve` is the same.

use std::process::ExitCode;

use coord_protocol::exit;
use coord_server::serve::{bind, log_to_stderr};
use coord_server::settings::Settings;

fn main() -> ExitCode {
    let settings = match Settings::read(&|n| std::env::var(n).ok(), "data/coordination.db".into()) {
        Ok(s) => s,
        Err(e) => return fail(&e, exit::CONFIG),
    };
    log_to_stderr(&settings.log_level, settings.log_json);
    match bind(&settings).and_then(coord_server::serve::Bound::run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e, exit::DATA),
    }
}

#[expect(clippy::print_stderr, reason = "the last words of a server that does not run")]
fn fail(e: &dyn std::error::Error, code: u8) -> ExitCode {
    eprintln!("coord-server: {e}");
    ExitCode::from(code)
}
