//! When a group that goes to disk together is complete.

/// Whether whoever writes in groups waits a moment for the others of the last one.
///
/// Those who were answered together come again one after the other. Without this the first of them would go to disk alone and
/// the others would wait for that, so that each round of theirs would take two syncs.
#[derive(Debug, Default)]
pub struct Gathering {
    last: usize,
    has_waited: bool,
}

impl Gathering {
    /// Whether a group of so many waits before it is written: once, where the last was larger. Where it does, let others run,
    /// and ask again.
    pub fn waits(&mut self, gathered: usize) -> bool {
        self.has_waited = !self.has_waited && 0 < gathered && gathered < self.last;
        if !self.has_waited {
            self.last = gathered;
        }
        self.has_waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_waits_once_for_the_others_of_the_last_one() {
        let mut gathering = Gathering::default();
        let mut waits = |gathered| gathering.waits(gathered);
        assert!(!waits(64), "nobody is known to come");
        assert!(waits(1));
        assert!(!waits(63), "it does so once");
        assert!(!waits(63));
        assert!(waits(2));
        assert!(!waits(2), "the others do not come");
        assert!(!waits(2));
        assert!(!waits(0), "nothing is to be written");
        assert!(!waits(1));
    }
}
