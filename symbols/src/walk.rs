//! The walk through a syntax tree that collects declarations. It goes only where declarations can
//! stand, keeps its own stack, and is bounded.

use tree_sitter::Node;

use crate::Declarations;
use crate::language::Spec;

/// Most nodes that the walk looks at.
const NODES_MAX: usize = 500_000;
/// Most bytes of all paths together.
const PATHS_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Deepest path.
const DEPTH_MAX: usize = 32;
/// Longest name, in bytes: longer than any in use, as short as a claim on it may be.
const NAME_BYTES_MAX: usize = 512;

/// What to do at a node of some kind.
pub(crate) enum Rule {
    /// It declares what stands in this field, once for each time the field is there.
    Name(&'static str),
    /// The same, and what is declared inside lies below that name.
    Scope(&'static str),
    /// It declares nothing itself; what is declared inside lies where it lies.
    Through,
    /// It may declare names that nobody can see without expanding it.
    #[cfg_attr(not(feature = "rust"), allow(dead_code, reason = "not of use to every language"))]
    Opaque,
    /// Whatever this does.
    By(for<'t> fn(&mut Walk<'t>, Node<'t>, Place)),
}

/// Where a declaration lies: the place of its parent among the paths.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// Into [`Walk::parents`].
    parent: usize,
    depth: usize,
}

/// A walk in progress.
pub(crate) struct Walk<'t> {
    source: &'t str,
    /// Paths that something may lie below; the first is the file itself.
    parents: Vec<String>,
    found: Vec<String>,
    todo: Vec<(Node<'t>, Place)>,
    nodes: usize,
    bytes: usize,
    complete: bool,
}

/// Collects what lies below `root`; `None` when a bound is exceeded.
pub(crate) fn declarations<'t>(
    spec: &Spec,
    source: &'t str,
    root: Node<'t>,
) -> Option<Declarations> {
    let mut walk = Walk {
        source,
        parents: vec![String::new()],
        found: Vec::new(),
        todo: Vec::new(),
        nodes: 0,
        bytes: 0,
        complete: !root.has_error(),
    };
    walk.inside(root, Place { parent: 0, depth: 0 });
    while let Some((node, place)) = walk.todo.pop() {
        if walk.nodes > NODES_MAX || walk.bytes > PATHS_BYTES_MAX {
            return None;
        }
        walk.visit(spec, node, place);
    }
    Some(Declarations { paths: walk.found, complete: walk.complete })
}

impl<'t> Walk<'t> {
    fn visit(&mut self, spec: &Spec, node: Node<'t>, place: Place) {
        let kind = node.kind();
        if node.is_error() {
            // What was recognised among the errors counts.
            return self.inside(node, place);
        }
        match spec.rules.iter().find(|(k, _)| *k == kind).map(|(_, rule)| rule) {
            None => {}
            Some(Rule::Through) => self.inside(node, place),
            Some(Rule::Opaque) => self.complete = false,
            Some(Rule::By(act)) => act(self, node, place),
            Some(Rule::Name(field)) => {
                for name in fields(node, field) {
                    self.declare_node(name, place);
                }
            }
            Some(Rule::Scope(field)) => {
                let below = match node.child_by_field_name(field) {
                    Some(name) => self.declare_node(name, place),
                    None => Some(place),
                };
                if let Some(below) = below {
                    self.inside(node, below);
                }
            }
        }
    }

    /// The text of a node.
    pub(crate) fn text(&self, node: Node<'t>) -> &'t str {
        self.source.get(node.byte_range()).unwrap_or_default()
    }

    /// Has the children of a node looked at, in their order.
    pub(crate) fn inside(&mut self, node: Node<'t>, place: Place) {
        let at = self.todo.len();
        self.todo.extend(node.named_children(&mut node.walk()).map(|child| (child, place)));
        self.todo[at..].reverse();
        self.nodes += self.todo.len() - at;
    }

    /// Has one node looked at, before all that waits.
    #[cfg_attr(
        not(feature = "typescript"),
        allow(dead_code, reason = "not of use to every language")
    )]
    pub(crate) fn later(&mut self, node: Node<'t>, place: Place) {
        self.nodes += 1;
        self.todo.push((node, place));
    }

    /// Declares the text of a node. See [`Self::declare`].
    pub(crate) fn declare_node(&mut self, node: Node<'t>, place: Place) -> Option<Place> {
        if node.is_missing() {
            return None;
        }
        self.declare(self.text(node), place)
    }

    /// Declares a name, and returns the place below it; `None` when it cannot have one.
    pub(crate) fn declare(&mut self, name: &str, place: Place) -> Option<Place> {
        let below = self.below(name, place)?;
        let path = self.parents[below.parent].clone();
        self.bytes += path.len();
        self.found.push(path);
        Some(below)
    }

    /// The place below a name that is not declared here: what an `impl` adds to a type.
    pub(crate) fn below(&mut self, name: &str, place: Place) -> Option<Place> {
        let fits = !name.is_empty() && name.len() <= NAME_BYTES_MAX;
        if !fits || place.depth >= DEPTH_MAX || name.chars().any(char::is_control) {
            self.complete = false;
            return None;
        }
        let parent = &self.parents[place.parent];
        let path = if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") };
        self.bytes += path.len();
        self.parents.push(path);
        Some(Place { parent: self.parents.len() - 1, depth: place.depth + 1 })
    }

    /// Declares every name that a pattern binds: nodes of the kinds in `names`, through nodes of the
    /// kinds in `through`. Of an alternative with a default only the left side binds.
    #[cfg_attr(
        not(feature = "typescript"),
        allow(dead_code, reason = "not of use to every language")
    )]
    pub(crate) fn bindings(
        &mut self,
        pattern: Node<'t>,
        names: &[&str],
        through: &[&str],
        place: Place,
    ) {
        let mut todo = vec![pattern];
        while let Some(node) = todo.pop() {
            self.nodes += 1;
            if names.contains(&node.kind()) {
                self.declare_node(node, place);
            } else if let Some(left) = node.child_by_field_name("left") {
                todo.push(left);
            } else if through.contains(&node.kind()) {
                let at = todo.len();
                todo.extend(node.named_children(&mut node.walk()));
                todo[at..].reverse();
            }
        }
    }
}

/// The named nodes that stand in a field; in some grammars the commas between them do, too.
pub(crate) fn fields<'t>(node: Node<'t>, field: &str) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.children_by_field_name(field, &mut cursor).filter(|n| n.kind() != ",").collect()
}

/// The first child of one of these kinds.
#[cfg_attr(not(feature = "python"), allow(dead_code, reason = "not of use to every language"))]
pub(crate) fn child<'t>(node: Node<'t>, kinds: &[&str]) -> Option<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).find(|n| kinds.contains(&n.kind()))
}
