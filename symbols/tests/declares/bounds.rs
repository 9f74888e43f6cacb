//! Foreign text costs no more than it may.

use std::time::{Duration, Instant};

use coord_symbols::{
    Language, OPEN_MAX, SOURCE_BYTES_MAX, declarations, declarations_while, language_of,
};
use proptest::prelude::*;

/// Pieces that grammars take notice of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "<",
    ">",
    ";",
    ",",
    ":",
    "::",
    "=",
    "=>",
    "\n",
    "\n  ",
    "\n    ",
    "\t",
    " ",
    "\"",
    "'",
    "`",
    "${",
    "\\",
    "/*",
    "*/",
    "//",
    "#",
    "<<EOF\n",
    "EOF\n",
    "<?php ",
    "?>",
    "@",
    "class A",
    "def f",
    "fn f",
    "function f",
    "namespace N",
    "impl X",
    "const a",
    "type T",
    "struct S",
    "import x",
    "export default",
    "if x",
    "end",
    "module M",
    "case ",
    "é",
    "\u{0}",
    "\u{feff}",
    "x!",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_text_is_judged_or_not(text in any::<String>()) {
        for language in Language::all() {
            let _ = declarations(language, &text);
        }
    }

    #[test]
    fn pieces_of_programs_are_judged_or_not(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..200),
    ) {
        let text = pieces.concat();
        for language in Language::all() {
            if let Some(found) = declarations(language, &text) {
                for path in &found.paths {
                    prop_assert!(!path.is_empty() && !path.starts_with("::"), "{path:?}");
                }
            }
        }
    }
}

#[test]
fn endless_nesting_is_not_judged() {
    for open in ["(", "[", "{", "a(", "a<", "class A {", "a = {b: ", "f(() => {", "`${"] {
        for language in Language::all() {
            assert_eq!(declarations(language, &open.repeat(OPEN_MAX + 1)), None, "{open:?}");
            // As deep as allowed, and never closed.
            let text = open.repeat(OPEN_MAX / open.matches(['(', '{']).count().max(1));
            assert!(declarations(language, &text).is_some(), "{language:?} {open:?}");
        }
    }
}

#[test]
fn what_nests_without_brackets_does_not_overflow() {
    for piece in
        ["-", "not ", "if x:\n ", "else if x ", "a.b", "a ? b : ", "é", "\"", "*", "&", "a=", "!"]
    {
        let text = piece.repeat(100_000 / piece.len());
        for language in Language::all() {
            let until = Instant::now() + Duration::from_millis(300);
            let _ = declarations_while(language, &text, &mut || Instant::now() < until);
            let late = Instant::now().saturating_duration_since(until);
            assert!(late < Duration::from_secs(5), "{language:?} {piece:?} {late:?}");
        }
    }
}

#[test]
fn names_nest_to_a_bound() {
    let text = |depth: usize| "namespace a {".repeat(depth) + "const x = 1;" + &"}".repeat(depth);
    let language = language_of("a.ts").unwrap();
    let found = declarations(language, &text(20)).unwrap();
    assert!(found.complete);
    assert_eq!(found.paths.len(), 21);
    let found = declarations(language, &text(100)).unwrap();
    assert!(!found.complete, "what lies deeper is not known");
    assert_eq!(found.paths.len(), 32);
}

#[test]
fn a_large_text_is_judged_a_larger_one_is_not() {
    let line = "export function handler(a: number) { return a + 1; }\n";
    let text = line.repeat(SOURCE_BYTES_MAX / line.len());
    let language = language_of("a.ts").unwrap();
    let found = declarations(language, &text).unwrap();
    assert_eq!(found.paths.len(), SOURCE_BYTES_MAX / line.len());
    assert!(declarations(language, &" ".repeat(SOURCE_BYTES_MAX + 1)).is_none());
}

#[test]
fn too_many_names_are_not_judged() {
    let name = "n".repeat(400);
    let inner = "var a;".repeat(40_000);
    let text = format!("namespace {name} {{ {inner} }}");
    assert!(text.len() < SOURCE_BYTES_MAX);
    assert!(declarations(language_of("a.ts").unwrap(), &text).is_none());
}

#[test]
fn the_caller_can_stop_it() {
    let text = "let a = 1;\n".repeat(20_000);
    let mut asked = 0;
    let language = language_of("a.js").unwrap();
    let found = declarations_while(language, &text, &mut || {
        asked += 1;
        asked < 10
    });
    assert_eq!((found, asked), (None, 10));
}
