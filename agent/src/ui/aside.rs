//! What is said beside an answer while it is worked out: whom a wait is for, when it is tried again.
//! At the shell it stands on stderr; a tool call passes it on as progress, and can be broken off.

use super::report::say_now;

/// Who hears it.
pub trait Aside: Send + Sync {
    /// Says a line.
    fn say(&self, words: &str);
    /// Whether the caller has lost interest.
    fn is_over(&self) -> bool;
    /// Whether the caller can lose interest while this process goes on.
    fn can_end(&self) -> bool;
}

/// A person at the shell, who ends a wait together with the process.
#[derive(Debug, Clone, Copy)]
pub struct Stderr;

impl Aside for Stderr {
    fn say(&self, words: &str) {
        say_now(&format!("coord: {words}\n"));
    }

    fn is_over(&self) -> bool {
        false
    }

    fn can_end(&self) -> bool {
        false
    }
}
