//! Which dead letters are on disk, and what the disk is still to be told of them. A machine.
//!
//! ```text
//!  keep ──▶ new ──page──▶ on disk ──gone──▶ gone ──page──▶ nothing
//!            ▲ └─gone─▶ nothing │             ▲ │
//!            └── not written ◀──┘             └─┘ not written
//! ```
//!
//! One that dies again is another letter. The one before leaves the disk no sooner than that is there, so that a kill between two
//! pages finds one of them.

use std::collections::BTreeSet;

/// So many numbers go into one page.
const PAGE: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// To be written down.
    new: BTreeSet<u64>,
    /// Written down, or being written.
    on_disk: BTreeSet<u64>,
    /// To be taken off the disk, once nothing up to the last heir is new.
    gone: BTreeSet<u64>,
    /// The last that took the place of another.
    last_heir: u64,
}

/// What is written in one go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) new: Vec<u64>,
    pub(crate) gone: Vec<u64>,
}

impl Ledger {
    /// One is to be written; tells whether it is the first thing the disk is to be told.
    pub(crate) fn keep(&mut self, number: u64) -> bool {
        let is_first = !self.has_news();
        self.new.insert(number);
        is_first
    }

    /// One died again, and is to be written under another number; tells whether that is the first thing the disk is to be told.
    pub(crate) fn replace(&mut self, number: u64, heir: u64) -> bool {
        self.last_heir = self.last_heir.max(heir);
        let is_first = self.keep(heir);
        self.forget(number);
        is_first
    }

    /// Whether this one is of the disk.
    pub(crate) fn knows(&self, number: u64) -> bool {
        self.new.contains(&number) || self.on_disk.contains(&number)
    }

    /// One is no more; tells whether it is the first thing the disk is to be told.
    pub(crate) fn forget(&mut self, number: u64) -> bool {
        let is_first = !self.has_news();
        // What was never written leaves no trace.
        let is_told = !self.new.remove(&number) && self.on_disk.remove(&number);
        is_told && self.gone.insert(number) && is_first
    }

    pub(crate) fn has_news(&self) -> bool {
        !self.new.is_empty() || !self.gone.is_empty()
    }

    /// What is to be written next, as far as `fits` says that there is room.
    pub(crate) fn page(&mut self, mut fits: impl FnMut(u64) -> bool) -> Page {
        let new: Vec<_> = self
            .new
            .iter()
            .copied()
            .take(PAGE)
            .take_while(|one| fits(*one))
            .collect();
        for number in &new {
            self.new.remove(number);
            self.on_disk.insert(*number);
        }
        let lacks_heir = self.new.first().is_some_and(|first| *first <= self.last_heir);
        let most = if lacks_heir { 0 } else { PAGE };
        let gone: Vec<_> = self.gone.iter().copied().take(most).collect();
        for number in &gone {
            self.gone.remove(number);
        }
        Page { new, gone }
    }

    /// A page was not written, for certain.
    pub(crate) fn not_written(&mut self, page: &Page) {
        for number in &page.new {
            // One that has gone meanwhile leaves no trace either.
            if self.on_disk.remove(number) {
                self.new.insert(*number);
            } else {
                self.gone.remove(number);
            }
        }
        self.gone.extend(&page.gone);
    }

    /// These are on disk, whatever was thought before, and `is_kept` says which are needed.
    pub(crate) fn reconcile(&mut self, on_disk: BTreeSet<u64>, is_kept: impl Fn(u64) -> bool) {
        let known = std::mem::take(&mut self.on_disk);
        let lost = known.into_iter().filter(|number| !on_disk.contains(number));
        self.new.extend(lost.filter(|number| is_kept(*number)));
        self.new.retain(|number| !on_disk.contains(number));
        let (kept, gone) = on_disk.into_iter().partition(|number| is_kept(*number));
        (self.on_disk, self.gone) = (kept, gone);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What may happen: one dies, one goes, one dies again under another number, a page is written, is not, or nobody knows.
    #[derive(Clone, Debug)]
    enum Act {
        Keep,
        Forget(usize),
        Replace(usize),
        Written,
        NotWritten(Option<usize>),
        Unknown(bool),
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => Just(Act::Keep),
            3 => any::<usize>().prop_map(Act::Forget),
            2 => any::<usize>().prop_map(Act::Replace),
            2 => Just(Act::Written),
            1 => any::<Option<usize>>().prop_map(Act::NotWritten),
            1 => any::<bool>().prop_map(Act::Unknown),
        ]
    }

