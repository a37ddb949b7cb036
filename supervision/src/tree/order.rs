//! The order in which nodes are shown: the root, then each supervisor with its agents below it, as people count.
//!
//! ```text
//!   root    team    team/echo-2    team/echo-10    team.1    team.1/echo-11    writers    …
//! ```

use std::cmp::Ordering;
use std::sync::Arc;

use foldhash::HashMap;

use super::metering::ROOT;
use super::node::{Level, Node};

/// Children with their names, by the path of their supervisor.
type Siblings<'a> = HashMap<&'a str, Vec<(&'a str, &'a Arc<Node>)>>;

/// A node where it is shown.
pub(crate) struct Shown {
    pub(crate) node: Arc<Node>,
    pub(crate) children: usize,
}

/// The path of the supervisor above a node; of nobody above the root.
pub(super) fn parent_of(node: &Node) -> &str {
    match node.level() {
        Level::Root => "",
        Level::Supervisor => ROOT,
        Level::Agent => node.parent_path().unwrap_or(ROOT),
    }
}

/// Puts nodes in order.
///
/// Siblings are put together first and compared only with each other: paths of ten thousand agents begin alike, and lie far apart.
pub(super) fn in_order(nodes: &[Arc<Node>]) -> Arc<[Shown]> {
    let mut siblings = Siblings::default();
    for node in nodes {
        let named = (node.name.as_str(), node);
        siblings.entry(parent_of(node)).or_default().push(named);
    }
    for group in siblings.values_mut() {
        group.sort_unstable_by(|(one, _), (other, _)| as_people_count(one, other));
    }
    let mut ordered = Vec::with_capacity(nodes.len());
    follow(&mut siblings, "", &mut ordered);
    // Of a tree that is changing, some may stand under a supervisor that has just gone.
    let mut left: Vec<&str> = siblings.keys().copied().collect();
    left.sort_unstable_by(|one, other| as_people_count(one, other));
    for parent in left {
        follow(&mut siblings, parent, &mut ordered);
    }
    ordered.into()
}

fn follow(siblings: &mut Siblings<'_>, parent: &str, ordered: &mut Vec<Shown>) {
    for (_, node) in siblings.remove(parent).unwrap_or_default() {
        let is_leaf = node.level() == Level::Agent;
        let children = if is_leaf {
            0
        } else {
            siblings.get(node.path_str()).map_or(0, Vec::len)
        };
        ordered.push(Shown {
            node: Arc::clone(node),
            children,
        });
        if !is_leaf {
            follow(siblings, node.path_str(), ordered);
        }
    }
}

/// Compares letter by letter, and numbers as numbers.
fn as_people_count(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        let (first, second) = match (one.first(), other.first()) {
            (Some(first), Some(second)) => (first, second),
            (first, second) => return first.is_some().cmp(&second.is_some()),
        };
        let step = if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, rest) = leading_number(one);
            let (other_number, other_rest) = leading_number(other);
            (one, other) = (rest, other_rest);
            number
                .len()
                .cmp(&other_number.len())
                .then_with(|| number.cmp(other_number))
        } else {
            (one, other) = (&one[1..], &other[1..]);
            first.cmp(second)
        };
        if step.is_ne() {
            return step;
        }
    }
}

/// The digits at the beginning, without zeros before them, and what follows.
fn leading_number(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    (&digits[zeros..], rest)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::name::Name;

    fn node(path: &str) -> Arc<Node> {
        let (level, name) = match path.rsplit_once('/') {
            Some((_, name)) => (Level::Agent, name),
            None if path == ROOT => (Level::Root, path),
            None => (Level::Supervisor, path),
        };
        let node = Node::new(level, Name::unchecked(name), "Type");
        assert!(node.set_path(Arc::from(path)));
        node
    }

    fn ordered(paths: &[&str]) -> Vec<(String, usize)> {
        let nodes: Vec<_> = paths.iter().map(|path| node(path)).collect();
        let ordered = in_order(&nodes);
        ordered
            .iter()
            .map(|shown| (shown.node.path_str().to_owned(), shown.children))
            .collect()
    }

    #[test]
    fn agents_stand_below_their_supervisor_and_numbers_count() {
        let shown = [
            ("root", 5),
            ("a", 3),
            ("a/echo-1", 0),
            ("a/echo-2", 0),
            ("a/echo-10", 0),
            ("a.1", 1),
            ("a.1/echo-11", 0),
            ("a.2", 0),
            ("a.10", 0),
            ("b", 1),
            ("b/z", 0),
        ];
        let mut paths = shown.map(|(path, _)| path);
        paths.sort_unstable();
        assert_eq!(
            ordered(&paths),
            shown.map(|(path, children)| (path.to_owned(), children))
        );
    }

    #[test]
    fn whoever_has_no_supervisor_any_more_is_shown_too() {
        let shown = ordered(&["gone.2/a", "root", "gone.10/a", "here"]);
        let paths: Vec<_> = shown.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["root", "here", "gone.2/a", "gone.10/a"]);
    }

    #[test]
    fn numbers_are_compared_as_numbers_and_all_else_by_its_letters() {
        let sorted = ["", "1", "2", "10", "a", "a-1", "a-2b", "a-2c", "a-10", "a1", "ab", "b"];
        for (at, one) in sorted.iter().enumerate() {
            for (other_at, other) in sorted.iter().enumerate() {
                assert_eq!(as_people_count(one, other), at.cmp(&other_at), "{one:?} and {other:?}");
            }
        }
        let huge = "9".repeat(40);
        assert_eq!(as_people_count(&huge, &format!("1{huge}")), Ordering::Less);
        assert_eq!(as_people_count("a007", "a7"), Ordering::Equal);
    }
}
