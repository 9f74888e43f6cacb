//! The canonical form of resource names and paths, applied before any comparison (design 5).

use crate::limits::NAME_BYTES_MAX;

/// Why a resource name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadResource {
    /// Nothing is left of it.
    #[error("resource is empty")]
    Empty,
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("resource is longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
    /// `..` climbs above the project.
    #[error("resource {0:?} leaves the project")]
    Escapes(String),
    /// Control characters are never part of a name.
    #[error("resource {0:?} holds a control character")]
    Control(String),
    /// Not a valid glob.
    #[error("bad pattern {pattern:?}: {reason}")]
    Pattern {
        /// The pattern as sent.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Brings a resource to its canonical form: `\` is `/`, `.` and empty segments vanish, `..` takes
/// away the segment before it, a leading `/` is dropped, and a trailing `/` names the folder with
/// all that lies below it (`dir/` is `dir/**`).
pub fn canonical(raw: &str) -> Result<String, BadResource> {
    if raw.len() > NAME_BYTES_MAX {
        return Err(BadResource::TooLong);
    }
    let raw = raw.trim();
    if raw.chars().any(char::is_control) {
        return Err(BadResource::Control(raw.to_owned()));
    }
    let slashed = raw.replace('\\', "/");
    let mut segments: Vec<&str> = Vec::new();
    for s in slashed.split('/') {
        match s {
            "" | "." => {}
            ".." => match segments.pop() {
                // `a/**/..` may name any folder: nothing sound can be said about it.
                Some(s) if s != "**" => {}
                _ => return Err(BadResource::Escapes(raw.to_owned())),
            },
            s => segments.push(s),
        }
    }
    let folder = slashed.ends_with('/') || slashed.ends_with("/.");
    if folder && !segments.is_empty() && segments.last() != Some(&"**") {
        segments.push("**");
    }
    if segments.is_empty() {
        return Err(BadResource::Empty);
    }
    Ok(segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_agree() {
        for raw in
            ["src/a.rs", "./src/a.rs", "/src//a.rs", "src\\a.rs", "src/x/../a.rs", " src/./a.rs "]
        {
            assert_eq!(canonical(raw).as_deref(), Ok("src/a.rs"), "{raw:?}");
        }
        assert_eq!(canonical("src/").as_deref(), Ok("src/**"));
        assert_eq!(canonical("src/**/").as_deref(), Ok("src/**"));
        assert_eq!(canonical("deploy:prod").as_deref(), Ok("deploy:prod"));
    }

    #[test]
    fn nothing_leaves_the_project() {
        for raw in ["..", "../x", "a/../../x", "a/**/../b"] {
            assert!(matches!(canonical(raw), Err(BadResource::Escapes(_))), "{raw:?}");
        }
        for raw in ["", "/", ".", "a/.."] {
            assert_eq!(canonical(raw), Err(BadResource::Empty), "{raw:?}");
        }
        assert!(matches!(canonical("a\u{1b}b"), Err(BadResource::Control(_))));
        assert_eq!(canonical(&"x".repeat(513)), Err(BadResource::TooLong));
    }

    #[test]
    fn canonical_is_idempotent() {
        for raw in ["a//b/", "x/./y", "a/*/c", "q/**"] {
            let once = canonical(raw).unwrap();
            assert_eq!(canonical(&once).as_deref(), Ok(once.as_str()));
        }
    }
}
