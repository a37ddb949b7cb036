//! How often all processes of the machine are looked at: counted in tests, which hold it to few however many programs stop at once.

#[cfg(test)]
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[cfg(test)]
static COUNT: AtomicUsize = AtomicUsize::new(0);
#[cfg(test)]
static MILLIS: AtomicU64 = AtomicU64::new(0);

/// One more begins.
pub(super) fn one() {
    #[cfg(test)]
    {
        COUNT.fetch_add(1, Ordering::Relaxed);
        std::thread::park_timeout(std::time::Duration::from_millis(MILLIS.load(Ordering::Relaxed)));
    }
}

/// From now on each takes so much longer, as it does where many processes are.
#[cfg(test)]
pub(super) fn take_longer(millis: u64) {
    MILLIS.store(millis, Ordering::Relaxed);
}

/// How many there were since this was last asked.
#[cfg(test)]
pub(super) fn count() -> usize {
    COUNT.swap(0, Ordering::Relaxed)
}
