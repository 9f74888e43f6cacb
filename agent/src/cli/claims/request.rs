//! `coord request`: asking a holder to let go, and answering.

use std::time::Duration;

use clap::Subcommand;
use coord_protocol::exit;
use coord_protocol::id::Uuid;
use coord_protocol::request::Method;
use coord_protocol::resource::Resource;
use coord_protocol::time::Millis;
use serde::Deserialize;
use serde_json::{Value, json};

use super::inbox::inbox;
use super::rows::{Row, live};
use super::wait::{Waited, at_server, look};
use super::{UrgencyArg, examine, wanted};
use crate::cli::reading::{Query, encode, listed, read, see_off};
use crate::cli::writing::{OnceArg, WriteArgs, send, told};
use crate::context::Context;
use crate::ui::neutral::{brief, line};
use crate::ui::report::{CliError, Report};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Ask the holder of a claim to let go; its time is cut until it answers
    #[command(after_help = "\
Examples:
  coord request release src/auth/login.ts --reason \"hotfix\" --urgency high
  coord request release 0198f2c4-7a3e-7bb2-9d2f-0c1f6f0f7a11 --scope src/auth/db.ts --wait 120")]
    Release(ReleaseArgs),
    /// List release requests, newest first
    List {
        /// Only those that you made
        #[arg(long)]
        mine: bool,
        /// Only with this decision: pending, approved, denied, narrowed, coexist ...
        #[arg(long, value_name = "WORD")]
        decision: Option<String>,
    },
    /// Show one request, and what happened to it
    Show {
        /// Its id
        id: String,
    },
    /// What this session is asked, and what happened around its claims
    Inbox,
    /// Answer a request for a claim of yours
    #[command(after_help = "\
Examples:
  coord request respond ID --approve
  coord request respond ID --deny --note \"ten minutes more\"
  coord request respond ID --narrow 'src/auth/forms/**'
  coord request respond ID --coexist src/auth/login.ts --symbol Login::submit")]
    Respond(RespondArgs),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ReleaseArgs {
    /// Id of the claim, or what you want that somebody else holds
    #[arg(value_name = "CLAIM_ID|FILE")]
    claim: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// What you really need of it
    #[arg(long, value_name = "PATTERN")]
    scope: Option<String>,
    /// How urgent it is
    #[arg(long, value_name = "HOW", default_value = "normal", hide_default_value = true)]
    urgency: UrgencyArg,
    /// Wait at the server for the answer, 1 to 600 s
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=600))]
    wait: Option<u16>,
    #[command(flatten)]
    once: OnceArg,
}

#[derive(Debug, clap::Args)]
#[group(id = "decision", required = true, multiple = false)]
struct Decision {
    /// Let go of the claim
    #[arg(long)]
    approve: bool,
    /// Keep it, with its time as it was
    #[arg(long)]
    deny: bool,
    /// Keep only this part of it
    #[arg(long, value_name = "PATTERN")]
    narrow: Option<String>,
    /// Keep it, and let the asker have this beside it
    #[arg(long, value_name = "PATTERN")]
    coexist: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RespondArgs {
    /// Id of the request
    id: String,
    #[command(flatten)]
    decision: Decision,
    /// With --coexist: only these symbols
    #[arg(long = "symbol", value_name = "NAME", requires = "coexist")]
    symbols: Vec<String>,
    /// What you say to it
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    write: WriteArgs,
}

/// A request, as the server shows it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Asked {
    pub(super) id: String,
    claim_id: String,
    requester_engineer: String,
    requested_pattern: String,
    #[serde(default)]
    requested_scope: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    urgency: String,
    decision: String,
    #[serde(default)]
    decided_by_engineer: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(default)]
    shortened_expires_at: Option<Millis>,
    created_at: Millis,
    #[serde(default)]
    pub(super) holder_engineer: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Requests {
    pub(super) requests: Vec<Asked>,
}

pub(in crate::cli) fn run(cx: &Context, verb: Verb) -> Result<Report, CliError> {
    match verb {
        Verb::Release(a) => release(cx, a),
        Verb::List { mine, decision } => {
            let query = Query::default()
                .and("requester", mine.then_some(cx.session.id.as_str()))
                .and("decision", decision.as_deref());
            let (found, raw): (Requests, _) = read(cx, &query.on("/requests"))?;
            let rows: Vec<_> = found.requests.iter().map(row).collect();
            Ok(listed(&rows, "no requests", raw))
        }
        Verb::Show { id } => show(cx, &id),
        Verb::Inbox => inbox(cx),
        Verb::Respond(a) => respond(cx, &a),
    }
}

