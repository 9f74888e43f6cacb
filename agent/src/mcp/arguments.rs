//! A call's arguments, held against what the tool takes. What is wrong here is a malformed call; what
//! is wrong with their meaning is for the command to say.

use coord_protocol::limits::TEXT_BYTES_MAX;
use serde_json::{Map, Value};

use super::tools::{Kind, TEXTS_MAX, Tool};
use crate::ui::neutral::{cut, line};

/// Of a name in an error, this much.
const SHOWN_BYTES: usize = 80;

/// Arguments of the right form.
#[derive(Debug, Clone, Default)]
pub struct Arguments(Map<String, Value>);

impl Arguments {
    /// Checked. The error is a sentence that names the argument.
    pub fn read(tool: &Tool, given: Map<String, Value>) -> Result<Self, String> {
        // Many clients write null for what they leave out.
        let given: Map<_, _> = given.into_iter().filter(|(_, v)| !v.is_null()).collect();
        for (name, value) in &given {
            let Some(parameter) = tool.parameters().find(|p| p.name == name) else {
                let known: Vec<_> = tool.parameters().map(|p| p.name).collect();
                let name = line(cut(name, SHOWN_BYTES));
                return Err(format!(
                    "{} takes no {name}; it takes {}",
                    tool.name,
                    known.join(", ")
                ));
            };
            if let Some(what) = mismatch(parameter.kind, value) {
                return Err(format!("{}: {name} must be {what}", tool.name));
            }
        }
        match tool.parameters().find(|p| p.required && !given.contains_key(p.name)) {
            Some(missing) => Err(format!("{}: {} is missing", tool.name, missing.name)),
            None => Ok(Self(given)),
        }
    }

    /// A text, when it is given.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A list of texts; empty when it is not given.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// A number, when it is given.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name).and_then(whole)
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.0.get(name) == Some(&Value::Bool(true))
    }
}

/// A whole number; some clients write 5 as 5.0.
fn whole(value: &Value) -> Option<u64> {
    let of_float = |f: f64| {
        // Exact below 2^53; larger ones are out of all bounds here.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked")]
        let n = (f.fract() == 0.0 && (0.0..1e9).contains(&f)).then_some(f as u64);
        n
    };
    value.as_u64().or_else(|| value.as_f64().and_then(of_float))
}

/// What a value should be, if it is something else.
fn mismatch(kind: Kind, value: &Value) -> Option<String> {
    let fits = |text: &str| text.len() <= TEXT_BYTES_MAX;
    let ok = match kind {
        Kind::Text => value.as_str().is_some_and(fits),
        Kind::Texts => value.as_array().is_some_and(|list| {
            (1..=TEXTS_MAX).contains(&list.len())
                && list.iter().all(|v| v.as_str().is_some_and(fits))
        }),
        Kind::Flag => value.is_boolean(),
        Kind::Number(least, most) => {
            whole(value).is_some_and(|n| (u64::from(least)..=u64::from(most)).contains(&n))
        }
        Kind::Word(words) => value.as_str().is_some_and(|w| words.contains(&w)),
    };
    (!ok).then(|| match kind {
        Kind::Text => format!("a text of at most {TEXT_BYTES_MAX} bytes"),
        Kind::Texts => format!("a list of 1 to {TEXTS_MAX} texts"),
        Kind::Flag => "true or false".to_owned(),
        Kind::Number(least, most) => format!("a whole number from {least} to {most}"),
        Kind::Word(words) => format!("one of {}", words.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mcp::tools::find;

    fn read(tool: &str, given: &Value) -> Result<Arguments, String> {
        Arguments::read(find(tool).unwrap(), given.as_object().unwrap().clone())
    }

    #[test]
    fn what_fits_is_read() {
        let given = json!({"files": ["a", "b"], "wait_seconds": 5.0, "urgency": "high",
            "shared": true, "description": null});
        let a = read("coord_claim", &given).unwrap();
        assert_eq!((a.texts("files"), a.number("wait_seconds")), (vec!["a", "b"], Some(5)));
        assert_eq!((a.text("urgency"), a.flag("shared")), (Some("high"), true));
        assert_eq!((a.text("description"), a.number("hours")), (None, None));
    }

    #[test]
    fn what_does_not_is_named() {
        for (tool, given, words) in [
            ("coord_claim", json!({}), "files is missing"),
            ("coord_claim", json!({"files": null}), "files is missing"),
            ("coord_claim", json!({"files": "a"}), "files must be a list of 1 to 500"),
            ("coord_claim", json!({"files": []}), "files must be a list"),
            ("coord_claim", json!({"files": ["a", 1]}), "files must be a list"),
            ("coord_claim", json!({"files": ["a"], "hours": 0}), "hours must be a whole number"),
            ("coord_claim", json!({"files": ["a"], "hours": 1.5}), "hours must be a whole"),
            ("coord_claim", json!({"files": ["a"], "hours": -3}), "hours must be a whole"),
            ("coord_claim", json!({"files": ["a"], "urgency": "soon"}), "urgency must be one of"),
            ("coord_claim", json!({"files": ["a"], "shared": "yes"}), "shared must be true or"),
            ("coord_sync", json!({"x\u{1b}": 1}), "takes no x\\u{1b}; it takes session"),
            ("coord_send", json!({"to": 7}), "to must be a text"),
        ] {
            let e = read(tool, &given).unwrap_err();
            assert!(e.contains(words), "{given}: {e}");
        }
    }
}
