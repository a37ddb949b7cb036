//! When a group that goes to disk together is complete.

/// So often a group waits at most.
const LOOKS_MAX: usize = 16;

/// Whether whoever writes in groups waits a moment for others.
///
/// Those who were answered together come again one after the other. Without this the first of them would go to disk alone and
/// the others would wait for that, so that each round of theirs would take two syncs.
#[derive(Debug, Default)]
pub struct Gathering {
    /// How many the last group had.
    last: usize,
    /// How many there were at the last look, and how many looks there were.
    seen: usize,
    looks: usize,
}

impl Gathering {
    /// Whether a group of so many waits before it is written: where the last was of several, for as long as more come. Where it
    /// does, let others run, and ask again.
    pub fn waits(&mut self, gathered: usize) -> bool {
        let waits = self.last > 1 && gathered > self.seen && self.looks < LOOKS_MAX;
        if waits {
            (self.seen, self.looks) = (gathered, self.looks + 1);
        } else {
            (self.last, self.seen, self.looks) = (gathered, 0, 0);
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_waits_for_as_long_as_others_come_where_there_were_several_the_last_time() {
        let mut gathering = Gathering::default();
        let mut waits = |gathered| gathering.waits(gathered);
        assert!(!waits(64), "nobody is known to come");
        assert!(waits(1) && waits(40) && waits(64));
        assert!(!waits(64), "nobody came meanwhile");
        assert!(waits(1));
        assert!(!waits(1), "the others do not come");
        assert!(!waits(1), "one alone waits for nobody");
        assert!(!waits(0), "nothing is to be written");
    }

    #[test]
    fn a_group_that_never_ceases_to_grow_is_written_all_the_same() {
        let mut gathering = Gathering::default();
        assert!(!gathering.waits(2));
        assert_eq!(
            (1..=2 * LOOKS_MAX)
                .take_while(|gathered| gathering.waits(*gathered))
                .count(),
            LOOKS_MAX
        );
    }
}
