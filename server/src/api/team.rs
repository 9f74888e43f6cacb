//! Claims, questions about them, repositories and sessions: the calls of seeds 002 and 004
//! (`peer_api`, section 6).

use coord_protocol::time::Millis;
use coord_protocol::wire::{ClaimItem, ClaimType, CreateClaims, Lock, Urgency, WAIT_SECONDS_MAX};
use serde::Serialize;
use serde_json::{Value, json};

use super::forms::Form;
use super::{Call, Examined, Matched, ok, to_json};
use crate::checkout::{self, Checkout};
use crate::service::claims::conflicts::{self, Question};
use crate::service::claims::queue;
use crate::service::claims::rows::{self, ROWS_MAX};
use crate::service::claims::team::{self, Made};
use crate::service::claims::team_ends;
use crate::service::once::{Parked, Told};
use crate::service::{Answer, Cx, Refusal, inbox, repos};
use crate::store::{Stored, TeamFilter, Tx, View};

/// Reads a form, or answers what is wrong with it.
macro_rules! read {
    ($form:expr) => {
        match $form {
            Ok(read) => read,
            Err(told) => return Ok(told),
        }
    };
}
pub(super) use read;

fn claim_item(form: &mut Form) -> ClaimItem {
    let kind = form.text("type");
    let claim_type = ClaimType::parse(&kind).unwrap_or_else(|| {
        if !kind.is_empty() {
            form.one_of("type", "'file', 'shared_file' or 'module'");
        }
        ClaimType::File
    });
    ClaimItem {
        claim_type,
        pattern: form.text("pattern"),
        symbols: form.texts("symbols"),
        narrowable: form.flag("narrowable"),
    }
}

/// The body of `POST /claims`.
pub(super) fn create_claims(body: &[u8]) -> Result<CreateClaims, Told> {
    let mut form = Form::body(body)?;
    let ask = CreateClaims {
        engineer: form.text("engineer"),
        claims: form.items("claims", claim_item),
        branch: form.maybe_name("branch"),
        description: form.maybe_text("description"),
        ttl_hours: form.number("ttl_hours", 0, 720),
        repo: form.maybe_name("repo"),
        session_id: form.maybe_name("session_id"),
        wait_seconds: form.number("wait_seconds", 0, WAIT_SECONDS_MAX),
        // Unknown words count as normal, as in seed 002.
        urgency: form
            .value("urgency")
            .and_then(Value::as_str)
            .and_then(Urgency::parse)
            .unwrap_or_default(),
    };
    form.done()?;
    Ok(ask)
}

/// What a look at a checkout says of the claims that a call asks for; `None`: it asks for none.
pub(super) fn examine(checkout: &Checkout, call: &Call, now: Millis) -> Option<Examined> {
    let ask = create_claims(&call.body).ok()?;
    let items: Vec<_> = ask
        .claims
        .iter()
        .map(|i| checkout::Examined { pattern: &i.pattern, symbols: i.symbols.as_deref() })
        .collect();
    let found = checkout.examine(ask.repo.as_deref(), &items, now);
    let words = |o: &[&str]| o.iter().map(|w| (*w).to_owned()).collect();
    Some(Examined {
        refusal: found.refusal.map(|(why, options)| (why, words(options))),
        warnings: found.warnings,
    })
}

pub(super) fn claim(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ask = read!(create_claims(&m.call.body));
    let warnings = match &m.call.examined {
        Some(e) if e.refusal.is_some() => {
            let (why, options) = e.refusal.clone().unwrap_or_default();
            let no = json!({"claim_ids": [], "conflicts": [], "warnings": [why],
                "options": options});
            return Ok(Told::new(400, no.to_string()));
        }
        Some(e) => e.warnings.clone(),
        None => Vec::new(),
    };
    made(m, team::create(tx, cx, &ask, warnings)?)
}

/// The parked caller of a claim: its answer, if it has one now.
pub(super) fn claim_resumed(
    tx: &Tx<'_>,
    cx: &Cx<'_>,
    m: &Matched<'_>,
    id: &str,
    _: bool,
) -> Answer<Option<Told>> {
    queue::resume(tx, cx, id)?.map(|what| made(m, what)).transpose()
}

#[expect(clippy::unnecessary_wraps, reason = "what every route ends in")]
fn made(m: &Matched<'_>, what: Made) -> Answer<Told> {
    Ok(match what {
        Made::Granted { answer, locks } => Told::new(200, with_rows(m, json!(answer), &locks)),
        Made::Bad(answer) => Told::new(400, to_json(&answer)),
        Made::Blocked(answer) => Told::new(409, to_json(&answer)),
        Made::Waits(id, until) => Told::parked(Parked { id, until }),
        Made::Past => Told::new(
            200,
            json!({"claim_ids": [], "conflicts": [], "options": [], "outcome": "past",
                "warnings": ["the claims came after their time; nothing was granted"]})
            .to_string(),
        ),
    })
}

