//! Java.

use super::Spec;
use crate::walk::Rule;

pub(super) static JAVA: Spec = Spec {
    name: "java",
    endings: &["java"],
    grammar: || tree_sitter_java::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("class_declaration", Rule::Scope("name")),
    ("interface_declaration", Rule::Scope("name")),
    ("enum_declaration", Rule::Scope("name")),
    ("record_declaration", Rule::Scope("name")),
    ("annotation_type_declaration", Rule::Scope("name")),
    ("class_body", Rule::Through),
    ("interface_body", Rule::Through),
    ("enum_body", Rule::Through),
    ("enum_body_declarations", Rule::Through),
    ("annotation_type_body", Rule::Through),
    // Parameters in declaring position are those of records, which are fields.
    ("formal_parameters", Rule::Through),
    ("formal_parameter", Rule::Name("name")),
    ("method_declaration", Rule::Name("name")),
    ("constructor_declaration", Rule::Name("name")),
    ("compact_constructor_declaration", Rule::Name("name")),
    ("annotation_type_element_declaration", Rule::Name("name")),
    ("field_declaration", Rule::Through),
    ("constant_declaration", Rule::Through),
    ("variable_declarator", Rule::Name("name")),
    ("enum_constant", Rule::Scope("name")),
];
