//! How large a claim may be, and what is said about one that matches nothing. The texts are the
//! peer's (seed 002).

use coord_symbols::quoted;

use super::CheckoutSettings;

/// What an asker may do whose claim is too large.
pub(super) const TOO_LARGE: &[&str] = &["narrow_claim", "escalate"];

/// One item, and how many tracked files it matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Measured<'a> {
    pub(super) pattern: &'a str,
    pub(super) files: usize,
    /// Its lower-case form, when that matches and it does not.
    pub(super) lower: Option<String>,
}

/// Why the items are too large in a repository of `all` files, if they are.
pub(super) fn too_large(
    settings: &CheckoutSettings,
    all: usize,
    items: &[Measured],
) -> Option<String> {
    let most = settings.max_files;
    let whole = settings.scope.is_none();
    for Measured { pattern, files, .. } in items {
        let pattern = quoted(pattern);
        if *files > most {
            return Some(format!("Pattern {pattern} matches {files} files; max is {most}"));
        }
        // A scope is what people work in: its share says nothing.
        if whole && share(*files, all) > settings.max_ratio {
            return Some(format!(
                "Pattern {pattern} covers {} of repo; max is {}",
                percent(share(*files, all)),
                percent(settings.max_ratio)
            ));
        }
    }
    let together = items.iter().map(|m| m.files).sum();
    (whole && share(together, all) > settings.max_ratio)
        .then(|| "Combined claim scope exceeds max fraction of repository".to_owned())
}

/// What to say about an item that matches no tracked file.
pub(super) fn zero_match(item: &Measured) -> Option<String> {
    if item.files > 0 {
        return None;
    }
    let missed =
        format!("Pattern {} matched zero files under COORD_REPO_ROOT.", quoted(item.pattern));
    Some(match &item.lower {
        Some(lower) => format!(
            "{missed} Did you mean {}? Matching is case-sensitive (gitignore semantics) regardless \
             of filesystem case-sensitivity.",
            quoted(lower)
        ),
        None => format!(
            "{missed} The claim was still created in case the file is about to be added; \
             double-check the path if this was not intentional."
        ),
    })
}

#[expect(clippy::cast_precision_loss, reason = "no repository has 2^52 files")]
fn share(files: usize, all: usize) -> f64 {
    files as f64 / all.max(1) as f64
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(pattern: &str, files: usize) -> Measured<'_> {
        Measured { pattern, files, lower: None }
    }

    fn settings() -> CheckoutSettings {
        CheckoutSettings::of("/r".into())
    }

    #[test]
    fn sizes() {
        let judge = |all, items: &[Measured]| too_large(&settings(), all, items);
        assert_eq!(judge(1000, &[item("a", 100), item("b", 100)]), None);
        assert_eq!(
            judge(1000, &[item("a", 1), item("big/**", 120)]).as_deref(),
            Some("Pattern 'big/**' matches 120 files; max is 100")
        );
        assert_eq!(
            judge(200, &[item("big/**", 50)]).as_deref(),
            Some("Pattern 'big/**' covers 25% of repo; max is 20%")
        );
        assert_eq!(
            judge(200, &[item("a/**", 21), item("b/**", 20)]).as_deref(),
            Some("Combined claim scope exceeds max fraction of repository")
        );
        assert_eq!(judge(200, &[item("a/**", 20), item("b/**", 20)]), None, "the bound is allowed");
    }

    #[test]
    fn a_scope_switches_the_share_off() {
        let settings = CheckoutSettings { scope: Some("src".to_owned()), ..settings() };
        assert_eq!(too_large(&settings, 10, &[item("src/**", 10)]), None);
        let text = too_large(&settings, 200, &[item("src/**", 101)]).unwrap();
        assert_eq!(text, "Pattern 'src/**' matches 101 files; max is 100");
    }

    #[test]
    fn nothing_matched() {
        assert_eq!(zero_match(&item("a", 1)), None);
        assert_eq!(
            zero_match(&item("new.ts", 0)).unwrap(),
            "Pattern 'new.ts' matched zero files under COORD_REPO_ROOT. The claim was still created \
             in case the file is about to be added; double-check the path if this was not intentional."
        );
        let lower = Measured { lower: Some("src/a.ts".to_owned()), ..item("SRC/A.ts", 0) };
        assert_eq!(
            zero_match(&lower).unwrap(),
            "Pattern 'SRC/A.ts' matched zero files under COORD_REPO_ROOT. Did you mean 'src/a.ts'? \
             Matching is case-sensitive (gitignore semantics) regardless of filesystem \
             case-sensitivity."
        );
    }
}
