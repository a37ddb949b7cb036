//! The tree for Graphviz.

use std::fmt::Write as _;

use crate::operations::NodeSeen;

/// One box for each node, with an arrow from who supervises it.
pub(super) fn dot(nodes: &[NodeSeen]) -> String {
    let mut text = "digraph triarch {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n".to_owned();
    for node in nodes {
        let _infallible = writeln!(
            text,
            "  {:?} [label=\"{}\\n{}, life {}\"];",
            node.path,
            node.path,
            node.standing(),
            node.incarnation
        );
        if let Some(parent) = parent(&node.path) {
            let _infallible = writeln!(text, "  {parent:?} -> {:?};", node.path);
        }
    }
    text + "}\n"
}

fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/') {
        Some((parent, _)) => Some(parent),
        None if path == "root" => None,
        None => Some("root"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_from_who_supervises() {
        assert_eq!(
            ["root", "team", "team.1/echo"].map(parent),
            [None, Some("root"), Some("team.1")]
        );
    }
}
