//! Release requests: somebody asks the holder of a claim to let go (`peer_api`, section 9). A request
//! cuts the holder's time; when no request is open any more and the claim still stands, it has its
//! time back.

mod decide;

use coord_protocol::claim::Who;
use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimKind, Urgency, WAIT_SECONDS_MAX};
use serde_json::json;

use super::claims::End;
use super::events::{self, About};
use super::{Answer, Cx, Notice, Refusal, fields};
use crate::store::{ClaimRow, RequestRow, Stored, Tx};

use decide::decided_notice;
pub use decide::{Respond, respond};

/// Not decided yet.
pub const PENDING: &str = "pending";

/// `POST /requests`.
#[derive(Debug, Clone, Default)]
pub struct File {
    /// The claim.
    pub claim_id: String,
    /// Who asks.
    pub requester: String,
    /// In which session.
    pub session_id: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// What is really wanted.
    pub requested_scope: Option<String>,
    /// How urgent it is.
    pub urgency: Urgency,
    /// Wait so long for the decision.
    pub wait_seconds: i64,
}

/// Files a request. Its holder's time is cut, and it is told.
pub fn file(tx: &Tx<'_>, cx: &Cx<'_>, ask: &File) -> Answer<RequestRow> {
    fields::name("requester", &ask.requester)?;
    fields::note("reason", ask.reason.as_deref())?;
    fields::maybe_name("requested_scope", ask.requested_scope.as_deref())?;
    if !(0..=WAIT_SECONDS_MAX).contains(&ask.wait_seconds) {
        let why = format!("wait_seconds must be 0 to {WAIT_SECONDS_MAX}");
        return Err(Refusal::new(422, why).into());
    }
    if let Some(session) = ask.session_id.as_deref() {
        fields::session("session_id", session)?;
        cx.touch(tx, session)?;
    }
    if let Some(waits_as) = cx.waits_as
        && let Some(known) = tx.request(waits_as)?
    {
        // The same request comes again: its caller lost its connection.
        return Ok(known);
    }
    let unknown = || Refusal::new(404, format!("\"unknown claim_id '{}'\"", ask.claim_id));
    let mut row = tx.claim(&ask.claim_id)?.ok_or_else(unknown)?;
    if row.ended_at.is_some() || row.expires_at.is_some_and(|e| e <= cx.now) {
        let why = format!("claim {} is no longer active", row.id);
        return Err(Refusal::new(409, why).into());
    }
    let session = ask.session_id.as_deref().unwrap_or_default();
    let asker = Who { session, engineer: Some(&ask.requester) };
    if row.who().is(&asker) {
        return Err(Refusal::new(409, "the claim is your own; release it").into());
    }
    let mine = |r: &RequestRow| r.requester_engineer == ask.requester;
    if let Some(open) = tx.pending_requests(&row.id)?.into_iter().find(mine) {
        // Asked already, and not answered yet.
        return Ok(open);
    }
    let original = original_end(tx, &row)?;
    let shortened = shorten(tx, cx, &mut row)?;
    let request = RequestRow {
        id: cx.new_id(),
        project_key: row.project_key.clone(),
        claim_id: row.id.clone(),
        requester_engineer: ask.requester.clone(),
        requester_session_id: ask.session_id.clone(),
        requested_pattern: row.pattern().to_owned(),
        requested_scope: ask.requested_scope.clone(),
        reason: ask.reason.clone(),
        urgency: ask.urgency,
        decision: PENDING.to_owned(),
        decided_at: None,
        decided_by_engineer: None,
        decided_by_session_id: None,
        note: None,
        original_expires_at: original,
        shortened_expires_at: shortened,
        created_at: cx.now,
    };
    tx.add_request(&request)?;
    let detail = json!({
        "claim_id": request.claim_id, "pattern": request.requested_pattern,
        "requested_scope": request.requested_scope, "urgency": request.urgency,
        "reason": request.reason, "original_expires_at": request.original_expires_at,
        "shortened_expires_at": request.shortened_expires_at,
    });
    events::record(tx, cx, "filed", about(&request), Some(asker), &detail)?;
    filed_notice(&request, &row).send(tx, cx)?;
    Ok(request)
}

fn about(r: &RequestRow) -> About<'_> {
    About { project: &r.project_key, request: Some(&r.id), claim: Some(&r.claim_id) }
}

