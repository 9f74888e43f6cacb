//! What a claim is on: a canonical resource name, or a glob. Two resources conflict when they are
//! the same name or their languages intersect (design 5); one rule for locks, hooks and claims.

use std::borrow::Cow;

use crate::glob::{Pattern, below, covers, intersection};
use crate::path::{BadResource, canonical, canonical_literal};

/// A resource in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    canonical: String,
    glob: Option<Pattern>,
    /// It may be a folder, and then means what lies below it too.
    or_below: bool,
}

/// Where an index over [`Resource::anchor`] has to be searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Anchors {
    /// These texts.
    pub exact: Vec<String>,
    /// From the first, included, to the second, excluded; by bytes.
    pub ranges: Vec<(String, String)>,
}

/// Comparisons of fewer steps than these are not counted.
const COSTLY: usize = 5_000;
/// What no anchor is greater than.
const LAST: &str = "\u{10ffff}";
/// How a name at any depth begins.
const ANYWHERE: &str = "**/";

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
        Ok(Self { canonical, glob, or_below: false })
    }

    /// Reads the pattern of a team claim: a line of gitignore (`peer_api`, section 5). Without a `/`
    /// it is a name at any depth; a plain name means what lies below it too; a leading `/` says that it
    /// begins at the top.
    pub fn claim(raw: &str) -> Result<Self, BadResource> {
        let canonical = canonical(raw)?;
        let from_top = raw.trim().starts_with(['/', '\\']) || canonical.contains('/');
        if from_top || canonical == "**" {
            return Self::claimed(&canonical);
        }
        Self::claimed(&format!("{ANYWHERE}{canonical}"))
    }

    /// The same from its canonical text.
    pub fn claimed(canonical: &str) -> Result<Self, BadResource> {
        let read = Self::parse(canonical)?;
        let glob = read.glob.map(|g| g.or_literal(canonical));
        let or_below = canonical != "**" && !canonical.ends_with("/**");
        Ok(Self { glob, or_below, ..read })
    }

    /// A name or path that means exactly itself, whatever characters it holds: `app/[id]/page.tsx`.
    pub fn literal(raw: &str) -> Result<Self, BadResource> {
        Ok(Self { canonical: canonical_literal(raw)?, glob: None, or_below: false })
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

    /// What an index keeps of it: its literal prefix, or `**/name` for a name at any depth.
    pub fn anchor(&self) -> &str {
        if self.name_anywhere().is_some() { &self.canonical } else { self.literal_prefix() }
    }

    /// The plain name that it means at any depth.
    pub fn name_anywhere(&self) -> Option<&str> {
        self.canonical
            .strip_prefix(ANYWHERE)
            .filter(|name| self.is_glob() && !name.contains('/') && !Pattern::has_meta(name))
    }

    /// What it may cost to compare this with another, in steps; 0 when that is nothing to speak of.
    pub fn cost_with(&self, other: &Self) -> usize {
        let steps = self.canonical.len() * other.canonical.len();
        if self.is_glob() && other.is_glob() && steps >= COSTLY { steps } else { 0 }
    }

    /// Whether it is a pattern that begins with no folder, so that no index narrows the search.
    pub fn is_broad(&self) -> bool {
        self.is_glob() && self.literal_prefix().is_empty() && self.name_anywhere().is_none()
    }

    /// Where in an index of anchors everything stands that may touch this: a superset.
    pub fn anchors(&self) -> Anchors {
        let prefix = self.literal_prefix();
        if prefix.is_empty() {
            return Anchors { exact: Vec::new(), ranges: vec![(String::new(), LAST.to_owned())] };
        }
        let ends = prefix.char_indices().filter(|(_, c)| *c == '/').map(|(at, _)| at);
        let mut exact = vec![String::new()];
        exact.extend(ends.chain([prefix.len()]).map(|end| prefix[..end].to_owned()));
        let mut ranges = Vec::new();
        if self.is_glob() || self.looks_like_a_folder() {
            ranges.push((ANYWHERE.to_owned(), "**0".to_owned()));
        } else {
            exact.extend(prefix.split('/').map(|name| format!("{ANYWHERE}{name}")));
        }
        if self.is_glob() || self.or_below {
            // '0' is the character behind '/'.
            ranges.push((format!("{prefix}/"), format!("{prefix}0")));
        }
        Anchors { exact, ranges }
    }

    /// A path that both mean, or `None` when they do not touch.
    pub fn overlap(&self, other: &Self) -> Option<String> {
        let met = match (&self.glob, &other.glob) {
            (None, None) => (self.canonical == other.canonical).then(|| self.canonical.clone()),
            (Some(g), None) => g.matches(&other.canonical).then(|| other.canonical.clone()),
            (None, Some(g)) => g.matches(&self.canonical).then(|| self.canonical.clone()),
            (Some(a), Some(b)) => intersection(a, b),
        };
        met.or_else(|| self.above(other)).or_else(|| other.above(self))
    }

    /// A path of `other` that lies below this, where this may be a folder.
    fn above(&self, other: &Self) -> Option<String> {
        if !self.or_below {
            return None;
        }
        if let (None, None) = (&self.glob, &other.glob) {
            let rest = other.canonical.strip_prefix(&self.canonical)?;
            return rest.starts_with('/').then(|| other.canonical.clone());
        }
        let spelled = below(&self.pattern(), &other.pattern());
        spelled.or_else(|| {
            // `auth` and `lib` at any depth are two things, though one could lie in the other.
            let two_names = other.name_anywhere().is_some() && other.looks_like_a_folder();
            let spelled = !self.literal_prefix().is_empty();
            let folder = spelled && self.looks_like_a_folder() && other.is_glob() && !two_names;
            folder.then(|| intersection(&self.everything_below(), &other.pattern())).flatten()
        })
    }

    /// A name is taken for a folder's when it holds no dot and begins in lower case: `src/auth`, not
    /// `LICENSE` or `login.ts`. Only then a pattern at any depth (`**/login.ts`) is looked for below it.
    fn looks_like_a_folder(&self) -> bool {
        let name = self.canonical.rsplit('/').next().unwrap_or_default();
        self.or_below && !name.contains('.') && !name.starts_with(char::is_uppercase)
    }

    /// Whether it means this path: a file's own, or one below a folder that it means.
    pub fn means(&self, path: &str) -> bool {
        let mut upto = Some(path);
        while let Some(p) = upto {
            if p == self.canonical || self.glob.as_ref().is_some_and(|g| g.matches(p)) {
                return true;
            }
            upto = p.rsplit_once('/').map(|(above, _)| above).filter(|_| self.or_below);
        }
        false
    }

    /// Whether every path of `inner` is one of this. Sound, not complete: see [`covers`].
    pub fn covers(&self, inner: &Self) -> bool {
        self == inner
            || covers(&self.pattern(), &inner.pattern())
            || (self.or_below && covers(&self.everything_below(), &inner.pattern()))
    }

    fn everything_below(&self) -> Pattern {
        self.pattern().with_everything_below()
    }

    fn pattern(&self) -> Cow<'_, Pattern> {
        match &self.glob {
            Some(g) => Cow::Borrowed(g),
            None => Cow::Owned(Pattern::literal(&self.canonical)),
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

    fn c(s: &str) -> Resource {
        Resource::claim(s).unwrap()
    }

    #[test]
    fn claims_are_lines_of_gitignore() {
        let meets = |a: &str, b: &str| {
            let one = c(a).overlap(&c(b));
            assert_eq!(one.is_some(), c(b).overlap(&c(a)).is_some(), "{a} with {b}");
            one.is_some()
        };
        for (a, b) in [
            ("login.ts", "src/auth/login.ts"),
            ("src/auth", "src/auth/x.ts"),
            ("auth", "src/auth/x.ts"),
            ("./src/a.ts", "src//a.ts"),
            ("src/**", "**/login.ts"),
            ("src/**/x.ts", "src/a/**"),
            ("src/a*", "src/*b"),
            ("src/*_test.py", "src/test_*.py"),
            ("a/*/c", "a/b/*"),
            ("src/auth/", "login.ts"),
            ("src/auth", "src/**/login.ts"),
            ("src/auth", "login.ts"),
            ("src/auth", "**/*.ts"),
            ("/docs", "README.md"),
            ("src/auth", "**/tests/**"),
            ("app/[id]/page.tsx", "app/[id]"),
            ("app/[z]/page.tsx", "app/[z]/page.tsx"),
        ] {
            assert!(meets(a, b), "{a} with {b}");
        }
        for (a, b) in [
            ("README.md", "LICENSE"),
            ("/Makefile", "README.md"),
            ("docs", "lib"),
            ("/docs", "lib"),
            ("docs", "README.md"),
            ("src/login.ts", "**/x.ts"),
            ("src/auth/login.ts", "README.md"),
            ("/login.ts", "src/login.ts"),
            ("src/a.ts", "src/b.ts"),
            ("src/auth", "src/authors.ts"),
            ("src/*.ts", "src/sub/x.ts"),
            ("docs/", "src/docs/x"),
            ("a/**", "b/**"),
        ] {
            assert!(!meets(a, b), "{a} with {b}");
        }
        assert!(c("src/auth").overlap(&r("src/auth/x.ts")).is_some());
        assert!(r("src/auth").overlap(&c("src/auth/x.ts")).is_none());
        let page = Resource::literal("app/[id]/page.tsx").unwrap();
        assert!(c("app/[id]/**").overlap(&page).is_some());
        assert!(c("app/[id]/").covers(&c("app/[id]/page.tsx")));
        assert!(c("app/[id]/page.tsx").overlap(&page).is_some());
    }

    #[test]
    fn which_files_a_claim_means() {
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
            for file in yes {
                assert!(c(raw).means(file), "{raw} {file}");
            }
            for file in no {
                assert!(!c(raw).means(file), "{raw} {file}");
            }
        }
    }

    #[test]
    fn what_a_claim_covers() {
        assert!(c("src/auth").covers(&c("src/auth/x.ts")));
        assert!(c("src/**").covers(&c("src/auth")));
        assert!(!c("src/auth/x.ts").covers(&c("src/auth")));
        assert!(!r("src/auth").covers(&c("src/auth/x.ts")));
    }

    #[test]
    fn the_index_finds_whatever_touches() {
        let found = |a: &Anchors, anchor: &str| {
            a.exact.iter().any(|e| e == anchor)
                || a.ranges.iter().any(|(lo, hi)| lo.as_str() <= anchor && anchor < hi.as_str())
        };
        let texts = [
            "src",
            "src/auth",
            "src/auth/login.ts",
            "login.ts",
            "auth",
            "**",
            "src/**",
            "*.ts",
            "src/a*",
            "src/*b",
            "**/auth/**",
            "a/*/c",
            "a/b/*",
            "/login.ts",
            "src/{a,b}/x",
            "{src,lib}/x",
            "src0",
            "docs/",
            "app/[id]/p",
            "lib/auth/x",
            "x.y/auth",
            "src/**/login.ts",
        ];
        let mut met = 0;
        for a in texts {
            for b in texts {
                for (x, y) in [(c(a), c(b)), (c(a), r(b)), (r(a), c(b)), (r(a), r(b))] {
                    if x.overlap(&y).is_some() {
                        met += 1;
                        assert!(found(&x.anchors(), y.anchor()), "{a} does not find {b}");
                    }
                }
            }
        }
        assert!(met > 200, "{met}");
    }
}
