//! The ownership document: which areas are hard, who owns them, which files are shared, which should
//! be claimed by symbols (docs/ownership.md). Pure: the text is an argument.
//!
//! A document belongs to the people who wrote it. coord changes single places of its text, keeps
//! every other byte, and refuses rather than damages.

mod document;
mod index;
mod resolved;
mod surgery;
mod written;
mod yaml;

pub use document::{Document, Rule, Shared};
pub(crate) use index::Index;
pub use resolved::Ownership;
pub use surgery::{Split, add_shared, add_split, remove_shared};

/// Longest document.
pub const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// Most patterns of a document: paths, shared files and suggested splits together.
pub const PATTERNS_MAX: usize = 2_000;
/// Most owners of one area.
pub const OWNERS_MAX: usize = 100;

/// Why a document is refused, or cannot be changed; in the words of seed 002 where it has some.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadDocument(pub(crate) String);

impl BadDocument {
    fn too_long() -> Self {
        Self(format!("Ownership config is longer than {DOCUMENT_BYTES_MAX} bytes"))
    }
}
