//! Text of others made harmless: every control, bidi and invisible character becomes a visible
//! escape, so that no byte of a message steers a terminal or hides in a model's input (G48).

/// One line: newlines and tabs are made visible too.
pub fn line(text: &str) -> String {
    visible(text, false)
}

/// Of one text among others, as in a list, this much is shown.
const BRIEF_BYTES: usize = 400;

/// One line, and not more of it than fits into a list.
pub fn brief(text: &str) -> String {
    short(text, BRIEF_BYTES)
}

/// One line of at most so many bytes; then it says how many there are.
pub fn short(text: &str, most: usize) -> String {
    let whole = line(cut(text, most));
    let shown = cut(&whole, most);
    if text.len() <= most && shown.len() == whole.len() {
        return whole;
    }
    format!("{shown} ... ({} bytes in all)", text.len())
}

/// Several lines: newline and tab stay, a CR before a newline goes.
pub fn lines(text: &str) -> String {
    visible(&text.replace("\r\n", "\n"), true)
}

/// The text of a JSON value, with the same characters as JSON escapes: what a program reads is as
/// it was. They can only stand within strings, where an escape says the same.
pub fn json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            out.extend(c.encode_utf16(&mut units).iter().map(|u| format!("\\u{u:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

fn visible(text: &str, keep_layout: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        let shown = match c {
            '\n' | '\t' if keep_layout => true,
            // An emoji's presentation selector, behind something that can have one.
            '\u{fe0f}' => has_emoji_form(before),
            c => !is_hidden(c),
        };
        if shown {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
        before = c;
    }
    out
}

/// Symbols that are often followed by a selector of their emoji form.
fn has_emoji_form(c: char) -> bool {
    matches!(c, '\u{a9}' | '\u{ae}' | '\u{203c}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{27ff}' | '\u{2900}'..='\u{2bff}' | '\u{3030}' | '\u{303d}'
        | '\u{1f000}'..='\u{1faff}')
        && c != '\u{2800}'
}

/// Characters that a reader cannot see, or that change what is seen around them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Cuts at most `bytes` off the front, at a character border.
pub fn cut(text: &str, bytes: usize) -> &str {
    if text.len() <= bytes {
        return text;
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_shown_and_what_is_escaped() {
        assert_eq!(line("caf\u{e9} \u{26a0}\u{fe0f}"), "caf\u{e9} \u{26a0}\u{fe0f}");
        assert_eq!(line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(line("a\nb"), "a\\u{a}b");
        assert_eq!(lines("a\r\nb\tc\rd"), "a\nb\tc\\u{d}d");
        assert_eq!(line("\u{202e}evil\u{2066}"), "\\u{202e}evil\\u{2066}");
        assert_eq!(line("x\u{fe0f}\u{e0041}"), "x\\u{fe0f}\\u{e0041}");
        assert_eq!(cut("a\u{e9}b", 2), "a");
        assert_eq!(brief("a\nb"), "a\\u{a}b");
        assert_eq!(brief(&"x".repeat(400)).len(), 400);
        for long in ["x".repeat(100_000), "\u{1b}".repeat(400)] {
            let shown = brief(&long);
            assert!(shown.len() < 450 && shown.contains(&format!("({} bytes in all)", long.len())));
        }
        let value = serde_json::json!({"a": "\u{1b}\u{9b}\u{202e}\u{e0041}\u{7f}caf\u{e9}\n"});
        let shown = json(&value.to_string());
        assert!(shown.chars().all(|c| !is_hidden(c)), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left(text in "[a-z\\x00-\\x1f\\x7f-\\x9f\u{200b}-\u{202e}\u{2066}-\u{206f}\u{fe00}-\u{fe0f}\u{e0000}-\u{e007f} \n]{0,80}") {
            let shown = lines(&text);
            for c in shown.chars() {
                prop_assert!(c == '\n' || c == '\t' || !is_hidden(c), "{c:?} in {shown:?}");
            }
            prop_assert!(!line(&text).contains('\n'));
        }
    }
}
