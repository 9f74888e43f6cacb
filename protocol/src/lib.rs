//! What coord's agent and server must agree on.
//!
//! Everything here is a function of its arguments: no clock is read, no id is made, no file or
//! socket is touched. Time arrives as [`time::Millis`], randomness as bytes, and the edges
//! ([`edge::Clock`], [`edge::Rng`]) are traits that others implement.

pub mod claim;
pub mod edge;
pub mod exit;
pub mod glob;
pub mod id;
pub mod lease;
pub mod limits;
pub mod path;
pub mod project;
pub mod request;
pub mod resource;
pub mod session;
pub mod symbol;
pub mod time;
pub mod wire;
