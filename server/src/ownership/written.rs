//! How a text is written so that every reader of YAML takes it for that text.

use std::fmt::Write as _;

use super::yaml::plain;

/// What may stand in a text without quotes, wherever it stands: in a line of its own or in brackets.
fn is_safe(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '/'))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._/-+@*$~=^()".contains(c))
}

/// A text as a YAML scalar: without quotes where that is safe.
pub(super) fn scalar(text: &str) -> String {
    if is_safe(text) && plain(text).is_none() && !is_like_a_time(text) {
        return text.to_owned();
    }
    if !text.is_empty() && text.chars().all(|c| c == ' ' || c.is_ascii_graphic()) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    double_quoted(text)
}

/// YAML 1.1 knows days and times.
fn is_like_a_time(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_digit() || "-:.TZ+".contains(c))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            // Line breaks of YAML 1.1, marks of byte order, and what has no shape.
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                // A string takes whatever is written to it.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_where_needed() {
        for (text, written) in [
            ("src/router.ts", "src/router.ts"),
            ("src/auth/**", "src/auth/**"),
            ("**/x.ts", "'**/x.ts'"),
            ("app/[id]/page.tsx", "'app/[id]/page.tsx'"),
            ("it's", "'it''s'"),
            ("on", "'on'"),
            ("12", "'12'"),
            ("2026-06-02", "'2026-06-02'"),
            ("2026-06-02T12:00:00Z", "'2026-06-02T12:00:00Z'"),
            ("a # b", "'a # b'"),
            ("", "\"\""),
            ("\u{e4}\n\"\u{7}", "\"\u{e4}\\n\\\"\\u0007\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }
}
