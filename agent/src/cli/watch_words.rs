//! Changes in words, one line each.

use std::collections::HashMap;

use coord_protocol::time::Millis;
use coord_protocol::wire::Change;

use crate::ui::neutral::{cut, line};

/// Rows that are remembered; beyond, the memory starts anew.
const SEEN_MAX: usize = 20_000;
/// Of a text, this much.
const SHOWN_BYTES: usize = 120;

/// What was said of each row last: signs of life and renewals change a row and are no news.
#[derive(Default)]
pub(super) struct Seen(HashMap<(String, i64), String>);

impl Seen {
    /// The line for a change; `None` when it is nothing new for a reader.
    pub(super) fn line(&mut self, change: &Change) -> Option<String> {
        let row = Row(change);
        let key = (change.kind.clone(), row.number("seq").unwrap_or(0));
        let news = news(&change.kind, &row, self.0.get(&key).map(String::as_str))?;
        if self.0.len() >= SEEN_MAX {
            self.0.clear();
        }
        let is_new = self.0.insert(key, news.text.clone()).as_ref() != Some(&news.text);
        let text = line(&news.text);
        (is_new && !news.is_known).then(|| format!("{}  {text}", Millis(news.at)))
    }
}

struct News {
    at: i64,
    text: String,
    /// It is as it was before the watch began, as far as can be told.
    is_known: bool,
}

struct Row<'a>(&'a Change);

impl Row<'_> {
    fn number(&self, field: &str) -> Option<i64> {
        self.0.row.get(field)?.as_i64()
    }

    fn text(&self, field: &str) -> &str {
        let text = self.0.row.get(field).and_then(|v| v.as_str()).unwrap_or_default();
        cut(text.lines().next().unwrap_or_default(), SHOWN_BYTES)
    }

    /// The field with words before it, when it says something.
    fn with(&self, before: &str, field: &str) -> String {
        match self.text(field) {
            "" => String::new(),
            text => format!("{before}{text}"),
        }
    }
}

fn news(kind: &str, row: &Row<'_>, before: Option<&str>) -> Option<News> {
    let at = |field: &str| row.number(field).unwrap_or(0);
    let (at, text, is_known) = match kind {
        "claim" => claim(row, before),
        "session" => session(row, before),
        "message" => {
            let subject = [row.text("subject"), row.text("body")];
            let subject = subject.into_iter().find(|t| !t.is_empty()).unwrap_or_default();
            let to = row.text("to_session");
            let text = format!("message {} to {to}: {subject}", row.text("from_session"));
            // A row of a message that is read by now changed because of that.
            (at("created_at"), text, row.number("read_at").is_some())
        }
        "todo" if row.text("status") == "done" => {
            let text =
                format!("todo done: {}{}", row.text("text"), row.with(" by ", "completed_by"));
            (row.number("completed_at").unwrap_or_else(|| at("created_at")), text, false)
        }
        "todo" => {
            let verb = if before.is_some() { "changed" } else { "added" };
            let whom = row.with(" for ", "assigned_to_user");
            (at("created_at"), format!("todo {verb}{whom}: {}", row.text("text")), false)
        }
        "component" => {
            let name = format!("{}/{}", row.text("project_key"), row.text("component"));
            let (version, by) = (row.with(" ", "version"), row.with(" by ", "updated_by"));
            let text = format!("component {name} is {}{version}{by}", row.text("state"));
            (at("updated_at"), text, false)
        }
        "workflow" => {
            let text = format!("workflow {} is {}", row.text("name"), row.text("status"));
            (at("updated_at"), text, false)
        }
        "work_item" => {
            let whom = row.with(" with ", "assigned_to");
            let text = format!("work item {} is {}{whom}", row.text("title"), row.text("status"));
            (at("updated_at"), text, false)
        }
        "decision" => {
            let by = row.with(" by ", "decided_by");
            let text = format!("decision {}: {}{by}", row.text("display_id"), row.text("title"));
            (at("decided_at"), text, false)
        }
        // Receipts, and what this version does not know.
        _ => return None,
    };
    Some(News { at, text, is_known })
}

