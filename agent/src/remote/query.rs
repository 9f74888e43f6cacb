//! Query strings.

/// A query string, built piece by piece.
#[derive(Default)]
pub struct Query(String);

impl Query {
    /// Adds a parameter when it has a value.
    pub fn and(mut self, name: &str, value: Option<&str>) -> Self {
        if let Some(v) = value {
            self.0.push(if self.0.is_empty() { '?' } else { '&' });
            self.0.push_str(name);
            self.0.push('=');
            self.0.push_str(&encode(v));
        }
        self
    }

    /// The path with it.
    pub fn on(&self, path: &str) -> String {
        format!("{path}{}", self.0)
    }
}

/// Percent-encodes a path segment or a query value.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut out, b| {
        if b.is_ascii_alphanumeric() || b"-._~".contains(&b) {
            out.push(char::from(b));
        } else {
            let _ = write!(out, "%{b:02X}");
        }
        out
    })
}
