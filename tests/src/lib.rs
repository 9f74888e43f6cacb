//! The harness of the black-box tests.

pub mod bins;
pub mod command;
pub mod events;
pub mod fault;
pub mod hooks;
pub mod hosts;
pub mod linear;
pub mod mcp;
pub mod model;
pub mod peer;
pub mod proxy;
pub mod raw;
pub mod repository;
pub mod series;
pub mod server;
pub mod workstation;
