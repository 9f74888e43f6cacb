//! Answers to team claims, in words. Names and texts in them are other people's.

use std::fmt::Write as _;

use coord_protocol::wire::{ClaimConflict, ClaimsAnswer, ConflictingClaim, Lock};
use serde_json::Value;

use super::neutral::{brief, line};

/// Conflicts that are told; the others count.
const CONFLICTS_SHOWN: usize = 5;
/// Symbols of one claim that are told; the others count.
const SYMBOLS_SHOWN: usize = 8;

/// An answer to a wish for team claims; `None`: it is something else.
fn read(answer: &Value) -> Option<ClaimsAnswer> {
    answer.get("claim_ids")?;
    serde_json::from_value(answer.clone()).ok()
}

/// The ids of granted team claims.
pub fn ids(answer: &Value) -> Vec<String> {
    read(answer).map(|a| a.claim_ids).unwrap_or_default()
}

/// An answer without the claims for which `is_back` holds.
pub fn without(answer: &Value, is_back: impl Fn(&str) -> bool) -> Value {
    let mut left = answer.clone();
    for list in ["claim_ids", "locks"] {
        if let Some(all) = left.get_mut(list).and_then(Value::as_array_mut) {
            all.retain(|one| !one.as_str().or_else(|| one["id"].as_str()).is_some_and(&is_back));
        }
    }
    left
}

/// The granted claims themselves, where the answer has them.
fn rows(answer: &Value) -> Vec<Lock> {
    let rows = answer.get("locks").and_then(Value::as_array).into_iter().flatten();
    rows.filter_map(|r| serde_json::from_value(r.clone()).ok()).collect()
}

/// Why there is no claim, in one sentence; `None`: the answer is not about team claims.
pub fn refusal(answer: &Value) -> Option<String> {
    let read = read(answer)?;
    let mut all: Vec<String> =
        read.conflicts.iter().take(CONFLICTS_SHOWN).map(in_the_way).collect();
    let more = read.conflicts.len().saturating_sub(CONFLICTS_SHOWN);
    if more > 0 {
        all.push(format!("and {more} more in the way"));
    }
    all.extend(read.warnings.iter().map(|w| line(w)));
    Some(if all.is_empty() { "refused".to_owned() } else { all.join("; ") })
}

fn in_the_way(c: &ClaimConflict) -> String {
    let theirs = &c.conflicting_claim;
    let verb = if theirs.waiting { "is waited for by" } else { "is held by" };
    let witness = both_mean(&c.overlap, [&c.your_pattern, &theirs.pattern]);
    format!("{} {verb} {}{witness}", line(&c.your_pattern), holder(theirs))
}

/// Why two patterns meet, where neither says it itself.
pub fn both_mean(overlap: &[String], patterns: [&str; 2]) -> String {
    let witness = overlap.first().filter(|w| !patterns.contains(&w.as_str()));
    witness.map(|w| format!("; both mean {}", line(w))).unwrap_or_default()
}

/// Who holds what until when.
pub fn holder(c: &ConflictingClaim) -> String {
    let until = c.expires_at.map_or("released".to_owned(), |t| t.to_string());
    let why = c.description.as_deref().filter(|_| !c.waiting).map(|d| format!(": {}", brief(d)));
    format!(
        "{} ({}{}) until {until}{}",
        line(&c.engineer),
        line(&c.pattern),
        symbols(c.symbols.as_deref()),
        why.unwrap_or_default()
    )
}

/// ` [A, B]`, or nothing for whole files.
pub fn symbols(names: Option<&[String]>) -> String {
    let Some(names) = names.filter(|n| !n.is_empty()) else { return String::new() };
    let mut out = String::new();
    for (n, name) in names.iter().take(SYMBOLS_SHOWN).enumerate() {
        let _ = write!(out, "{}{}", if n == 0 { "" } else { ", " }, line(name));
    }
    if names.len() > SYMBOLS_SHOWN {
        let _ = write!(out, " and {} more", names.len() - SYMBOLS_SHOWN);
    }
    format!(" [{out}]")
}

