//! What tasks were before what is on its way to the disk: where that does not come there, they are that again.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::record::LateResult;
use crate::words::TaskId;

use super::kept::Kept;
use super::{Outline, Tasks};

/// What is kept beside tasks. Copies have none of it, and it makes no difference between tasks.
#[derive(Debug)]
pub(super) struct Aside<T>(Option<T>);

impl<T> Default for Aside<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Clone for Aside<T> {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl<T> PartialEq for Aside<T> {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

/// Tasks as they were before they changed, the first change first; nothing where there was none of that number.
pub(super) type Before = Vec<(TaskId, Option<Arc<Kept>>)>;

impl Aside<Before> {
    /// A task is about to change. What changes several times one after the other is noted once.
    pub(super) fn note(&mut self, id: TaskId, before: impl FnOnce() -> Option<Arc<Kept>>) {
        let Some(noted) = &mut self.0 else { return };
        if noted.last().is_none_or(|(last, _)| *last != id) {
            noted.push((id, before()));
        }
    }
}

/// What there was beside the tasks themselves.
#[derive(Debug)]
pub(super) struct Former {
    /// Where they have changed.
    late: Option<VecDeque<Arc<LateResult>>>,
    outline: Outline,
}

impl Aside<Former> {
    /// Late results are about to change.
    pub(super) fn note_late(&mut self, late: &VecDeque<Arc<LateResult>>) {
        if let Some(former) = &mut self.0 {
            former.late.get_or_insert_with(|| late.clone());
        }
    }
}

/// What was there before some changes.
#[derive(Debug)]
pub(crate) struct Undo {
    tasks: Before,
    beside: Former,
}

impl Tasks {
    /// From here on what changes can be taken back.
    pub(crate) fn begin_undo(&mut self) {
        self.by_id.before = Aside(Some(Vec::new()));
        self.before = Aside(Some(Former {
            late: None,
            outline: self.outline,
        }));
    }

    /// What there was before all that has changed since that was begun; the next one begins.
    pub(crate) fn take_undo(&mut self) -> Option<Undo> {
        let (tasks, beside) = (self.by_id.before.0.take(), self.before.0.take());
        self.begin_undo();
        let (tasks, beside) = (tasks?, beside?);
        Some(Undo { tasks, beside })
    }

    /// Tasks as they were before these undos, the last of which comes first.
    pub(crate) fn taken_back(mut self, undos: impl IntoIterator<Item = Undo>) -> Self {
        (self.by_id.before, self.before) = (Aside::default(), Aside::default());
        for Undo { tasks, beside } in undos {
            for (id, before) in tasks.into_iter().rev() {
                match before {
                    Some(task) => self.by_id.put(id, task),
                    None => drop(self.by_id.remove(&id)),
                }
            }
            self.late = beside.late.unwrap_or(self.late);
            self.outline = beside.outline;
        }
        let image = self.image();
        Self::of(self.config, image)
    }
}
