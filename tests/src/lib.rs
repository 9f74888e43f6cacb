//! The harness of the black-box tests.

pub mod bins;
pub mod fault;
pub mod raw;
pub mod server;
pub mod workstation;
