//! Parsing a pattern, and matching it against a path.

/// Most alternatives that the braces of one pattern may expand to.
const ALTERNATIVES_MAX: usize = 64;
/// Most segments of a pattern; keeps the product of two patterns small.
const SEGMENTS_MAX: usize = 64;
/// Most steps of a pattern, all alternatives together: comparing two patterns costs at most the
/// square of this.
const STEPS_MAX: usize = 640;

/// Why a pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPattern {
    /// `[` without its `]`.
    #[error("'[' without ']'")]
    OpenClass,
    /// `[z-a]`.
    #[error("range {0}-{1} runs backwards")]
    BackwardRange(char, char),
    /// `[/]` or a range that would contain it can never match.
    #[error("'/' cannot be in a set")]
    SlashInClass,
    /// A brace inside a brace.
    #[error("braces inside braces")]
    NestedBraces,
    /// `{a,b` without its `}`.
    #[error("'{{' without '}}'")]
    OpenBrace,
    /// Too many alternatives.
    #[error("braces expand to more than {ALTERNATIVES_MAX} alternatives")]
    TooManyAlternatives,
    /// Too long once its braces are expanded.
    #[error("more than {STEPS_MAX} characters once its braces are expanded")]
    TooLong,
    /// Too many segments.
    #[error("more than {SEGMENTS_MAX} segments")]
    TooManySegments,
}

/// One step of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// Any run of characters, the empty one included.
    Star,
    /// One character out of a set.
    One(CharSet),
}

/// Sorted, disjoint, inclusive ranges of characters; never holds `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CharSet(Vec<(u32, u32)>);

/// One segment of a path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// `**`.
    Any,
    /// Everything else.
    Tokens(Vec<Token>),
}

/// A parsed pattern: one or more alternatives, each a list of segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pub(super) alternatives: Vec<Vec<Segment>>,
}

impl CharSet {
    fn single(c: char) -> Self {
        Self(vec![(c as u32, c as u32)])
    }

    fn any() -> Self {
        Self(vec![(0, '/' as u32 - 1), ('/' as u32 + 1, char::MAX as u32)])
    }

    fn from_ranges(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (lo, hi) in ranges {
            match merged.last_mut() {
                Some(last) if lo <= last.1.saturating_add(1) => last.1 = last.1.max(hi),
                _ => merged.push((lo, hi)),
            }
        }
        Self(merged)
    }

    fn complement(&self) -> Self {
        let mut out = Vec::new();
        let mut next = 0;
        for &(lo, hi) in &self.0 {
            if lo > next {
                out.push((next, lo - 1));
            }
            next = hi + 1;
        }
        if next <= char::MAX as u32 {
            out.push((next, char::MAX as u32));
        }
        Self(out).intersect(&Self::any())
    }

    pub(super) fn intersect(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        for &(a, b) in &self.0 {
            for &(c, d) in &other.0 {
                let (lo, hi) = (a.max(c), b.min(d));
                if lo <= hi {
                    out.push((lo, hi));
                }
            }
        }
        Self::from_ranges(out)
    }

    pub(super) fn contains(&self, c: char) -> bool {
        self.0.iter().any(|&(lo, hi)| (lo..=hi).contains(&(c as u32)))
    }

    /// A readable member: a letter if there is one, else the first.
    pub(super) fn sample(&self) -> Option<char> {
        const NICE: &str = "xabcdefghijklmnopqrstuvwyz0123456789_-.ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        NICE.chars()
            .find(|&c| self.contains(c))
            .or_else(|| self.0.iter().find_map(|&(lo, hi)| (lo..=hi).find_map(char::from_u32)))
    }
}

impl CharSet {
    /// Its one member, if it has only one.
    pub(super) fn only(&self) -> Option<char> {
        match self.0.as_slice() {
            &[(lo, hi)] if lo == hi => char::from_u32(lo),
            _ => None,
        }
    }
}

impl Segment {
    /// Whether it matches a segment of a path.
    pub(super) fn takes(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Tokens(t) => matches_tokens(t, text),
        }
    }
}

