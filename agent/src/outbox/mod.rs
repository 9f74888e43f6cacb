//! The outbox: writes that the server has not acknowledged, as lines of a file that strangers may
//! write to as well. Format, locking, rewriting and what a crash leaves at each point are those of
//! reliability.md section 5, which a model checks.
//!
//! The file is only ever appended to, moved aside, or linked in anew. It is never truncated,
//! replaced or edited in place.

pub mod append;
pub mod dead;
pub mod disk;
pub mod drain;
pub mod files;
pub mod journal;
pub mod keep;
pub mod line;
pub mod news;
pub mod real_disk;
pub mod rewrite;
pub mod trouble;
pub mod view;
