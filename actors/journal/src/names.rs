//! Giving files their names, one at a time: a name counts once the folder was synced, and none does after that has failed.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use triarch_supervision::sync::lock;

use crate::format::Kind;
use crate::sys::Disk;

/// What is added to a name on its way to being given again.
pub(crate) const AGAIN: &str = ".again";

/// The names in one journal's folder, from its opening until it is let go of; shared with those who write its snapshots.
///
/// A sync that fails loses names of whoever renamed meanwhile, and the next sync knows nothing of it. So renaming and
/// syncing are one step here, and after a failure there is no other.
#[derive(Debug)]
pub(crate) struct Names {
    disk: Arc<dyn Disk>,
    turn: Mutex<()>,
    is_over: AtomicBool,
    /// The newest snapshot that got its name.
    snapshot: Mutex<Option<u64>>,
}

/// Why a file has not got its name.
#[derive(Debug)]
pub(crate) enum NotNamed {
    /// A sync has failed before, or the journal was let go of.
    Over,
    /// It may have it, or not.
    Renaming(io::Error),
    /// It has it, and may lose it when the power goes out.
    Syncing(io::Error),
}

impl Names {
    pub(crate) fn new(disk: Arc<dyn Disk>) -> Self {
        Self {
            disk,
            turn: Mutex::new(()),
            is_over: AtomicBool::new(false),
            snapshot: Mutex::new(None),
        }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        lock(&self.turn)
    }

    /// Returns once the file has its name on disk.
    pub(crate) fn give(&self, from: &str, to: &str) -> Result<(), NotNamed> {
        let _turn = self.turn();
        if self.is_over() {
            return Err(NotNamed::Over);
        }
        self.disk.rename(from, to).map_err(NotNamed::Renaming)?;
        self.disk.sync_folder().map_err(|source| {
            self.is_over.store(true, Ordering::SeqCst);
            NotNamed::Syncing(source)
        })
    }

    /// The same for the snapshot of that record, which whoever writes the journal finds by [`Names::snapshot`].
    pub(crate) fn give_snapshot(&self, from: &str, seq: u64) -> Result<(), NotNamed> {
        self.give(from, &Kind::Snapshot.name(seq))?;
        let mut newest = lock(&self.snapshot);
        *newest = (*newest).max(Some(seq));
        Ok(())
    }

    /// What the newest snapshot that got its name here stands for.
    pub(crate) fn snapshot(&self) -> Option<u64> {
        *lock(&self.snapshot)
    }

    /// Whether no name is given any more.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// From here on a snapshot that is still being written gets no name: were its sync to fail, whoever opens the journal
    /// next would not hear of it. Waits for a sync that is under way.
    pub(crate) fn end(&self) {
        let _turn = self.turn();
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Gives a file the name it has once more. Where a sync failed, in this life or an earlier one, the name it has may be
/// nowhere but in memory, and no sync would write it: for the kernel nothing has changed.
pub(crate) fn give_again(disk: &dyn Disk, name: &str) -> io::Result<()> {
    let aside = format!("{name}{AGAIN}");
    disk.rename(name, &aside)?;
    disk.rename(&aside, name)
}

/// Ends what [`give_again`] had begun when the power went out.
pub(crate) fn finish_again(disk: &dyn Disk, found: &mut [String]) -> io::Result<()> {
    for at in 0..found.len() {
        let Some(name) = found[at].strip_suffix(AGAIN).map(str::to_owned) else {
            continue;
        };
        let is_ours = Kind::Segment.seq(&name).or(Kind::Snapshot.seq(&name)).is_some();
        if is_ours && !found.contains(&name) {
            disk.rename(&found[at], &name)?;
            found[at] = name;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;
    use crate::sys::{Claim, DiskFile};
    use crate::testing::SimDisk;

    /// Counts syncs of more names than one, or of none.
    #[derive(Debug)]
    struct Watched {
        disk: SimDisk,
        renamed: AtomicUsize,
        mixed: AtomicUsize,
    }

    impl Disk for Watched {
        fn place(&self) -> &Path {
            self.disk.place()
        }

        fn list(&self) -> io::Result<Vec<String>> {
            self.disk.list()
        }

        fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
            self.disk.open(name)
        }

        fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
            self.disk.create(name)
        }

        fn rename(&self, from: &str, to: &str) -> io::Result<()> {
            self.renamed.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            self.disk.rename(from, to)
        }

        fn remove(&self, name: &str) -> io::Result<()> {
            self.disk.remove(name)
        }

        fn sync_folder(&self) -> io::Result<()> {
            let is_mixed = self.renamed.swap(0, Ordering::SeqCst) != 1;
            self.mixed.fetch_add(usize::from(is_mixed), Ordering::SeqCst);
            self.disk.sync_folder()
        }

        fn claim(&self) -> io::Result<Option<Box<dyn Claim>>> {
            self.disk.claim()
        }

        fn draw(&self) -> u64 {
            self.disk.draw()
        }
    }

    #[test]
    fn a_sync_is_of_one_name_so_its_failure_is_heard_by_whoever_gave_that() {
        let disk = Arc::new(Watched {
            disk: SimDisk::new(1),
            renamed: AtomicUsize::new(0),
            mixed: AtomicUsize::new(0),
        });
        let names = Names::new(Arc::clone(&disk) as Arc<dyn Disk>);
        thread::scope(|scope| {
            for giver in 0..4 {
                let (disk, names) = (&disk, &names);
                scope.spawn(move || {
                    for number in 0..300 {
                        let (from, to) = (format!("{giver}-{number}.draft"), format!("{giver}-{number}"));
                        disk.create(&from).unwrap();
                        names.give(&from, &to).unwrap();
                    }
                });
            }
        });
        assert_eq!(disk.mixed.load(Ordering::SeqCst), 0);
    }
}
