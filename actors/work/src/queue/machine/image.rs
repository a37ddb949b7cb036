//! Tasks as a snapshot: what cannot be told from something else in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::codec;
use crate::config::Config;
use crate::error::ReplayError;
use crate::record::LateResult;
use crate::time::{Anchor, TaskTime};
use crate::words::{Fence, TaskId};

use super::indexes::Indexes;
use super::kept::{Condition, Kept, Needs};
use super::{Tasks, Totals};

type ById = BTreeMap<TaskId, Box<Kept>>;

#[derive(Serialize, Deserialize)]
struct Image<'a> {
    #[serde(deserialize_with = "in_order")]
    tasks: Cow<'a, ById>,
    late: Cow<'a, VecDeque<LateResult>>,
    totals: Totals,
    next_task: TaskId,
    next_fence: Fence,
    is_draining: bool,
    anchor: Option<Anchor>,
    now: TaskTime,
}

impl Tasks {
    /// All of it, to be written.
    pub fn snapshot(&self) -> Result<Vec<u8>, codec::CodecError> {
        codec::encode(&Image {
            tasks: Cow::Borrowed(&self.by_id),
            late: Cow::Borrowed(&self.late),
            totals: self.totals,
            next_task: self.next_task,
            next_fence: self.next_fence,
            is_draining: self.is_draining,
            anchor: self.anchor,
            now: self.now,
        })
    }

    /// Tasks as they were when the snapshot was taken.
    pub fn restore(config: Config, snapshot: &[u8]) -> Result<Self, ReplayError> {
        let image: Image<'static> = codec::decode(snapshot)?;
        let mut tasks = Self {
            by_id: image.tasks.into_owned(),
            late: image.late.into_owned(),
            totals: image.totals,
            next_task: image.next_task,
            next_fence: image.next_fence,
            is_draining: image.is_draining,
            anchor: image.anchor,
            now: image.now,
            ..Self::new(config)
        };
        tasks.find_their_places();
        Ok(tasks)
    }

    fn find_their_places(&mut self) {
        let mut shared: BTreeSet<Needs> = BTreeSet::new();
        let mut awaited = BTreeSet::new();
        for (id, task) in &mut self.by_id {
            match shared.get(&task.needs) {
                Some(needs) => task.needs = Needs::clone(needs),
                None => drop(shared.insert(Needs::clone(&task.needs))),
            }
            if let Some(key) = task.more.as_ref().and_then(|more| more.key.clone()) {
                self.keys.insert(key, *id);
            }
            if let Condition::Blocked { .. } = task.condition {
                awaited.extend(task.after().iter().map(|earlier| (*earlier, *id)));
            }
        }
        awaited.retain(|(earlier, _)| self.by_id.get(earlier).is_some_and(|task| task.is_open()));
        self.waits = awaited;
        self.indexes = Indexes::of(&self.by_id, &self.config);
    }
}

/// Tasks lie in a snapshot in their order: a tree is made of all at once, which is far quicker than of one after the other.
fn in_order<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Cow<'a, ById>, D::Error> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = ById;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("tasks by their numbers")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ById, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs.into_iter().collect())
        }
    }
    deserializer.deserialize_map(Pairs).map(Cow::Owned)
}
