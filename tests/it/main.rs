//! Black-box tests: real processes, real HTTP, real SQLite.

mod http;
