//! What becomes of tasks, decided without IO, clock or chance of its own.
//!
//! ```text
//!                                   retries, lapsed leases
//!                       ┌──────────────────────────────────────────┐
//!            tasks, time▼                                          │
//!  submit ─▶ blocked ─▶ ready ──claim──▶ claimed ──begin──▶ running ┤
//!               │         │                 │                 │    ├─▶ done
//!               └─────────┴────────┬────────┴─────────────────┘    ├─▶ failed ─┐
//!                                  ├─▶ cancelled                   └─▶ dead ───┴─ retry ─▶ ready
//!                                  └─▶ expired
//! ```
//!
//! A command is looked at, and refused or made into records; each record is applied, and given to the caller to be
//! written. Whoever applies the same records to the same tasks comes to the same tasks: a decision is in its record, also
//! where chance had a say. What follows from time alone (a wait is over, a task is reserved no more) is written nowhere;
//! who replays does it by the times in the records.
//!
//! | file | what it holds |
//! |---|---|
//! | `turn.rs` | what a command brings and what it leaves |
//! | `submit.rs`, `circle.rs` | tasks come in; tasks that would wait for each other |
//! | `claim.rs`, `report.rs` | workers take tasks, and tell of them |
//! | `admin.rs` | cancel, retry, drop, drain |
//! | `due.rs` | what falls due |
//! | `apply.rs`, `ending.rs` | records become state; what follows an end |
//! | `inputs.rs` | how much results take that tasks wait for |
//! | `kept.rs`, `shards.rs` | a task as it is kept; all of them, of which a copy costs next to nothing |
//! | `indexes.rs`, `shelves.rs` | where tasks are found; which is next |
//! | `trail.rs` | what can be taken back |
//! | `image.rs`, `written.rs`, `view.rs` | snapshots, and tasks in them; what people see |

mod admin;
mod apply;
mod circle;
mod claim;
mod due;
mod ending;
mod image;
mod indexes;
mod inputs;
mod kept;
mod report;
mod shards;
mod shelves;
mod submit;
mod trail;
mod turn;
mod view;
mod written;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use image::Image;
pub use indexes::Counts;
pub use report::Mend;
pub(crate) use shelves::is_subset;
pub use submit::BATCH_MAX;
pub use turn::{Event, Turn};
pub use view::{Filter, LIST_MAX, Overview, View};

use crate::config::Config;
use crate::error::{Refusal, ReplayError};
use crate::record::{LateResult, Record};
use crate::task::State;
use crate::time::{Anchor, TaskTime};
use crate::words::{Fence, Key, TaskId};
use crate::{codec, error::Misfit};

use indexes::Indexes;
use kept::{Condition, Kept};
use shards::ById;
pub(crate) use trail::Undo;
use trail::{Aside, Former};

/// The most bytes of a record: what is longer is refused, or never made so long.
pub(crate) const RECORD_BYTES_MAX: usize = 3 << 20;

/// All tasks a runtime has.
#[derive(Clone, Debug, PartialEq)]
pub struct Tasks {
    config: Config,
    by_id: ById,
    indexes: Indexes,
    keys: BTreeMap<Key, TaskId>,
    /// Which open task each blocked one still waits for: the earlier one first.
    waits: BTreeSet<(TaskId, TaskId)>,
    late: VecDeque<Arc<LateResult>>,
    outline: Outline,
    before: Aside<Former>,
}

/// What is known of all tasks beside the tasks themselves.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Outline {
    totals: Totals,
    next_task: TaskId,
    next_fence: Fence,
    is_draining: bool,
    anchor: Option<Anchor>,
    now: TaskTime,
}

impl Default for Outline {
    fn default() -> Self {
        Self {
            totals: Totals::default(),
            next_task: TaskId::new(1),
            next_fence: Fence::new(1),
            is_draining: false,
            anchor: None,
            now: TaskTime::default(),
        }
    }
}

/// How many tasks there ever were. At any time as many were submitted as have ended or are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Submitted, not counting those that were known by their key.
    pub submitted: u64,
    /// Ended in this state: done, failed, cancelled, expired, dead.
    pub ended: [u64; 5],
}

impl Totals {
    /// How many ended in that state, and were not retried.
    pub fn of(&self, state: State) -> u64 {
        place(state)
            .and_then(|place| self.ended.get(place))
            .copied()
            .unwrap_or_default()
    }

    fn at(&mut self, state: State) -> Option<&mut u64> {
        place(state).and_then(|place| self.ended.get_mut(place))
    }
}

fn place(state: State) -> Option<usize> {
    (state as usize).checked_sub(State::Done as usize)
}

impl Tasks {
    /// None yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            by_id: ById::default(),
            indexes: Indexes::default(),
            keys: BTreeMap::new(),
            waits: BTreeSet::new(),
            late: VecDeque::new(),
            outline: Outline::default(),
            before: Aside::default(),
        }
    }

    /// Applies one record as it was written.
    pub fn replay(&mut self, bytes: &[u8]) -> Result<(), ReplayError> {
        self.replay_heard(bytes, &mut Vec::new())
    }

    /// The same, with what happened by it.
    pub fn replay_heard(&mut self, bytes: &[u8], events: &mut Vec<Event>) -> Result<(), ReplayError> {
        let record: Record = codec::decode(bytes)?;
        self.wake(record.at(), usize::MAX, events);
        Ok(self.apply(record, events)?)
    }

    /// Writes a record into the turn, and applies it; and so with what has to go because of it.
    fn commit(&mut self, turn: &mut Turn, record: Record) -> Result<(), Refusal> {
        self.write(turn, record)?;
        if turn.sheds_later { Ok(()) } else { self.shed(turn) }
    }

    fn write(&mut self, turn: &mut Turn, record: Record) -> Result<(), Refusal> {
        let bytes = codec::encode(&record)?;
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(Refusal::TooLarge { bytes: bytes.len() });
        }
        turn.records.push(bytes);
        Ok(self.apply(record, &mut turn.events)?)
    }

    /// Gives a task another condition; the only way to one.
    fn shift(&mut self, id: TaskId, change: impl FnOnce(&mut Kept)) {
        let Some(task) = self.by_id.get_mut(&id) else { return };
        let before = task.stake();
        self.indexes.leave(id, task, &self.config);
        change(task);
        let after = task.stake();
        if before != after {
            self.indexes.withdraw(id, task, before);
            self.indexes.stake(id, task, after);
        }
        self.indexes.enter(id, task, &self.config);
    }

    fn place_at(&mut self, id: TaskId, until: TaskTime, now: TaskTime, events: &mut Vec<Event>) {
        self.shift(id, |task| task.condition = task.ready_at(until, now));
        self.tell_ready(id, events);
    }

    fn tell_ready(&self, id: TaskId, events: &mut Vec<Event>) {
        if self.state(id) == Some(State::Ready) {
            events.push(Event::Ready { task: id });
        }
    }

    fn known(&self, id: TaskId) -> Result<&Kept, Refusal> {
        let task = self.by_id.get(&id);
        task.ok_or(Refusal::NoSuchTask { task: id })
    }

    fn misfit(&self, task: TaskId, what: &'static str) -> Misfit {
        let found = self.by_id.get(&task).map_or("unknown", |task| task.state().label());
        Misfit { task, what, found }
    }
}

#[cfg(test)]
mod tests;
