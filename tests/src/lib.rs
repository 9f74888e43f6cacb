//! The harness of the black-box tests.

pub mod bins;
pub mod raw;
pub mod server;
