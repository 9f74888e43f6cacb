//! What the files of each language declare.

mod bounds;
mod built_in;
mod go;
#[cfg(feature = "all-languages")]
mod more;
mod python;
mod rust;
mod script;
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
