//! TypeScript and TSX.

use super::{Spec, script};

pub(super) static TYPESCRIPT: Spec = Spec {
    name: "typescript",
    endings: &["ts", "mts", "cts"],
    grammar: || tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
    rules: script::RULES,
};

pub(super) static TSX: Spec = Spec {
    name: "tsx",
    endings: &["tsx"],
    grammar: || tree_sitter_typescript::LANGUAGE_TSX.into(),
    rules: script::RULES,
};
