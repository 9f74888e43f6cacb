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
    let slashed = slashed(raw)?;
    if slashed.contains('{') && slashed.split('/').any(|s| matches!(s, "." | "..")) {
        // `{a,b/../c}`: what `..` takes away depends on the alternative.
        return Err(BadResource::Pattern {
            pattern: raw.to_owned(),
            reason: "'.' and '..' cannot stand beside braces".to_owned(),
        });
    }
    let mut segments = resolved(&slashed)?;
    let folder = slashed.ends_with('/') || slashed.ends_with("/.");
    if folder && !segments.is_empty() && segments.last() != Some(&"**") {
        segments.push("**");
    }
    joined(&segments)
}

/// The same for a name that is no pattern, whatever characters it holds.
pub fn canonical_literal(raw: &str) -> Result<String, BadResource> {
    joined(&resolved(&slashed(raw)?)?)
}

fn slashed(raw: &str) -> Result<String, BadResource> {
    if raw.len() > NAME_BYTES_MAX {
        return Err(BadResource::TooLong);
    }
    if raw.trim().chars().any(char::is_control) {
        return Err(BadResource::Control(raw.to_owned()));
    }
    Ok(raw.trim().replace('\\', "/"))
}

fn resolved(slashed: &str) -> Result<Vec<&str>, BadResource> {
    let mut segments: Vec<&str> = Vec::new();
    for s in slashed.split('/') {
        match s {
            "" | "." => {}
            ".." => match segments.pop() {
                // `a/**/..` may name any folder: nothing sound can be said about it.
                Some(s) if s != "**" => {}
                _ => return Err(BadResource::Escapes(slashed.to_owned())),
            },
            s => segments.push(s),
        }
    }
    Ok(segments)
}

fn joined(segments: &[&str]) -> Result<String, BadResource> {
    if segments.is_empty() { Err(BadResource::Empty) } else { Ok(segments.join("/")) }
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
        assert!(matches!(canonical("src/{a,b/../c}/x"), Err(BadResource::Pattern { .. })));
    }

    #[test]
    fn canonical_is_idempotent() {
        for raw in ["a//b/", "x/./y", "a/*/c", "q/**"] {
            let once = canonical(raw).unwrap();
            assert_eq!(canonical(&once).as_deref(), Ok(once.as_str()));
        }
    }
}
