//! What lies below what a pattern names, and which patterns lie wholly inside another.

use super::intersect::{segment_meets, segments_meet};
use super::pattern::{Pattern, Segment, Token};

/// A path of `inner` that lies below a path of `folder`, where `inner` itself says that it goes
/// deeper: `src/auth/*.ts` lies below `src/auth`, `**/README.md` does not, though a folder of that
/// name might hold one.
pub fn below(folder: &Pattern, inner: &Pattern) -> Option<String> {
    inner.alternatives.iter().find_map(|path| {
        let spelled = path.iter().take_while(|s| **s != Segment::Any).count();
        (1..=spelled).filter(|k| *k < path.len()).find_map(|k| {
            let top = folder.alternatives.iter().find_map(|f| segments_meet(f, &path[..k]))?;
            let rest: Option<Vec<String>> =
                path[k..].iter().map(|s| segment_meets(s, &Segment::Any)).collect();
            Some(format!("{top}/{}", rest?.join("/")))
        })
    })
}

/// Whether every path of `inner` is one of `outer`. Sound, not complete: a "no" may be wrong for
/// patterns that spell the same set in different ways.
pub fn covers(outer: &Pattern, inner: &Pattern) -> bool {
    inner.alternatives.iter().all(|path| outer.alternatives.iter().any(|o| segments_cover(o, path)))
}

fn segments_cover(outer: &[Segment], inner: &[Segment]) -> bool {
    // reach[i]: the first i segments of `inner` are covered by the part of `outer` so far.
    let mut reach = vec![false; inner.len() + 1];
    reach[0] = true;
    for seg in outer {
        if *seg == Segment::Any {
            let first = reach.iter().position(|&r| r).unwrap_or(reach.len());
            reach.iter_mut().skip(first).for_each(|r| *r = true);
        } else {
            for i in (0..inner.len()).rev() {
                reach[i + 1] = reach[i] && segment_covers(seg, &inner[i]);
            }
            reach[0] = false;
        }
    }
    reach[inner.len()]
}

fn segment_covers(outer: &Segment, inner: &Segment) -> bool {
    match (outer, inner) {
        (Segment::Tokens(o), Segment::Tokens(i)) => {
            o == i || o.as_slice() == [Token::Star] || spelled(i).is_some_and(|t| outer.takes(&t))
        }
        (Segment::Tokens(_), Segment::Any) => false,
        (Segment::Any, _) => true,
    }
}

/// The one text that a segment matches, if it is one.
fn spelled(tokens: &[Token]) -> Option<String> {
    tokens
        .iter()
        .map(|t| match t {
            Token::One(set) => set.only(),
            Token::Star => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn what_lies_below() {
        let below = |folder: &str, inner: &str| below(&p(folder), &p(inner));
        assert_eq!(below("src/auth", "src/auth/x.ts").as_deref(), Some("src/auth/x.ts"));
        assert_eq!(below("src/*", "src/a/b/*.ts").as_deref(), Some("src/a/b/.ts"));
        assert_eq!(below("src/*/gen", "src/*/gen/a.ts").as_deref(), Some("src/x/gen/a.ts"));
        assert_eq!(below("**/auth", "src/auth/x.ts").as_deref(), Some("src/auth/x.ts"));
        assert_eq!(below("src/auth", "src/auth/**").as_deref(), Some("src/auth/x"));
        for (folder, inner) in
            [("src/auth", "src/auth"), ("LICENSE", "**/README.md"), ("src/a", "src/ab/x")]
        {
            assert_eq!(below(folder, inner), None, "{inner} below {folder}");
        }
    }

    #[test]
    fn what_is_inside() {
        let yes = [
            ("src/**", "src/a/*.ts"),
            ("src/*.ts", "src/a.ts"),
            ("**", "**/x"),
            ("src/{a,b}.ts", "src/a.ts"),
            ("src/**", "src/**"),
        ];
        let no = [("src/*", "src/**"), ("src/*.ts", "src/*"), ("a/**", "b/x"), ("src/?", "src/ab")];
        for (outer, inner) in yes {
            assert!(covers(&p(outer), &p(inner)), "{inner} in {outer}");
        }
        for (outer, inner) in no {
            assert!(!covers(&p(outer), &p(inner)), "{inner} in {outer}");
        }
    }
}
