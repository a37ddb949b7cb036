//! Locks that a panic of one holder does not close to the others.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Locks, whatever became of another holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What a lock guards; a panic of another holder is that holder's failure, not ours.
pub(crate) fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}
