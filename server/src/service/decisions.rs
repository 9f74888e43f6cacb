//! Decisions (seed 003): kept for good, found by category and time, replaced by later ones.

use coord_protocol::wire::{AddDecision, Decision};

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Tx, View};

/// Adds a decision; its display id is `DEC-YYYYMMDD-NNNN` in UTC.
pub fn add(tx: &Tx<'_>, cx: &Cx<'_>, ask: AddDecision) -> Answer<Decision> {
    fields::name("category", &ask.category)?;
    fields::name("title", &ask.title)?;
    fields::text("rationale", ask.rationale.as_deref())?;
    for (field, value) in
        [("project_key", &ask.project_key), ("scope", &ask.scope), ("decided_by", &ask.decided_by)]
    {
        fields::maybe_name(field, value.as_deref())?;
    }
    let replaced = ask.supersedes.as_deref().map(|id| show(tx, id)).transpose()?;
    if let Some(by) = replaced.as_ref().and_then(|r| r.superseded_by.as_ref()) {
        let old = ask.supersedes.as_deref().unwrap_or_default();
        let detail = format!("decision {old} was replaced by {by}; replace that one");
        return Err(Refusal::new(409, detail).into());
    }
    let day: String = cx.now.to_string().chars().take(10).filter(|c| *c != '-').collect();
    let d = Decision {
        id: cx.new_id(),
        display_id: format!("DEC-{day}-{:04}", tx.next_decision_number(&day)?),
        project_key: ask.project_key,
        category: ask.category,
        title: ask.title,
        rationale: ask.rationale,
        scope: ask.scope,
        decided_by: ask.decided_by,
        decided_at: cx.now,
        supersedes: replaced.as_ref().map(|r| r.id.clone()),
        superseded_by: None,
    };
    tx.add_decision(&d)?;
    if let Some(old) = replaced {
        tx.supersede(&old.id, &d.id)?;
    }
    Ok(d)
}

/// One decision, by either of its ids.
pub fn show(view: &View<'_>, id: &str) -> Answer<Decision> {
    Ok(view.decision(id)?.ok_or_else(|| Refusal::not_found("decision", id))?)
}