fn claim(row: &Row<'_>, before: Option<&str>) -> (i64, String, bool) {
    let who = row.text("session_id");
    let what = format!("{} in {}", row.text("resource"), row.text("project_key"));
    if let Some(at) = row.number("ended_at") {
        let text = match row.text("end_reason") {
            "released" => format!("{who} released {what}"),
            reason => format!("{who} lost {what}: {reason}{}", row.with(" by ", "ended_by")),
        };
        return (at, text, false);
    }
    let at = row.number("acquired_at").unwrap_or(0);
    // Later activity on a claim that was not seen being made: it is an old one.
    let is_old = before.is_none() && row.number("last_activity") > Some(at);
    let why = row.with(" \u{2014} ", "description");
    (at, format!("{who} claimed {what}{why}"), is_old)
}

fn session(row: &Row<'_>, before: Option<&str>) -> (i64, String, bool) {
    let who = row.text("session_id");
    let (seen, first) = (row.number("last_seen").unwrap_or(0), row.number("first_seen"));
    if let Some(at) = row.number("ended_at") {
        return (at, format!("session {who} ended"), false);
    }
    if before.is_some_and(|b| b.ends_with(" ended")) {
        return (seen, format!("session {who} is back"), false);
    }
    if let Some(same) = before {
        return (seen, same.to_owned(), false);
    }
    (seen, format!("session {who} is new{}", row.with(" in ", "project_key")), first != Some(seen))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn change(kind: &str, row: &Value) -> Change {
        Change { kind: kind.into(), row: row.as_object().unwrap().clone() }
    }

    #[test]
    fn a_claim_comes_and_goes_once() {
        let mut seen = Seen::default();
        let mut row = json!({"seq": 1, "session_id": "A/x", "resource": "src/**", "acquired_at": 0,
            "project_key": "p", "last_activity": 0, "ended_at": null, "description": "api\u{1b}[2J"});
        let mut say = |row: &Value| seen.line(&change("claim", row));
        let claimed = "1970-01-01T00:00:00Z  A/x claimed src/** in p \u{2014} api\\u{1b}[2J";
        assert_eq!(say(&row).unwrap(), claimed);
        row["last_activity"] = json!(5_000);
        assert_eq!(say(&row), None, "a renewal is no news");
        row["ended_at"] = json!(6_000);
        row["end_reason"] = json!("released");
        assert_eq!(say(&row).unwrap(), "1970-01-01T00:00:06Z  A/x released src/** in p");
        assert_eq!(say(&row), None);
        let old = json!({"seq": 2, "session_id": "A/x", "acquired_at": 0, "last_activity": 9});
        assert_eq!(say(&old), None, "it was claimed before the watch began");
    }

    #[test]
    fn sessions_come_and_go() {
        let mut seen = Seen::default();
        let row = |seq: i64, first: i64, last: i64, ended: Value| {
            json!({"seq": seq, "session_id": "A/x", "first_seen": first, "last_seen": last,
                   "ended_at": ended})
        };
        let mut say = |row: Value| {
            let text = seen.line(&change("session", &row))?;
            Some(text.split_once("  ").unwrap().1.to_owned())
        };
        assert_eq!(say(row(1, 0, 0, Value::Null)).unwrap(), "session A/x is new");
        assert_eq!(say(row(1, 0, 5, Value::Null)), None, "a sign of life is no news");
        assert_eq!(say(row(1, 0, 6, json!(6))).unwrap(), "session A/x ended");
        assert_eq!(say(row(1, 0, 7, Value::Null)).unwrap(), "session A/x is back");
        assert_eq!(say(row(2, 0, 7, Value::Null)), None, "it was there before");
        assert_eq!(say(row(2, 0, 8, json!(8))).unwrap(), "session A/x ended");
    }

    #[test]
    fn a_message_is_news_until_it_is_read() {
        let mut seen = Seen::default();
        let mut row = json!({"seq": 1, "from_session": "A/x", "to_session": "B/y", "subject": "",
            "body": "one\ntwo", "created_at": 0, "read_at": null});
        let text = seen.line(&change("message", &row)).unwrap();
        assert!(text.ends_with("message A/x to B/y: one"), "{text}");
        row["read_at"] = json!(1);
        assert_eq!(seen.line(&change("message", &row)), None);
        assert_eq!(Seen::default().line(&change("message", &row)), None);
        assert_eq!(seen.line(&change("of next year", &row)), None);
    }
}
