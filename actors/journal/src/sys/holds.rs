//! Calls of a simulated disk that take as long as somebody likes.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use triarch_supervision::sync::{lock, unpoisoned};

use super::simulated::Call;

#[derive(Debug, Default)]
pub(super) struct Gates {
    held: Mutex<Vec<Call>>,
    released: Condvar,
}

impl Gates {
    fn held(&self) -> MutexGuard<'_, Vec<Call>> {
        lock(&self.held)
    }

    /// Returns once nobody holds calls of that kind.
    pub(super) fn pass(&self, call: Call) {
        let held = self.held();
        let through = self.released.wait_while(held, |held| held.contains(&call));
        drop(unpoisoned(through));
    }
}

/// Calls of one kind wait until this is dropped.
#[derive(Debug)]
#[must_use = "nothing is held once it is dropped"]
pub struct Hold {
    gates: Arc<Gates>,
    call: Call,
}

impl Hold {
    pub(super) fn of(gates: &Arc<Gates>, call: Call) -> Self {
        gates.held().push(call);
        let gates = Arc::clone(gates);
        Self { gates, call }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut held = self.gates.held();
        if let Some(at) = held.iter().position(|call| *call == self.call) {
            held.swap_remove(at);
        }
        self.gates.released.notify_all();
    }
}
