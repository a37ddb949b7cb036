//! Programs that have begun, until nothing is left of them: their processes, and the control groups that were made for them.

use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use triarch_supervision::sync::{lock, unpoisoned};

use super::tag::Owner;

static COUNTS: LazyLock<Mutex<HashMap<Owner, usize>>> = LazyLock::new(Mutex::default);
static FEWER: Condvar = Condvar::new();

/// One program, from the order to launch it to the last that is done about it.
#[derive(Debug)]
pub(super) struct Outstanding(Owner);

impl Outstanding {
    pub(super) fn of(owner: &Owner) -> Self {
        *counts().entry(owner.clone()).or_default() += 1;
        Self(owner.clone())
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        let mut counts = counts();
        if let Some(count) = counts.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.0);
                FEWER.notify_all();
            }
        }
    }
}

/// Waits until nothing is left of the programs of `owner`, no longer than `patience`; returns of how many there may be.
pub(crate) fn await_ends(owner: &Owner, patience: Duration) -> usize {
    let deadline = Instant::now() + patience;
    let mut counts = counts();
    while let Some(count) = counts.get(owner) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return *count;
        }
        let waited = FEWER.wait_timeout(counts, left);
        counts = unpoisoned(waited).0;
    }
    0
}

/// Each change of the counts is one step, so a holder that panicked left them whole.
fn counts() -> MutexGuard<'static, HashMap<Owner, usize>> {
    lock(&*COUNTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_returns_with_the_last_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let owner = Owner::of(folder.path()).unwrap();
        assert_eq!(await_ends(&owner, Duration::ZERO), 0);
        let (first, last) = (Outstanding::of(&owner), Outstanding::of(&owner));
        drop(first);
        assert_eq!(await_ends(&owner, Duration::from_millis(1)), 1);
        std::thread::scope(|scope| {
            scope.spawn(|| drop(last));
            assert_eq!(await_ends(&owner, Duration::from_mins(1)), 0);
        });
    }

    #[test]
    fn another_runtimes_programs_are_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let _stays = Outstanding::of(&Owner::of(folder.path()).unwrap());
        assert_eq!(
            await_ends(&Owner::of(std::path::Path::new("/")).unwrap(), Duration::ZERO),
            0
        );
    }
}
