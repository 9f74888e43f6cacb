//! What a tool says: a short text, and the same facts as an object. Everything in both has been made
//! harmless and is bounded: hosts put it before a model, most of them the object alone.

use coord_protocol::exit;
use serde_json::{Map, Value, json};

use crate::hook::digest::inert;
use crate::ui::claim_words;
use crate::ui::neutral::{cut, line, short};
use crate::ui::report::{CliError, Report};

/// Text of an answer, at most: 8 KiB of mail and what is said around it.
const TEXT_BYTES_MAX: usize = 10 * 1024;
/// Text that is a list, at most.
const LIST_BYTES_MAX: usize = 8 * 1024;
/// Ids and holders that are named.
const NAMED_MAX: usize = 50;
/// A name among the facts, at most.
const FACT_BYTES_MAX: usize = 200;
/// Fields that name the thing itself, where a command's object has them.
const PLAIN_FACTS: &[&str] = &["id", "replayed", "provisional", "waiting", "dead"];

/// What is handed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Something that the model should react to.
    pub is_error: bool,
    /// For hosts that show text.
    pub text: String,
    /// For hosts that show the object.
    pub structured: Value,
    /// Nothing of the text was cut off.
    pub is_whole: bool,
}

impl Answer {
    /// Of a command. `asks` says that "held" is what was asked, and no failure.
    pub(super) fn of(outcome: Result<Report, CliError>, session: &str, asks: bool) -> Self {
        match outcome {
            Ok(report) => {
                let facts = facts(&report.json);
                let outcome = report.json["outcome"].as_str().unwrap_or("done").to_owned();
                let is_mail = facts.contains_key("unread");
                let text = joined(report.text, report.notes);
                Self::new(false, &outcome, (text, is_mail), session, facts)
            }
            Err(e) => {
                let is_error = !(asks && e.exit == exit::LOCK_HELD);
                let text = joined(e.detail, e.hints);
                Self::new(is_error, outcome_of(e.exit), (text, false), session, facts(&e.facts))
            }
        }
    }

    /// A call that cannot be made a command of.
    pub(super) fn refused(why: &str) -> Self {
        Self::new(true, outcome_of(exit::USAGE), (line(why), false), "", Map::new())
    }

    fn new(
        is_error: bool,
        outcome: &str,
        (text, is_mail): (String, bool),
        session: &str,
        mut facts: Map<String, Value>,
    ) -> Self {
        let most = if is_mail { TEXT_BYTES_MAX } else { LIST_BYTES_MAX };
        let (text, is_whole) = bounded(&inert(&text), most);
        if !session.is_empty() {
            facts.insert("session".to_owned(), tame(session));
        }
        facts.insert("outcome".to_owned(), tame(outcome));
        facts.insert("text".to_owned(), json!(text));
        Self { is_error, text, structured: Value::Object(facts), is_whole }
    }
}

fn joined(text: String, more: Vec<String>) -> String {
    let all: Vec<_> = std::iter::once(text).chain(more).filter(|l| !l.is_empty()).collect();
    all.join("\n")
}

/// And whether that is all of it.
fn bounded(text: &str, most: usize) -> (String, bool) {
    if text.len() <= most {
        return (text.to_owned(), true);
    }
    let head = cut(text, most);
    // Whole lines only.
    let head = head.rsplit_once('\n').map_or(head, |(lines, _)| lines);
    let more = text.len() - head.len();
    (format!("{head}\n({more} bytes more; the coord command shows all)"), false)
}

/// An exit status in one word.
fn outcome_of(code: u8) -> &'static str {
    match code {
        exit::USAGE => "misused",
        exit::LOCK_HELD => "held",
        exit::LOCK_EXPIRED | exit::STALE_INSTANCE => "over",
        exit::UNAVAILABLE => "away",
        exit::NOT_DURABLE => "not kept",
        exit::CONFIG | exit::DATA => "broken",
        _ => "refused",
    }
}

/// What programs would look for in a command's object.
fn facts(object: &Value) -> Map<String, Value> {
    let mut facts = Map::new();
    for name in PLAIN_FACTS {
        match &object[*name] {
            Value::String(text) => facts.insert((*name).to_owned(), tame(text)),
            value @ (Value::Bool(_) | Value::Number(_)) => {
                facts.insert((*name).to_owned(), value.clone())
            }
            _ => None,
        };
    }
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            facts.insert(name.to_owned(), value);
        }
    };
    put("ids", ids(object));
    put("held_by", held_by(object));
    put("unread", unread(object));
    put("known_secs_ago", object["as_of"].get("age_secs").cloned());
    facts
}

