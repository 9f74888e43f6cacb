//! What a checkout of the repository says about a team claim: whether it is too large, whether its
//! symbols exist, whether it matches anything. Without `COORD_REPO_ROOT` nothing is asked.
//!
//! Git and files are read here: call it before a transaction, never inside one. A checkout that cannot
//! be read refuses nothing.

mod git;
mod limits;
mod settings;
mod symbols;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;

use limits::Measured;
pub use settings::CheckoutSettings;

/// How long the answer of a git that failed is kept at least: it may have taken its whole time.
const FAILURE_KEPT: Duration = Duration::from_secs(10);

/// One item of a claim.
#[derive(Debug, Clone, Copy)]
pub struct Examined<'a> {
    /// As the caller sent it.
    pub pattern: &'a str,
    /// Its symbols; `None` or empty for whole files.
    pub symbols: Option<&'a [String]>,
}

/// What came out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examination {
    /// Why the claim is refused (400), and what its asker may do instead.
    pub refusal: Option<(String, &'static [&'static str])>,
    /// What its asker should know when it is granted.
    pub warnings: Vec<String>,
}

/// What a checkout holds, as git says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tracked {
    /// Below the root and in scope, sorted.
    files: Vec<String>,
    /// `owner/name` of the remote.
    repo: Option<String>,
}

/// An answer of git and when it was given.
struct Kept {
    at: Millis,
    answer: Option<Arc<Tracked>>,
}

/// A checkout of a repository on this machine.
pub struct Checkout {
    settings: CheckoutSettings,
    kept: Mutex<Option<Kept>>,
}

impl Checkout {
    /// Asks nothing yet.
    pub fn new(settings: CheckoutSettings) -> Self {
        Self { settings, kept: Mutex::new(None) }
    }

    /// Examines a claim on `repo`. Claims on other repositories than that of the checkout are not
    /// judged; a checkout without a remote judges all. `now` must not run backwards.
    ///
    /// Blocks for as long as git and the parser may take: 10 seconds at most, and mostly none.
    pub fn examine(&self, repo: Option<&str>, items: &[Examined], now: Millis) -> Examination {
        let Some(tracked) = self.tracked(now) else { return Examination::default() };
        let other = |mine: &str| repo.is_some_and(|r| !r.eq_ignore_ascii_case(mine));
        if tracked.repo.as_deref().is_some_and(other) {
            return Examination::default();
        }
        let measured = measured(&tracked.files, items);
        let all = tracked.files.len();
        // Of a checkout without files nothing can be said about sizes.
        let too_large = || limits::too_large(&self.settings, all, &measured).filter(|_| all > 0);
        let refusal = too_large()
            .map(|text| (text, limits::TOO_LARGE))
            .or_else(|| symbols::unknown(&self.settings.root, items, &measured));
        let warnings = if refusal.is_some() || all == 0 {
            Vec::new()
        } else {
            measured.iter().filter_map(limits::zero_match).collect()
        };
        Examination { refusal, warnings }
    }

    /// What git says, anew when the last answer is too old. Others wait meanwhile for the same answer.
    fn tracked(&self, now: Millis) -> Option<Arc<Tracked>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Kept { at, answer }) = kept.as_ref() {
            let ttl = self.settings.cache_ttl;
            let long = if answer.is_some() { ttl } else { ttl.max(FAILURE_KEPT) };
            if now.since(*at) < long {
                return answer.clone();
            }
        }
        let root = &self.settings.root;
        let answer = match git::tracked_files(root, self.settings.scope.as_deref()) {
            Ok(files) => Some(Arc::new(Tracked { files, repo: git::repo_id(root) })),
            Err(why) => {
                tracing::warn!(
                    "COORD_REPO_ROOT {}: {why}; claims are not measured",
                    root.display()
                );
                None
            }
        };
        // No file at all may be a clone in the making.
        let lasting = answer.as_ref().is_none_or(|t| !t.files.is_empty());
        *kept = lasting.then(|| Kept { at: now, answer: answer.clone() });
        answer
    }
}

/// Counts what each item matches, and whether its lower-case form would match. A pattern that cannot
/// be read is refused elsewhere, and matches nothing here.
fn measured<'a>(files: &[String], items: &[Examined<'a>]) -> Vec<Measured<'a>> {
    let count = |raw: &str| {
        let pattern = Resource::claim(raw).ok()?;
        Some(files.iter().filter(|f| pattern.means(f)).count())
    };
    let mut read = BTreeSet::new();
    let mut measured = Vec::with_capacity(items.len());
    for item in items {
        let Some(files) = count(item.pattern) else { continue };
        let lower = item.pattern.to_lowercase();
        let first = read.insert(item.pattern);
        let hint = files == 0 && first && lower != item.pattern && count(&lower) > Some(0);
        measured.push(Measured { pattern: item.pattern, files, lower: hint.then_some(lower) });
    }
    measured
}

#[cfg(test)]
mod tests;
