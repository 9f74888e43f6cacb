//! A document as claims look at it.

use std::sync::Arc;

use coord_protocol::resource::Resource;
use coord_protocol::wire::Severity;

use super::{Document, Index, Rule};

/// A document as claims look at it. The empty one says nothing.
#[derive(Debug, Default)]
pub struct Ownership {
    hard: Index<()>,
    owned: Index<Arc<[String]>>,
    shared: Index<()>,
    splits: Index<()>,
}

impl Ownership {
    /// What a document says.
    pub fn of(document: Document) -> Self {
        let mut all = Self::default();
        for Rule { resource, hard, owners } in document.rules {
            if hard {
                all.hard.add(resource.clone(), ());
            }
            if !owners.is_empty() {
                all.owned.add(resource, owners);
            }
        }
        for shared in document.shared {
            all.shared.add(shared.resource, ());
        }
        for split in document.splits {
            all.splits.add(split, ());
        }
        all
    }

    /// How strict it is where a claim reaches: hard if it touches any hard path.
    pub fn severity(&self, claim: &Resource) -> Severity {
        let hard = self.hard.near(claim).any(|(path, ())| path.overlap(claim).is_some());
        if hard { Severity::Hard } else { Severity::Soft }
    }

    /// Who owns an area in which a claim lies wholly: sorted, each once.
    pub fn owners_of(&self, claim: &Resource) -> Vec<&str> {
        let around = self.owned.near(claim).filter(|(path, _)| path.covers(claim));
        let mut owners: Vec<&str> =
            around.flat_map(|(_, owners)| owners.iter().map(String::as_str)).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// Whether a claim lies wholly inside an entry of `shared_files`.
    pub fn is_shared(&self, claim: &Resource) -> bool {
        self.shared.near(claim).any(|(entry, ())| entry.covers(claim))
    }

    /// Whether a claim lies wholly inside an entry of `suggested_splits`.
    pub fn should_split(&self, claim: &Resource) -> bool {
        self.splits.near(claim).any(|(entry, ())| entry.covers(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn c(pattern: &str) -> Resource {
        Resource::claim(pattern).unwrap()
    }

    fn read(text: &str) -> Ownership {
        Ownership::of(Document::accept(text).unwrap())
    }

    #[test]
    fn what_claims_see() {
        let o = read(
            "modules:\n  auth: {paths: ['src/auth/**', '*.pem'], owners: [zoe, amy], severity: hard}\n  \
             src: {paths: [src], owners: [bob, amy]}\n\
             shared_files: [src/router.ts, package.json, 'locales/**']\n\
             suggested_splits: [{pattern: src/big.ts}]\n",
        );
        for (claim, hard) in [
            ("src/auth/x.ts", true),
            ("src/**", true),
            ("src", true),
            ("**/auth/**", true),
            ("a/b/key.pem", true),
            ("src/ui/x.ts", false),
            ("docs/**", true), // docs/key.pem
            ("docs/x.md", false),
        ] {
            assert_eq!(o.severity(&c(claim)) == Severity::Hard, hard, "{claim}");
        }
        assert_eq!(o.owners_of(&c("src/auth/x.ts")), ["amy", "bob", "zoe"]);
        assert_eq!(o.owners_of(&c("src/ui/*.ts")), ["amy", "bob"]);
        assert!(o.owners_of(&c("**")).is_empty());
        for (claim, shared) in [
            ("src/router.ts", true),
            ("package.json", true),
            ("web/package.json", true),
            ("locales/de.json", true),
            ("locales", false),
            ("src/**", false),
        ] {
            assert_eq!(o.is_shared(&c(claim)), shared, "{claim}");
        }
        assert!(o.should_split(&c("src/big.ts")) && !o.should_split(&c("src/b.ts")));
    }

    #[test]
    fn the_empty_document_says_nothing() {
        let o = Ownership::default();
        assert_eq!(o.severity(&c("**")).as_str(), "soft");
        assert!(
            !o.is_shared(&c("a")) && !o.should_split(&c("a")) && o.owners_of(&c("a")).is_empty()
        );
    }

    /// The index leaves nothing out: every pair is judged as without it.
    #[test]
    fn the_index_leaves_nothing_out() {
        let patterns = [
            "src",
            "src/**",
            "src/auth/*.ts",
            "*.ts",
            "**/auth/**",
            "login.ts",
            "/login.ts",
            "a/*/c",
            "src/{auth,ui}/x.ts",
            "**",
            "src/auth/login.ts",
            "docs/",
            "a/b",
        ];
        for entry in patterns {
            let o = read(&format!(
                "areas: {{a: {{paths: ['{entry}'], severity: hard}}}}\nshared_files: ['{entry}']\n"
            ));
            for claim in patterns {
                let hard = c(entry).overlap(&c(claim)).is_some();
                assert_eq!(o.severity(&c(claim)) == Severity::Hard, hard, "{entry} {claim}");
                assert_eq!(o.is_shared(&c(claim)), c(entry).covers(&c(claim)), "{entry} {claim}");
            }
        }
    }
}
