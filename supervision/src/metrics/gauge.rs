//! Levels that go up and down.

use std::sync::atomic::{AtomicU64, Ordering};

/// A not-a-number that no computation yields: nobody has set the gauge yet.
const UNSET: u64 = 0x7FF8_0000_7419_A2C5;

/// A level that goes up and down; unknown until somebody sets it, which is not the same as 0.
///
/// When what it measures is gone, whoever set it sets it to 0: a gauge does not forget.
#[derive(Debug)]
#[repr(align(64))]
pub struct Gauge(AtomicU64);

impl Default for Gauge {
    fn default() -> Self {
        Self(AtomicU64::new(UNSET))
    }
}

impl Gauge {
    /// Sets the level.
    #[inline]
    pub fn set(&self, level: f64) {
        self.0.store(level.to_bits(), Ordering::Relaxed);
    }

    /// Sets the level to a count.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a level beyond 2^53 is shown rounded, as Prometheus does"
    )]
    pub fn set_count(&self, count: usize) {
        self.set(count as f64);
    }

    /// Moves the level by `change`, from 0 if it is unknown.
    pub fn add(&self, change: f64) {
        let moved = |bits| Some((level_of(bits).unwrap_or(0.0) + change).to_bits());
        // The closure always gives a value, so the update always comes to pass.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }

    /// The level, if anybody has set it.
    pub fn get(&self) -> Option<f64> {
        level_of(self.0.load(Ordering::Relaxed))
    }
}

fn level_of(bits: u64) -> Option<f64> {
    (bits != UNSET).then(|| f64::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gauge_is_unknown_until_it_is_set() {
        let gauge = Gauge::default();
        assert_eq!(gauge.get(), None);
        gauge.set(0.0);
        assert_eq!(gauge.get(), Some(0.0));
        gauge.set_count(7);
        assert_eq!(gauge.get(), Some(7.0));
    }

    #[test]
    fn a_gauge_that_is_set_to_no_number_says_so() {
        let gauge = Gauge::default();
        gauge.set(f64::NAN);
        assert!(gauge.get().is_some_and(f64::is_nan));
    }

    #[test]
    fn concurrent_moves_are_all_made() {
        let gauge = Gauge::default();
        std::thread::scope(|scope| {
            for change in [1.0, 1.0, -1.0, 2.0] {
                let gauge = &gauge;
                scope.spawn(move || (0..1_000).for_each(|_| gauge.add(change)));
            }
        });
        assert_eq!(gauge.get(), Some(3_000.0));
    }
}
