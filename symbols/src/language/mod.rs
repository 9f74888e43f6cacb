//! What declares something, language by language. A language is a table from the kinds of its
//! grammar's nodes to rules.

use crate::walk::Rule;

#[cfg(feature = "c")]
mod c;
#[cfg(feature = "cpp")]
mod cpp;
#[cfg(feature = "csharp")]
mod csharp;
#[cfg(any(feature = "c", feature = "cpp"))]
mod declarators;
#[cfg(feature = "go")]
mod go;
#[cfg(feature = "java")]
mod java;
#[cfg(feature = "javascript")]
mod javascript;
#[cfg(feature = "kotlin")]
mod kotlin;
#[cfg(feature = "php")]
mod php;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "ruby")]
mod ruby;
#[cfg(feature = "rust")]
mod rust;
#[cfg(feature = "scala")]
mod scala;
#[cfg(any(feature = "javascript", feature = "typescript"))]
mod script;
#[cfg(feature = "swift")]
mod swift;
#[cfg(feature = "typescript")]
mod typescript;

/// A language.
pub(crate) struct Spec {
    /// As its feature is called.
    pub(crate) name: &'static str,
    /// Endings of file names, without the dot.
    pub(crate) endings: &'static [&'static str],
    pub(crate) grammar: fn() -> tree_sitter::Language,
    /// What nodes of a kind declare; other nodes declare nothing, and neither does what is in them.
    pub(crate) rules: &'static [(&'static str, Rule)],
}

/// Those that were built in. Where two claim an ending, the first has it: a C++ header is no C.
pub(crate) static ALL: &[&Spec] = &[
    #[cfg(feature = "typescript")]
    &typescript::TYPESCRIPT,
    #[cfg(feature = "typescript")]
    &typescript::TSX,
    #[cfg(feature = "javascript")]
    &javascript::JAVASCRIPT,
    #[cfg(feature = "python")]
    &python::PYTHON,
    #[cfg(feature = "go")]
    &go::GO,
    #[cfg(feature = "rust")]
    &rust::RUST,
    #[cfg(feature = "java")]
    &java::JAVA,
    #[cfg(feature = "cpp")]
    &cpp::CPP,
    #[cfg(feature = "c")]
    &c::C,
    #[cfg(feature = "csharp")]
    &csharp::CSHARP,
    #[cfg(feature = "ruby")]
    &ruby::RUBY,
    #[cfg(feature = "php")]
    &php::PHP,
    #[cfg(feature = "kotlin")]
    &kotlin::KOTLIN,
    #[cfg(feature = "swift")]
    &swift::SWIFT,
    #[cfg(feature = "scala")]
    &scala::SCALA,
];
