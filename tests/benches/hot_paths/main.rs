//! The hot paths, measured end to end with the real programs: prints percentiles and rates, each
//! beside something run in the same minute. `cargo bench -p coord-tests`.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

mod commands;
mod copies;
mod desk;
mod drains;
mod hooks;
mod locally;
mod table;
mod writes;

use coord_tests::server::TestServer;

use desk::{Desk, fill};

/// Messages in the store while commands are measured.
const MESSAGES: usize = 10_000;

fn main() {
    let server = TestServer::start("axum");
    let desk = Desk::new(&server.url());
    fill(server.address(), MESSAGES);
    desk.run(&["msg", "read", "--all"]);
    hooks::measure(&desk, server.address());
    commands::measure(&desk);
    copies::measure();
    locally::measure();
    drains::measure(&desk, &server);
    writes::measure(server.address());
}
