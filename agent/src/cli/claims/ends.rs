//! `coord release` and `coord extend`.

use coord_protocol::exit;
use coord_protocol::id::Uuid;
use coord_protocol::request::{Method, Request};
use coord_protocol::resource::Resource;
use serde_json::{Value, json};

use super::rows::{Row, Rows, live};
use super::wanted;
use crate::cli::reading::{Query, count_of, encode, read};
use crate::cli::writing::{WriteArgs, send};
use crate::context::Context;
use crate::ui::neutral::line;
use crate::ui::report::{CliError, Report};

/// Claims of one release.
const IDS_MAX: usize = 1_000;

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord release src/auth/login.ts
  coord release 0198f2c4-7a3e-7bb2-9d2f-0c1f6f0f7a11
  coord release --all

These are team claims (`coord claim`); `coord lock release` gives locks back.")]
pub(in crate::cli) struct ReleaseArgs {
    /// Ids of claims, or what they are on
    #[arg(required_unless_present = "all", value_name = "ID|FILE")]
    claims: Vec<String>,
    /// All team claims of this session
    #[arg(long, conflicts_with = "claims")]
    all: bool,
    #[command(flatten)]
    write: WriteArgs,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  coord extend src/auth/login.ts --ttl 8
  coord extend 0198f2c4-7a3e-7bb2-9d2f-0c1f6f0f7a11")]
pub(in crate::cli) struct ExtendArgs {
    /// Id of a claim, or what it is on
    #[arg(value_name = "ID|FILE")]
    claim: String,
    /// Hours from now, 1 to 720
    #[arg(long, value_name = "HOURS", default_value_t = 2,
        value_parser = clap::value_parser!(i64).range(1..=720))]
    ttl: i64,
    #[command(flatten)]
    write: WriteArgs,
}

impl ExtendArgs {
    fn hours(&self) -> usize {
        usize::try_from(self.ttl).unwrap_or(0)
    }
}

fn is_id(text: &str) -> bool {
    Uuid::try_parse(text).is_ok()
}

/// Own claims on exactly what a text means.
fn own_on<'a>(cx: &Context, rows: &'a [Row], text: &str) -> Result<Vec<&'a Row>, CliError> {
    let key = cx.project.key.as_deref().unwrap_or_default();
    let pattern = wanted(cx, text, key)?.pattern;
    let name = Resource::claim(&pattern).map(|r| r.as_str().to_owned()).unwrap_or_default();
    let same = |r: &&Row| {
        r.is_own(cx)
            && r.repo.as_deref().unwrap_or_default() == key
            && (r.pattern == text || r.resource().is_some_and(|own| own.as_str() == name))
    };
    let found: Vec<_> = rows.iter().filter(same).collect();
    if found.is_empty() {
        let why = format!("you hold no claim on {}", line(text));
        return Err(CliError::new(exit::REFUSED, why).hint(hint(cx, rows, &pattern)));
    }
    Ok(found)
}

/// Who holds it instead, or where to look.
fn hint(cx: &Context, rows: &[Row], pattern: &str) -> String {
    let wish = Resource::claim(pattern).ok();
    let meets = |r: &&Row| {
        let overlap = |w: &Resource| r.resource().is_some_and(|o| o.overlap(w).is_some());
        r.repo == cx.project.key && wish.as_ref().is_some_and(overlap)
    };
    match rows.iter().find(meets) {
        Some(r) => {
            format!("{} is held by {} ({})", line(&r.pattern), line(&r.engineer), line(&r.id))
        }
        None => "`coord claims` shows what is held".to_owned(),
    }
}

