//! What is known, what is unknown, and how that is said.

use coord_symbols::{Declarations, refusal, unknown};

use super::read;

fn of(paths: &[&str], complete: bool) -> Declarations {
    Declarations { paths: paths.iter().map(|p| (*p).to_owned()).collect(), complete }
}

fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(|i| (*i).to_owned()).collect()
}

#[test]
fn known_are_the_paths_and_what_lies_above_them() {
    let found = of(&["b::c::d", "a", "b::x", "a"], true);
    assert_eq!(found.known(), ["a", "b", "b::c", "b::c::d", "b::x"]);
}

#[test]
fn unknown_ones() {
    let found = of(&["A::run", "B"], true);
    let wanted = texts(&["z", "A", "A::run", "run", "B::run", "z"]);
    assert_eq!(unknown(&found, &wanted), ["B::run", "run", "z"]);
    assert!(unknown(&of(&["A"], false), &wanted).is_empty(), "incomplete: nothing can be said");
    assert!(unknown(&of(&[], true), &wanted).is_empty(), "no declaration: nothing can be said");
}

#[test]
fn a_file_and_the_sentence_about_it() {
    let source = "export type LoginKind = 1;\nexport function handleLogin() {}\n";
    let found = read("src/auth/login.ts", source);
    let missing = unknown(&found, &texts(&["nope", "handleLogin", "alsoNope"]));
    assert_eq!(
        refusal("src/auth/login.ts", &missing, &found.known()),
        "Unknown symbols in 'src/auth/login.ts': ['alsoNope', 'nope']. \
         Known symbols (up to 20): ['LoginKind', 'handleLogin']"
    );
}
