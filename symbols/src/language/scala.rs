//! Scala.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk};

pub(super) static SCALA: Spec = Spec {
    name: "scala",
    endings: &["scala", "sc", "sbt"],
    grammar: || tree_sitter_scala::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("package_clause", Rule::By(package)),
    ("package_object", Rule::Scope("name")),
    ("object_definition", Rule::Scope("name")),
    ("class_definition", Rule::Scope("name")),
    ("trait_definition", Rule::Scope("name")),
    ("enum_definition", Rule::Scope("name")),
    ("given_definition", Rule::Scope("name")),
    ("extension_definition", Rule::Through),
    ("template_body", Rule::Through),
    ("with_template_body", Rule::Through),
    ("enum_body", Rule::Through),
    ("enum_case_definitions", Rule::Through),
    ("simple_enum_case", Rule::Name("name")),
    ("full_enum_case", Rule::Scope("name")),
    // Parameters in declaring position are those of a type, which its members see.
    ("class_parameters", Rule::Through),
    ("class_parameter", Rule::Name("name")),
    ("function_definition", Rule::Name("name")),
    ("function_declaration", Rule::Name("name")),
    ("val_definition", Rule::By(value)),
    ("var_definition", Rule::By(value)),
    ("val_declaration", Rule::Name("name")),
    ("var_declaration", Rule::Name("name")),
    ("type_definition", Rule::Name("name")),
];

/// `package a.b { ... }`. Without a block it stands for the whole file and is no part of a name.
fn package<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(body) = node.child_by_field_name("body") else { return };
    let name = node.child_by_field_name("name").map(|n| walk.text(n)).unwrap_or_default();
    let mut below = Some(place);
    for part in name.split('.') {
        below = below.and_then(|p| walk.declare(part.trim(), p));
    }
    if let Some(below) = below {
        walk.inside(body, below);
    }
}

fn value<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(pattern) = node.child_by_field_name("pattern") {
        walk.bindings(pattern, &["identifier"], &["identifiers", "tuple_pattern"], place);
    }
}
