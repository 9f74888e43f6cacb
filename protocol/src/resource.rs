//! What a claim is on: a canonical resource name, or a glob. Two resources conflict when they are
//! the same name or their languages intersect (design 5); one rule for locks, hooks and claims.

use crate::glob::{Pattern, intersection};
use crate::path::{BadResource, canonical, canonical_literal};

/// A resource in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    canonical: String,
    glob: Option<Pattern>,
}

impl Resource {
    /// Reads what a caller sent; patterns are recognised by their characters.
    pub fn parse(raw: &str) -> Result<Self, BadResource> {
        let canonical = canonical(raw)?;
        let glob = if Pattern::has_meta(&canonical) {
            Some(Pattern::parse(&canonical).map_err(|e| BadResource::Pattern {
                pattern: raw.to_owned(),
                reason: e.to_string(),
            })?)
        } else {
            None
        };
        Ok(Self { canonical, glob })
    }

    /// A name or path that means exactly itself, whatever characters it holds: `app/[id]/page.tsx`.
    pub fn literal(raw: &str) -> Result<Self, BadResource> {
        Ok(Self { canonical: canonical_literal(raw)?, glob: None })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.canonical
    }

    /// Whether it is a pattern rather than one name.
    pub fn is_glob(&self) -> bool {
        self.glob.is_some()
    }

    /// The part before the first character with a meaning, cut at a segment border: whatever this
    /// resource matches begins with it. Used to narrow a search, never to decide.
    pub fn literal_prefix(&self) -> &str {
        let meta = self.canonical.find(['*', '?', '[', '{']).filter(|_| self.is_glob());
        let Some(meta) = meta else { return &self.canonical };
        match self.canonical[..meta].rfind('/') {
            Some(slash) => &self.canonical[..slash],
            None => "",
        }
    }

    /// A path that both mean, or `None` when they do not touch.
    pub fn overlap(&self, other: &Self) -> Option<String> {
        match (&self.glob, &other.glob) {
            (None, None) => (self.canonical == other.canonical).then(|| self.canonical.clone()),
            (Some(g), None) => g.matches(&other.canonical).then(|| other.canonical.clone()),
            (None, Some(g)) => g.matches(&self.canonical).then(|| self.canonical.clone()),
            (Some(a), Some(b)) => intersection(a, b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn r(s: &str) -> Resource {
        Resource::parse(s).unwrap()
    }

    #[test]
    fn overlap_of_names_and_globs() {
        assert_eq!(r("./src//a.rs").overlap(&r("src/a.rs")).as_deref(), Some("src/a.rs"));
        assert_eq!(r("src/a.rs").overlap(&r("src/b.rs")), None);
        assert_eq!(r("src/").overlap(&r("src/a.rs")).as_deref(), Some("src/a.rs"));
        assert_eq!(r("src/*.rs").overlap(&r("src/a.*")).as_deref(), Some("src/a.rs"));
        assert_eq!(r("deploy:prod").overlap(&r("deploy:prod")).as_deref(), Some("deploy:prod"));
    }

    #[test]
    fn a_literal_means_itself() {
        let page = Resource::literal("./app/[user-id]/{x}.tsx").unwrap();
        assert!(!page.is_glob());
        assert_eq!(page.as_str(), "app/[user-id]/{x}.tsx");
        assert!(page.overlap(&r("app/**")).is_some());
        assert!(page.overlap(&r("app/u/x.tsx")).is_none());
        assert!(page.overlap(&page.clone()).is_some());
    }

    #[test]
    fn literal_prefix_ends_at_a_segment() {
        assert_eq!(r("src/ab*").literal_prefix(), "src");
        assert_eq!(r("*.rs").literal_prefix(), "");
        assert_eq!(r("src/a.rs").literal_prefix(), "src/a.rs");
        assert_eq!(r("src/lib/").literal_prefix(), "src/lib");
    }
}
