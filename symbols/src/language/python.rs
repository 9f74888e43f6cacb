//! Python.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk, child};

pub(super) static PYTHON: Spec = Spec {
    name: "python",
    endings: &["py", "pyi", "pyw"],
    grammar: || tree_sitter_python::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("function_definition", Rule::Name("name")),
    ("class_definition", Rule::Scope("name")),
    ("decorated_definition", Rule::Through),
    ("expression_statement", Rule::Through),
    ("assignment", Rule::By(assignment)),
    ("type_alias_statement", Rule::By(type_alias)),
    // Functions are not looked into, so these stand at the top or in a class.
    ("block", Rule::Through),
    ("if_statement", Rule::Through),
    ("elif_clause", Rule::Through),
    ("else_clause", Rule::Through),
    ("try_statement", Rule::Through),
    ("except_clause", Rule::Through),
    ("except_group_clause", Rule::Through),
    ("finally_clause", Rule::Through),
    ("with_statement", Rule::Through),
    ("for_statement", Rule::Through),
    ("while_statement", Rule::Through),
    ("match_statement", Rule::Through),
    ("case_clause", Rule::Through),
];

/// `a = b, (c, *d) = 1`: every side but the last one binds.
fn assignment<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(left) = node.child_by_field_name("left") {
        const PATTERNS: &[&str] =
            &["pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern"];
        walk.bindings(left, &["identifier"], PATTERNS, place);
    }
    if let Some(right) = node.child_by_field_name("right").filter(|r| r.kind() == "assignment") {
        walk.later(right, place);
    }
}

/// `type Pair[T] = tuple[T, T]`.
fn type_alias<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let name = node.child_by_field_name("left").and_then(|n| n.named_child(0));
    let name = name
        .and_then(|n| if n.kind() == "identifier" { Some(n) } else { child(n, &["identifier"]) });
    if let Some(name) = name {
        walk.declare_node(name, place);
    }
}