    fn write(disk: &mut BTreeSet<u64>, page: &Page) {
        disk.extend(&page.new);
        disk.retain(|number| !page.gone.contains(number));
    }

    proptest! {
        #[test]
        fn the_disk_has_what_is_kept_once_it_was_told_all(acts in prop::collection::vec(act(), 0..80), room in 1..5usize) {
            let (mut ledger, mut kept, mut disk) = (Ledger::default(), BTreeSet::new(), BTreeSet::new());
            let (mut next, mut earlier) = (0, BTreeMap::<u64, Vec<u64>>::new());
            let page = |ledger: &mut Ledger| {
                let mut taken = 0;
                ledger.page(|_| {
                    taken += 1;
                    taken <= room
                })
            };
            for act in acts {
                match act {
                    Act::Keep => {
                        next += 1;
                        kept.insert(next);
                        ledger.keep(next);
                    }
                    Act::Forget(which) => {
                        let number = kept.iter().copied().nth(which % kept.len().max(1));
                        if let Some(number) = number {
                            kept.remove(&number);
                            ledger.forget(number);
                        }
                    }
                    Act::Replace(which) => {
                        let number = kept.iter().copied().nth(which % kept.len().max(1));
                        if let Some(number) = number {
                            next += 1;
                            kept.remove(&number);
                            kept.insert(next);
                            let mut all = earlier.remove(&number).unwrap_or_default();
                            if disk.contains(&number) {
                                all.push(number);
                            }
                            earlier.insert(next, all);
                            ledger.replace(number, next);
                        }
                    }
                    Act::Written => write(&mut disk, &page(&mut ledger)),
                    Act::NotWritten(meanwhile) => {
                        let page = page(&mut ledger);
                        if let Some(number) = meanwhile.and_then(|at| kept.iter().copied().nth(at % kept.len().max(1))) {
                            kept.remove(&number);
                            ledger.forget(number);
                        }
                        ledger.not_written(&page);
                    }
                    Act::Unknown(is_written) => {
                        let page = page(&mut ledger);
                        if is_written {
                            write(&mut disk, &page);
                        }
                        ledger.reconcile(disk.clone(), |number| kept.contains(&number));
                    }
                }
                prop_assert!(kept.iter().all(|number| ledger.knows(*number)));
                prop_assert!(ledger.new.len() + ledger.on_disk.len() == kept.len());
                // What is to be taken off the disk is there: the ledger is bounded by what was.
                prop_assert!(ledger.gone.iter().all(|number| disk.contains(number)));
                // Were this the end, no letter would be lost that died once more.
                let is_there = |(last, all): (&u64, &Vec<u64>)| {
                    !kept.contains(last) || all.is_empty() || disk.contains(last) || all.iter().any(|one| disk.contains(one))
                };
                prop_assert!(earlier.iter().all(is_there), "{:?} {:?}", earlier, disk);
            }
            while ledger.has_news() {
                write(&mut disk, &page(&mut ledger));
            }
            prop_assert_eq!(disk, kept);
        }
    }

    #[test]
    fn one_leaves_the_disk_only_when_the_one_in_its_place_is_there_and_waits_for_no_other() {
        let mut ledger = Ledger::default();
        ledger.keep(1);
        ledger.page(|_| true);
        let count = PAGE as u64;
        for number in 2..=count + 1 {
            ledger.keep(number);
        }
        ledger.replace(1, count + 2);
        ledger.keep(count + 3);
        assert!(ledger.page(|_| true).gone.is_empty(), "the one in its place is not there yet");
        let page = ledger.page(|number| number < count + 3);
        assert_eq!((page.new, page.gone), (vec![count + 2], vec![1]));
        assert!(ledger.has_news());
    }

    #[test]
    fn it_rings_once_for_all_that_gathers() {
        let mut ledger = Ledger::default();
        assert!(ledger.keep(1) && !ledger.keep(2));
        assert!(!ledger.forget(2), "it was never written");
        ledger.page(|_| true);
        assert!(ledger.forget(1) && !ledger.forget(1) && !ledger.keep(3));
    }
}
