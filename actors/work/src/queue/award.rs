//! Claims on their way to who asked for them.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use triarch_supervision::sync::lock;

use crate::task::Claim;
use crate::words::{Fence, TaskId};

/// Claims that nobody took, since whoever asked for them has gone meanwhile.
#[derive(Debug, Default)]
pub(super) struct Untaken {
    claims: Mutex<Vec<(TaskId, Fence)>>,
    bell: Notify,
}

impl Untaken {
    /// Those there are.
    pub(super) fn take(&self) -> Vec<(TaskId, Fence)> {
        std::mem::take(&mut self.lock())
    }

    /// Returns when there are some.
    pub(super) async fn rings(&self) {
        self.bell.notified().await;
    }

    /// What a holder that panicked left is whole: each change is one call.
    fn lock(&self) -> MutexGuard<'_, Vec<(TaskId, Fence)>> {
        lock(&self.claims)
    }
}

/// Claims that are on their way. What is dropped before somebody takes it is given back at once, wherever it was: it need not
/// wait until its lease is over.
#[derive(Debug)]
pub(super) struct Award {
    claims: Vec<Claim>,
    untaken: Option<Arc<Untaken>>,
}

impl Award {
    pub(super) fn of(claims: Vec<Claim>, untaken: &Arc<Untaken>) -> Self {
        Self {
            claims,
            untaken: Some(Arc::clone(untaken)),
        }
    }

    /// Whoever asked has them.
    pub(super) fn take(mut self) -> Vec<Claim> {
        self.untaken = None;
        std::mem::take(&mut self.claims)
    }
}

impl Drop for Award {
    fn drop(&mut self) {
        let Some(untaken) = self.untaken.take().filter(|_| !self.claims.is_empty()) else {
            return;
        };
        let claims = self.claims.iter().map(|claim| (claim.task, claim.fence));
        untaken.lock().extend(claims);
        untaken.bell.notify_one();
    }
}
