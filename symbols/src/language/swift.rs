//! Swift.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk, fields};

pub(super) static SWIFT: Spec = Spec {
    name: "swift",
    endings: &["swift"],
    grammar: || tree_sitter_swift::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("class_declaration", Rule::By(of_type)),
    ("protocol_declaration", Rule::By(of_type)),
    ("class_body", Rule::Through),
    ("enum_class_body", Rule::Through),
    ("protocol_body", Rule::Through),
    ("function_declaration", Rule::By(first_name)),
    ("protocol_function_declaration", Rule::By(first_name)),
    ("init_declaration", Rule::By(first_name)),
    ("deinit_declaration", Rule::By(deinit)),
    ("subscript_declaration", Rule::By(subscript)),
    ("property_declaration", Rule::By(property)),
    ("protocol_property_declaration", Rule::By(property)),
    ("typealias_declaration", Rule::By(first_name)),
    ("associatedtype_declaration", Rule::By(first_name)),
    ("enum_entry", Rule::Name("name")),
    ("macro_declaration", Rule::By(first_name)),
    ("statements", Rule::Through),
];

/// A class, struct, enum, actor or protocol; an extension adds to what another text declares.
fn of_type<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(name) = node.child_by_field_name("name") else { return };
    let extension = name.kind() == "user_type";
    let mut below = Some(place);
    for part in walk.text(name).split('<').next().unwrap_or_default().split('.') {
        let part = part.trim();
        below =
            below.and_then(|p| if extension { walk.below(part, p) } else { walk.declare(part, p) });
    }
    if let (Some(below), Some(body)) = (below, node.child_by_field_name("body")) {
        walk.inside(body, below);
    }
}

/// The type of the result stands in a field of the same name, behind.
fn first_name<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = node.child_by_field_name("name") {
        walk.declare_node(name, place);
    }
}

fn deinit<'t>(walk: &mut Walk<'t>, _: Node<'t>, place: Place) {
    walk.declare("deinit", place);
}

fn subscript<'t>(walk: &mut Walk<'t>, _: Node<'t>, place: Place) {
    walk.declare("subscript", place);
}

fn property<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    for name in fields(node, "name") {
        walk.bindings(name, &["simple_identifier"], &["pattern"], place);
    }
}
