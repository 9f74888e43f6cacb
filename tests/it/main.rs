//! Black-box tests: real processes, real HTTP, real SQLite.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod hook;
#[cfg(test)]
mod hosts;
#[cfg(test)]
mod http;
#[cfg(test)]
mod mcp;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod setup;
