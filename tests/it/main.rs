//! Black-box tests: real processes, real HTTP, real SQLite.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod http;
