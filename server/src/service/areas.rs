//! What the ownership document says of a resource, for the rules.

use std::sync::{Arc, Mutex, PoisonError};

use coord_protocol::claim::Who;
use coord_protocol::resource::Resource;
use coord_protocol::wire::Severity;
use tracing::warn;

use crate::ownership::{Document, Ownership};
use crate::store::{ClaimRow, Stored, View};

/// Documents that are kept read: more than databases that one process has open.
const KNOWN_MAX: usize = 4;

/// A document that was read before.
struct Known {
    text: String,
    says: Arc<Ownership>,
}

/// Documents by their whole text, latest first. So nothing can be out of date: not after a rollback,
/// not when another process changed the row.
static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());

/// Whether somebody owns the area in which a claim lies. An owner is named by what it is called, by its
/// session, or by the user or the machine of that session.
pub(super) fn is_owner(view: &View<'_>, row: &ClaimRow, who: &Who<'_>) -> Stored<bool> {
    let Some(resource) = row.read_resource() else { return Ok(false) };
    let owners = of(view)?.owners_of(&resource);
    if owners.is_empty() {
        return Ok(false);
    }
    let called = [who.engineer.unwrap_or_default(), who.session];
    let mut names: Vec<String> =
        called.iter().filter(|n| !n.is_empty()).map(|n| (*n).to_owned()).collect();
    for session in called {
        if let Some(known) = view.session(session)? {
            names.extend(known.user);
            names.extend(known.machine);
        }
    }
    Ok(owners.iter().any(|o| names.contains(o)))
}

/// What the document says.
#[derive(Debug, Default)]
pub(super) struct Areas(Arc<Ownership>);

/// Of this database.
pub(super) fn of(view: &View<'_>) -> Stored<Areas> {
    Ok(Areas(view.with_ownership(says)?.unwrap_or_default()))
}

fn says(text: &str) -> Arc<Ownership> {
    if let Some(says) = known(text) {
        return says;
    }
    let says = match Document::read(text) {
        Ok(document) => Arc::new(Ownership::of(document)),
        // Nothing stores such a text here; a server of another version may have.
        Err(e) => {
            warn!("the stored ownership document says nothing: {e}");
            Arc::default()
        }
    };
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    all.insert(0, Known { text: text.to_owned(), says: Arc::clone(&says) });
    all.truncate(KNOWN_MAX);
    says
}

fn known(text: &str) -> Option<Arc<Ownership>> {
    let mut all = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let at = all.iter().position(|k| k.text == text)?;
    all[..=at].rotate_right(1);
    all.first().map(|k| Arc::clone(&k.says))
}

impl Areas {
    /// How strict it is where a claim reaches.
    pub(super) fn severity(&self, claim: &Resource) -> Severity {
        self.0.severity(claim)
    }

    /// The claim lies inside a shared file's entry: it lasts as long as a shared file, and is not
    /// narrowable.
    pub(super) fn is_shared(&self, claim: &Resource) -> bool {
        self.0.is_shared(claim)
    }

    /// The claim lies inside an entry that asks for symbols.
    pub(super) fn should_split(&self, claim: &Resource) -> bool {
        self.0.should_split(claim)
    }

    /// Who may do there what the holder may.
    pub(super) fn owners_of(&self, claim: &Resource) -> Vec<String> {
        self.0.owners_of(claim).into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use coord_protocol::time::Millis;

    use super::*;
    use crate::store::{Tx, open_in_memory};

    #[test]
    fn what_is_known_is_what_is_stored() {
        let conn = open_in_memory("areas").unwrap();
        let tx = Tx::new(&conn);
        let a = Resource::claim("src/a.ts").unwrap();
        let shared = || of(&tx).unwrap().is_shared(&a);
        assert!(!shared());
        tx.set_ownership("shared_files: [src/a.ts]", Millis(1)).unwrap();
        assert!(shared() && shared());
        tx.savepoint().unwrap();
        // The same moment, and then undone.
        tx.set_ownership("shared_files: [src/b.ts]", Millis(1)).unwrap();
        assert!(!shared());
        tx.undo().unwrap();
        assert!(shared());
        for n in 0..2 * KNOWN_MAX {
            tx.set_ownership(&format!("# {n}\nshared_files: [src/a.ts]"), Millis(1)).unwrap();
            assert!(shared());
        }
        assert!(KNOWN.lock().unwrap().len() <= KNOWN_MAX);
        // A text that cannot be read says nothing.
        tx.set_ownership("shared_files: [", Millis(1)).unwrap();
        assert!(!shared());
    }

    #[test]
    fn what_areas_say() {
        let conn = open_in_memory("areas-say").unwrap();
        let tx = Tx::new(&conn);
        let text = "areas: {x: {paths: [src/x], owners: [amy], severity: hard}}\n\
                    suggested_splits: [src/big.ts]\n";
        tx.set_ownership(text, Millis(1)).unwrap();
        let areas = of(&tx).unwrap();
        let claim = |p| Resource::claim(p).unwrap();
        assert_eq!(areas.severity(&claim("src/x/y.ts")), Severity::Hard);
        assert_eq!(areas.owners_of(&claim("src/x/y.ts")), ["amy"]);
        assert!(areas.should_split(&claim("src/big.ts")));
    }
}
