//! What C and C++ have in common: a name stands deep inside its declarator.

use tree_sitter::Node;

use crate::walk::{Place, Walk, fields};

/// `int *a[2], f(int);`: the name of each declarator, and the type that stands before them.
pub(super) fn declaration<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    if let Some(of) = node.child_by_field_name("type") {
        // `struct s x;` only uses the type.
        if of.child_by_field_name("body").is_some() {
            walk.later(of, place);
        }
    }
    for declarator in fields(node, "declarator") {
        if let Some(name) = name_of(declarator) {
            qualified(walk, name, place);
        }
    }
}

/// A struct, union, class or enum. Without a name its members belong to what is around it.
pub(super) fn aggregate<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let below = match node.child_by_field_name("name") {
        Some(name) => qualified(walk, name, place),
        None => Some(place),
    };
    if let (Some(below), Some(body)) = (below, node.child_by_field_name("body")) {
        walk.inside(body, below);
    }
}

/// The node that names what a declarator declares.
fn name_of(declarator: Node<'_>) -> Option<Node<'_>> {
    let mut at = declarator;
    loop {
        // `operator bool() const` has a declarator behind it, not inside.
        if at.kind() == "operator_cast" {
            return Some(at);
        }
        if let Some(inner) = at.child_by_field_name("declarator") {
            at = inner;
            continue;
        }
        match at.kind() {
            "parenthesized_declarator" | "reference_declarator" | "attributed_declarator" => {
                at = at.named_child(0)?;
            }
            "structured_binding_declarator" => return None,
            _ => return Some(at),
        }
    }
}

/// Declares `a::B<T>::c` as `a::B::c`.
fn qualified<'t>(walk: &mut Walk<'t>, name: Node<'t>, place: Place) -> Option<Place> {
    let mut at = name;
    let mut place = place;
    while at.kind() == "qualified_identifier" {
        if let Some(scope) = at.child_by_field_name("scope") {
            place = walk.below(plain(walk, scope), place)?;
        }
        at = at.child_by_field_name("name")?;
    }
    walk.declare(plain(walk, at), place)
}

/// A name without its template arguments; `operator bool() const` without what follows the type.
fn plain<'t>(walk: &Walk<'t>, name: Node<'t>) -> &'t str {
    match name.kind() {
        "template_type" | "template_function" | "template_method" => {
            name.child_by_field_name("name").map_or("", |n| walk.text(n))
        }
        "operator_cast" => walk.text(name).split('(').next().unwrap_or_default().trim(),
        _ => walk.text(name),
    }
}
