//! What the files of each language declare.

#[cfg(all(feature = "typescript", feature = "javascript"))]
mod bounds;
mod built_in;
#[cfg(feature = "go")]
mod go;
#[cfg(feature = "all-languages")]
mod more;
#[cfg(feature = "python")]
mod python;
#[cfg(feature = "rust")]
mod rust;
#[cfg(all(feature = "typescript", feature = "javascript"))]
mod script;
#[cfg(feature = "typescript")]
mod words;

use coord_symbols::{Declarations, declarations, language_of};

fn read(file: &str, source: &str) -> Declarations {
    declarations(language_of(file).expect(file), source).expect("judged")
}

/// All declarations of a text without errors, each on a line.
fn paths(file: &str, source: &str) -> String {
    let found = read(file, source);
    assert!(found.complete, "{file} was not understood: {found:?}");
    found.paths.join("\n")
}

/// The same, as one line.
fn line(file: &str, source: &str) -> String {
    paths(file, source).replace('\n', " ")
}
