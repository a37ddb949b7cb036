//! Which of a few cells a thread writes to, so that threads seldom share a cache line.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many cells there are.
pub(super) const SHARDS: usize = 4;

static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static OWN: Cell<usize> = const { Cell::new(SHARDS) };
}

/// The cell of this thread; threads take them in turn.
#[inline]
pub(super) fn own() -> usize {
    OWN.try_with(|own| match own.get() {
        SHARDS => take_turn(own),
        shard => shard,
    })
    .unwrap_or(0)
}

#[cold]
fn take_turn(own: &Cell<usize>) -> usize {
    let shard = NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS;
    own.set(shard);
    shard
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_keeps_its_cell() {
        let first = own();
        assert!(first < SHARDS);
        assert!((0..10).all(|_| own() == first));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the test is about threads")]
    fn threads_spread_over_the_cells() {
        // Other tests' threads take turns too, hence several rounds.
        let threads: Vec<_> = (0..16 * SHARDS).map(|_| std::thread::spawn(own)).collect();
        let mut cells: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        cells.sort_unstable();
        cells.dedup();
        assert_eq!(cells, (0..SHARDS).collect::<Vec<_>>());
    }
}
