//! The body of a delivery, byte for byte as receivers of seed 002 know it: sorted keys, `", "` and
//! `": "` between them, nothing but ASCII. The signature covers these bytes.

use std::io;

use coord_protocol::time::Millis;
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};
use serde_json::{Value, json};

/// The body for an event.
pub fn body(kind: &str, detail: &Value, at: Millis) -> String {
    let whole = json!({"detail": detail, "event_type": kind, "timestamp": at});
    let mut bytes = Vec::new();
    // Writing into memory cannot fail, and a value is always JSON.
    let _ = whole.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced));
    String::from_utf8(bytes).unwrap_or_default()
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        w.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        first: bool,
    ) -> io::Result<()> {
        w.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, w: &mut W) -> io::Result<()> {
        w.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        w: &mut W,
        text: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in text.chars() {
            if matches!(c, ' '..='~') {
                w.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(w, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_receivers_of_the_seed_know_it() {
        let detail = json!({
            "requester_claim_id": "b", "holder_claim_id": "a",
            "overlapping_paths": ["<unknown>", "x"], "overlapping_symbols": [],
            "none": null, "n": 3, "empty": {},
        });
        assert_eq!(
            body("auto-coexist", &detail, Millis(1_795_187_835_999)),
            "{\"detail\": {\"empty\": {}, \"holder_claim_id\": \"a\", \"n\": 3, \"none\": null, \
             \"overlapping_paths\": [\"<unknown>\", \"x\"], \"overlapping_symbols\": [], \
             \"requester_claim_id\": \"b\"}, \"event_type\": \"auto-coexist\", \
             \"timestamp\": \"2026-11-20T15:17:15Z\"}"
        );
    }

    #[test]
    fn nothing_but_ascii() {
        // What Python's json.dumps gives for the same text.
        let detail = json!("é\u{7f}😀\"\\\n\t\r\u{8}\u{c}\u{1}/");
        let text = body("e", &detail, Millis(0));
        assert!(
            text.starts_with(
                r#"{"detail": "\u00e9\u007f\ud83d\ude00\"\\\n\t\r\b\f\u0001/", "event_type""#
            ),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["detail"], detail);
    }
}
