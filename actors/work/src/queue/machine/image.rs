//! Tasks as a snapshot: what cannot be told from something else in it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::codec;
use crate::config::Config;
use crate::error::ReplayError;
use crate::record::LateResult;
use crate::time::TaskTime;

use super::indexes::Indexes;
use super::kept::{Condition, Needs};
use super::shards::ById;
use super::{Outline, Tasks};

/// Tasks as they were at one moment, whatever becomes of them while it is written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Image {
    pub(super) tasks: ById,
    late: VecDeque<Arc<LateResult>>,
    outline: Outline,
}

impl Image {
    /// All of it, to be written.
    pub fn encode(&self) -> Result<Vec<u8>, codec::CodecError> {
        codec::encode(self)
    }
}

impl Tasks {
    /// Tasks as they are now. No task is copied for it, so that nobody waits for it however many there are.
    pub fn image(&self) -> Image {
        Image {
            tasks: self.by_id.clone(),
            late: self.late.clone(),
            outline: self.outline,
        }
    }

    /// Tasks as they were when the snapshot was taken.
    pub fn restore(config: Config, snapshot: &[u8]) -> Result<Self, ReplayError> {
        Ok(Self::of(config, codec::decode(snapshot)?))
    }

    pub(super) fn of(config: Config, image: Image) -> Self {
        let mut tasks = Self {
            by_id: image.tasks,
            late: image.late,
            outline: image.outline,
            ..Self::new(config)
        };
        tasks.find_their_places();
        tasks
    }

    fn find_their_places(&mut self) {
        let mut shared: BTreeSet<Needs> = BTreeSet::new();
        let mut awaited = BTreeSet::new();
        for (id, task) in self.by_id.iter_mut() {
            match shared.get(&task.needs) {
                Some(needs) => task.needs = Needs::clone(needs),
                None => drop(shared.insert(Needs::clone(&task.needs))),
            }
            if let Some(key) = task.more.as_ref().and_then(|more| more.key.clone()) {
                self.keys.insert(key, *id);
            }
            match &mut task.condition {
                Condition::Blocked { .. } => awaited.extend(task.after().iter().map(|earlier| (*earlier, *id))),
                // Earlier releases counted the time of an attempt from its claim.
                Condition::Held(lease) if lease.began.is_none() => lease.gives_up = TaskTime::NEVER,
                _ => {}
            }
        }
        awaited.retain(|(earlier, _)| self.by_id.get(earlier).is_some_and(super::kept::Kept::is_open));
        self.waits = awaited;
        self.indexes = Indexes::of(&self.by_id, &self.config);
    }
}
