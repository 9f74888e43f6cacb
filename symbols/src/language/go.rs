//! Go.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk, fields};

pub(super) static GO: Spec = Spec {
    name: "go",
    endings: &["go"],
    grammar: || tree_sitter_go::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("function_declaration", Rule::Name("name")),
    ("method_declaration", Rule::By(method)),
    ("type_declaration", Rule::Through),
    ("type_spec", Rule::Scope("name")),
    ("type_alias", Rule::Name("name")),
    ("struct_type", Rule::Through),
    ("field_declaration_list", Rule::Through),
    ("field_declaration", Rule::Name("name")),
    ("interface_type", Rule::Through),
    ("method_elem", Rule::Name("name")),
    ("const_declaration", Rule::Through),
    ("const_spec", Rule::By(values)),
    ("var_declaration", Rule::Through),
    ("var_spec_list", Rule::Through),
    ("var_spec", Rule::By(values)),
];

/// `func (r *Router[T]) Handle()` is `Router::Handle`.
fn method<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let receiver = node.child_by_field_name("receiver").and_then(|r| r.named_child(0));
    let mut of = receiver.and_then(|r| r.child_by_field_name("type"));
    while let Some(n) = of.filter(|n| n.kind() != "type_identifier") {
        of = n.child_by_field_name("type").or_else(|| n.named_child(0));
    }
    let below = of.and_then(|n| walk.below(walk.text(n), place));
    if let (Some(below), Some(name)) = (below, node.child_by_field_name("name")) {
        walk.declare_node(name, below);
    }
}

fn values<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    for name in fields(node, "name") {
        if walk.text(name) != "_" {
            walk.declare_node(name, place);
        }
    }
}