/// In one line.
pub(super) fn row(r: &Asked) -> String {
    let scope = r.requested_scope.as_deref().map(|s| format!(", of it {}", line(s)));
    let why = r.reason.as_deref().map(|w| format!(": {}", brief(w))).unwrap_or_default();
    let holder = r.holder_engineer.as_deref().map(|h| format!(" of {}", line(h)));
    let by = r.decided_by_engineer.as_deref().map(|d| format!(" by {}", line(d)));
    let note = r.note.as_deref().map(|n| format!(" ({})", brief(n))).unwrap_or_default();
    format!(
        "{}  {}{}  {} asks for {}{}{}, {}{why}{note}",
        line(&r.id),
        line(&r.decision),
        by.unwrap_or_default(),
        line(&r.requester_engineer),
        line(&r.requested_pattern),
        holder.unwrap_or_default(),
        scope.unwrap_or_default(),
        line(if r.urgency.is_empty() { "normal" } else { &r.urgency }),
    )
}

fn show(cx: &Context, id: &str) -> Result<Report, CliError> {
    let path = format!("/requests/{}", encode(id));
    let (r, raw): (Asked, _) = read(cx, &path)?;
    let (events, _): (Value, _) = read(cx, &format!("{path}/events"))?;
    let until = r.shortened_expires_at.map(|t| format!("\n  the claim ends {t} without an answer"));
    let mut out = format!(
        "{}\n  claim: {}\n  made: {}{}",
        row(&r),
        line(&r.claim_id),
        r.created_at,
        until.filter(|_| r.decision == "pending").unwrap_or_default()
    );
    for e in events["events"].as_array().into_iter().flatten() {
        let text = |name: &str| line(e[name].as_str().unwrap_or("-"));
        out.push_str("\n  ");
        out.push_str(&[text("created_at"), text("event_type"), text("actor_engineer")].join("  "));
    }
    Ok(Report::new(out, json!({"request": raw, "events": events["events"]})))
}

/// The claim that is asked for, and who holds it.
fn claim_for(cx: &Context, text: &str) -> Result<(String, String), CliError> {
    let rows = live(cx, None)?;
    if Uuid::try_parse(text).is_ok() {
        let known = rows.iter().find(|r| r.id == text);
        return Ok((text.to_owned(), known.map_or("its holder", |r| &r.engineer).to_owned()));
    }
    let key = cx.project.key.as_deref().unwrap_or_default();
    let pattern = wanted(cx, text, key)?.pattern;
    let wish = Resource::claim(&pattern).map_err(|e| CliError::new(exit::USAGE, e.to_string()))?;
    let meets = |r: &&Row| {
        !r.is_own(cx)
            && r.session_id.as_deref() != Some(cx.session.id.as_str())
            && r.repo.as_deref().unwrap_or_default() == key
            && r.resource().is_some_and(|o| o.overlap(&wish).is_some())
    };
    let found: Vec<_> = rows.iter().filter(meets).collect();
    match found.as_slice() {
        [one] => Ok((one.id.clone(), one.engineer.clone())),
        [] => Err(CliError::new(exit::REFUSED, format!("nobody else holds {}", line(text)))
            .hint("claim it: coord claim FILE")),
        several => {
            let why = format!("several hold something of {}; name one by its id", line(text));
            let all = CliError::new(exit::USAGE, why);
            Err(several.iter().fold(all, |e, r| e.hint(r.line())))
        }
    }
}

fn release(cx: &Context, a: ReleaseArgs) -> Result<Report, CliError> {
    see_off(cx);
    let (claim, holder) = claim_for(cx, &a.claim)?;
    let key = cx.project.key.as_deref().unwrap_or_default();
    // Who names a file wants that file, whatever more its holder holds.
    let named = Some(a.claim.as_str()).filter(|c| Uuid::try_parse(c).is_err());
    let scope = a.scope.as_deref().or(named).map(|s| wanted(cx, s, key)).transpose()?;
    // Absent, the server would wait for a minute.
    let mut body = json!({"claim_id": claim, "requester": cx.session.id,
        "session_id": cx.session.id, "reason": a.reason, "urgency": urgency(a.urgency),
        "requested_scope": scope.map(|s| s.pattern), "wait_seconds": 0});
    let what = format!("request to {} to release {}", line(&holder), line(&a.claim));
    let asked = |answer: &Value| asked(answer, &holder);
    let Some(seconds) = a.wait else {
        let request = cx.request(Method::Post, "/requests", Some(&body));
        return send(cx, &a.once.into(), request, &what, asked);
    };
    body["wait_seconds"] = json!(seconds);
    let mut request = cx.request(Method::Post, "/requests", Some(&body));
    a.once.name(&mut request);
    let id = request.id.clone().unwrap_or_default();
    let whom = || {
        look(cx, &format!("/requests/{}", encode(&id)))?;
        let by = line(&holder);
        Some(format!("asked (request {}); waiting up to {seconds} s for {by}", line(&id)))
    };
    match at_server(cx, &request, Duration::from_secs(u64::from(seconds)), &whom) {
        Waited::Told(fate) => told(fate, &id, &what, asked),
        Waited::Away(why) => {
            cx.aside.say(&format!("it cannot be waited now: {}", line(&why)));
            body["wait_seconds"] = json!(0);
            // Under an id of its own: it is another wish.
            let request = cx.request(Method::Post, "/requests", Some(&body));
            send(cx, &WriteArgs::default(), request, &what, asked)
        }
    }
}

