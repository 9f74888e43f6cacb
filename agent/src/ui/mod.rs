//! What people, programs and models see.

pub mod aside;
pub mod claim_words;
pub mod neutral;
pub mod report;
pub mod write_words;