/// What is held now, for the reconnect report; `None`: the answer is not about team claims.
pub fn held(answer: &Value) -> Option<String> {
    let read = read(answer)?;
    let rows = rows(answer);
    if rows.is_empty() {
        return Some(read.claim_ids.iter().map(|id| line(id)).collect::<Vec<_>>().join(", "));
    }
    let named = rows.iter().map(|l| {
        let fence = l.fence.map(|f| format!(" (fence {f})")).unwrap_or_default();
        format!("{}{fence}", name(l))
    });
    Some(named.collect::<Vec<_>>().join(", "))
}

/// A claim's pattern and symbols.
pub fn name(l: &Lock) -> String {
    match l.team.as_deref() {
        Some(t) => format!("{}{}", line(&t.pattern), symbols(t.symbols.as_deref())),
        None => line(&l.resource),
    }
}

/// What was granted; `None`: the answer is not about team claims.
pub fn granted(answer: &Value) -> Option<String> {
    let read = read(answer)?;
    if answer.get("outcome").and_then(Value::as_str) == Some("past") {
        let why: Vec<_> = read.warnings.iter().map(|w| line(w)).collect();
        return Some(format!("too late: {}", why.join("; ")));
    }
    let rows = rows(answer);
    let mut out: Vec<String> = rows.iter().map(one_granted).collect();
    if rows.is_empty() {
        out.extend(read.claim_ids.iter().map(|id| format!("claimed: {}", line(id))));
    }
    let ids: Vec<_> = read.claim_ids.iter().map(|id| line(id)).collect();
    let all = if ids.len() > 3 { "--all".to_owned() } else { ids.join(" ") };
    out.push(format!("release with: coord release {all}"));
    out.extend(read.warnings.iter().map(|w| format!("note: {}", line(w))));
    Some(out.join("\n"))
}

fn one_granted(l: &Lock) -> String {
    let until = l.expires_at.map_or("until released".to_owned(), |t| format!("until {t}"));
    let fence = l.fence.map(|f| format!(" (fence {f})")).unwrap_or_default();
    let team = l.team.as_deref();
    let mut out = format!("claimed {} {until}{fence}", name(l));
    if team.is_some_and(|t| t.severity.is_hard()) {
        out.push_str("\n  a hard area: nothing is settled by itself here");
    }
    match team.map_or(0, |t| t.partners.len()) {
        0 => {}
        n => {
            let _ = write!(out, "\n  beside {n} of others: `coord claims` shows them");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn why_not() {
        let claim = json!({"id": "c1", "engineer": "A/x", "pattern": "src/**", "severity": "soft",
            "description": "refactoring\u{1b}[2J", "expires_at": "2026-01-01T00:00:00Z",
            "scope_type": "symbol", "symbols": ["A::b", "c"]});
        let conflict = json!({"your_pattern": "src/a.ts", "conflicting_claim": claim,
            "overlap": ["src/a.ts"], "your_symbols": null, "symbol_overlap": null});
        let answer = json!({"claim_ids": [], "conflicts": [conflict], "warnings": ["mind"],
            "options": []});
        assert_eq!(
            refusal(&answer).unwrap(),
            "src/a.ts is held by A/x (src/** [A::b, c]) until 2026-01-01T00:00:00Z: \
             refactoring\\u{1b}[2J; mind"
        );
        let mut met = answer.clone();
        met["conflicts"][0]["your_pattern"] = json!("login.ts");
        met["conflicts"][0]["overlap"] = json!(["src/login.ts"]);
        let why = refusal(&met).unwrap();
        assert!(
            why.starts_with("login.ts is held by") && why.contains("; both mean src/login.ts"),
            "{why}"
        );
        assert_eq!(refusal(&json!({"detail": "no"})), None);
    }

    #[test]
    fn what_was_granted() {
        let answer =
            json!({"claim_ids": ["c1"], "conflicts": [], "warnings": ["w"], "options": []});
        assert_eq!(
            granted(&answer).unwrap(),
            "claimed: c1\nrelease with: coord release c1\nnote: w"
        );
        assert_eq!(held(&answer).unwrap(), "c1");
        let past = json!({"claim_ids": [], "conflicts": [], "warnings": ["late"], "options": [],
            "outcome": "past"});
        assert_eq!(granted(&past).unwrap(), "too late: late");
        assert_eq!(granted(&json!({"id": "a lock"})), None);
    }
}
