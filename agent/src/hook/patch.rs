//! The files that a patch in the form of `apply_patch` changes.

use std::collections::HashSet;

const MARKS: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// Whether a text holds such a patch.
pub(super) fn is_patch(text: &str) -> bool {
    text.contains("*** Begin Patch")
}

/// The paths, in their order, each once.
pub(super) fn files(text: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    // Codex takes the blanks off both ends of a line.
    let path = |line: &'_ str| {
        let line = line.trim();
        Some(MARKS.iter().find_map(|m| line.strip_prefix(m))?.trim().to_owned())
    };
    let paths = text.lines().filter_map(path);
    paths.filter(|p| !p.is_empty() && seen.insert(p.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_once() {
        let text = "*** Begin Patch\n*** Add File: a b.rs\n+*** Add File: no\n*** Update File: c.rs\r\n\
                    *** Move to: d/c.rs\n@@\n-x\n+y\n*** Delete File: a b.rs\n*** End Patch\n";
        assert!(is_patch(text));
        assert_eq!(files(text), ["a b.rs", "c.rs", "d/c.rs"]);
        assert_eq!(
            files("  *** Update File: held.rs\n\t*** Move to:  x.rs \n"),
            ["held.rs", "x.rs"]
        );
        assert!(files("*** Update File: \n").is_empty());
    }
}
