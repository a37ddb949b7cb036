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
    pub const fn waits(&mut self, gathered: usize) -> bool {
        let waits = self.last > 1 && gathered > self.seen && self.looks < LOOKS_MAX;
        if waits {
            (self.seen, self.looks) = (gathered, self.looks + 1);
        }
        waits
    }

    /// So many went to disk together, for whatever reason. Where nobody waits for what did, that was no group.
    pub const fn written(&mut self, gathered: usize) {
        if gathered > 0 {
            *self = Self {
                last: gathered,
                seen: 0,
                looks: 0,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often a group waits that grows to these numbers, one after the other, and is written then.
    fn waits(gathering: &mut Gathering, numbers: impl IntoIterator<Item = usize>) -> usize {
        let mut gathered = 0;
        let waits = |number: &usize| {
            gathered = *number;
            gathering.waits(gathered)
        };
        let waits = numbers.into_iter().take_while(waits).count();
        gathering.written(gathered);
        waits
    }

    #[test]
    fn a_group_waits_for_as_long_as_others_come_where_there_were_several_the_last_time() {
        let mut gathering = Gathering::default();
        assert_eq!(waits(&mut gathering, [64]), 0, "nobody is known to come");
        assert_eq!(waits(&mut gathering, [1, 40, 64, 64]), 3, "then nobody came");
        assert_eq!(waits(&mut gathering, [1, 1]), 1, "the others do not come");
        assert_eq!(waits(&mut gathering, [1]), 0, "one alone waits for nobody");
    }

    #[test]
    fn whoever_comes_is_waited_for_after_others_were_written_and_whatever_else_is() {
        let mut gathering = Gathering::default();
        gathering.written(64);
        assert!(!gathering.waits(0), "nobody waits for it");
        gathering.written(0);
        assert_eq!(waits(&mut gathering, [1, 64]), 2);
        assert!(gathering.waits(1), "it was written though it would wait");
        gathering.written(1);
        assert!(!gathering.waits(1));
    }

    #[test]
    fn a_group_that_never_ceases_to_grow_is_written_all_the_same() {
        let mut gathering = Gathering::default();
        gathering.written(2);
        for _ in 0..2 {
            assert_eq!(waits(&mut gathering, 1..=2 * LOOKS_MAX), LOOKS_MAX);
        }
    }
}
