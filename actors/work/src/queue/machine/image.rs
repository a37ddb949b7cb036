//! Tasks as a snapshot: what cannot be told from something else in it.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::config::Config;
use crate::error::ReplayError;
use crate::record::LateResult;
use crate::time::{Anchor, TaskTime};
use crate::words::{Fence, TaskId};

use super::kept::{Condition, Kept, Needs};
use super::{Tasks, Totals};

#[derive(Serialize, Deserialize)]
struct Image<'a> {
    tasks: Cow<'a, BTreeMap<TaskId, Box<Kept>>>,
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
        let Self {
            by_id: tasks,
            indexes,
            keys,
            waits,
            config,
            ..
        } = self;
        let mut open = std::collections::BTreeSet::new();
        for (id, task) in tasks.iter_mut() {
            if let Some((shared, _)) = indexes.needs.get_key_value(&task.needs) {
                task.needs = Needs::clone(shared);
            }
            indexes.stake(*id, &task.needs, task.stake());
            indexes.enter(*id, task, config);
            if let Some(key) = task.more.as_ref().and_then(|more| more.key.clone()) {
                keys.insert(key, *id);
            }
            if let Condition::Blocked { .. } = task.condition {
                open.extend(task.after().iter().map(|earlier| (*earlier, *id)));
            }
        }
        let is_open = |(earlier, _): &(TaskId, TaskId)| tasks.get(earlier).is_some_and(|task| task.is_open());
        *waits = open.into_iter().filter(is_open).collect();
    }
}
