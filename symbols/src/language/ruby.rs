//! Ruby.

use tree_sitter::Node;

use super::Spec;
use crate::walk::{Place, Rule, Walk};

pub(super) static RUBY: Spec = Spec {
    name: "ruby",
    endings: &["rb", "rake", "gemspec", "ru"],
    grammar: || tree_sitter_ruby::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("module", Rule::Scope("name")),
    ("class", Rule::Scope("name")),
    ("singleton_class", Rule::Through),
    ("body_statement", Rule::Through),
    ("method", Rule::Name("name")),
    ("singleton_method", Rule::Name("name")),
    ("alias", Rule::Name("name")),
    ("assignment", Rule::By(assignment)),
    ("operator_assignment", Rule::By(assignment)),
    ("call", Rule::By(call)),
    // Methods are not looked into, so these stand at the top or in a class.
    ("if", Rule::Through),
    ("unless", Rule::Through),
    ("then", Rule::Through),
    ("else", Rule::Through),
    ("elsif", Rule::Through),
    ("begin", Rule::Through),
    ("rescue", Rule::Through),
    ("ensure", Rule::Through),
];

/// Constants, one or several at once; `P = Struct.new(:a) do ... end` has methods of its own.
fn assignment<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    const NAMES: &[&str] = &["constant", "scope_resolution", "global_variable"];
    let Some(left) = node.child_by_field_name("left") else { return };
    if left.kind() != "constant" {
        return walk.bindings(left, NAMES, &["left_assignment_list"], place);
    }
    let Some(below) = walk.declare_node(left, place) else { return };
    let block = node.child_by_field_name("right").and_then(|r| r.child_by_field_name("block"));
    if let Some(body) = block.and_then(|b| b.child_by_field_name("body")) {
        walk.inside(body, below);
    }
}

/// Calls that declare: `attr_reader :a`, `define_method(:b)`, `alias_method :c, :d`, and
/// `private def e`.
fn call<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let name = node.child_by_field_name("method").map(|m| walk.text(m)).unwrap_or_default();
    let Some(arguments) = node.child_by_field_name("arguments") else { return };
    let most = match name {
        "attr_reader" | "attr_writer" | "attr_accessor" | "attr" => usize::MAX,
        "define_method" | "alias_method" | "scope" | "delegate" => 1,
        "private"
        | "public"
        | "protected"
        | "module_function"
        | "private_class_method"
        | "memoize" => return walk.inside(arguments, place),
        _ => return,
    };
    for symbol in arguments.named_children(&mut arguments.walk()).take(most) {
        if symbol.kind() == "simple_symbol" {
            walk.declare(walk.text(symbol).trim_start_matches(':'), place);
        }
    }
}