/// The claim's end without any request.
fn original_end(tx: &Tx<'_>, row: &ClaimRow) -> Stored<Option<Millis>> {
    let first = tx.pending_requests(&row.id)?.into_iter().next();
    Ok(first.map_or(row.expires_at, |r| r.original_expires_at))
}

/// Cuts a team claim's time. A lock has its own rules and keeps its time.
fn shorten(tx: &Tx<'_>, cx: &Cx<'_>, row: &mut ClaimRow) -> Stored<Option<Millis>> {
    if row.kind != ClaimKind::Claim {
        return Ok(row.expires_at);
    }
    let short = cx.now.plus(cx.rules.team.request_ttl_short);
    row.expires_at = Some(row.expires_at.map_or(short, |e| e.min(short)));
    if let Some(team) = row.team.as_deref_mut() {
        team.ttl_shortened = true;
    }
    tx.change_team_claim(row)?;
    Ok(row.expires_at)
}

/// When no request is open any more, the claim has its time back.
fn restore(
    tx: &Tx<'_>,
    claim: &str,
    original: Option<Millis>,
    least: Option<Millis>,
) -> Stored<()> {
    let Some(mut row) = tx.claim(claim)?.filter(|r| r.ended_at.is_none()) else { return Ok(()) };
    if !tx.pending_requests(claim)?.is_empty() || row.kind != ClaimKind::Claim {
        return Ok(());
    }
    row.expires_at = later(original, later(row.expires_at, least));
    if let Some(team) = row.team.as_deref_mut() {
        team.ttl_shortened = false;
    }
    tx.change_team_claim(&row)
}

/// The later of two ends; `None` is no end, except as `least`.
fn later(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    Some(a?.max(b.unwrap_or(Millis(0))))
}

fn filed_notice(r: &RequestRow, row: &ClaimRow) -> Notice {
    let why = r.reason.as_deref().map(|w| format!(" ({})", fields::brief(w))).unwrap_or_default();
    let scope = r.requested_scope.as_deref();
    let scope = scope.map(|s| format!(" It wants {s:?}.")).unwrap_or_default();
    let until = r.shortened_expires_at.map_or("as before".to_owned(), |t| format!("at {t}"));
    Notice {
        to: row.session_id.clone(),
        project_key: row.project_key.clone(),
        subject: format!("{} asks you to release {}", r.requester_engineer, r.requested_pattern),
        body: format!(
            "{} asks for {}, which you hold{why}.{scope} Your claim ends {until} unless you answer: \
             coord request respond {} --approve | --deny | --narrow PATTERN | --coexist PATTERN",
            r.requester_engineer, r.requested_pattern, r.id
        ),
    }
}

/// A claim has ended: what was asked of it is settled.
pub(super) fn claim_ended(tx: &Tx<'_>, cx: &Cx<'_>, row: &ClaimRow, why: End) -> Stored<()> {
    let shortened = row.team.as_deref().is_some_and(|t| t.ttl_shortened);
    for request in tx.pending_requests(&row.id)? {
        let by_time = matches!(why, End::Expired | End::Stale);
        let (decision, kind) = match why {
            End::Expired if shortened => ("expired", "ttl-shortened"),
            End::SessionEnd => ("resolved", "session-bulk"),
            _ if by_time => ("resolved", "ttl-or-idle"),
            _ => ("resolved", "voluntary"),
        };
        let detail = json!({"release_kind": kind, "claim_id": row.id});
        events::record(tx, cx, decision, about(&request), None, &detail)?;
        let settled =
            RequestRow { decision: decision.to_owned(), decided_at: Some(cx.now), ..request };
        tx.change_request(&settled)?;
        decided_notice(&settled).send(tx, cx)?;
        tx.note_woken(&settled.id);
    }
    Ok(())
}

/// The holder goes on for so long, whatever requests have cut: while one is open it has the longer
/// time only once that is decided.
pub(super) fn extended(tx: &Tx<'_>, row: &mut ClaimRow, until: Millis) -> Stored<()> {
    let open = tx.pending_requests(&row.id)?;
    if open.is_empty() {
        row.expires_at = Some(until);
    }
    for request in open {
        let request = RequestRow { original_expires_at: Some(until), ..request };
        tx.change_request(&request)?;
        row.expires_at = row.expires_at.map(|e| e.min(until));
    }
    Ok(())
}
