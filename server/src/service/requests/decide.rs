//! What the holder of a claim decides about a request for it.

use coord_protocol::claim::Who;
use coord_protocol::edge::id_at;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimKind, ClaimType, Severity, TeamClaim};
use serde_json::{Value, json};

use super::{PENDING, about, later, restore};
use crate::service::claims::{self, End, Granting, read_pattern, read_symbols};
use crate::service::{Answer, Cx, Notice, Refusal, areas, events, fields};
use crate::store::{ClaimRow, RequestRow, Stored, Tx};

/// `POST /requests/{id}/respond`.
#[derive(Debug, Clone, Default)]
pub struct Respond {
    /// `approved`, `denied`, `narrowed` or `coexist`.
    pub decision: String,
    /// Who decides.
    pub engineer: Option<String>,
    /// In which session.
    pub session_id: Option<String>,
    /// What the decider says.
    pub note: Option<String>,
    /// What the holder keeps.
    pub narrowed_pattern: Option<String>,
    /// What the asker gets beside it.
    pub coexist_pattern: Option<String>,
    /// Of that, only these symbols.
    pub coexist_symbols: Option<Vec<String>>,
}

/// Decides a request: the holder's right, or that of an owner of the area. Who asked cannot grant it
/// to itself.
pub fn respond(tx: &Tx<'_>, cx: &Cx<'_>, id: &str, ask: &Respond) -> Answer<RequestRow> {
    fields::maybe_name("engineer", ask.engineer.as_deref())?;
    fields::note("note", ask.note.as_deref())?;
    let request = tx.request(id)?.ok_or_else(|| Refusal::new(404, "request not found"))?;
    let session = ask.session_id.as_deref().unwrap_or_default();
    let by = Who { session, engineer: ask.engineer.as_deref() };
    if !session.is_empty() {
        fields::session("session_id", session)?;
        cx.touch(tx, session)?;
    }
    let decision = read_decision(ask)?;
    let detail = json!({"decision": ask.decision, "note": ask.note});
    if request.decision != PENDING {
        events::record(tx, cx, "responded-late", about(&request), Some(by), &detail)?;
        return Ok(request);
    }
    let asker = Who {
        session: request.requester_session_id.as_deref().unwrap_or_default(),
        engineer: Some(&request.requester_engineer),
    };
    if asker.is(&by) {
        return Err(Refusal::new(403, "who asks for a release cannot decide about it").into());
    }
    let live = |r: &ClaimRow| r.ended_at.is_none() && r.expires_at.is_none_or(|e| e > cx.now);
    let row = tx.claim(&request.claim_id)?.filter(live);
    let gone = || Refusal::new(409, format!("claim {} is no longer active", request.claim_id));
    let row = row.ok_or_else(gone)?;
    may_decide(tx, &row, &by)?;
    let decided = RequestRow {
        decision: ask.decision.clone(),
        decided_at: Some(cx.now),
        decided_by_engineer: ask.engineer.clone(),
        decided_by_session_id: ask.session_id.clone(),
        note: ask.note.clone(),
        ..request
    };
    tx.change_request(&decided)?;
    let more = match decision {
        Decision::Approved => approve(tx, cx, &row, &by)?,
        Decision::Denied => {
            restore(tx, &row.id, decided.original_expires_at, None)?;
            json!({})
        }
        Decision::Narrowed(to) => narrow(tx, cx, &row, &decided, &to)?,
        Decision::Coexist(with) => coexist(tx, cx, &row, &decided, &with, ask)?,
    };
    let detail = merged(detail, more);
    events::record(tx, cx, "responded", about(&decided), Some(by), &detail)?;
    decided_notice(&decided).send(tx, cx)?;
    tx.note_woken(&decided.id);
    Ok(decided)
}

enum Decision {
    Approved,
    Denied,
    Narrowed(String),
    Coexist(String),
}

