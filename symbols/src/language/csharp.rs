//! C#.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk};

pub(super) static CSHARP: Spec = Spec {
    name: "csharp",
    endings: &["cs", "csx"],
    grammar: || tree_sitter_c_sharp::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("namespace_declaration", Rule::By(namespace)),
    ("file_scoped_namespace_declaration", Rule::Through),
    ("declaration_list", Rule::Through),
    ("class_declaration", Rule::Scope("name")),
    ("struct_declaration", Rule::Scope("name")),
    ("interface_declaration", Rule::Scope("name")),
    ("record_declaration", Rule::Scope("name")),
    ("enum_declaration", Rule::Scope("name")),
    ("enum_member_declaration_list", Rule::Through),
    ("enum_member_declaration", Rule::Name("name")),
    ("delegate_declaration", Rule::Name("name")),
    // Parameters in declaring position are those of a type, which its members see.
    ("parameter_list", Rule::Through),
    ("parameter", Rule::Name("name")),
    ("method_declaration", Rule::Name("name")),
    ("constructor_declaration", Rule::Name("name")),
    ("destructor_declaration", Rule::By(destructor)),
    ("property_declaration", Rule::Name("name")),
    ("indexer_declaration", Rule::By(indexer)),
    ("operator_declaration", Rule::By(operator)),
    ("conversion_operator_declaration", Rule::By(operator)),
    ("event_declaration", Rule::Name("name")),
    ("event_field_declaration", Rule::Through),
    ("field_declaration", Rule::Through),
    ("variable_declaration", Rule::Through),
    ("variable_declarator", Rule::Name("name")),
    ("global_statement", Rule::Through),
    ("local_function_statement", Rule::Name("name")),
    ("preproc_if", Rule::Through),
    ("preproc_elif", Rule::Through),
    ("preproc_else", Rule::Through),
];

/// `namespace A.B { ... }`.
fn namespace<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(name) = node.child_by_field_name("name") else { return };
    let mut below = Some(place);
    for part in walk.text(name).split('.') {
        below = below.and_then(|p| walk.declare(part.trim(), p));
    }
    if let Some(below) = below {
        walk.inside(node, below);
    }
}

fn destructor<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = node.child_by_field_name("name") {
        walk.declare(&format!("~{}", walk.text(name)), place);
    }
}

fn indexer<'t>(walk: &mut Walk<'t>, _: Node<'t>, place: Place) {
    walk.declare("this", place);
}

/// `operator +`, `operator int`.
fn operator<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let of = node.child_by_field_name("operator").or_else(|| node.child_by_field_name("type"));
    if let Some(of) = of {
        walk.declare(&format!("operator {}", walk.text(of)), place);
    }
}
