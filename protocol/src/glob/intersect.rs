//! Glob against glob: is there a path that both match? Decided by a breadth-first walk over the
//! product of the two patterns, so the answer is exact and comes with the shortest witness.

use std::collections::VecDeque;

use super::pattern::{Pattern, Segment, Token};

/// A path that both patterns match, or `None` when there is none. The path is as short as can be.
pub fn intersection(a: &Pattern, b: &Pattern) -> Option<String> {
    a.alternatives.iter().find_map(|x| b.alternatives.iter().find_map(|y| segments_meet(x, y)))
}

/// A step to another pair of places: free, or consuming a piece that both accept.
type Step<P> = ((usize, usize), Option<P>);

/// How a pair of places was reached first: from which node, and by which piece.
type Came<P> = Option<(usize, Option<P>)>;

/// Walks from the start of both to the end of both, shortest first, and returns the pieces consumed.
/// A node is a pair of places, and whether anything was consumed: neither a path nor a segment is
/// empty.
fn meet<P: Clone>(
    end: (usize, usize),
    steps: impl Fn(usize, usize) -> Vec<Step<P>>,
) -> Option<Vec<P>> {
    let width = end.1 + 1;
    let node = |i: usize, j: usize, some: bool| ((i * width) + j) * 2 + usize::from(some);
    let goal = node(end.0, end.1, true);
    let start = node(0, 0, false);
    let mut came: Vec<Came<P>> = vec![None; goal + 1];
    let mut todo = VecDeque::from([start]);
    came[start] = Some((start, None));
    while let Some(at) = todo.pop_front() {
        if at == goal {
            return Some(pieces_to(goal, start, &came));
        }
        let (place, some) = (at / 2, at % 2 == 1);
        for ((i, j), piece) in steps(place / width, place % width) {
            let to = node(i, j, some || piece.is_some());
            if came[to].is_none() {
                // Free steps come first: the walk stays shortest-first.
                if piece.is_none() {
                    todo.push_front(to);
                } else {
                    todo.push_back(to);
                }
                came[to] = Some((at, piece));
            }
        }
    }
    None
}

fn pieces_to<P: Clone>(goal: usize, start: usize, came: &[Came<P>]) -> Vec<P> {
    let mut pieces = Vec::new();
    let mut at = goal;
    while at != start {
        let Some((from, piece)) = &came[at] else { break };
        pieces.extend(piece.clone());
        at = *from;
    }
    pieces.reverse();
    pieces
}

pub(super) fn segments_meet(a: &[Segment], b: &[Segment]) -> Option<String> {
    let next = |s: &Segment, k: usize| if *s == Segment::Any { k } else { k + 1 };
    let path = meet((a.len(), b.len()), |i, j| {
        let (x, y) = (a.get(i), b.get(j));
        let mut steps = Vec::with_capacity(3);
        if x == Some(&Segment::Any) {
            steps.push(((i + 1, j), None));
        }
        if y == Some(&Segment::Any) {
            steps.push(((i, j + 1), None));
        }
        if let (Some(x), Some(y)) = (x, y)
            && let Some(text) = segment_meets(x, y)
        {
            steps.push(((next(x, i), next(y, j)), Some(text)));
        }
        steps
    });
    path.map(|segments| segments.join("/"))
}

/// A segment text that both match.
pub(super) fn segment_meets(a: &Segment, b: &Segment) -> Option<String> {
    match (a, b) {
        (Segment::Any, Segment::Any) => Some("x".to_owned()),
        (Segment::Any, Segment::Tokens(t)) | (Segment::Tokens(t), Segment::Any) => {
            tokens_meet(t, &[Token::Star])
        }
        (Segment::Tokens(x), Segment::Tokens(y)) => tokens_meet(x, y),
    }
}

fn tokens_meet(a: &[Token], b: &[Token]) -> Option<String> {
    let text = meet((a.len(), b.len()), |i, j| {
        let (x, y) = (a.get(i), b.get(j));
        let mut steps = Vec::with_capacity(3);
        if x == Some(&Token::Star) {
            steps.push(((i + 1, j), None));
        }
        if y == Some(&Token::Star) {
            steps.push(((i, j + 1), None));
        }
        let both = match (x, y) {
            (Some(Token::One(p)), Some(Token::One(q))) => {
                p.intersect(q).sample().map(|c| ((i + 1, j + 1), Some(c)))
            }
            (Some(Token::One(p)), Some(Token::Star)) => p.sample().map(|c| ((i + 1, j), Some(c))),
            (Some(Token::Star), Some(Token::One(q))) => q.sample().map(|c| ((i, j + 1), Some(c))),
            (Some(Token::Star), Some(Token::Star)) => Some(((i, j), Some('x'))),
            (None, _) | (_, None) => None,
        };
        steps.extend(both);
        steps
    });
    text.map(|chars| chars.into_iter().collect())
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
    fn hostile_patterns_cost_little() {
        let text = |c: char| format!("*{{a,b}}*{{a,b}}*{}x", format!("{c}*").repeat(60));
        let (a, b) = (Pattern::parse(&text('a')).unwrap(), Pattern::parse(&text('b')).unwrap());
        let long = Pattern::parse(&"*a".repeat(250)).unwrap();
        let twin = Pattern::parse(&format!("{}x", "*b".repeat(250))).unwrap();
        let began = std::time::Instant::now();
        intersection(&a, &b);
        intersection(&long, &twin);
        // Debug build, busy machine: it is about the order of magnitude.
        assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
    }

    #[test]
    fn a_folder_pattern_meets_the_folder() {
        check("src/**", "src", true);
    }
}
