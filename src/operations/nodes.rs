//! Many nodes in one answer.

use std::ops::Deref;

use serde::Deserialize;
use serde::ser::{Serialize, Serializer};

use super::seen::{MailboxSeen, NodeSeen};
use super::trouble::Trouble;
use crate::fleet::Fleet;

/// So many rows are handed over at once: about as much as a socket takes without a reader.
const PART: usize = 1024;

/// Nodes as an operation answers them: each as an object, or as a row of its values for one who knows what they are.
///
/// Rows are a quarter as long: of many thousands, names of keys were most of what was written, read and thrown away. They
/// are read like objects are, since a field is found by its name or by its place.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Vec<NodeSeen>")]
pub(crate) struct Nodes {
    seen: Vec<NodeSeen>,
    as_rows: bool,
}

impl Nodes {
    pub(crate) fn new(seen: Vec<NodeSeen>, as_rows: bool) -> Self {
        Self { seen, as_rows }
    }

    /// As an answer. Rows of many are handed over as they are made, so that whoever asks reads some while others are still written.
    pub(crate) async fn answered(
        fleet: &Fleet,
        seen: impl Iterator<Item = NodeSeen>,
        as_rows: bool,
    ) -> Result<Self, Trouble> {
        let mut part = Self::new(Vec::new(), as_rows);
        for node in seen {
            if as_rows && part.len() == PART && fleet.tell_part(&part).await? {
                part.seen.clear();
            }
            part.seen.push(node);
        }
        Ok(part)
    }

    /// All parts as one.
    pub(crate) fn joined(parts: Vec<Self>, rest: Self) -> Self {
        let as_rows = rest.as_rows;
        let parts = parts.into_iter().chain([rest]);
        Self::new(parts.flat_map(Self::into_seen).collect(), as_rows)
    }

    pub(crate) fn into_seen(self) -> Vec<NodeSeen> {
        self.seen
    }
}

impl From<Vec<NodeSeen>> for Nodes {
    fn from(seen: Vec<NodeSeen>) -> Self {
        Self::new(seen, false)
    }
}

impl Deref for Nodes {
    type Target = Vec<NodeSeen>;

    fn deref(&self) -> &Vec<NodeSeen> {
        &self.seen
    }
}

impl Serialize for Nodes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.as_rows {
            serializer.collect_seq(self.seen.iter().map(Row))
        } else {
            self.seen.serialize(serializer)
        }
    }
}

/// The values of a node, in the order of its fields.
struct Row<'a>(&'a NodeSeen);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let NodeSeen {
            path,
            level,
            kind,
            state,
            incarnation,
            restarts,
            pid,
            mailbox,
            children_count,
            tasks,
            posts,
        } = self.0;
        let mailbox = mailbox.as_ref().map(values);
        (
            path,
            level,
            kind,
            state,
            incarnation,
            restarts,
            pid,
            mailbox,
            children_count,
            tasks,
            posts,
        )
            .serialize(serializer)
    }
}

fn values(mailbox: &MailboxSeen) -> impl Serialize {
    let MailboxSeen {
        depth,
        capacity,
        high_water,
        oldest_age_ms,
        enqueued,
        handled,
        failed,
        dropped,
    } = *mailbox;
    (
        depth,
        capacity,
        high_water,
        oldest_age_ms,
        enqueued,
        handled,
        failed,
        dropped,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> Vec<NodeSeen> {
        let agent = NodeSeen {
            path: "team/a".to_owned(),
            level: 3,
            kind: "program".into(),
            state: "busy".into(),
            incarnation: 4,
            restarts: 5,
            pid: Some(6),
            mailbox: Some(MailboxSeen {
                depth: 7,
                capacity: 8,
                high_water: 9,
                oldest_age_ms: Some(10),
                enqueued: 11,
                handled: 12,
                failed: 13,
                dropped: 14,
            }),
            children_count: 15,
            tasks: 16,
            posts: 17,
        };
        let root = NodeSeen {
            path: "root".to_owned(),
            pid: None,
            mailbox: None,
            ..agent.clone()
        };
        vec![root, agent]
    }

    #[test]
    fn parts_are_put_together_in_their_order_with_the_rest_behind_them() {
        let [root, agent] = <[NodeSeen; 2]>::try_from(nodes()).unwrap();
        let part = |node: &NodeSeen| Nodes::from(vec![node.clone()]);
        let joined = Nodes::joined(vec![part(&root), part(&agent)], part(&root));
        assert_eq!(*joined, [root.clone(), agent, root]);
    }

    #[test]
    fn nodes_are_read_alike_from_rows_and_from_objects() {
        for as_rows in [false, true] {
            let written = serde_json::to_string(&Nodes::new(nodes(), as_rows)).unwrap();
            assert_eq!(written.contains("\"path\""), !as_rows, "{written}");
            let read: Nodes = serde_json::from_str(&written).unwrap();
            assert_eq!(read, Nodes::from(nodes()));
        }
    }
}
