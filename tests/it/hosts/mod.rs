//! `coord` in the real clients: Claude Code, Codex CLI and Copilot CLI, driven by a scripted model.
//!
//! Their inputs to hooks, as recorded, lie in `recorded/`.

/// For each host a module with a test for each of these checks.
macro_rules! in_hosts {
    ($($module:ident = $host:ident: $($check:ident),+;)+) => {$(
        mod $module {
            use coord_tests::hosts::{Host, Hosts};
            $(#[test]
            fn $check() {
                let name = concat!(stringify!($module), "::", stringify!($check));
                if let Some(hosts) = Hosts::installed(name) {
                    super::$check(&hosts, Host::$host);
                }
            })+
        }
    )+};
}

mod common;
mod edits;
mod faults;
mod inputs;
mod mail;
mod sandbox;
mod tools;
mod trust;
mod two_homes;
mod waking;
