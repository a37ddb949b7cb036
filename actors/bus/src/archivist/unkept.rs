//! What no snapshot stands for yet, and when the next is due. A machine.

/// A snapshot is taken after so many bytes of records, or as many as are kept, if those are more.
const LEAST: u64 = 64 << 20;
/// One that is not written is tried again after so many more.
const AGAIN: u64 = 16 << 20;

#[derive(Debug)]
pub(super) struct Unkept {
    /// Bytes of records since the last snapshot.
    bytes: u64,
    /// The snapshot under way, and how many of them it stands for.
    copying: Option<(u64, u64)>,
    /// Before there are so many nothing is due.
    due_from: u64,
}

impl Unkept {
    pub(super) const fn of(bytes: u64) -> Self {
        Self {
            bytes,
            copying: None,
            due_from: LEAST,
        }
    }

    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) const fn is_copying(&self) -> bool {
        self.copying.is_some()
    }

    pub(super) const fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    /// Whether the next is due, where so many bytes are kept. That is asked only where it matters.
    pub(super) fn is_due(&mut self, kept: impl FnOnce() -> u64) -> bool {
        if self.copying.is_some() || self.bytes < self.due_from {
            return false;
        }
        self.due_from = kept().max(LEAST);
        self.bytes >= self.due_from
    }

    /// One is tried.
    pub(super) const fn tries(&mut self) {
        self.due_from = self.bytes + AGAIN;
    }

    /// The one of that number is under way.
    pub(super) const fn begins(&mut self, number: u64) {
        self.copying = Some((number, self.bytes));
    }

    /// The one of that number has ended. What is heard of one from before the journal was read again says nothing.
    pub(super) fn ended(&mut self, number: u64, is_written: bool) {
        let Some((_, copied)) = self.copying.take_if(|(present, _)| *present == number) else {
            return;
        };
        if is_written {
            self.bytes = self.bytes.saturating_sub(copied);
            self.due_from = LEAST;
        } else {
            self.tries();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_due_after_as_many_bytes_as_are_kept_and_no_other_is_while_it_is_under_way() {
        let mut unkept = Unkept::of(LEAST - 1);
        assert!(!unkept.is_due(|| 0));
        unkept.add(1);
        assert!(unkept.is_due(|| 0) && unkept.is_due(|| LEAST) && !unkept.is_due(|| LEAST + 2));
        unkept.add(1);
        assert!(!unkept.is_due(|| unreachable!("as many are not there yet")));
        unkept.add(1);
        assert!(unkept.is_due(|| LEAST + 2));
        unkept.tries();
        unkept.begins(7);
        unkept.add(5 * LEAST);
        assert!(unkept.is_copying() && !unkept.is_due(|| 0));
        unkept.ended(7, true);
        assert_eq!((unkept.bytes(), unkept.is_copying()), (5 * LEAST, false));
        assert!(unkept.is_due(|| 0));
    }

    #[test]
    fn one_that_is_not_written_is_tried_again_later() {
        let mut unkept = Unkept::of(LEAST);
        assert!(unkept.is_due(|| 0));
        unkept.tries();
        unkept.begins(1);
        unkept.add(9);
        unkept.ended(1, false);
        assert_eq!(unkept.bytes(), LEAST + 9);
        unkept.add(AGAIN - 1);
        assert!(!unkept.is_due(|| 0));
        unkept.add(1);
        assert!(unkept.is_due(|| 0));
    }

    #[test]
    fn the_end_of_an_earlier_snapshot_is_not_that_of_the_present_one() {
        let mut unkept = Unkept::of(LEAST);
        unkept.begins(2);
        for is_written in [true, false] {
            unkept.ended(1, is_written);
            assert!(unkept.is_copying() && unkept.bytes() == LEAST);
        }
        unkept.ended(2, true);
        assert!(!unkept.is_copying() && unkept.bytes() == 0);
    }
}