pub(in crate::cli) fn release(cx: &Context, a: &ReleaseArgs) -> Result<Report, CliError> {
    let ids = named(cx, a)?;
    if ids.is_empty() {
        let json = json!({"outcome": "done", "result": {"released": 0}});
        return Ok(Report::new("this session holds no claims", json));
    }
    if ids.len() > IDS_MAX {
        let why = format!("more than {IDS_MAX} claims in one release");
        return Err(CliError::new(exit::USAGE, why));
    }
    let request = release_of(cx, &ids);
    let what = match ids.as_slice() {
        [one] => format!("release of {}", line(one)),
        all => format!("release of {}", count_of(all.len(), "claim")),
    };
    let report = send(cx, &a.write, request, &what, |answer| {
        let n = answer.get("released").and_then(Value::as_u64).unwrap_or(0);
        format!("released {}", count_of(usize::try_from(n).unwrap_or(0), "claim"))
    })?;
    let released = report.json["result"]["released"].as_u64();
    if report.json["outcome"] == "done" && released.is_some_and(|n| n < ids.len() as u64) {
        return not_all(cx, report, &ids);
    }
    Ok(report)
}

/// The write that releases claims of this session.
pub(super) fn release_of(cx: &Context, ids: &[impl AsRef<str>]) -> Request {
    let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
    let body = json!({"claim_ids": ids, "engineer": cx.session.id});
    cx.request(Method::Post, "/claims/release", Some(&body))
}

/// The ids of what is to be released.
fn named(cx: &Context, a: &ReleaseArgs) -> Result<Vec<String>, CliError> {
    if a.claims.iter().all(|c| is_id(c)) && !a.all {
        return Ok(a.claims.clone());
    }
    let rows = live(cx, None)?;
    if a.all {
        return Ok(rows.iter().filter(|r| r.is_own(cx)).map(|r| r.id.clone()).collect());
    }
    let mut ids: Vec<String> = Vec::new();
    for claim in &a.claims {
        if is_id(claim) {
            ids.push(claim.clone());
        } else {
            ids.extend(own_on(cx, &rows, claim)?.into_iter().map(|r| r.id.clone()));
        }
    }
    ids.dedup();
    Ok(ids)
}

/// Some were over before, which is as good; or they are not this session's.
fn not_all(cx: &Context, report: Report, ids: &[String]) -> Result<Report, CliError> {
    let query = Query::default().and("active_only", Some("false"));
    let path = query.and("engineer", Some(&cx.session.id)).and("full", Some("true")).on("/claims");
    let (own, _): (Rows, _) = read(cx, &path)?;
    let foreign: Vec<_> =
        ids.iter().filter(|id| !own.claims.iter().any(|r| r.id == **id)).collect();
    if foreign.is_empty() {
        return Ok(report.note("the others were not held any more"));
    }
    let names: Vec<_> = foreign.into_iter().map(|id| line(id)).collect();
    let why = format!("not yours to release, or unknown: {}", names.join(", "));
    Err(CliError::new(exit::REFUSED, why)
        .hint(report.text)
        .hint("ask its holder: coord request release ID")
        .facts(report.json))
}

pub(in crate::cli) fn extend(cx: &Context, a: &ExtendArgs) -> Result<Report, CliError> {
    let id = if is_id(&a.claim) {
        a.claim.clone()
    } else {
        let rows = live(cx, None)?;
        match own_on(cx, &rows, &a.claim)?.as_slice() {
            [one] => one.id.clone(),
            several => {
                let why = format!("you hold several claims on {}", line(&a.claim));
                let name = |e: CliError, r: &&Row| e.hint(r.line());
                return Err(several.iter().fold(CliError::new(exit::USAGE, why), name));
            }
        }
    };
    let body = json!({"engineer": cx.session.id, "ttl_hours": a.ttl});
    let path = format!("/claims/{}/extend?full=true", encode(&id));
    let request = cx.request(Method::Post, &path, Some(&body));
    let what = format!("extension of {}", line(&id));
    send(cx, &a.write, request, &what, |answer| {
        let Some(until) = answer["expires_at"].as_str() else {
            return format!("{} is yours for {}", line(&a.claim), count_of(a.hours(), "hour"));
        };
        let (name, until) = (line(&a.claim), line(until));
        if answer["ttl_shortened"] == true {
            return format!(
                "{name} is yours until {until}: its release is asked for, and only once you have \
                 answered it is yours for longer\nanswer: coord request inbox"
            );
        }
        format!("{name} is yours until {until}")
    })
}
