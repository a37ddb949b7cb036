//! The primitives that mailboxes and rooms are built from: the standard ones, or shuttle's when a schedule explorer runs them.

use std::sync::Arc;
#[cfg(not(shuttle))]
pub(crate) use std::sync::atomic::{AtomicU8, AtomicU32, fence};
#[cfg(not(shuttle))]
pub use std::sync::{
    Mutex, MutexGuard, RwLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{AtomicU8, AtomicU32, fence};
#[cfg(shuttle)]
pub use shuttle::sync::{
    Mutex, MutexGuard, RwLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

/// What a lock guards; a panic of another holder is that holder's failure, not ours.
#[inline]
pub fn unpoisoned<G>(locked: std::sync::LockResult<G>) -> G {
    locked.unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Locks, whatever became of another holder.
#[inline]
pub fn lock<L: Lock + ?Sized>(mutex: &L) -> L::Guard<'_> {
    mutex.guard()
}

/// A mutex, the standard one or shuttle's: both are there where a schedule explorer runs the mailbox.
pub trait Lock {
    /// What is held while it is locked.
    type Guard<'a>
    where
        Self: 'a;

    /// Locks.
    fn guard(&self) -> Self::Guard<'_>;
}

impl<L: Lock + ?Sized> Lock for Arc<L> {
    type Guard<'a>
        = L::Guard<'a>
    where
        L: 'a;

    fn guard(&self) -> Self::Guard<'_> {
        L::guard(self)
    }
}

#[cfg(not(shuttle))]
impl<T: ?Sized> Lock for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    #[inline]
    fn guard(&self) -> Self::Guard<'_> {
        unpoisoned(self.lock())
    }
}

#[cfg(shuttle)]
impl<T: ?Sized> Lock for std::sync::Mutex<T> {
    type Guard<'a>
        = std::sync::MutexGuard<'a, T>
    where
        T: 'a;

    #[inline]
    fn guard(&self) -> Self::Guard<'_> {
        unpoisoned(self.lock())
    }
}

#[cfg(shuttle)]
impl<T: ?Sized> Lock for Mutex<T> {
    type Guard<'a>
        = MutexGuard<'a, T>
    where
        T: 'a;

    fn guard(&self) -> Self::Guard<'_> {
        unpoisoned(self.lock())
    }
}

/// Lets another thread run.
pub(crate) fn yield_thread() {
    #[cfg(not(shuttle))]
    std::thread::yield_now();
    #[cfg(shuttle)]
    shuttle::thread::yield_now();
}

/// Lets a moment pass.
#[inline]
pub(crate) fn spin_loop() {
    #[cfg(not(shuttle))]
    std::hint::spin_loop();
    #[cfg(shuttle)]
    shuttle::hint::spin_loop();
}

/// A lock for a few instructions at a time, or for waking a task: taking it costs one locked operation and letting go none, where the
/// standard mutex takes two.
#[derive(Debug)]
pub(crate) struct Spin<T>(Inner<T>);

#[cfg(not(shuttle))]
type Inner<T> = spin::mutex::SpinMutex<T>;
#[cfg(not(shuttle))]
pub(crate) type SpinGuard<'a, T> = spin::mutex::SpinMutexGuard<'a, T>;

#[cfg(shuttle)]
type Inner<T> = Mutex<T>;
#[cfg(shuttle)]
pub(crate) type SpinGuard<'a, T> = MutexGuard<'a, T>;

/// How often a lock that is held is looked at before another thread is let run: its holder may be one.
#[cfg(not(shuttle))]
const LOOKS: u32 = 4;
/// How many pauses of the processor come before the first look; before each other one twice as many as before the last.
#[cfg(not(shuttle))]
const PAUSES: u32 = 16;

impl<T> Spin<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Inner::new(value))
    }

    #[cfg(not(shuttle))]
    #[inline]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        match self.0.try_lock() {
            Some(guard) => guard,
            None => self.lock_contended(),
        }
    }

    #[cfg(not(shuttle))]
    #[cold]
    fn lock_contended(&self) -> SpinGuard<'_, T> {
        loop {
            for look in 0..LOOKS {
                // Each look takes the line from whoever holds it, who does more in one go the longer it is left alone.
                for _ in 0..PAUSES << look {
                    spin_loop();
                }
                if let Some(guard) = self.0.try_lock() {
                    return guard;
                }
            }
            yield_thread();
        }
    }

    #[cfg(shuttle)]
    pub(crate) fn lock(&self) -> SpinGuard<'_, T> {
        lock(&self.0)
    }
}