fn read_decision(ask: &Respond) -> Result<Decision, Refusal> {
    let needed = |name: &str, value: &Option<String>| {
        let value = value.clone().filter(|v| !v.trim().is_empty());
        value.ok_or_else(|| Refusal::new(400, format!("{name} is required for {:?}", ask.decision)))
    };
    match ask.decision.as_str() {
        "approved" => Ok(Decision::Approved),
        "denied" => Ok(Decision::Denied),
        "narrowed" => Ok(Decision::Narrowed(needed("narrowed_pattern", &ask.narrowed_pattern)?)),
        "coexist" => Ok(Decision::Coexist(needed("coexist_pattern", &ask.coexist_pattern)?)),
        other => {
            let why =
                format!("unknown decision {other:?}: it is approved, denied, narrowed or coexist");
            Err(Refusal::new(400, why))
        }
    }
}

/// The holder decides, or an owner of the area. With one token for everybody a caller that names
/// neither engineer nor session is taken for the holder, as the clients of seed 002 rely on it.
fn may_decide(tx: &Tx<'_>, row: &ClaimRow, by: &Who<'_>) -> Answer<()> {
    let named = by.engineer.is_some();
    let other_session =
        !by.session.is_empty() && !row.session_id.is_empty() && by.session != row.session_id;
    if !named && other_session {
        let why =
            format!("the claim is held by {} in another session; say who you are", row.holder());
        return Err(Refusal::new(403, why).into());
    }
    if !named
        || row.who().is(by)
        || row.holder() == by.engineer.unwrap_or_default()
        || areas::is_owner(tx, row, by)?
    {
        return Ok(());
    }
    let why = format!(
        "the claim is held by {}; its holder decides, or an owner of the area",
        row.holder()
    );
    Err(Refusal::new(403, why).into())
}

fn merged(mut a: Value, b: Value) -> Value {
    if let (Some(a), Value::Object(b)) = (a.as_object_mut(), b) {
        a.extend(b);
    }
    a
}

fn approve(tx: &Tx<'_>, cx: &Cx<'_>, row: &ClaimRow, by: &Who<'_>) -> Answer<Value> {
    let name = by.engineer.unwrap_or(by.session);
    claims::end(tx, cx, row, End::Approved, Some(name).filter(|n| !n.is_empty()), None)?;
    Ok(json!({}))
}

/// The least time that a claim has which came of a decision.
fn at_least(cx: &Cx<'_>) -> Millis {
    cx.now.plus(cx.rules.team.ttl_default)
}

/// The holder keeps a part of its claim: symbols and everything else stay as they were.
fn narrow(tx: &Tx<'_>, cx: &Cx<'_>, row: &ClaimRow, r: &RequestRow, to: &str) -> Answer<Value> {
    let kept = read_pattern(to).map_err(|why| Refusal::new(400, why))?;
    let held = row.read_resource();
    if !held.is_some_and(|h| h.covers(&kept)) {
        let why = format!("{to:?} does not lie within {:?}", row.pattern());
        return Err(Refusal::new(400, why).into());
    }
    let until = later(r.original_expires_at, Some(at_least(cx)));
    let new = successor(cx, row, &kept, to, until);
    let new = ClaimRow { fence: Some(tx.next_fence(cx.now)?), ..new };
    claims::end(tx, cx, row, End::Narrowed, None, None)?;
    tx.add_claim(&new, kept.anchor())?;
    keep_partners(tx, row, new.clone())?;
    Ok(json!({"narrowed_pattern": to, "original_pattern": row.pattern(),
        "original_claim_id": row.id, "new_claim_id": new.id}))
}

/// Whoever stood beside the old claim stands beside the new one.
fn keep_partners(tx: &Tx<'_>, old: &ClaimRow, mut new: ClaimRow) -> Stored<()> {
    for id in old.team.as_deref().map(|t| &t.partners).into_iter().flatten() {
        let Some(mut partner) = tx.claim(id)?.filter(|p| p.ended_at.is_none()) else { continue };
        if let (Some(theirs), Some(mine)) = (partner.team.as_deref_mut(), new.team.as_deref_mut()) {
            theirs.partners.push(new.id.clone());
            mine.partners.push(partner.id.clone());
            tx.change_team_claim(&partner)?;
        }
    }
    tx.change_team_claim(&new)
}

