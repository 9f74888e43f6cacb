//! The sentence that refuses symbols which a file does not have.

use std::fmt::Write as _;

/// Most known symbols that the sentence lists.
const LISTED_MAX: usize = 20;
/// Names further apart than this are not taken for a slip of the hand.
const DISTANCE_MAX: usize = 2;
/// Most unknown symbols, and longest names in characters, for which near ones are searched: a hint
/// is not worth more.
const SEARCHED_MAX: usize = 20;
const SEARCHED_CHARS_MAX: usize = 64;

/// The refusal, in the peer's words: `Unknown symbols in 'a.ts': ['nope']. Known symbols (up to 20):
/// ['Login', ...]`. `known` is sorted and stays so; when there are more than fit, those that resemble
/// an unknown one come first.
pub fn refusal(path: &str, unknown: &[String], known: &[&str]) -> String {
    let mut unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    unknown.sort_unstable();
    let listed =
        if known.len() > LISTED_MAX { near_first(&unknown, known) } else { known.to_vec() };
    format!(
        "Unknown symbols in {}: {}. Known symbols (up to {LISTED_MAX}): {}",
        quoted(path),
        list(&unknown),
        list(&listed)
    )
}

fn near_first<'k>(unknown: &[&str], known: &[&'k str]) -> Vec<&'k str> {
    let searched = &unknown[..unknown.len().min(SEARCHED_MAX)];
    let mut ranked: Vec<(usize, &'k str)> = known
        .iter()
        .map(|k| {
            let nearest = searched.iter().map(|u| likeness(u, k)).min();
            (nearest.unwrap_or(usize::MAX), *k)
        })
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(LISTED_MAX).map(|(_, k)| k).collect()
}

/// How far a known path is from an unknown one: 0 for the same last name, then by letters.
fn likeness(unknown: &str, known: &str) -> usize {
    let leaf = |path: &str| path.rsplit("::").next().unwrap_or_default().to_owned();
    let (u, k) = (leaf(unknown), leaf(known));
    if u == k {
        return 0;
    }
    if u.eq_ignore_ascii_case(&k) {
        return 1;
    }
    distance(&u, &k).or_else(|| distance(unknown, known)).unwrap_or(usize::MAX)
}

/// The number of letters to change, add or take away, up to [`DISTANCE_MAX`].
fn distance(a: &str, b: &str) -> Option<usize> {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let longest = a.len().max(b.len());
    // Two short words are always near each other.
    if a.len().abs_diff(b.len()) > DISTANCE_MAX || !(4..=SEARCHED_CHARS_MAX).contains(&longest) {
        return None;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.iter().enumerate() {
        let mut above_left = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let here = (above_left + usize::from(ca != cb)).min(row[j] + 1).min(row[j + 1] + 1);
            above_left = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row.last().copied().filter(|d| *d <= DISTANCE_MAX)
}

/// A list as Python prints it.
fn list(items: &[&str]) -> String {
    let items: Vec<String> = items.iter().map(|i| quoted(i)).collect();
    format!("[{}]", items.join(", "))
}

/// A text in quotes, as Python prints it: clients of the peer read the same.
pub fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if c.is_control() && u32::from(c) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence() {
        let unknown = ["nope".to_owned(), "alsoNope".to_owned()];
        assert_eq!(
            refusal("src/auth/login.ts", &unknown, &["LoginKind", "handleLogin"]),
            "Unknown symbols in 'src/auth/login.ts': ['alsoNope', 'nope']. \
             Known symbols (up to 20): ['LoginKind', 'handleLogin']"
        );
    }

    #[test]
    fn near_ones_come_first_when_not_all_fit() {
        let names: Vec<String> = (0..40).map(|n| format!("name_{n:02}")).collect();
        let mut known: Vec<&str> = names.iter().map(String::as_str).collect();
        known.extend(["Router::handleAuth", "handleLogin", "zz"]);
        let text =
            refusal("a.ts", &["handelLogin".to_owned(), "Guard::handleAuth".to_owned()], &known);
        let listed = text.split("(up to 20): ").nth(1).unwrap();
        assert!(listed.starts_with("['Router::handleAuth', 'handleLogin', 'name_00'"), "{listed}");
        assert_eq!(listed.matches(", ").count(), LISTED_MAX - 1);
        // All that fit stay in their order.
        let text = refusal("a.ts", &["handelLogin".to_owned()], &["a", "handleLogin"]);
        assert!(text.ends_with("['a', 'handleLogin']"), "{text}");
    }

    #[test]
    fn distances() {
        assert_eq!(distance("handle", "handle"), Some(0));
        assert_eq!(distance("handle", "hande"), Some(1));
        assert_eq!(distance("kitten", "sitten"), Some(1));
        assert_eq!(distance("kitten", "sitting"), None);
        assert_eq!(distance("ab", "cd"), None);
        assert_eq!(distance("", "abcd"), None);
    }

    #[test]
    fn texts_as_python_prints_them() {
        assert_eq!(quoted("a"), "'a'");
        assert_eq!(quoted("it's"), "\"it's\"");
        assert_eq!(quoted("it's \"x\""), "'it\\'s \"x\"'");
        assert_eq!(quoted("a\\b\n\u{1b}é"), "'a\\\\b\\n\\x1bé'");
        assert_eq!(list(&[]), "[]");
    }
}
