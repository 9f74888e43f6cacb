//! What TypeScript and JavaScript declare; the two grammars name their nodes alike.

use tree_sitter::Node;

use crate::walk::{Place, Rule, Walk, fields};

pub(super) static RULES: &[(&str, Rule)] = &[
    ("export_statement", Rule::By(export)),
    ("ambient_declaration", Rule::Through),
    ("expression_statement", Rule::Through),
    ("function_declaration", Rule::Name("name")),
    ("generator_function_declaration", Rule::Name("name")),
    ("function_signature", Rule::Name("name")),
    ("class_declaration", Rule::Scope("name")),
    ("abstract_class_declaration", Rule::Scope("name")),
    ("class_body", Rule::Through),
    ("method_definition", Rule::By(member)),
    ("method_signature", Rule::By(member)),
    ("abstract_method_signature", Rule::By(member)),
    ("property_signature", Rule::By(member)),
    ("public_field_definition", Rule::By(member)),
    ("field_definition", Rule::By(member)),
    ("pair", Rule::By(pair)),
    ("interface_declaration", Rule::Scope("name")),
    ("interface_body", Rule::Through),
    ("type_alias_declaration", Rule::Name("name")),
    ("enum_declaration", Rule::Scope("name")),
    ("enum_body", Rule::By(enum_body)),
    ("internal_module", Rule::By(namespace)),
    ("module", Rule::By(namespace)),
    ("lexical_declaration", Rule::Through),
    ("variable_declaration", Rule::Through),
    ("variable_declarator", Rule::By(variable)),
    ("assignment_expression", Rule::By(assignment)),
    // Functions are not looked into, so these blocks stand at the top or in a namespace.
    ("statement_block", Rule::Through),
    ("if_statement", Rule::Through),
    ("else_clause", Rule::Through),
    ("try_statement", Rule::Through),
    ("catch_clause", Rule::Through),
    ("finally_clause", Rule::Through),
];

const BINDINGS: &[&str] = &["identifier", "shorthand_property_identifier_pattern"];
const PATTERNS: &[&str] = &["object_pattern", "array_pattern", "pair_pattern", "rest_pattern"];

/// `export default` of something without a name is called `default`.
fn export<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(value) = node.child_by_field_name("value") else {
        return walk.inside(node, place);
    };
    if value.kind() == "identifier" {
        return;
    }
    let name = match value.kind() {
        "class" | "function_expression" => value.child_by_field_name("name"),
        _ => None,
    };
    let name = name.map_or("default", |n| walk.text(n));
    if let Some(below) = walk.declare(name, place) {
        members_of(walk, value, below);
    }
}

/// A member of a class, an interface or an object.
fn member<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let name = node.child_by_field_name("name").or_else(|| node.child_by_field_name("property"));
    let Some(below) = name.and_then(|n| walk.declare(key(walk, n), place)) else { return };
    if let Some(value) = node.child_by_field_name("value") {
        members_of(walk, value, below);
    }
    // `constructor(private db: Db)` makes fields of its parameters.
    if let Some(parameters) = node.child_by_field_name("parameters") {
        for parameter in parameters.named_children(&mut parameters.walk()) {
            let mut cursor = parameter.walk();
            let is_field = parameter
                .children(&mut cursor)
                .any(|c| matches!(c.kind(), "accessibility_modifier" | "readonly"));
            if let Some(pattern) = parameter.child_by_field_name("pattern").filter(|_| is_field) {
                walk.bindings(pattern, BINDINGS, &[], place);
            }
        }
    }
}

/// `name: value` in an object: a function or a class has a name by it, data has not.
fn pair<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let (Some(name), Some(value)) =
        (node.child_by_field_name("key"), node.child_by_field_name("value"))
    else {
        return;
    };
    let value = bare(value);
    let below = match value.kind() {
        "object" => walk.below(key(walk, name), place),
        "arrow_function"
        | "function_expression"
        | "generator_function"
        | "class"
        | "call_expression" => walk.declare(key(walk, name), place),
        _ => None,
    };
    if let Some(below) = below {
        members_of(walk, value, below);
    }
}

fn enum_body<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    for member in node.named_children(&mut node.walk()) {
        let name = member.child_by_field_name("name").unwrap_or(member);
        if !matches!(name.kind(), "comment") {
            walk.declare(key(walk, name), place);
        }
    }
}

/// `namespace A.B`, `module 'x'`.
fn namespace<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(name) = node.child_by_field_name("name") else { return };
    let below = if name.kind() == "nested_identifier" {
        let mut below = Some(place);
        for part in walk.text(name).split('.') {
            below = below.and_then(|p| walk.declare(part.trim(), p));
        }
        below
    } else {
        walk.declare(key(walk, name), place)
    };
    if let Some(below) = below {
        walk.inside(node, below);
    }
}

/// Whatever a variable is bound to, it is a symbol: a constant, a wrapped component, a hook.
fn variable<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let Some(name) = node.child_by_field_name("name") else { return };
    if name.kind() != "identifier" {
        return walk.bindings(name, BINDINGS, PATTERNS, place);
    }
    let Some(below) = walk.declare_node(name, place) else { return };
    if let Some(value) = node.child_by_field_name("value") {
        members_of(walk, value, below);
    }
}

/// `module.exports.f = ...`, `exports.f = ...`, `F.prototype.g = ...` of a function or a class.
fn assignment<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let (Some(left), Some(right)) =
        (node.child_by_field_name("left"), node.child_by_field_name("right"))
    else {
        return;
    };
    let right = bare(right);
    let path = walk.text(left);
    let exports = path == "module.exports" || path == "exports";
    let functional = matches!(
        right.kind(),
        "arrow_function" | "function_expression" | "class" | "call_expression"
    );
    if left.kind() != "member_expression" || !(functional || right.kind() == "object") {
        return;
    }
    if exports {
        return members_of(walk, right, place);
    }
    let mut names: Vec<&str> = path
        .split('.')
        .map(str::trim)
        .filter(|n| !matches!(*n, "module" | "exports" | "prototype"))
        .collect();
    let Some(last) = names.pop() else { return };
    let mut above = Some(place);
    for name in names {
        above = above.and_then(|p| walk.below(name, p));
    }
    if let Some(below) = above.and_then(|p| walk.declare(last, p)) {
        members_of(walk, right, below);
    }
}

/// What a value declares below its name.
fn members_of<'t>(walk: &mut Walk<'t>, value: Node<'t>, below: Place) {
    let value = bare(value);
    match value.kind() {
        "object" => walk.inside(value, below),
        "class" => {
            for body in fields(value, "body") {
                walk.later(body, below);
            }
        }
        _ => {}
    }
}

/// A value without `(...)`, `as const` and `satisfies T` around it.
fn bare(mut value: Node<'_>) -> Node<'_> {
    while matches!(
        value.kind(),
        "parenthesized_expression"
            | "as_expression"
            | "satisfies_expression"
            | "non_null_expression"
    ) {
        let Some(inner) = value.named_child(0) else { break };
        value = inner;
    }
    value
}

/// The name of a member, without the quotes of a text.
fn key<'t>(walk: &Walk<'t>, name: Node<'t>) -> &'t str {
    let text = walk.text(name);
    if name.kind() == "string" { text.trim_matches(['\'', '"', '`']) } else { text }
}
