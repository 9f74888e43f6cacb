//! Names of symbols: `Parent::child` to any depth (seed 002). A symbol means what stands inside it, too.

use crate::limits::NAME_BYTES_MAX;

/// What divides the parts of a name.
pub const DIVIDER: &str = "::";
/// Most symbols in one claim.
pub const SYMBOLS_MAX: usize = 200;

/// Brings a name to its canonical form; `None` when it is none: an empty part, a control character,
/// or longer than [`NAME_BYTES_MAX`].
pub fn canonical(raw: &str) -> Option<String> {
    let parts: Vec<&str> = raw.trim().split(DIVIDER).map(str::trim).collect();
    let bad = |p: &&str| p.is_empty() || p.chars().any(char::is_control);
    let name = parts.join(DIVIDER);
    (name.len() <= NAME_BYTES_MAX && !parts.iter().any(bad)).then_some(name)
}

/// Whether two names mean something in common: they are equal, or one stands inside the other.
pub fn overlap(a: &str, b: &str) -> bool {
    let inside = |outer: &str, inner: &str| {
        inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(DIVIDER))
    };
    inside(a, b) || inside(b, a)
}

/// Those of `mine` that mean something in common with `theirs`.
pub fn overlapping(mine: &[String], theirs: &[String]) -> Vec<String> {
    mine.iter().filter(|m| theirs.iter().any(|t| overlap(m, t))).cloned().collect()
}

/// Whether each of `inner` stands inside one of `outer`.
pub fn covers(outer: &[String], inner: &[String]) -> bool {
    inner.iter().all(|i| {
        outer.iter().any(|o| {
            i.strip_prefix(o.as_str()).is_some_and(|r| r.is_empty() || r.starts_with(DIVIDER))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_overlap_at_borders() {
        assert!(overlap("Outer", "Outer::Inner::method"));
        assert!(overlap("Outer::Inner::method", "Outer"));
        assert!(overlap("f", "f"));
        assert!(!overlap("Outer::Inner", "Outer::Other"));
        assert!(!overlap("Foo", "FooBar"));
        assert!(!overlap("A::run", "B::run"));
    }

    #[test]
    fn canonical_names() {
        assert_eq!(canonical(" A :: b ").as_deref(), Some("A::b"));
        for bad in ["", "A::", "::b", "a\u{1b}b", &"x".repeat(513)] {
            assert_eq!(canonical(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_inside() {
        let names = |n: &[&str]| n.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        assert!(covers(&names(&["A", "f"]), &names(&["A::b", "f"])));
        assert!(!covers(&names(&["A::b"]), &names(&["A"])));
        assert_eq!(overlapping(&names(&["A::b", "c"]), &names(&["A"])), ["A::b"]);
    }
}
