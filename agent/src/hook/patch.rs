//! The files that a patch in the form of `apply_patch` changes.

/// Files of one patch at most; a longer one is taken as far as this.
const FILES_MAX: usize = 200;

const MARKS: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// Whether a text holds such a patch.
pub(super) fn is_patch(text: &str) -> bool {
    text.contains("*** Begin Patch")
}

/// The paths, in their order, each once.
pub(super) fn files(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = line.trim_end();
        let Some(path) = MARKS.iter().find_map(|m| line.strip_prefix(m)) else { continue };
        let path = path.trim();
        if !path.is_empty() && found.len() < FILES_MAX && !found.iter().any(|f| f == path) {
            found.push(path.to_owned());
        }
    }
    found
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
        assert!(files("*** Update File: \n").is_empty());
    }
}
