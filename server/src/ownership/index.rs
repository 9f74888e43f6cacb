//! Patterns by their anchors, so that one is compared with its neighbours alone.

use std::collections::BTreeMap;

use coord_protocol::resource::{Anchors, Resource};

/// Patterns by their anchors.
#[derive(Debug)]
pub(crate) struct Index<T> {
    entries: BTreeMap<String, Vec<(Resource, T)>>,
}

impl<T> Default for Index<T> {
    fn default() -> Self {
        Self { entries: BTreeMap::new() }
    }
}

impl<T> Index<T> {
    /// Adds a pattern and what belongs to it.
    pub(crate) fn add(&mut self, resource: Resource, of: T) {
        self.entries.entry(resource.anchor().to_owned()).or_default().push((resource, of));
    }

    /// Whatever may touch a claim, each entry once.
    pub(crate) fn near(&self, claim: &Resource) -> impl Iterator<Item = &(Resource, T)> {
        let Anchors { mut exact, ranges } =
            if self.entries.is_empty() { Anchors::default() } else { claim.anchors() };
        // `a/a` names the anchor `**/a` twice. Ranges lie beside what is named.
        exact.sort_unstable();
        exact.dedup();
        let exact = exact.into_iter().filter_map(|anchor| self.entries.get(&anchor));
        let ranges =
            ranges.into_iter().flat_map(|(from, to)| self.entries.range(from..to).map(|(_, e)| e));
        exact.chain(ranges).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_found_once() {
        let claim = |p| Resource::claim(p).unwrap();
        let mut index = Index::default();
        for (n, p) in ["a", "a/a", "**", "a/**", "a/a/x"].into_iter().enumerate() {
            index.add(claim(p), n);
        }
        for p in ["a/a", "a", "**", "a/a/*.ts"] {
            let mut found: Vec<usize> = index.near(&claim(p)).map(|(_, n)| *n).collect();
            found.sort_unstable();
            assert_eq!(found, [0, 1, 2, 3, 4], "{p}");
        }
    }
}
