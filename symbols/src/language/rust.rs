//! Rust.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk};

pub(super) static RUST: Spec = Spec {
    name: "rust",
    endings: &["rs"],
    grammar: || tree_sitter_rust::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("function_item", Rule::Name("name")),
    ("function_signature_item", Rule::Name("name")),
    ("struct_item", Rule::Scope("name")),
    ("union_item", Rule::Scope("name")),
    ("field_declaration_list", Rule::Through),
    ("field_declaration", Rule::Name("name")),
    ("enum_item", Rule::Scope("name")),
    ("enum_variant_list", Rule::Through),
    ("enum_variant", Rule::Scope("name")),
    ("trait_item", Rule::Scope("name")),
    ("associated_type", Rule::Name("name")),
    ("impl_item", Rule::By(implementation)),
    ("mod_item", Rule::Scope("name")),
    ("foreign_mod_item", Rule::Through),
    ("declaration_list", Rule::Through),
    ("const_item", Rule::By(constant)),
    ("static_item", Rule::Name("name")),
    ("type_item", Rule::Name("name")),
    ("macro_definition", Rule::Name("name")),
    ("expression_statement", Rule::Through),
    ("macro_invocation", Rule::Opaque),
];

/// Methods lie below the type, whichever trait they are of.
fn implementation<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let mut of = node.child_by_field_name("type");
    let name = loop {
        let Some(n) = of else { break None };
        of = match n.kind() {
            "generic_type" | "reference_type" | "pointer_type" => n.child_by_field_name("type"),
            "dynamic_type" | "abstract_type" => n.child_by_field_name("trait"),
            "scoped_type_identifier" => n.child_by_field_name("name"),
            // A plain name, or what has no other name than its own text: `[T]`, `(A, B)`.
            _ => break Some(n),
        };
    };
    let below = name.and_then(|n| walk.below(walk.text(n), place));
    if let (Some(below), Some(body)) = (below, node.child_by_field_name("body")) {
        walk.inside(body, below);
    }
}

fn constant<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = node.child_by_field_name("name").filter(|n| walk.text(*n) != "_") {
        walk.declare_node(name, place);
    }
}
