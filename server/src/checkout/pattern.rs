//! What a pattern of a team claim matches among files: it is a line of gitignore (seed 002).

use coord_protocol::glob::Pattern;
use coord_protocol::path::canonical;

/// A pattern, as it is matched against the paths of files.
pub(super) struct ClaimPattern {
    text: String,
    /// `None` for a plain path.
    glob: Option<Pattern>,
}

impl ClaimPattern {
    /// Without a `/` it is a name at any depth; a leading `/` says that it begins at the top; a
    /// trailing one names a folder. `None` when it is no pattern.
    pub(super) fn read(raw: &str) -> Option<Self> {
        let text = canonical(raw).ok()?;
        let from_top = raw.trim().starts_with(['/', '\\']) || text.contains('/') || text == "**";
        let text = if from_top { text } else { format!("**/{text}") };
        let glob = if Pattern::has_meta(&text) { Some(Pattern::parse(&text).ok()?) } else { None };
        Some(Self { text, glob })
    }

    /// Whether a file is meant: by its own path, or as one below a folder that is.
    pub(super) fn matches(&self, file: &str) -> bool {
        let Some(glob) = &self.glob else {
            let rest = file.strip_prefix(self.text.as_str());
            return rest.is_some_and(|r| r.is_empty() || r.starts_with('/'));
        };
        // A name with brackets means itself, too.
        let mut upto = Some(file);
        while let Some(path) = upto {
            if path == self.text || glob.matches(path) {
                return true;
            }
            upto = path.rsplit_once('/').map(|(above, _)| above);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_gitignore() {
        let cases: [(&str, &[&str], &[&str]); 9] = [
            ("login.ts", &["login.ts", "src/auth/login.ts", "login.ts/x"], &["src/alogin.ts"]),
            ("/login.ts", &["login.ts"], &["src/login.ts"]),
            ("src/auth", &["src/auth/a.ts", "src/auth/b/c.ts"], &["x/src/auth/a.ts", "src/authx"]),
            ("src/auth/", &["src/auth/a.ts", "src/auth/b/c.ts"], &["src/authx", "x/src/auth/a.ts"]),
            ("*.rs", &["a.rs", "x/y/a.rs"], &["a.rsx"]),
            ("src/*", &["src/a", "src/a/b"], &["a/src/b"]),
            ("src/**/x.ts", &["src/x.ts", "src/a/b/x.ts"], &["x.ts"]),
            ("app/[id]/page.tsx", &["app/[id]/page.tsx", "app/i/page.tsx"], &["app/x/page.tsx"]),
            ("**", &["a", "a/b"], &[]),
        ];
        for (raw, yes, no) in cases {
            let pattern = ClaimPattern::read(raw).unwrap();
            for file in yes {
                assert!(pattern.matches(file), "{raw} {file}");
            }
            for file in no {
                assert!(!pattern.matches(file), "{raw} {file}");
            }
        }
        for raw in ["", "..", "src/[z-a].ts"] {
            assert!(ClaimPattern::read(raw).is_none(), "{raw}");
        }
    }
}