fn successor(
    cx: &Cx<'_>,
    row: &ClaimRow,
    kept: &Resource,
    pattern: &str,
    until: Option<Millis>,
) -> ClaimRow {
    let team = row.team.as_deref().cloned().unwrap_or_default();
    ClaimRow {
        id: id_at(cx.now, cx.rng).to_string(),
        resource: kept.as_str().to_owned(),
        is_glob: kept.is_glob(),
        acquired_at: cx.now,
        last_activity: cx.now,
        expires_at: until,
        team: row.team.is_some().then(|| {
            Box::new(TeamClaim {
                pattern: pattern.to_owned(),
                partners: Vec::new(),
                ttl_shortened: false,
                ..team
            })
        }),
        ..row.clone()
    }
}

/// The asker gets a claim beside the holder's: only within what the holder holds, and only if nobody
/// else is in the way of it.
fn coexist(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    row: &ClaimRow,
    r: &RequestRow,
    with: &str,
    ask: &Respond,
) -> Answer<Value> {
    let shared = read_pattern(with).map_err(|why| Refusal::new(400, why))?;
    if !row.read_resource().is_some_and(|h| h.covers(&shared)) {
        let why = format!("{with:?} does not lie within {:?}", row.pattern());
        return Err(Refusal::new(400, why).into());
    }
    let session = r.requester_session_id.as_deref().unwrap_or_default();
    let asker = Who { session, engineer: Some(&r.requester_engineer) };
    let symbols = ask.coexist_symbols.as_deref().filter(|s| !s.is_empty());
    let symbols = symbols.map(read_symbols).transpose().map_err(|why| Refusal::new(400, why))?;
    claims::others_allow(
        tx,
        cx,
        &Granting {
            project: &row.project_key,
            who: asker,
            resource: &shared,
            symbols: symbols.as_deref(),
            beside: &row.id,
        },
    )?;
    let until = Some(at_least(cx));
    let ttl = cx.rules.team.ttl_default;
    let new = ClaimRow {
        fence: Some(tx.next_fence(cx.now)?),
        session_id: session.to_owned(),
        description: Some(format!("coexist via request {}", r.id)),
        ttl_ms: i64::try_from(ttl.as_millis()).unwrap_or(0),
        kind: ClaimKind::Claim,
        generation: None,
        content_then: None,
        content_now: None,
        team: Some(Box::new(TeamClaim {
            engineer: r.requester_engineer.clone(),
            claim_type: ClaimType::File,
            branch: None,
            pattern: with.to_owned(),
            severity: Severity::Soft,
            symbols,
            narrowable: false,
            partners: vec![row.id.clone()],
            ttl_shortened: false,
        })),
        ..successor(cx, row, &shared, with, until)
    };
    tx.add_claim(&new, shared.anchor())?;
    if let Some(mut holder) = tx.claim(&row.id)?
        && let Some(team) = holder.team.as_deref_mut()
    {
        team.partners.push(new.id.clone());
        tx.change_team_claim(&holder)?;
    }
    restore(tx, &row.id, r.original_expires_at, None)?;
    Ok(json!({"coexist_pattern": with, "holder_claim_id": row.id, "requester_claim_id": new.id}))
}

pub(super) fn decided_notice(r: &RequestRow) -> Notice {
    let by = r.decided_by_engineer.as_deref().unwrap_or("its holder");
    let note = r.note.as_deref().map(|n| format!(": {}", fields::brief(n))).unwrap_or_default();
    Notice {
        to: r.requester_session_id.clone().unwrap_or_default(),
        project_key: r.project_key.clone(),
        subject: format!("your request for {} was {}", r.requested_pattern, said(&r.decision)),
        body: format!(
            "{by} has answered your request for {}: {}{note}.",
            r.requested_pattern,
            said(&r.decision)
        ),
    }
}

fn said(decision: &str) -> &str {
    match decision {
        "coexist" => "granted beside the holder",
        other => other,
    }
}
