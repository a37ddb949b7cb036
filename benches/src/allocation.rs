//! A global allocator that can count, and is switched on only in the child process of a counting case.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The system's allocator. While switched off, counting costs one load and one branch that is always predicted.
pub struct Counting;

impl Counting {
    fn count() {
        if COUNTING.load(Relaxed) {
            ALLOCATIONS.fetch_add(1, Relaxed);
        }
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches two statics and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: `block` came from the system allocator through the methods above.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: `block` came from the system allocator through the methods above.
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Starts counting, for the rest of the process.
pub fn switch_on() {
    COUNTING.store(true, Relaxed);
}

/// Allocations of this process since counting was switched on, by all threads.
pub fn count() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

/// Allocations one message costs: those of a run with twice as many messages less those of a run with once as many, so
/// that what a run allocates for itself (runtime, actors, channels) falls out.
///
/// # Panics
/// When counting is off, which would give a wrong zero.
pub fn per_message(messages: u64, mut run: impl FnMut(u64)) -> f64 {
    assert!(
        COUNTING.load(Relaxed),
        "allocations are counted in a `Place::CountedChild` only"
    );
    let mut allocations_of = |messages| {
        let before = count();
        run(messages);
        count() - before
    };
    allocations_of(messages);
    let (once, twice) = (allocations_of(messages), allocations_of(2 * messages));
    twice.saturating_sub(once) as f64 / messages as f64
}
