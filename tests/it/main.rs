//! Black-box tests: real processes, real HTTP, real SQLite.

mod cli;
mod http;
