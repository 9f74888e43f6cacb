//! The hooks, one call at a time, as hosts call them.

mod common;
mod edits;
mod faults;
mod mail;
mod recorded;
mod tree;
