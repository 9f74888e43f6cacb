//! What a tool call means as a command line: the rules of a verb exist once, at the command line.

use super::arguments::Arguments;
use super::tools::Tool;

/// The words of one command, without the program's name.
pub(super) type Words = Vec<String>;

/// The commands of a call, in order; the last one's answer is the call's. An error is a sentence.
pub(super) fn of_call(
    tool: &Tool,
    a: &Arguments,
    project: Option<&str>,
) -> Result<Vec<Words>, String> {
    let one = |line: Line| line.words().map(|w| vec![w]);
    match tool.name {
        "coord_status" => one(Line::of("status").option("project", a.text("project"))),
        "coord_inbox" => inbox(a),
        "coord_send" => one(Line::of("msg send")
            .option("project", a.text("project"))
            .named(["to", "subject", "body"].into_iter().filter_map(|n| a.text(n)))),
        "coord_claims" => one(match a.texts("files") {
            none if none.is_empty() => Line::of("claims"),
            files => Line::of("conflicts").named(files),
        }),
        "coord_claim" => one(claim(a)),
        "coord_release" => release(a),
        "coord_request" => request(a),
        "coord_todo" => todo(a),
        "coord_lock" => lock(a, project),
        "coord_sync" => one(Line::of("sync --brief")),
        other => Err(format!("{other} is no tool")),
    }
}

fn inbox(a: &Arguments) -> Result<Vec<Words>, String> {
    let mut all = Vec::new();
    let dealt_with = a.texts("read");
    if !dealt_with.is_empty() {
        all.push(Line::of("msg read").named(dealt_with).words()?);
    }
    all.push(Line::of("msg inbox --brief").flag("all", a.flag("all")).words()?);
    Ok(all)
}

fn claim(a: &Arguments) -> Line {
    let symbols = a.texts("symbols").into_iter().map(|s| ("symbol", Some(s)));
    let line = Line::of("claim")
        .flag("shared", a.flag("shared"))
        .option("description", a.text("description"))
        .number("ttl", a.number("hours"))
        .number("wait", a.number("wait_seconds"))
        .option("urgency", a.text("urgency"));
    symbols.fold(line, |l, (name, s)| l.option(name, s)).named(a.texts("files"))
}

fn release(a: &Arguments) -> Result<Vec<Words>, String> {
    let claims = a.texts("claims");
    if claims.is_empty() != a.flag("all") {
        return Err("name the claims, or say all: true".to_owned());
    }
    Ok(vec![Line::of("release").flag("all", a.flag("all")).named(claims).words()?])
}

fn request(a: &Arguments) -> Result<Vec<Words>, String> {
    let line = match (a.text("ask"), a.text("respond")) {
        (None, None) => Line::of("request inbox"),
        (Some(claim), None) => Line::of("request release")
            .option("reason", a.text("reason"))
            .option("urgency", a.text("urgency"))
            .named([claim]),
        (None, Some(id)) => answer(a)?.option("note", a.text("note")).named([id]),
        (Some(_), Some(_)) => return Err("either ask or respond, not both".to_owned()),
    };
    Ok(vec![line.words()?])
}

fn answer(a: &Arguments) -> Result<Line, String> {
    let line = Line::of("request respond");
    match (a.text("decision"), a.text("pattern")) {
        (Some(how @ ("approve" | "deny")), None) => Ok(line.flag(how, true)),
        (Some(how @ ("narrow" | "coexist")), Some(pattern)) => Ok(line.option(how, Some(pattern))),
        (Some(_), Some(_)) => Err("a pattern goes with narrow and coexist only".to_owned()),
        (Some(_), None) => {
            Err("narrow and coexist need a pattern: what is kept, or shared".to_owned())
        }
        (None, _) => Err("respond needs a decision: approve, deny, narrow or coexist".to_owned()),
    }
}

fn todo(a: &Arguments) -> Result<Vec<Words>, String> {
    let about = |l: Line| l.option("project", a.text("project")).option("user", a.text("user"));
    let line = match (a.text("add"), a.text("done")) {
        (None, None) => about(Line::of("todo list")),
        (Some(text), None) => about(Line::of("todo add")).named([text]),
        (None, Some(id)) => Line::of("todo done").named([id]),
        (Some(_), Some(_)) => return Err("either add or done, not both".to_owned()),
    };
    Ok(vec![line.words()?])
}

fn lock(a: &Arguments, project: Option<&str>) -> Result<Vec<Words>, String> {
    let line = match (a.text("resource"), a.text("release")) {
        (None, None) => Line::of("lock list").option("project", project),
        (Some(resource), None) => {
            let project = project.ok_or("this folder belongs to no project")?;
            let named = [project, resource].into_iter().chain(a.text("description"));
            Line::of("lock claim").number("ttl", a.number("hours")).named(named)
        }
        (None, Some(id)) => Line::of("lock release").named([id]),
        (Some(_), Some(_)) => return Err("either resource or release, not both".to_owned()),
    };
    Ok(vec![line.words()?])
}

