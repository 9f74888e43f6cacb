//! JavaScript and JSX.

use super::{Spec, script};

pub(super) static JAVASCRIPT: Spec = Spec {
    name: "javascript",
    endings: &["js", "jsx", "mjs", "cjs"],
    grammar: || tree_sitter_javascript::LANGUAGE.into(),
    rules: script::RULES,
};
