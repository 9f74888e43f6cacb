//! C++.

use tree_sitter::Node;

use super::Spec;
use super::declarators::{aggregate, declaration};
use crate::walk::{Place, Rule, Walk};

pub(super) static CPP: Spec = Spec {
    name: "cpp",
    endings: &["cpp", "cc", "cxx", "c++", "hpp", "hh", "hxx", "h++", "h", "ipp", "inl", "tpp"],
    grammar: || tree_sitter_cpp::LANGUAGE.into(),
    rules: RULES,
};

static RULES: &[(&str, Rule)] = &[
    ("namespace_definition", Rule::By(namespace)),
    ("namespace_alias_definition", Rule::Name("name")),
    ("function_definition", Rule::By(declaration)),
    ("declaration", Rule::By(declaration)),
    ("type_definition", Rule::By(declaration)),
    ("field_declaration", Rule::By(declaration)),
    ("field_declaration_list", Rule::Through),
    ("class_specifier", Rule::By(aggregate)),
    ("struct_specifier", Rule::By(aggregate)),
    ("union_specifier", Rule::By(aggregate)),
    ("enum_specifier", Rule::By(aggregate)),
    ("enumerator", Rule::Name("name")),
    ("template_declaration", Rule::Through),
    ("alias_declaration", Rule::Name("name")),
    ("concept_definition", Rule::Name("name")),
    ("linkage_specification", Rule::Through),
    ("declaration_list", Rule::Through),
    ("preproc_def", Rule::Name("name")),
    ("preproc_function_def", Rule::Name("name")),
    ("preproc_if", Rule::Through),
    ("preproc_ifdef", Rule::Through),
    ("preproc_else", Rule::Through),
    ("preproc_elif", Rule::Through),
    ("preproc_elifdef", Rule::Through),
];

/// `namespace a::b { ... }`; one without a name adds nothing to the names inside.
fn namespace<'t>(walk: &mut Walk<'t>, node: Node<'t>, place: Place) {
    let mut below = Some(place);
    if let Some(name) = node.child_by_field_name("name") {
        for part in walk.text(name).split("::") {
            below = below.and_then(|p| walk.declare(part.trim(), p));
        }
    }
    if let (Some(below), Some(body)) = (below, node.child_by_field_name("body")) {
        walk.inside(body, below);
    }
}
