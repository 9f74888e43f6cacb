//! Claims that were refused, and what follows from many of them.

use coord_protocol::claim::Who;
use coord_protocol::edge::id_at;

use super::Cx;
use crate::store::{AttemptRow, Stored, Tx};

pub(super) struct Attempt<'a> {
    pub(super) project: &'a str,
    pub(super) claim: &'a str,
    pub(super) who: Who<'a>,
    pub(super) pattern: &'a str,
    pub(super) resource: &'a str,
}

pub(super) fn note_attempt(tx: &Tx<'_>, cx: &Cx<'_>, a: &Attempt<'_>) -> Stored<()> {
    tx.add_attempt(&AttemptRow {
        id: id_at(cx.now, cx.rng).to_string(),
        project_key: a.project.to_owned(),
        claim_id: a.claim.to_owned(),
        attempted_by: a.who.engineer.unwrap_or(a.who.session).to_owned(),
        attempted_session_id: Some(a.who.session.to_owned()).filter(|s| !s.is_empty()),
        pattern: a.pattern.to_owned(),
        resource: a.resource.to_owned(),
        created_at: cx.now,
    })
}

pub(super) fn after_refusal(_: &Tx<'_>, _: &Cx<'_>, _: &[&str]) -> Stored<()> {
    Ok(())
}
