//! Making a folder so that a power cut does not take it, with all that was acknowledged in it.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Only who runs the runtime reads what agents wrote.
const FOLDER_MODE: u32 = 0o700;

/// The folders of a machine.
pub(super) trait Folders {
    fn is_folder(&self, path: &Path) -> bool;

    fn make(&self, path: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path);

    /// Returns once the names in that folder are on disk.
    fn sync(&self, path: &Path) -> io::Result<()>;
}

/// Makes the folder where there is none, and returns once it is on disk with all those above.
///
/// Those that were there are synced too: whoever made them may have been killed before it did that. A folder whose name
/// was not synced is removed, for the next sync would not write what it is to the kernel already; made anew, it would.
pub(super) fn lay(folders: &impl Folders, folder: &Path) -> io::Result<()> {
    let mut made = Vec::new();
    let laid = lay_from_above(folders, folder, &mut made);
    if laid.is_err() {
        for folder in made.into_iter().rev() {
            folders.remove(folder);
        }
    }
    laid
}

fn lay_from_above<'a>(folders: &impl Folders, folder: &'a Path, made: &mut Vec<&'a Path>) -> io::Result<()> {
    let from_below: Vec<_> = folder.ancestors().collect();
    for folder in from_below.into_iter().rev() {
        let Some(above) = folder.parent() else {
            continue;
        };
        let is_new = !folders.is_folder(folder);
        if is_new {
            folders.make(folder)?;
            made.push(folder);
        }
        let here = Path::new(".");
        let above = if above.as_os_str().is_empty() { here } else { above };
        match folders.sync(above) {
            // Whoever may not look into a folder has not made anything in it either.
            Err(refused) if !is_new && refused.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// This machine.
pub(super) struct Machine;

impl Folders for Machine {
    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn make(&self, path: &Path) -> io::Result<()> {
        // No error where somebody else was faster.
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)
    }

    fn remove(&self, path: &Path) {
        // Not where there is something in it.
        let _removed = fs::remove_dir(path);
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeSet;
    use std::path::PathBuf;

    use super::*;

    /// How the next call but so many ends.
    #[derive(Clone, Copy, PartialEq)]
    enum Fate {
        Killed(usize),
        FailsToSync(usize),
        None,
    }

    #[derive(Default)]
    struct Held {
        there: BTreeSet<PathBuf>,
        on_disk: BTreeSet<PathBuf>,
        /// What the kernel believes to have written.
        lost: BTreeSet<PathBuf>,
        calls: usize,
    }

    struct Simulated(RefCell<Held>, Fate);

    impl Simulated {
        fn call(&self, is_sync: bool) -> io::Result<()> {
            let mut folders = self.0.borrow_mut();
            folders.calls += 1;
            match self.1 {
                Fate::Killed(after) if folders.calls > after => Err(io::ErrorKind::Interrupted.into()),
                Fate::FailsToSync(after) if folders.calls > after && is_sync => Err(io::Error::from_raw_os_error(5)),
                _ => Ok(()),
            }
        }
    }

    impl Folders for Simulated {
        fn is_folder(&self, path: &Path) -> bool {
            path.parent().is_none() || path == Path::new("/srv") || self.0.borrow().there.contains(path)
        }

        fn make(&self, path: &Path) -> io::Result<()> {
            self.call(false)?;
            self.0.borrow_mut().there.insert(path.to_owned());
            self.0.borrow_mut().lost.remove(path);
            Ok(())
        }

        fn remove(&self, path: &Path) {
            if self.call(false).is_ok() {
                self.0.borrow_mut().there.remove(path);
            }
        }

        fn sync(&self, path: &Path) -> io::Result<()> {
            let done = self.call(true);
            let mut folders = self.0.borrow_mut();
            let within: Vec<_> = folders
                .there
                .iter()
                .filter(|folder| folder.parent() == Some(path))
                .cloned()
                .collect();
            match &done {
                Ok(()) => {
                    let kept: Vec<_> = within
                        .into_iter()
                        .filter(|folder| !folders.lost.contains(folder))
                        .collect();
                    folders.on_disk.extend(kept);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => folders.lost.extend(within),
            }
            done
        }
    }

    fn is_on_disk_at_the_second_attempt(fate: Fate) -> bool {
        let (folder, mut disk) = (Path::new("/srv/state/rooms/work"), Simulated(RefCell::default(), fate));
        let first = lay(&disk, folder);
        disk.1 = Fate::None;
        lay(&disk, folder).unwrap();
        let folders = disk.0.borrow();
        for above in ["/srv/state", "/srv/state/rooms", "/srv/state/rooms/work"] {
            assert!(folders.on_disk.contains(Path::new(above)), "{above} after {first:?}");
        }
        first.is_ok()
    }

    #[test]
    fn whoever_is_killed_while_it_makes_a_folder_leaves_none_that_a_power_cut_takes_later() {
        let is_done = (0..20).map(|after| is_on_disk_at_the_second_attempt(Fate::Killed(after)));
        assert_eq!(
            is_done.filter(|is_done| !is_done).count(),
            7,
            "each call is a place to be killed at"
        );
    }

    #[test]
    fn a_folder_whose_sync_failed_is_made_anew() {
        let is_done = (0..20).map(|after| is_on_disk_at_the_second_attempt(Fate::FailsToSync(after)));
        assert_eq!(is_done.filter(|is_done| !is_done).count(), 7);
    }

    #[test]
    fn a_folder_that_may_not_be_looked_into_is_left_as_it_is() {
        struct Closed;
        impl Folders for Closed {
            fn is_folder(&self, path: &Path) -> bool {
                path != Path::new("/srv/work")
            }

            fn make(&self, _path: &Path) -> io::Result<()> {
                Ok(())
            }

            fn remove(&self, _path: &Path) {}

            fn sync(&self, path: &Path) -> io::Result<()> {
                let is_closed = path == Path::new("/");
                if is_closed {
                    Err(io::ErrorKind::PermissionDenied.into())
                } else {
                    Ok(())
                }
            }
        }
        lay(&Closed, Path::new("/srv/work")).unwrap();
        lay(&Closed, Path::new("/srv")).unwrap();
    }
}
