//! Whether a thread that may block waits a moment for what is written next.
//!
//! Waking it takes longer than a write that the disk takes at once. So where the next record comes soon, as from somebody who writes
//! one after the other, it finds the thread awake; where none did of late, the thread goes, and it is rarely tried again.

/// So many times in vain are held against the next try at most: then one round of 64 is followed by one.
const DOUBT_MAX: u32 = 6;

#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Lingering {
    /// So often in a row nothing came.
    in_vain: u32,
    /// So many rounds go by before it is tried again.
    passed_over: u32,
}

impl Lingering {
    /// Whether what comes next is waited for after this round.
    pub(crate) const fn tries(&mut self) -> bool {
        let tries = self.passed_over == 0;
        self.passed_over = self.passed_over.saturating_sub(1);
        tries
    }

    /// Whether something came when it was tried.
    pub(crate) const fn tried(&mut self, came: bool) {
        self.in_vain = match self.in_vain {
            _ if came => 0,
            DOUBT_MAX => DOUBT_MAX,
            in_vain => in_vain + 1,
        };
        self.passed_over = (1 << self.in_vain) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many rounds are followed by a try, where the same comes of each.
    fn tries(lingering: &mut Lingering, rounds: usize, came: bool) -> usize {
        let tried = |_: &usize| {
            let tries = lingering.tries();
            if tries {
                lingering.tried(came);
            }
            tries
        };
        (0..rounds).filter(tried).count()
    }

    #[test]
    fn it_is_tried_for_as_long_as_something_comes_and_hardly_ever_where_nothing_does() {
        let mut lingering = Lingering::default();
        assert_eq!(tries(&mut lingering, 100, true), 100);
        assert_eq!(
            tries(&mut lingering, 127, false),
            7,
            "after 1, 3, 7, 15, 31 and 63 rounds more"
        );
        assert_eq!(tries(&mut lingering, 64_000, false), 1_000);
        assert_eq!(
            tries(&mut lingering, 163, true),
            100,
            "once it came after all, at once again"
        );
    }
}
