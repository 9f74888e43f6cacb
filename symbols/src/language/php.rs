//! PHP.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk, child};

pub(super) static PHP: Spec = Spec {
    name: "php",
    endings: &["php", "phtml"],
    grammar: || tree_sitter_php::LANGUAGE_PHP.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("namespace_definition", Rule::By(namespace)),
    ("class_declaration", Rule::Scope("name")),
    ("interface_declaration", Rule::Scope("name")),
    ("trait_declaration", Rule::Scope("name")),
    ("enum_declaration", Rule::Scope("name")),
    ("declaration_list", Rule::Through),
    ("enum_declaration_list", Rule::Through),
    ("enum_case", Rule::Name("name")),
    ("function_definition", Rule::Name("name")),
    ("method_declaration", Rule::By(method)),
    ("property_declaration", Rule::Through),
    ("property_element", Rule::By(property)),
    ("const_declaration", Rule::Through),
    ("const_element", Rule::By(constant)),
    // Functions are not looked into, so these stand at the top.
    ("if_statement", Rule::Through),
    ("else_clause", Rule::Through),
    ("compound_statement", Rule::Through),
];

/// `namespace A\B { ... }`. `namespace A\B;` stands for the whole file and is no part of a name.
fn namespace<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(body) = node.child_by_field_name("body") else { return };
    let mut below = Some(place);
    if let Some(name) = node.child_by_field_name("name") {
        for part in walk.text(name).split('\\') {
            below = below.and_then(|p| walk.declare(part, p));
        }
    }
    if let Some(below) = below {
        walk.inside(body, below);
    }
}

/// A method; a constructor may make properties of its parameters.
fn method<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = node.child_by_field_name("name") {
        walk.declare_node(name, place);
    }
    let Some(parameters) = node.child_by_field_name("parameters") else { return };
    for parameter in parameters.named_children(&mut parameters.walk()) {
        if parameter.kind() == "property_promotion_parameter" {
            property(walk, parameter, place);
        }
    }
}

/// A property, without its `$`.
fn property<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = node.child_by_field_name("name") {
        walk.declare(walk.text(name).trim_start_matches(['&', '$']), place);
    }
}

fn constant<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = child(node, &["name"]) {
        walk.declare_node(name, place);
    }
}