/// Clients of ours ask for the claims themselves beside the four fields of seed 002.
fn with_rows(m: &Matched<'_>, mut answer: Value, locks: &[Lock]) -> String {
    if m.call.flag("rows")
        && let Some(fields) = answer.as_object_mut()
    {
        fields.insert("locks".to_owned(), json!(locks));
    }
    answer.to_string()
}

pub(super) fn list(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form =
        Form::query(m, &["active_only", "engineer", "module", "repo", "session_id", "limit"]);
    let active_only = form.flag("active_only").unwrap_or(true);
    let (engineer, module) = (form.maybe_name("engineer"), form.maybe_name("module"));
    let repo = form.maybe_name("repo");
    let most = form.number("limit", 1, i64::try_from(ROWS_MAX).unwrap_or(i64::MAX));
    read!(form.done());
    let filter = TeamFilter {
        active_only,
        engineer: engineer.as_deref(),
        module: module.as_deref(),
        repo: repo.as_deref(),
    };
    let most = most.and_then(|n| usize::try_from(n).ok()).unwrap_or(ROWS_MAX);
    let (claims, more) = rows::list(v, cx, &filter, most, m.call.flag("full"))?;
    ok(&ClaimsList { count: claims.len(), claims, more })
}

/// `GET /claims`.
#[derive(Serialize)]
struct ClaimsList {
    claims: Vec<rows::TeamRow>,
    count: usize,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

pub(super) fn release_one(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let ids = [m.param(0).to_owned()];
    let engineer = m.query("engineer");
    ok(&json!({"released": team_ends::release(tx, cx, &ids, engineer.as_deref())?}))
}

pub(super) fn release(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = read!(Form::body(&m.call.body));
    let (ids, engineer) = (form.texts("claim_ids"), form.maybe_name("engineer"));
    if ids.is_none() {
        form.items("claim_ids", |_| ());
    }
    read!(form.done());
    let released = team_ends::release(tx, cx, &ids.unwrap_or_default(), engineer.as_deref())?;
    ok(&json!({"released": released}))
}

/// What an extension gives whose caller names no hours.
const EXTEND_HOURS: i64 = 2;

pub(super) fn extend(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = read!(Form::body(&m.call.body));
    let engineer = form.text("engineer");
    let hours = form.number("ttl_hours", 1, 720).unwrap_or(EXTEND_HOURS);
    read!(form.done());
    match team_ends::extend(tx, cx, m.param(0), &engineer, hours)? {
        Some(row) if m.call.flag("full") => {
            let shortened = row.team.as_deref().is_some_and(|t| t.ttl_shortened);
            ok(&json!({"ok": true, "expires_at": row.expires_at, "ttl_shortened": shortened}))
        }
        Some(_) => ok(&json!({"ok": true})),
        None => Err(Refusal::new(404, "Claim not found or not owned").into()),
    }
}

pub(super) fn conflicts(v: &View<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let mut form = Form::query(m, &["engineer", "repo"]);
    let (engineer, repo) = (form.text("engineer"), form.maybe_name("repo"));
    read!(form.done());
    let (patterns, files) = (m.call.queries("pattern"), m.call.queries("file"));
    let sessions = m.call.queries("session_id");
    if patterns.is_empty() && files.is_empty() {
        return Err(Refusal::new(400, "At least one pattern is required").into());
    }
    let question = Question {
        patterns: &patterns,
        files: &files,
        engineer: &engineer,
        project: repo.as_deref().unwrap_or_default(),
        sessions: &sessions,
    };
    ok(&conflicts::ask(v, cx, &question)?)
}

pub(super) fn repos(v: &View<'_>, cx: &Cx<'_>, _: &Matched<'_>) -> Answer<Told> {
    let repos = repos::list(v, cx)?;
    ok(&json!({"count": repos.len(), "repos": repos}))
}

pub(super) fn release_session(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    ok(&json!({"released": team_ends::release_session(tx, cx, m.param(0))?}))
}

pub(super) fn pending(tx: &Tx<'_>, cx: &Cx<'_>, m: &Matched<'_>) -> Answer<Told> {
    let pending = inbox::pending(tx, cx, m.param(0))?;
    ok(&json!({"count": pending.len(), "pending": pending}))
}

/// A caller that hung up.
pub(super) fn left(tx: &Tx<'_>, cx: &Cx<'_>, id: &str) -> Stored<()> {
    queue::caller_left(tx, cx, id)
}
