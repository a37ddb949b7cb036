//! When a group that goes to disk together is complete.

/// So often a group waits at most.
const LOOKS_MAX: usize = 16;

/// After so many looks at which nobody had come, nobody comes. One proves nothing: a scheduler that looks at its clock just then
/// may let whoever looks run before those who were to run first.
const IN_VAIN_MAX: usize = 2;

/// Whether whoever writes in groups waits a moment for others.
///
/// Those who were answered together come again one after the other. Without this the first of them would go to disk alone and
/// the others would wait for that, so that each round of theirs would take two syncs.
#[derive(Debug, Default)]
pub struct Gathering {
    /// So many are known to come: as many as the last group had, or half of those that were known before it. One group that was
    /// small by chance is no reason to write all who come after it one by one.
    known: usize,
    /// How many there were at the last look, and how many looks there were; at so many of them nobody had come.
    seen: usize,
    looks: usize,
    in_vain: usize,
}

impl Gathering {
    /// Whether a group of so many waits before it is written: where several are known to come, for as long as more do. Where it
    /// does, let others run, and ask again.
    pub const fn waits(&mut self, gathered: usize) -> bool {
        let in_vain = if gathered > self.seen { 0 } else { self.in_vain + 1 };
        let in_vain_max = if gathered < self.known { IN_VAIN_MAX } else { 1 };
        let waits = self.known > 1 && gathered > 0 && in_vain < in_vain_max && self.looks < LOOKS_MAX;
        if waits {
            (self.seen, self.looks, self.in_vain) = (gathered, self.looks + 1, in_vain);
        }
        waits
    }

    /// So many went to disk together, for whatever reason. Where nobody waits for what did, that was no group.
    pub const fn written(&mut self, gathered: usize) {
        if gathered > 0 {
            let half = self.known / 2;
            *self = Self {
                known: if gathered > half { gathered } else { half },
                seen: 0,
                looks: 0,
                in_vain: 0,
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
    fn a_group_waits_for_as_long_as_others_come_where_several_are_known_to() {
        let mut gathering = Gathering::default();
        assert_eq!(waits(&mut gathering, [64]), 0, "nobody is known to come");
        assert_eq!(
            waits(&mut gathering, [1, 40, 64, 64]),
            3,
            "all are there, and nobody came"
        );
        assert_eq!(waits(&mut gathering, [1, 1, 1, 1]), 2, "the others do not come");
        assert_eq!(waits(&mut gathering, [1, 1, 40, 64, 64]), 4, "they come after all");
    }

    #[test]
    fn one_alone_waits_for_nobody_once_the_others_stay_away() {
        let mut gathering = Gathering::default();
        let mut alone = Gathering::default();
        assert_eq!(waits(&mut alone, [1]), 0);
        gathering.written(8);
        let each = [1; 4].map(|_| waits(&mut gathering, [1, 1, 1]));
        assert_eq!(each, [2, 2, 2, 0], "eight are known, then four, then two");
        gathering.written(9);
        gathering.written(2);
        gathering.written(1);
        assert_eq!(
            waits(&mut gathering, [1, 1, 1]),
            2,
            "half of nine are four, and of them two"
        );
    }

    #[test]
    fn whoever_comes_is_waited_for_after_others_were_written_and_whatever_else_is() {
        let mut gathering = Gathering::default();
        gathering.written(64);
        assert!(!gathering.waits(0), "nobody waits for it");
        gathering.written(0);
        assert_eq!(waits(&mut gathering, [1, 64, 64]), 2);
        assert!(
            gathering.waits(1) && gathering.waits(1),
            "it is written though it would wait"
        );
        gathering.written(1);
        assert_eq!(waits(&mut gathering, [1, 1, 1]), 2, "the looks before it do not count");
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