/// A command line in the making: what comes from a call can be no option.
struct Line {
    words: Words,
    named: Option<Words>,
}

impl Line {
    fn of(verb: &str) -> Self {
        Self { words: verb.split(' ').map(str::to_owned).collect(), named: None }
    }

    fn flag(mut self, name: &str, on: bool) -> Self {
        if on {
            self.words.push(format!("--{name}"));
        }
        self
    }

    fn option(mut self, name: &str, value: Option<&str>) -> Self {
        self.words.extend(value.map(|v| format!("--{name}={v}")));
        self
    }

    fn number(self, name: &str, value: Option<u64>) -> Self {
        self.option(name, value.map(|n| n.to_string()).as_deref())
    }

    fn named<'a>(mut self, words: impl IntoIterator<Item = &'a str>) -> Self {
        self.named = Some(words.into_iter().map(str::to_owned).collect());
        self
    }

    fn words(mut self) -> Result<Words, String> {
        let named = self.named.unwrap_or_default();
        // At the command line it means stdin, which is the protocol's here.
        if named.iter().any(|w| w == "-") {
            return Err("\"-\" alone is no text here; write more than that".to_owned());
        }
        if !named.is_empty() {
            self.words.push("--".to_owned());
            self.words.extend(named);
        }
        Ok(self.words)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::mcp::tools::find;

    fn words(tool: &str, given: &Value) -> Result<Vec<String>, String> {
        let tool = find(tool).unwrap();
        let a = Arguments::read(tool, given.as_object().unwrap().clone()).unwrap();
        let all = of_call(tool, &a, Some("acme/app"))?;
        Ok(all.iter().map(|w| w.join(" ")).collect())
    }

    #[test]
    fn calls_as_command_lines() {
        for (tool, given, lines) in [
            ("coord_status", json!({}), &["status"][..]),
            (
                "coord_inbox",
                json!({"read": ["m1"], "all": true}),
                &["msg read -- m1", "msg inbox --brief --all"],
            ),
            (
                "coord_send",
                json!({"body": "b", "subject": "--all", "to": "ALL"}),
                &["msg send -- ALL --all b"],
            ),
            ("coord_claims", json!({}), &["claims"]),
            ("coord_claims", json!({"files": ["a"]}), &["conflicts -- a"]),
            (
                "coord_claim",
                json!({"files": ["a", "--all"], "symbols": ["a#X"], "hours": 2,
                "wait_seconds": 9, "urgency": "high", "description": "-d"}),
                &["claim --description=-d --ttl=2 --wait=9 --urgency=high --symbol=a#X -- a --all"],
            ),
            ("coord_release", json!({"all": true}), &["release --all"]),
            (
                "coord_request",
                json!({"ask": "a", "reason": "r"}),
                &["request release --reason=r -- a"],
            ),
            (
                "coord_request",
                json!({"respond": "r1", "decision": "narrow", "pattern": "p"}),
                &["request respond --narrow=p -- r1"],
            ),
            ("coord_request", json!({}), &["request inbox"]),
            ("coord_todo", json!({"add": "t", "user": "u"}), &["todo add --user=u -- t"]),
            ("coord_todo", json!({"done": "t1"}), &["todo done -- t1"]),
            (
                "coord_lock",
                json!({"resource": "deploy:prod"}),
                &["lock claim -- acme/app deploy:prod"],
            ),
            ("coord_lock", json!({"release": "l1"}), &["lock release -- l1"]),
            ("coord_sync", json!({}), &["sync --brief"]),
        ] {
            assert_eq!(words(tool, &given).unwrap(), lines, "{tool} {given}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (tool, given) in [
            ("coord_send", json!({"to": "ALL", "subject": "s", "body": "-"})),
            ("coord_todo", json!({"add": "-"})),
            ("coord_todo", json!({"add": "a", "done": "b"})),
            ("coord_release", json!({})),
            ("coord_release", json!({"all": true, "claims": ["a"]})),
            ("coord_request", json!({"ask": "a", "respond": "b"})),
            ("coord_request", json!({"respond": "b"})),
            ("coord_request", json!({"respond": "b", "decision": "narrow"})),
            ("coord_request", json!({"respond": "b", "decision": "deny", "pattern": "x"})),
            ("coord_lock", json!({"resource": "a", "release": "b"})),
        ] {
            assert!(words(tool, &given).is_err(), "{tool} {given}");
        }
    }
}
