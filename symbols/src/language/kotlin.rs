//! Kotlin. Its grammar names hardly any fields.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk, child};

pub(super) static KOTLIN: Spec = Spec {
    name: "kotlin",
    endings: &["kt", "kts"],
    grammar: || tree_sitter_kotlin_sg::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("class_declaration", Rule::By(named)),
    ("object_declaration", Rule::By(named)),
    ("companion_object", Rule::By(named)),
    ("type_alias", Rule::By(named)),
    ("enum_entry", Rule::By(named)),
    ("function_declaration", Rule::By(function)),
    ("property_declaration", Rule::By(property)),
    ("primary_constructor", Rule::Through),
    ("class_parameter", Rule::By(parameter)),
    ("secondary_constructor", Rule::By(constructor)),
    ("class_body", Rule::Through),
    ("enum_class_body", Rule::Through),
];

const NAMES: &[&str] = &["type_identifier", "simple_identifier"];

/// What is inside a companion without a name belongs to its class.
fn named<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let below = match child(node, NAMES) {
        Some(name) => walk.declare_node(name, place),
        None => Some(place),
    };
    if let Some(below) = below {
        walk.inside(node, below);
    }
}

fn function<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(name) = child(node, &["simple_identifier"]) {
        walk.declare_node(name, place);
    }
}

fn property<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    const PATTERNS: &[&str] = &["multi_variable_declaration"];
    let Some(bound) = child(node, &["variable_declaration", "multi_variable_declaration"]) else {
        return;
    };
    if bound.kind() == "variable_declaration" {
        return function(walk, bound, place);
    }
    for variable in bound.named_children(&mut bound.walk()) {
        if !PATTERNS.contains(&variable.kind()) {
            function(walk, variable, place);
        }
    }
}

/// `val a: Int` of a constructor is a property, `a: Int` is not.
fn parameter<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if child(node, &["binding_pattern_kind"]).is_some() {
        function(walk, node, place);
    }
}

fn constructor<'t>(walk: &mut Walk<'t>, _: Node<'t>, place: Place) {
    walk.declare("constructor", place);
}