/// The ids of what was granted or listed.
fn ids(object: &Value) -> Option<Value> {
    let granted = claim_words::ids(&object["result"]);
    if !granted.is_empty() {
        return Some(granted.iter().take(NAMED_MAX).map(|id| tame(id)).collect());
    }
    let mail = object["unread"].get("messages");
    let lists = ["messages", "claims", "pending", "requests", "todos", "locks"];
    let list = mail.or_else(|| lists.iter().find_map(|name| object.get(name)))?.as_array()?;
    let ids = list.iter().filter_map(|row| row["id"].as_str());
    Some(ids.take(NAMED_MAX).map(tame).collect())
}

/// Who is in the way.
fn held_by(object: &Value) -> Option<Value> {
    let conflicts = object["conflicts"].as_array().filter(|c| !c.is_empty())?;
    let holder = |c: &Value| {
        let theirs = c.get("conflicting_claim").unwrap_or(c);
        let mut holder = Map::new();
        for (name, fields) in [
            ("by", &["engineer", "session_id"][..]),
            ("pattern", &["pattern", "resource"]),
            ("claim", &["claim_id", "id"]),
            ("until", &["expires_at"]),
            ("for", &["description"]),
        ] {
            let text = fields.iter().find_map(|f| theirs[*f].as_str());
            holder.extend(text.map(|t| (name.to_owned(), tame(t))));
        }
        Value::Object(holder)
    };
    Some(conflicts.iter().take(NAMED_MAX).map(holder).collect())
}

/// How many messages are unread, where a command looked.
fn unread(object: &Value) -> Option<Value> {
    let of_status = object["status"].get("unread_messages");
    let mail = object.get("messages").or_else(|| object["unread"].get("messages"));
    let count = |all: &Vec<Value>| json!(all.iter().filter(|m| m["read_at"].is_null()).count());
    of_status.cloned().or_else(|| mail.and_then(Value::as_array).map(count))
}

fn tame(text: &str) -> Value {
    json!(inert(&short(text, FACT_BYTES_MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_says_what_the_text_says() {
        let report = Report::new("queued: x", json!({"outcome": "queued", "id": "i1"})).note("why");
        let a = Answer::of(Ok(report), "B/x", false);
        assert_eq!((a.is_error, a.text.as_str()), (false, "queued: x\nwhy"));
        assert_eq!(
            a.structured,
            json!({"outcome": "queued", "id": "i1", "session": "B/x", "text": "queued: x\nwhy"})
        );
    }

    #[test]
    fn held_is_an_answer_to_a_question_and_a_refusal_of_a_wish() {
        let facts = json!({"conflicts": [{"conflicting_claim": {"id": "c1",
            "engineer": "A/<system>\u{1b}", "pattern": "src/**", "expires_at": null}}]});
        let e = || CliError::new(exit::LOCK_HELD, "held").facts(facts.clone());
        assert!(!Answer::of(Err(e()), "B/x", true).is_error);
        let a = Answer::of(Err(e()), "B/x", false);
        assert!(a.is_error);
        assert_eq!(a.structured["outcome"], "held");
        assert_eq!(
            a.structured["held_by"],
            json!([{"by": "A/&lt;system>\\u{1b}", "pattern": "src/**", "claim": "c1"}])
        );
    }

    #[test]
    fn everything_is_bounded() {
        let rows: Vec<_> =
            (0..9_000).map(|n| json!({"id": "x".repeat(900) + &n.to_string()})).collect();
        let text = "a line of a list\n".repeat(9_000);
        let a = Answer::of(Ok(Report::new(text, json!({"todos": rows}))), "s", false);
        assert!(
            !a.is_whole && a.text.len() < LIST_BYTES_MAX + 100 && a.text.contains("bytes more"),
            "{}",
            a.text
        );
        assert_eq!(a.structured["ids"].as_array().unwrap().len(), NAMED_MAX);
        assert!(a.structured.to_string().len() < 32 * 1024);
    }
}
