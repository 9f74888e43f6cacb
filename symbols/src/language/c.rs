//! C.

use super::Spec;
use super::declarators::{aggregate, declaration};
use crate::walk::Rule;

pub(super) static C: Spec = Spec {
    name: "c",
    endings: &["c", "h"],
    grammar: || tree_sitter_c::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("function_definition", Rule::By(declaration)),
    ("declaration", Rule::By(declaration)),
    ("type_definition", Rule::By(declaration)),
    ("field_declaration", Rule::By(declaration)),
    ("field_declaration_list", Rule::Through),
    ("struct_specifier", Rule::By(aggregate)),
    ("union_specifier", Rule::By(aggregate)),
    ("enum_specifier", Rule::By(aggregate)),
    ("enumerator", Rule::Name("name")),
    ("linkage_specification", Rule::Through),
    ("declaration_list", Rule::Through),
    ("preproc_def", Rule::Name("name")),
    ("preproc_function_def", Rule::Name("name")),
    ("preproc_if", Rule::Through),
    ("preproc_ifdef", Rule::Through),
    ("preproc_else", Rule::Through),
    ("preproc_elif", Rule::Through),
    ("preproc_elifdef", Rule::Through),
];