impl Pattern {
    /// Parses a pattern in canonical form (see [`crate::path::canonical`]).
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let texts = expand_braces(text)?;
        if texts.iter().map(|t| t.chars().count()).sum::<usize>() > STEPS_MAX {
            return Err(BadPattern::TooLong);
        }
        let alternatives =
            texts.iter().map(|t| parse_segments(t)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { alternatives })
    }

    /// A pattern that matches exactly this path, whatever characters it holds.
    pub fn literal(path: &str) -> Self {
        let segments = path
            .split('/')
            .map(|s| Segment::Tokens(s.chars().map(|c| Token::One(CharSet::single(c))).collect()))
            .collect();
        Self { alternatives: vec![segments] }
    }

    /// The same, and what it is with its brackets meant to the letter: `app/[id]/**` is a folder's
    /// name in some projects.
    pub fn or_literal(mut self, text: &str) -> Self {
        let spelled = |part: &str| match part {
            "**" => Some(Segment::Any),
            p if p.contains(['[', '{']) => {
                Some(Segment::Tokens(p.chars().map(|c| Token::One(CharSet::single(c))).collect()))
            }
            p => parse_tokens(p).ok().map(Segment::Tokens),
        };
        if text.contains(['[', '{']) {
            self.alternatives.extend(text.split('/').map(spelled).collect::<Option<Vec<_>>>());
        }
        self
    }

    /// All that lies below what it matches, and that itself.
    pub fn with_everything_below(&self) -> Self {
        let mut all = self.clone();
        all.alternatives.iter_mut().for_each(|path| path.push(Segment::Any));
        all
    }

    /// Whether the text has any character with a meaning in patterns.
    pub fn has_meta(text: &str) -> bool {
        text.contains(['*', '?', '[', '{'])
    }

    /// Whether a path is in the pattern's language.
    pub fn matches(&self, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').collect();
        self.alternatives.iter().any(|a| matches_segments(a, &segments))
    }
}

fn expand_braces(text: &str) -> Result<Vec<String>, BadPattern> {
    let mut done = vec![String::new()];
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let inner = &rest[open + 1..];
        let close = inner.find('}');
        let group = close.map(|c| &inner[..c]);
        let choices: Vec<&str> = match group {
            Some(g) if g.contains('{') => return Err(BadPattern::NestedBraces),
            Some(g) if g.contains(',') => g.split(',').collect(),
            None if inner.contains(',') => return Err(BadPattern::OpenBrace),
            Some(_) | None => Vec::new(),
        };
        let head = &rest[..open];
        if choices.is_empty() {
            // Braces without a comma are ordinary characters.
            let upto = open + 1;
            for d in &mut done {
                d.push_str(&rest[..upto]);
            }
            rest = &rest[upto..];
            continue;
        }
        if done.len() * choices.len() > ALTERNATIVES_MAX {
            return Err(BadPattern::TooManyAlternatives);
        }
        done = done
            .iter()
            .flat_map(|d| choices.iter().map(move |c| format!("{d}{head}{c}")))
            .collect();
        rest = &rest[open + 1 + group.map_or(0, str::len) + 1..];
    }
    for d in &mut done {
        d.push_str(rest);
    }
    Ok(done)
}

fn parse_segments(text: &str) -> Result<Vec<Segment>, BadPattern> {
    let mut out: Vec<Segment> = Vec::new();
    for part in text.split('/').filter(|p| !p.is_empty()) {
        if part == "**" {
            if out.last() != Some(&Segment::Any) {
                out.push(Segment::Any);
            }
        } else {
            out.push(Segment::Tokens(parse_tokens(part)?));
        }
    }
    if out.len() > SEGMENTS_MAX { Err(BadPattern::TooManySegments) } else { Ok(out) }
}

fn parse_tokens(part: &str) -> Result<Vec<Token>, BadPattern> {
    let chars: Vec<char> = part.chars().collect();
    let mut out = Vec::with_capacity(chars.len());
    let mut at = 0;
    while at < chars.len() {
        match chars[at] {
            '*' => {
                if out.last() != Some(&Token::Star) {
                    out.push(Token::Star);
                }
                at += 1;
            }
            '?' => {
                out.push(Token::One(CharSet::any()));
                at += 1;
            }
            '[' => {
                let (set, next) = parse_class(&chars, at)?;
                out.push(Token::One(set));
                at = next;
            }
            c => {
                out.push(Token::One(CharSet::single(c)));
                at += 1;
            }
        }
    }
    Ok(out)
}

