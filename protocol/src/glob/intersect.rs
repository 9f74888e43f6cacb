//! Glob against glob: is there a path that both match? Decided by a breadth-first walk over the
//! product of the two patterns, so the answer is exact and comes with the shortest witness.

use std::collections::{HashMap, VecDeque};

use super::pattern::{Pattern, Segment, Token};

/// A path that both patterns match, or `None` when there is none. The path is as short as can be.
pub fn intersection(a: &Pattern, b: &Pattern) -> Option<String> {
    a.alternatives.iter().find_map(|x| b.alternatives.iter().find_map(|y| segments_meet(x, y)))
}

/// Place in both patterns, and whether a segment was already consumed (a path is never empty).
type At = (usize, usize, bool);

fn segments_meet(a: &[Segment], b: &[Segment]) -> Option<String> {
    let start: At = (0, 0, false);
    let mut came: HashMap<At, Option<(At, Option<String>)>> = HashMap::from([(start, None)]);
    let mut todo = VecDeque::from([start]);
    while let Some(at) = todo.pop_front() {
        let (i, j, some) = at;
        if i == a.len() && j == b.len() && some {
            return Some(path_to(at, &came));
        }
        let mut visit = |to: At, by: Option<String>| {
            came.entry(to).or_insert_with(|| {
                // Steps that consume nothing come first: the walk stays shortest-first.
                if by.is_none() {
                    todo.push_front(to);
                } else {
                    todo.push_back(to);
                }
                Some((at, by))
            });
        };
        let (x, y) = (a.get(i), b.get(j));
        if x == Some(&Segment::Any) {
            visit((i + 1, j, some), None);
        }
        if y == Some(&Segment::Any) {
            visit((i, j + 1, some), None);
        }
        if let (Some(x), Some(y)) = (x, y)
            && let Some(text) = segment_meets(x, y)
        {
            let next = |s: &Segment, k: usize| if *s == Segment::Any { k } else { k + 1 };
            visit((next(x, i), next(y, j), true), Some(text));
        }
    }
    None
}

fn path_to(end: At, came: &HashMap<At, Option<(At, Option<String>)>>) -> String {
    let mut parts = Vec::new();
    let mut at = end;
    while let Some(Some((from, by))) = came.get(&at) {
        parts.extend(by.clone());
        at = *from;
    }
    parts.reverse();
    parts.join("/")
}

/// A segment text that both match.
fn segment_meets(a: &Segment, b: &Segment) -> Option<String> {
    match (a, b) {
        (Segment::Any, Segment::Any) => Some("x".to_owned()),
        (Segment::Any, Segment::Tokens(t)) | (Segment::Tokens(t), Segment::Any) => {
            tokens_meet(t, &[Token::Star])
        }
        (Segment::Tokens(x), Segment::Tokens(y)) => tokens_meet(x, y),
    }
}

fn tokens_meet(a: &[Token], b: &[Token]) -> Option<String> {
    let start: At = (0, 0, false);
    let mut came: HashMap<At, Option<(At, Option<char>)>> = HashMap::from([(start, None)]);
    let mut todo = VecDeque::from([start]);
    while let Some(at) = todo.pop_front() {
        let (i, j, some) = at;
        if i == a.len() && j == b.len() && some {
            return Some(text_to(at, &came));
        }
        let mut visit = |to: At, by: Option<char>| {
            came.entry(to).or_insert_with(|| {
                if by.is_none() {
                    todo.push_front(to);
                } else {
                    todo.push_back(to);
                }
                Some((at, by))
            });
        };
        let (x, y) = (a.get(i), b.get(j));
        if x == Some(&Token::Star) {
            visit((i + 1, j, some), None);
        }
        if y == Some(&Token::Star) {
            visit((i, j + 1, some), None);
        }
        match (x, y) {
            (Some(Token::One(p)), Some(Token::One(q))) => {
                if let Some(c) = p.intersect(q).sample() {
                    visit((i + 1, j + 1, true), Some(c));
                }
            }
            (Some(Token::One(p)), Some(Token::Star)) => {
                if let Some(c) = p.sample() {
                    visit((i + 1, j, true), Some(c));
                }
            }
            (Some(Token::Star), Some(Token::One(q))) => {
                if let Some(c) = q.sample() {
                    visit((i, j + 1, true), Some(c));
                }
            }
            (Some(Token::Star), Some(Token::Star)) => visit((i, j, true), Some('x')),
            (None, _) | (_, None) => {}
        }
    }
    None
}

fn text_to(end: At, came: &HashMap<At, Option<(At, Option<char>)>>) -> String {
    let mut text = Vec::new();
    let mut at = end;
    while let Some(Some((from, by))) = came.get(&at) {
        text.extend(*by);
        at = *from;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, want: bool) {
        let (p, q) = (Pattern::parse(a).unwrap(), Pattern::parse(b).unwrap());
        for (p, q) in [(&p, &q), (&q, &p)] {
            let witness = intersection(p, q);
            assert_eq!(witness.is_some(), want, "{a} with {b}: {witness:?}");
            if let Some(w) = witness {
                assert!(p.matches(&w) && q.matches(&w), "{w} is no witness of {a} with {b}");
            }
        }
    }

    #[test]
    fn the_pairs_that_sampling_misses() {
        check("src/**", "**/login.ts", true);
        check("src/a*", "src/*b", true);
        check("a/*/c", "a/b/*", true);
        check("**/a/**", "b/**/c", true);
        check("*a*", "*b*", true);
        check("[a-m]*", "*[n-z]", true);
        check("x{1,2}/y", "x?/[y-z]", true);
    }

    #[test]
    fn disjoint_pairs() {
        check("src/*.rs", "src/*/x.rs", false);
        check("src/a*", "lib/*", false);
        check("*.ts", "*.tsx", false);
        check("[a-m]", "[n-z]", false);
        check("a/**", "b/**", false);
        check("a?", "a", false);
        check("src/*", "src", false);
    }

    #[test]
    fn a_folder_pattern_meets_the_folder() {
        check("src/**", "src", true);
    }
}
