//! Bodies and queries of the calls of seed 002: lenient where their callers rely on it, and refused
//! with a list of what is wrong, each with its place (`peer_api`, section 3).

use coord_protocol::limits::{JSON_DEPTH_MAX, NAME_BYTES_MAX};
use serde_json::{Map, Value, json};

use super::Matched;
use super::json::depth;
use crate::service::once::Told;

/// What was sent, and what was found wrong with it so far.
pub(super) struct Form {
    place: &'static str,
    fields: Map<String, Value>,
    errors: Vec<Value>,
}

impl Form {
    /// Reads a body.
    pub(super) fn body(bytes: &[u8]) -> Result<Self, Told> {
        if depth(bytes) > JSON_DEPTH_MAX {
            return Err(refused(&[error(
                "json_invalid",
                &["body"],
                "nested too deeply",
                &json!({}),
            )]));
        }
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(fields)) => Ok(Self { place: "body", fields, errors: Vec::new() }),
            Ok(other) => Err(refused(&[error(
                "model_attributes_type",
                &["body"],
                "Input should be a valid dictionary or object to extract fields from",
                &other,
            )])),
            Err(_) if bytes.iter().all(u8::is_ascii_whitespace) => {
                Err(refused(&[error("missing", &["body"], "Field required", &Value::Null)]))
            }
            Err(e) => Err(refused(&[error("json_invalid", &["body"], &e.to_string(), &json!({}))])),
        }
    }

    /// Reads the named parameters of a query; those that are not there stay away.
    pub(super) fn query(m: &Matched<'_>, names: &[&str]) -> Self {
        let found = names.iter().filter_map(|n| Some(((*n).to_owned(), json!(m.query(n)?))));
        Self { place: "query", fields: found.collect(), errors: Vec::new() }
    }

    fn wrong(&mut self, kind: &str, name: &str, why: &str) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let input = self.fields.get(name).cloned().unwrap_or_else(|| {
            if kind == "missing" { Value::Object(self.fields.clone()) } else { Value::Null }
        });
        self.errors.push(error(kind, &[self.place, name], why, &input));
    }

    /// What was sent under this name; null is nothing.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|v| !v.is_null())
    }

    /// A text that must be there.
    pub(super) fn text(&mut self, name: &str) -> String {
        if self.value(name).is_none() {
            self.wrong("missing", name, "Field required");
        }
        self.maybe_text(name).unwrap_or_default()
    }

    /// A text that may be absent.
    pub(super) fn maybe_text(&mut self, name: &str) -> Option<String> {
        if let Value::String(s) = self.value(name)? {
            return Some(s.clone());
        }
        self.wrong("string_type", name, "Input should be a valid string");
        None
    }

    /// The same for a name: not blank, not too long; empty counts as absent.
    pub(super) fn maybe_name(&mut self, name: &str) -> Option<String> {
        let text = self.maybe_text(name).filter(|t| !t.is_empty())?;
        if text.len() > NAME_BYTES_MAX {
            self.wrong("string_too_long", name, &format!("at most {NAME_BYTES_MAX} bytes"));
        }
        Some(text)
    }

    /// A whole number, also as text, between two bounds.
    pub(super) fn number(&mut self, name: &str, least: i64, most: i64) -> Option<i64> {
        let n = match self.value(name)? {
            Value::Number(n) => n.as_i64().or_else(|| whole(n.as_f64()?)),
            Value::String(s) => s.trim().parse().ok(),
            _ => None,
        };
        match n {
            None => self.wrong(
                "int_parsing",
                name,
                "Input should be a valid integer, unable to parse string as an integer",
            ),
            Some(n) if n < least => {
                let why = format!("Input should be greater than or equal to {least}");
                self.wrong("greater_than_equal", name, &why);
            }
            Some(n) if n > most => {
                let why = format!("Input should be less than or equal to {most}");
                self.wrong("less_than_equal", name, &why);
            }
            Some(_) => {}
        }
        n
    }

    /// Yes or no, also as text.
    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        let word = match self.value(name)? {
            Value::Bool(b) => return Some(*b),
            Value::String(s) => s.to_ascii_lowercase(),
            other => other.to_string(),
        };
        match word.as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => {
                self.wrong("bool_parsing", name, "Input should be a valid boolean");
                None
            }
        }
    }

    /// A list of texts.
    pub(super) fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        let Value::Array(all) = self.value(name)?.clone() else {
            self.wrong("list_type", name, "Input should be a valid list");
            return None;
        };
        let mut texts = Vec::with_capacity(all.len());
        for (at, v) in all.iter().enumerate() {
            if self.errors.len() >= ERRORS_MAX {
                break;
            }
            if let Some(text) = v.as_str() {
                texts.push(text.to_owned());
                continue;
            }
            let mut e =
                error("string_type", &[self.place, name], "Input should be a valid string", v);
            if let Some(loc) = e["loc"].as_array_mut() {
                loc.push(json!(at));
            }
            self.errors.push(e);
        }
        Some(texts)
    }

    /// A list of objects, each read as a form of its own.
    pub(super) fn items<T>(&mut self, name: &str, read: impl Fn(&mut Form) -> T) -> Vec<T> {
        let all = match self.value(name) {
            None => {
                self.wrong("missing", name, "Field required");
                return Vec::new();
            }
            Some(Value::Array(all)) => all.clone(),
            Some(_) => {
                self.wrong("list_type", name, "Input should be a valid list");
                return Vec::new();
            }
        };
        if all.len() > LIST_MAX {
            self.wrong("too_long", name, &format!("List should have at most {LIST_MAX} items"));
            return Vec::new();
        }
        let mut found = Vec::with_capacity(all.len());
        for (at, item) in all.into_iter().enumerate() {
            if self.errors.len() >= ERRORS_MAX {
                break;
            }
            let Value::Object(fields) = item else {
                self.wrong("model_type", name, "Input should be a list of objects");
                continue;
            };
            let mut form = Form { place: "body", fields, errors: Vec::new() };
            found.push(read(&mut form));
            for mut e in form.errors {
                // body, claims, 0, pattern
                if let Some(loc) = e["loc"].as_array_mut() {
                    loc.splice(1..1, [json!(name), json!(at)]);
                }
                self.errors.push(e);
            }
        }
        found
    }

    /// Says that a text must not be empty.
    pub(super) fn too_short(&mut self, name: &str) {
        self.wrong("string_too_short", name, "String should have at least 1 character");
    }

    /// Says that a value is not one of those that are known.
    pub(super) fn one_of(&mut self, name: &str, known: &str) {
        self.wrong("enum", name, &format!("Input should be {known}"));
    }

    /// All that was wrong, if anything was.
    pub(super) fn done(&self) -> Result<(), Told> {
        if self.errors.is_empty() { Ok(()) } else { Err(refused(&self.errors)) }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "only whole numbers in the range are taken")]
fn whole(x: f64) -> Option<i64> {
    (x.fract() == 0.0 && x.abs() < 1e15).then_some(x as i64)
}

/// What was sent is repeated up to this length.
const INPUT_BYTES: usize = 2_000;

fn error(kind: &str, loc: &[&str], why: &str, input: &Value) -> Value {
    let text = input.to_string();
    let cut = || json!(format!("{}...", &text[..text.floor_char_boundary(INPUT_BYTES)]));
    let input = if text.len() > INPUT_BYTES { cut() } else { input.clone() };
    json!({"type": kind, "loc": loc, "msg": why, "input": input})
}

/// Wrong inputs that are named in one answer.
const ERRORS_MAX: usize = 20;
/// Items of one list at most.
const LIST_MAX: usize = 10_000;

fn refused(errors: &[Value]) -> Told {
    let shown = &errors[..errors.len().min(ERRORS_MAX)];
    Told::new(422, json!({"detail": shown}).to_string())
}