/// Reads the set that opens at `chars[open]`; returns it and the place behind its `]`. As in
/// gitignore, a `]` that comes first is a member.
fn parse_class(chars: &[char], open: usize) -> Result<(CharSet, usize), BadPattern> {
    let mut at = open + 1;
    let negated = matches!(chars.get(at), Some('!' | '^'));
    if negated {
        at += 1;
    }
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(at).ok_or(BadPattern::OpenClass)?;
        if c == ']' && at > first {
            break;
        }
        let ranged =
            chars.get(at + 1) == Some(&'-') && chars.get(at + 2).is_some_and(|&e| e != ']');
        let end = if ranged { chars[at + 2] } else { c };
        if end < c {
            return Err(BadPattern::BackwardRange(c, end));
        }
        if (c..=end).contains(&'/') {
            return Err(BadPattern::SlashInClass);
        }
        ranges.push((c as u32, end as u32));
        at += if ranged { 3 } else { 1 };
    }
    let set = CharSet::from_ranges(ranges);
    Ok((if negated { set.complement() } else { set }, at + 1))
}

fn matches_segments(pattern: &[Segment], path: &[&str]) -> bool {
    // reach[i]: the first i path segments can be consumed by the pattern so far.
    let mut reach = vec![false; path.len() + 1];
    reach[0] = true;
    for seg in pattern {
        match seg {
            Segment::Any => {
                let first = reach.iter().position(|&r| r).unwrap_or(reach.len());
                reach.iter_mut().skip(first).for_each(|r| *r = true);
            }
            Segment::Tokens(t) => {
                for i in (0..path.len()).rev() {
                    reach[i + 1] = reach[i] && matches_tokens(t, path[i]);
                }
                reach[0] = false;
            }
        }
    }
    reach[path.len()]
}

fn matches_tokens(tokens: &[Token], text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let mut reach = vec![false; chars.len() + 1];
    reach[0] = true;
    for t in tokens {
        match t {
            Token::Star => {
                let first = reach.iter().position(|&r| r).unwrap_or(reach.len());
                reach.iter_mut().skip(first).for_each(|r| *r = true);
            }
            Token::One(set) => {
                for i in (0..chars.len()).rev() {
                    reach[i + 1] = reach[i] && set.contains(chars[i]);
                }
                reach[0] = false;
            }
        }
    }
    reach[chars.len()] && !chars.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let p = Pattern::parse(pattern).unwrap();
        for y in yes {
            assert!(p.matches(y), "{pattern} should match {y}");
        }
        for n in no {
            assert!(!p.matches(n), "{pattern} should not match {n}");
        }
    }

    #[test]
    fn matching() {
        check("src/*.rs", &["src/a.rs", "src/.rs"], &["src/a/b.rs", "a.rs", "src/a.rs/x"]);
        check("src/**", &["src", "src/a", "src/a/b"], &["srcx", "lib/src"]);
        check("**/login.ts", &["login.ts", "a/b/login.ts"], &["xlogin.ts"]);
        check("a/**/z", &["a/z", "a/b/z", "a/b/c/z"], &["a/b", "z"]);
        check("f?o", &["foo", "f\u{fc}o"], &["fo", "f/o"]);
        check("[a-c]x", &["ax", "cx"], &["dx", "x"]);
        check("[!a-c]x", &["dx"], &["ax", "x"]);
        check("[]-]", &["]", "-"], &["a"]);
        check("*.{ts,tsx}", &["a.ts", "a.tsx"], &["a.t", "a.ts,tsx"]);
        check("{x}/y", &["{x}/y"], &["x/y"]);
        check("a**b", &["ab", "axxb"], &["a/b"]);
    }

    #[test]
    fn bad_patterns_are_refused() {
        let bad = |p: &str| Pattern::parse(p).unwrap_err();
        assert_eq!(bad("a[b"), BadPattern::OpenClass);
        assert_eq!(bad("[z-a]"), BadPattern::BackwardRange('z', 'a'));
        assert_eq!(bad("{a,b"), BadPattern::OpenBrace);
        assert_eq!(bad("{a,{b,c}}"), BadPattern::NestedBraces);
        assert_eq!(bad("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"), BadPattern::TooManyAlternatives);
        assert_eq!(bad(&"a/".repeat(65)), BadPattern::TooManySegments);
        assert_eq!(bad(&format!("{{a,b}}{}", "x".repeat(400))), BadPattern::TooLong);
    }

    #[test]
    fn a_literal_means_itself() {
        let p = Pattern::literal("app/[id]/*.tsx");
        assert!(p.matches("app/[id]/*.tsx"));
        assert!(!p.matches("app/i/a.tsx"));
    }
}
