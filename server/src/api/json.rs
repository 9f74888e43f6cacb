//! Reading JSON bodies: bounded in depth, and refused with words that name what is wrong.

use coord_protocol::limits::JSON_DEPTH_MAX;
use serde::de::DeserializeOwned;

use crate::service::Refusal;

/// Reads a body. Not JSON at all is 400; JSON of the wrong shape is 422.
pub(super) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::new(400, "the body is empty; JSON is expected"));
    }
    if depth(bytes) > JSON_DEPTH_MAX {
        let why = format!("the body is nested deeper than {JSON_DEPTH_MAX} levels");
        return Err(Refusal::new(400, why));
    }
    serde_json::from_slice(bytes).map_err(|e| {
        let status = if e.is_data() { 422 } else { 400 };
        Refusal::new(status, format!("bad JSON body: {e}"))
    })
}

/// The deepest nesting of brackets outside of strings.
pub(super) fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut most) = (0usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for b in bytes {
        match b {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                now += 1;
                most = most.max(now);
            }
            b']' | b'}' if !in_string => now = now.saturating_sub(1),
            _ => {}
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    #[test]
    fn depth_ignores_text() {
        assert_eq!(depth(br#"{"a":[1,{"b":"[[[\"[["}]}"#), 3);
    }

    #[test]
    fn what_is_refused_and_how() {
        let status = |b: &str| body::<Vec<u32>>(b.as_bytes()).unwrap_err().status;
        assert_eq!(status(""), 400);
        assert_eq!(status("[1,"), 400);
        assert_eq!(status("{}"), 422);
        assert_eq!(status("[-1]"), 422);
        let deep = "[".repeat(33) + &"]".repeat(33);
        assert_eq!(body::<Value>(deep.as_bytes()).unwrap_err().status, 400);
        let fine = "[".repeat(32) + &"]".repeat(32);
        assert!(body::<Value>(fine.as_bytes()).is_ok());
    }
}
