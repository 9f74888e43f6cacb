//! Glob intersection against two independent oracles: the product of two regex automata, and
//! plain enumeration of short paths over a small alphabet.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;

use coord_protocol::glob::{Pattern, intersection};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::{primitives::StateID, start};

/// The oracle's own reading of the pattern language, as a regex over `abx/.`-like text.
fn to_regex(glob: &str) -> String {
    let mut segments: Vec<String> = Vec::new();
    for part in glob.split('/') {
        if part == "**" {
            segments.push("**".into());
            continue;
        }
        let mut s = String::from("(?:");
        let mut chars = part.chars().peekable();
        let mut only_stars = true;
        while let Some(c) = chars.next() {
            if c != '*' {
                only_stars = false;
            }
            match c {
                '*' => s.push_str("[^/]*"),
                '?' => s.push_str("[^/]"),
                '[' => {
                    let mut class = String::new();
                    for c in chars.by_ref() {
                        if c == ']' {
                            break;
                        }
                        class.push(c);
                    }
                    match class.strip_prefix('!') {
                        Some(rest) => write!(s, "[^/{rest}]").expect("text"),
                        None => write!(s, "[{class}]").expect("text"),
                    }
                }
                '{' => s.push_str("(?:"),
                '}' => s.push(')'),
                ',' => s.push('|'),
                '.' => s.push_str("\\."),
                c => s.push(c),
            }
        }
        s.push(')');
        segments.push(if only_stars { "[^/]+".into() } else { s });
    }
    // A path is one or more segments, each followed by '/': the oracle works on "a/b/".
    let mut re = String::from("(?s-u)^");
    for s in &segments {
        if s == "**" {
            re.push_str("(?:[^/]+/)*");
        } else {
            re.push_str(s);
            re.push('/');
        }
    }
    re.push('$');
    re
}

fn dfa(glob: &str) -> dense::DFA<Vec<u32>> {
    dense::Builder::new()
        .syntax(regex_automata::util::syntax::Config::new().unicode(false).utf8(false))
        .build(&to_regex(glob))
        .unwrap_or_else(|e| panic!("{glob}: {e}"))
}

/// Whether the product of two automata accepts any non-empty path (over a small alphabet).
fn automata_meet(a: &dense::DFA<Vec<u32>>, b: &dense::DFA<Vec<u32>>) -> bool {
    let cfg = start::Config::new().anchored(Anchored::Yes);
    let s0 = (a.start_state(&cfg).expect("starts"), b.start_state(&cfg).expect("starts"));
    let mut seen: HashSet<(StateID, StateID)> = HashSet::from([s0]);
    let mut todo = VecDeque::from([(s0, false)]);
    while let Some(((p, q), some)) = todo.pop_front() {
        if some && a.is_match_state(a.next_eoi_state(p)) && b.is_match_state(b.next_eoi_state(q)) {
            return true;
        }
        for byte in *b"abcdxyz./" {
            let n = (a.next_state(p, byte), b.next_state(q, byte));
            if a.is_dead_state(n.0) || b.is_dead_state(n.1) {
                continue;
            }
            if seen.insert(n) {
                todo.push_back((n, true));
            }
        }
    }
    false
}

fn segment() -> impl Strategy<Value = String> {
    let token = prop_oneof![
        6 => prop::sample::select(vec!["a", "b", "c", "."]).prop_map(String::from),
        3 => Just("*".to_owned()),
        2 => Just("?".to_owned()),
        1 => prop::sample::select(vec!["[ab]", "[!a]", "[a-c]", "[!b-c]"]).prop_map(String::from),
        1 => prop::sample::select(vec!["{a,b}", "{ab,c}", "{a,bc,x}"]).prop_map(String::from),
    ];
    prop::collection::vec(token, 1..5).prop_map(|t| t.concat())
}

fn pattern() -> impl Strategy<Value = String> {
    let seg = prop_oneof![4 => segment(), 1 => Just("**".to_owned())];
    prop::collection::vec(seg, 1..5).prop_map(|s| s.join("/"))
}

/// Two patterns, often made to share text so that close calls are common.
fn pair() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        (pattern(), pattern()),
        (pattern(), segment()).prop_map(|(p, s)| {
            let mut parts: Vec<&str> = p.split('/').collect();
            let last = parts.len() - 1;
            parts[last] = &s;
            (p.clone(), parts.join("/"))
        }),
    ]
}

/// Leaves out what the oracle reads differently (`***` as a segment) and what the parser refuses.
fn normal(p: &str) -> bool {
    p.matches('{').count() <= 2
        && !p.split('/').any(|s| s != "**" && s.len() > 1 && s.chars().all(|c| c == '*'))
}

#[test]
fn agrees_with_the_product_of_automata_on_10_000_pairs() {
    let mut runner =
        TestRunner::new(Config { cases: 10_000, failure_persistence: None, ..Config::default() });
    let (mut meet, mut apart) = (0, 0);
    let counts = std::cell::RefCell::new((&mut meet, &mut apart));
    runner
        .run(&pair().prop_filter("plain", |(a, b)| normal(a) && normal(b)), |(a, b)| {
            let (p, q) = (Pattern::parse(&a).unwrap(), Pattern::parse(&b).unwrap());
            let want = automata_meet(&dfa(&a), &dfa(&b));
            let witness = intersection(&p, &q);
            prop_assert_eq!(witness.is_some(), want, "{} with {}: {:?}", a, b, witness);
            let mut c = counts.borrow_mut();
            if let Some(w) = witness {
                prop_assert!(p.matches(&w) && q.matches(&w), "{w}");
                *c.0 += 1;
            } else {
                *c.1 += 1;
            }
            Ok(())
        })
        .unwrap();
    // A run that hardly ever met, or always met, would prove nothing.
    assert!(meet > 2_000 && apart > 1_000, "meet {meet}, apart {apart}");
}

#[test]
fn matching_agrees_with_enumeration() {
    let letters = ["a", "b", "c", ".", "ab", "ba", "abc", "x"];
    let mut paths: Vec<String> = letters.iter().map(|s| (*s).to_owned()).collect();
    for a in letters {
        for b in letters {
            paths.push(format!("{a}/{b}"));
            for c in ["a", "ab", "x"] {
                paths.push(format!("{a}/{b}/{c}"));
            }
        }
    }
    let mut runner =
        TestRunner::new(Config { cases: 500, failure_persistence: None, ..Config::default() });
    runner
        .run(&pattern().prop_filter("plain", |p| normal(p)), |g| {
            let p = Pattern::parse(&g).unwrap();
            let d = dfa(&g);
            for path in &paths {
                let want = d
                    .try_search_fwd(&regex_automata::Input::new(&format!("{path}/")))
                    .unwrap()
                    .is_some();
                prop_assert_eq!(p.matches(path), want, "{} on {}", g, path);
            }
            Ok(())
        })
        .unwrap();
}
