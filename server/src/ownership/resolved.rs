//! A document as claims look at it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use coord_protocol::resource::Resource;
use coord_protocol::wire::Severity;

use super::{Document, Index, Rule};

/// Claims whose verdicts are kept: the same ones are asked about again and again, and a claim that
/// reaches wide is compared with the whole document.
const SEEN_MAX: usize = 500;

/// A document as claims look at it. The empty one says nothing.
#[derive(Debug, Default)]
pub struct Ownership {
    hard: Index<()>,
    owned: Index<Arc<[String]>>,
    shared: Index<()>,
    splits: Index<()>,
    seen: Mutex<HashMap<String, (Resource, Verdict)>>,
}

/// What a document says of a claim.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    severity: Severity,
    is_shared: bool,
    should_split: bool,
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
        self.verdict(claim).severity
    }

    /// Whether a claim lies wholly inside an entry of `shared_files`.
    pub fn is_shared(&self, claim: &Resource) -> bool {
        self.verdict(claim).is_shared
    }

    /// Whether a claim lies wholly inside an entry of `suggested_splits`.
    pub fn should_split(&self, claim: &Resource) -> bool {
        self.verdict(claim).should_split
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

    fn verdict(&self, claim: &Resource) -> Verdict {
        let seen = || self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // One text may be a pattern and a name: the resource decides.
        if let Some((_, verdict)) = seen().get(claim.as_str()).filter(|(of, _)| of == claim) {
            return *verdict;
        }
        let verdict = self.judge(claim);
        let mut seen = seen();
        if seen.len() >= SEEN_MAX {
            seen.clear();
        }
        seen.insert(claim.as_str().to_owned(), (claim.clone(), verdict));
        verdict
    }

    fn judge(&self, claim: &Resource) -> Verdict {
        let covers = |(entry, ()): &(Resource, ())| entry.covers(claim);
        let is_hard = self.hard.near(claim).any(|(path, ())| path.overlap(claim).is_some());
        Verdict {
            severity: if is_hard { Severity::Hard } else { Severity::Soft },
            is_shared: self.shared.near(claim).any(covers),
            should_split: self.splits.near(claim).any(covers),
        }
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
    fn verdicts_that_are_kept_are_those_of_the_claim() {
        let o = read("shared_files: ['app/[id]/**']\n");
        let name = Resource::literal("app/[x]/p").unwrap();
        for _ in 0..2 {
            // A file's own name, and a pattern of the same letters.
            assert!(!o.is_shared(&name) && !o.is_shared(&c("app/[x]/p")));
            assert!(o.is_shared(&c("app/i/p")));
        }
        for n in 0..2 * SEEN_MAX {
            assert_eq!(
                o.is_shared(&c(&format!("app/{}/{n}", if n % 2 == 0 { "i" } else { "x" }))),
                n % 2 == 0
            );
        }
        assert!(o.seen.lock().unwrap().len() <= SEEN_MAX);
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
