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
    /// Up to this one all may be on disk by a snapshot.
    last_copied: u64,
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
        let was_new = self.new.remove(&number);
        // What was never written leaves no trace.
        let is_told = self.on_disk.remove(&number) || (was_new && number <= self.last_copied);
        is_told && self.gone.insert(number) && is_first
    }

    /// A snapshot has all that is known, whatever is still to be written.
    pub(crate) fn copy(&mut self) {
        let known = self.new.last().max(self.on_disk.last());
        self.last_copied = self.last_copied.max(known.copied().unwrap_or_default());
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
            } else if *number > self.last_copied {
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

    /// What may happen: one dies, one goes, one dies again under another number, a page is written, is not, or nobody knows; a
    /// snapshot is begun, and is there.
    #[derive(Clone, Debug)]
    enum Act {
        Keep,
        Forget(usize),
        Replace(usize),
        Written,
        NotWritten(Option<usize>),
        Unknown(bool),
        Copy,
        Copied,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            4 => Just(Act::Keep),
            3 => any::<usize>().prop_map(Act::Forget),
            2 => any::<usize>().prop_map(Act::Replace),
            2 => Just(Act::Written),
            1 => any::<Option<usize>>().prop_map(Act::NotWritten),
            1 => any::<bool>().prop_map(Act::Unknown),
            1 => Just(Act::Copy),
            1 => Just(Act::Copied),
        ]
    }

    /// A journal: a snapshot, and pages behind it.
    #[derive(Default)]
    struct Journal {
        snapshot: BTreeSet<u64>,
        pages: Vec<Page>,
        /// One that is being written, and how many pages it stands for.
        draft: Option<(BTreeSet<u64>, usize)>,
    }

    impl Journal {
        fn disk(&self) -> BTreeSet<u64> {
            let mut disk = self.snapshot.clone();
            for page in &self.pages {
                disk.extend(&page.new);
                disk.retain(|number| !page.gone.contains(number));
            }
            disk
        }

        fn install(&mut self) {
            if let Some((snapshot, count)) = self.draft.take() {
                self.snapshot = snapshot;
                self.pages.drain(..count);
            }
        }
    }

    /// A ledger, and what is true outside of it.
    #[derive(Default)]
    struct World {
        ledger: Ledger,
        journal: Journal,
        kept: BTreeSet<u64>,
        /// For one that took the place of others: those, and whether one of them was on disk.
        earlier: BTreeMap<u64, (Vec<u64>, bool)>,
        /// All that was ever on disk, or in a snapshot for it.
        seen: BTreeSet<u64>,
        last: u64,
        room: usize,
    }

    impl World {
        fn page(&mut self) -> Page {
            let mut taken = 0;
            self.ledger.page(|_| {
                taken += 1;
                taken <= self.room
            })
        }

        fn write(&mut self) {
            let page = self.page();
            self.journal.pages.push(page);
        }

        fn one(&self, which: usize) -> Option<u64> {
            self.kept.iter().copied().nth(which % self.kept.len().max(1))
        }

        fn keep(&mut self) -> u64 {
            self.last += 1;
            self.kept.insert(self.last);
            self.last
        }

        fn forget(&mut self, which: usize) {
            if let Some(number) = self.one(which) {
                self.kept.remove(&number);
                self.ledger.forget(number);
            }
        }

        fn replace(&mut self, which: usize) {
            let Some(number) = self.one(which) else { return };
            self.kept.remove(&number);
            let (mut all, was_there) = self.earlier.remove(&number).unwrap_or_default();
            all.push(number);
            let heir = self.keep();
            self.earlier.insert(heir, (all, was_there));
            self.ledger.replace(number, heir);
        }

        fn act(&mut self, act: &Act) {
            match act {
                Act::Keep => {
                    let number = self.keep();
                    self.ledger.keep(number);
                }
                Act::Forget(which) => self.forget(*which),
                Act::Replace(which) => self.replace(*which),
                Act::Written => self.write(),
                Act::NotWritten(meanwhile) => {
                    let page = self.page();
                    if let Some(which) = meanwhile {
                        self.forget(*which);
                    }
                    self.ledger.not_written(&page);
                }
                Act::Unknown(is_written) => {
                    let page = self.page();
                    if *is_written {
                        self.journal.install();
                        self.journal.pages.push(page);
                    }
                    self.journal.draft = None;
                    let kept = &self.kept;
                    self.ledger
                        .reconcile(self.journal.disk(), |number| kept.contains(&number));
                }
                Act::Copy => {
                    self.ledger.copy();
                    self.journal.draft = Some((self.kept.clone(), self.journal.pages.len()));
                }
                Act::Copied => self.journal.install(),
            }
            let disk = self.journal.disk();
            for (all, was_there) in self.earlier.values_mut() {
                *was_there |= all.iter().any(|one| disk.contains(one));
            }
            self.seen.extend(disk);
            self.seen
                .extend(self.journal.draft.iter().flat_map(|(snapshot, _)| snapshot));
        }

        fn check(&self) -> Result<(), TestCaseError> {
            let (ledger, kept, disk) = (&self.ledger, &self.kept, self.journal.disk());
            prop_assert!(kept.iter().all(|number| ledger.knows(*number)));
            prop_assert!(ledger.new.len() + ledger.on_disk.len() == kept.len());
            // The ledger is bounded by what was on disk, or may have been.
            prop_assert!(ledger.gone.is_subset(&self.seen), "{:?} {:?}", ledger.gone, self.seen);
            // Were this the end, no letter would be lost that died once more.
            let is_there = |(last, (all, was_there)): (&u64, &(Vec<u64>, bool))| {
                let mut line = all.iter().chain([last]);
                !kept.contains(last) || !was_there || line.any(|one| disk.contains(one))
            };
            prop_assert!(self.earlier.iter().all(is_there), "{:?} {:?}", self.earlier, disk);
            Ok(())
        }
    }

    proptest! {
        #[test]
        fn the_disk_has_what_is_kept_once_it_was_told_all(acts in prop::collection::vec(act(), 0..80), room in 1..5usize) {
            let mut world = World { room, ..World::default() };
            for act in &acts {
                world.act(act);
                world.check()?;
            }
            while world.ledger.has_news() {
                world.write();
            }
            prop_assert_eq!(&world.journal.disk(), &world.kept);
            world.journal.install();
            prop_assert_eq!(&world.journal.disk(), &world.kept);
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
        assert!(
            ledger.page(|_| true).gone.is_empty(),
            "the one in its place is not there yet"
        );
        let page = ledger.page(|number| number < count + 3);
        assert_eq!((page.new, page.gone), (vec![count + 2], vec![1]));
        assert!(ledger.has_news());
    }

    #[test]
    fn it_rings_once_for_all_that_gathers() {
        let mut ledger = Ledger::default();
        assert!(ledger.keep(1) && !ledger.keep(2));
        assert!(!ledger.forget(2), "it was never written");
        assert!(!Ledger::default().forget(2), "nor is it news where there is none");
        ledger.page(|_| true);
        assert!(ledger.forget(1) && !ledger.forget(1) && !ledger.keep(3));
    }
}