fn urgency(arg: UrgencyArg) -> &'static str {
    coord_protocol::wire::Urgency::from(arg).as_str()
}

/// What became of a request.
fn asked(answer: &Value, holder: &str) -> String {
    let text = |name: &str| answer.get(name).and_then(Value::as_str);
    let id = line(text("id").unwrap_or("?"));
    let note = text("note").map(|n| format!(": {}", brief(n))).unwrap_or_default();
    let by = line(text("decided_by_engineer").unwrap_or(holder));
    match text("decision") {
        Some("pending") | None => {
            let until = text("shortened_expires_at").map(|t| format!(" at {}", line(t)));
            format!(
                "asked {} (request {id}); without an answer the claim ends{}\n\
                 look again with: coord request show {id}",
                line(holder),
                until.unwrap_or_default()
            )
        }
        Some("approved") => format!("{by} let go{note}; claim it now"),
        Some("denied") => format!("{by} said no{note}"),
        Some("narrowed") => format!("{by} keeps only a part{note}; claim what you need"),
        Some("coexist") => format!("{by} lets you work beside it{note}; `coord claims` shows it"),
        Some(other) => format!("request {id}: {}{note}", line(other)),
    }
}

fn respond(cx: &Context, a: &RespondArgs) -> Result<Report, CliError> {
    let key = cx.project.key.as_deref().unwrap_or_default();
    let pattern = |text: &Option<String>| {
        text.as_deref().map(|t| wanted(cx, t, key)).transpose().map(|w| w.map(|w| w.pattern))
    };
    let (narrow, coexist) = (pattern(&a.decision.narrow)?, pattern(&a.decision.coexist)?);
    let decision = match (a.decision.approve, a.decision.deny, &narrow) {
        (true, _, _) => "approved",
        (_, true, _) => "denied",
        (_, _, Some(_)) => "narrowed",
        _ => "coexist",
    };
    let body = json!({"decision": decision, "engineer": cx.session.id,
        "session_id": cx.session.id, "note": a.note, "narrowed_pattern": narrow,
        "coexist_pattern": coexist, "coexist_symbols": examine::names(&a.symbols)?});
    let path = format!("/requests/{}/respond", encode(&a.id));
    let request = cx.request(Method::Post, &path, Some(&body));
    let what = format!("answer to request {}", line(&a.id));
    let before = look(cx, &format!("/requests/{}", encode(&a.id)));
    let before = before.is_some_and(|r| r["decision"] != "pending");
    let done = |answer: &Value| {
        let by_me = answer["decided_by_engineer"] == cx.session.id.as_str();
        if by_me && !before {
            return format!("{decision}: request {}", line(&a.id));
        }
        format!("{}; nothing changes", decided_before(answer, &a.id))
    };
    let report = send(cx, &a.write, request, &what, done)?;
    let answer = &report.json["result"];
    let otherwise = answer["decision"].as_str().is_some_and(|now| now != decision);
    if otherwise { Err(too_late(answer, a)) } else { Ok(report) }
}

fn decided_before(answer: &Value, id: &str) -> String {
    let text = |name: &str| line(answer[name].as_str().unwrap_or("?"));
    format!(
        "request {} was {} before, by {}",
        line(id),
        text("decision"),
        text("decided_by_engineer")
    )
}

/// A request is decided once: another decision is no decision.
fn too_late(answer: &Value, a: &RespondArgs) -> CliError {
    let text = |name: &str| line(answer[name].as_str().unwrap_or("?"));
    let (claim, pattern) = (text("claim_id"), text("requested_pattern"));
    let way = match (a.decision.approve, answer["decision"].as_str()) {
        (true, _) => format!("to let go of {pattern} all the same: coord release {claim}"),
        (false, Some("approved")) => format!("to have {pattern} again: coord claim FILE"),
        (false, _) => {
            format!("what you hold of it now: coord claims --engineer {}", text("holder_engineer"))
        }
    };
    CliError::new(exit::REFUSED, format!("{}; nothing changes", decided_before(answer, &a.id)))
        .hint(way)
        .facts(answer.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_in_words() {
        let of = |decision: &str| {
            let answer = json!({"id": "r1", "decision": decision, "decided_by_engineer": "A/x",
                "note": "ok\u{1b}", "shortened_expires_at": "2026-01-01T00:00:00Z"});
            asked(&answer, "A/x")
        };
        assert!(of("pending").contains("ends at 2026-01-01T00:00:00Z"), "{}", of("pending"));
        assert_eq!(of("approved"), "A/x let go: ok\\u{1b}; claim it now");
        assert_eq!(of("denied"), "A/x said no: ok\\u{1b}");
        assert_eq!(of("odd\n"), "request r1: odd\\u{a}: ok\\u{1b}");
    }
}
