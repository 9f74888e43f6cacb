//! Globs, decided exactly: does a pattern match a path, and do two patterns have a path in common.
//!
//! The language: segments divided by `/`. In a segment `*` is any run of characters, `?` one
//! character, `[a-z]` / `[!a-z]` one of (not of) a set, `{a,b}` either alternative (without a comma
//! braces are themselves). A segment `**` stands for any number of segments, none included. All
//! comparison is by Unicode scalar value and case-sensitive.

mod folder;
mod intersect;
mod pattern;

pub use folder::{below, covers};
pub use intersect::intersection;
pub use pattern::{BadPattern, Pattern};
