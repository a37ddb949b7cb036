//! The tasks that are in the hands of agents, found by their leases and by who has them.

use std::collections::{BTreeMap, BTreeSet};

use super::holding::Holding;
use crate::words::{Fence, Worker};

#[derive(Debug, Default)]
pub(super) struct Held {
    by_fence: BTreeMap<Fence, Holding>,
    by_worker: BTreeMap<Worker, BTreeSet<Fence>>,
}

impl Held {
    pub(super) fn insert(&mut self, fence: Fence, holding: Holding) {
        let of_worker = self.by_worker.entry(holding.worker.clone()).or_default();
        of_worker.insert(fence);
        self.by_fence.insert(fence, holding);
    }

    pub(super) fn remove(&mut self, fence: Fence) -> Option<Holding> {
        let holding = self.by_fence.remove(&fence)?;
        if let Some(of_worker) = self.by_worker.get_mut(&holding.worker) {
            of_worker.remove(&fence);
            if of_worker.is_empty() {
                self.by_worker.remove(&holding.worker);
            }
        }
        Some(holding)
    }

    pub(super) fn get(&self, fence: Fence) -> Option<&Holding> {
        self.by_fence.get(&fence)
    }

    pub(super) fn get_mut(&mut self, fence: Fence) -> Option<&mut Holding> {
        self.by_fence.get_mut(&fence)
    }

    pub(super) fn len(&self) -> usize {
        self.by_fence.len()
    }

    /// All of them, by their leases.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Fence, &Holding)> {
        self.by_fence.iter().map(|(fence, holding)| (*fence, holding))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Fence, &mut Holding)> {
        self.by_fence.iter_mut().map(|(fence, holding)| (*fence, holding))
    }

    /// The leases of one worker.
    pub(super) fn of(&self, worker: &Worker) -> impl Iterator<Item = Fence> {
        let of_worker = self.by_worker.get(worker).into_iter().flatten();
        of_worker.copied().inspect(|_| super::steps::one())
    }
}
