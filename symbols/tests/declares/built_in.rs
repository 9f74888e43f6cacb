//! Which languages are there, with which features.

use coord_symbols::{Language, declarations};

fn loads(name: &str, source: &str, declared: &str) {
    let language = Language::all().find(|l| l.name() == name).expect(name);
    let found = declarations(language, source).expect(name);
    assert_eq!((found.paths, found.complete), (vec![declared.to_owned()], true), "{name}");
}

#[test]
fn every_grammar_that_was_built_in_loads() {
    let mut count = 0;
    let mut check = |on: bool, name: &str, source: &str, declared: &str| {
        let there = Language::all().any(|l| l.name() == name);
        assert_eq!(there, on, "{name}");
        if on {
            count += 1;
            loads(name, source, declared);
        }
    };
    check(cfg!(feature = "typescript"), "typescript", "type A = 1;", "A");
    check(cfg!(feature = "typescript"), "tsx", "const A = <b />;", "A");
    check(cfg!(feature = "javascript"), "javascript", "function a() {}", "a");
    check(cfg!(feature = "python"), "python", "def a(): pass\n", "a");
    check(cfg!(feature = "go"), "go", "package p\nfunc a() {}\n", "a");
    check(cfg!(feature = "rust"), "rust", "fn a() {}", "a");
    check(cfg!(feature = "java"), "java", "class A {}", "A");
    check(cfg!(feature = "c"), "c", "int a(void) { return 1; }", "a");
    check(cfg!(feature = "cpp"), "cpp", "class A {};", "A");
    check(cfg!(feature = "csharp"), "csharp", "class A {}", "A");
    check(cfg!(feature = "ruby"), "ruby", "def a; end", "a");
    check(cfg!(feature = "php"), "php", "<?php function a() {}", "a");
    check(cfg!(feature = "kotlin"), "kotlin", "fun a() {}\n", "a");
    check(cfg!(feature = "swift"), "swift", "func a() {}\n", "a");
    check(cfg!(feature = "scala"), "scala", "def a = 1\n", "a");
    assert_eq!(Language::all().count(), count);
}

#[test]
fn no_ending_belongs_to_nobody() {
    for ending in ["a.unknown", "Makefile", "a.", ".ts.bak"] {
        assert_eq!(coord_symbols::language_of(ending), None, "{ending}");
    }
}
