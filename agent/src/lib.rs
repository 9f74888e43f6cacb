//! coord's agent: what runs on a workstation. [`outbox`] keeps writes that the server has not
//! acknowledged, [`remote`] talks to the server, [`replica`] is this
//! workstation's copy of what the server said, [`send`] is the one way in which a write leaves,
//! [`hook`] answers the host tools, [`cli`] the person or model at the shell.
//!
//! Files, network, clock and chance are behind traits ([`outbox::disk::Disk`], [`remote::Net`],
//! `coord_protocol::edge`), so that the simulation runs this very code.

pub mod carry;
pub mod cli;
pub mod config;
pub mod context;
mod held;
pub mod hook;
pub mod host;
pub mod local_server;
mod lock_request;
#[cfg(feature = "mcp")]
pub mod mcp;
pub mod outbox;
pub mod registry;
pub mod remote;
pub mod replica;
pub mod send;
pub mod setup;
pub mod ui;
