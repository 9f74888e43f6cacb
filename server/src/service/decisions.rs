//! Decisions (seed 003): kept for good, found by category and time, replaced by later ones.

use coord_protocol::time::Millis;
use coord_protocol::wire::{AddDecision, ChangeDecision, DECISION_STATUSES, Decision};

use super::{Answer, Cx, Refusal, fields};
use crate::store::{Tx, View};

/// What a decision is when nothing else is said.
const ACCEPTED: &str = "accepted";
/// Entries of a decision's lists.
const LIST_MAX: usize = 100;

/// Adds a decision; its display id is `DEC-YYYYMMDD-NNNN` in UTC. One that is imported keeps the id
/// that it had, when nobody else has it.
pub fn add(tx: &Tx<'_>, cx: &Cx<'_>, ask: AddDecision) -> Answer<Decision> {
    check(&ask)?;
    let replaced = ask.supersedes.as_deref().map(|id| show(tx, id)).transpose()?;
    if let Some(by) = replaced.as_ref().and_then(|r| r.superseded_by.as_ref()) {
        let old = ask.supersedes.as_deref().unwrap_or_default();
        let detail = format!("decision {old} was replaced by {by}; replace that one");
        return Err(Refusal::new(409, detail).into());
    }
    let decided_at = ask.decided_at.unwrap_or(cx.now);
    let d = Decision {
        id: cx.new_id(),
        display_id: display_id(tx, decided_at, ask.display_id.as_deref())?,
        project_key: ask.project_key,
        category: ask.category,
        title: ask.title,
        rationale: ask.rationale,
        scope: ask.scope,
        decided_by: ask.decided_by,
        decided_at,
        supersedes: replaced.as_ref().map(|r| r.id.clone()),
        superseded_by: None,
        description: ask.description,
        status: ask.status.unwrap_or_else(|| ACCEPTED.to_owned()),
        alternatives: ask.alternatives,
        files: ask.files,
        depends_on: ask.depends_on,
    };
    tx.add_decision(&d)?;
    if let Some(old) = replaced {
        tx.supersede(&old.id, &d.id)?;
    }
    Ok(d)
}

fn check(ask: &AddDecision) -> Result<(), Refusal> {
    fields::name("category", &ask.category)?;
    fields::name("title", &ask.title)?;
    fields::text("rationale", ask.rationale.as_deref())?;
    fields::text("description", ask.description.as_deref())?;
    for (field, value) in
        [("project_key", &ask.project_key), ("scope", &ask.scope), ("decided_by", &ask.decided_by)]
    {
        fields::maybe_name(field, value.as_deref())?;
    }
    if let Some(status) = &ask.status {
        fields::one_of("status", status, &DECISION_STATUSES)?;
    }
    for (field, list) in [
        ("alternatives", &ask.alternatives),
        ("files", &ask.files),
        ("depends_on", &ask.depends_on),
    ] {
        if list.len() > LIST_MAX {
            return Err(Refusal::new(422, format!("{field} has more than {LIST_MAX} entries")));
        }
        list.iter().try_for_each(|t| fields::text(field, Some(t)))?;
    }
    Ok(())
}

/// The id that people use: the wanted one when it has the form and is free, else the day's next.
fn display_id(tx: &Tx<'_>, decided_at: Millis, wanted: Option<&str>) -> Answer<String> {
    if let Some(id) = wanted
        && let Some((day, number)) = parts(id)
        && tx.decision(id)?.is_none()
    {
        tx.skip_decision_number(day, number)?;
        return Ok(id.to_owned());
    }
    let day: String = decided_at.to_string().chars().take(10).filter(|c| *c != '-').collect();
    Ok(format!("DEC-{day}-{:04}", tx.next_decision_number(&day)?))
}

/// Day and number of an id `DEC-YYYYMMDD-NNNN` (or more digits).
fn parts(id: &str) -> Option<(&str, i64)> {
    let (day, number) = id.strip_prefix("DEC-")?.split_once('-')?;
    let digits = |t: &str| t.bytes().all(|b| b.is_ascii_digit());
    let fits = day.len() == 8 && digits(day) && (4..=9).contains(&number.len()) && digits(number);
    // A longer number than needed is another spelling of an id.
    let plain = number.len() == 4 || !number.starts_with('0');
    (fits && plain).then(|| Some((day, number.parse().ok()?)))?
}

/// Gives a decision another status.
pub fn change(tx: &Tx<'_>, id: &str, ask: &ChangeDecision) -> Answer<Decision> {
    fields::one_of("status", &ask.status, &DECISION_STATUSES)?;
    let old = show(tx, id)?;
    tx.set_decision_status(&old.id, &ask.status)?;
    show(tx, &old.id)
}

/// One decision, by either of its ids.
pub fn show(view: &View<'_>, id: &str) -> Answer<Decision> {
    Ok(view.decision(id)?.ok_or_else(|| Refusal::not_found("decision", id))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_of_a_display_id() {
        assert_eq!(parts("DEC-20260108-0007"), Some(("20260108", 7)));
        assert_eq!(parts("DEC-20260108-12345"), Some(("20260108", 12_345)));
        for bad in
            ["DEC-2026018-0007", "DEC-20260108-7", "DEC-20260108-00007", "X", "DEC-2026010x-0001"]
        {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }
}
