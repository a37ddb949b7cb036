//! A file that is written beside its place, and takes it once all is there.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How often a draft is begun that others take for one that was left.
const TRIES_MAX: usize = 100;

/// How the names of drafts of exports begin.
const EXPORT: &str = ".triarch-export-";

/// What is not there until all of it is.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    place: PathBuf,
}

impl Draft {
    /// Of an export to that place, and may be read as `mode` says. Those beside it that nobody writes any more are
    /// removed, and told.
    pub(crate) fn of(place: PathBuf, mode: u32, tell: impl Fn(&str)) -> io::Result<Self> {
        let folder = folder_of(&place);
        clear(folder, tell);
        let file = locked(|| {
            let mut draft = tempfile::Builder::new();
            draft.prefix(EXPORT).permissions(Permissions::from_mode(mode));
            draft.tempfile_in(folder)
        })?;
        Ok(Self { file, place })
    }

    pub(crate) fn file(&self) -> &File {
        self.file.as_file()
    }

    /// All is there: it is in its place, and whatever was there is not.
    pub(crate) fn take_place(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        self.file.persist(&self.place)?;
        sync_names(folder_of(&self.place))
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

pub(crate) fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// A draft that nobody clears away while it is written. One that was cleared away before is begun anew.
fn locked(mut make: impl FnMut() -> io::Result<NamedTempFile>) -> io::Result<NamedTempFile> {
    for _ in 0..TRIES_MAX {
        let draft = make()?;
        // Where the file system has no locks, nobody clears anything away.
        let _unlocked = draft.as_file().lock();
        if draft.as_file().metadata()?.nlink() > 0 || draft.path().exists() {
            return Ok(draft);
        }
    }
    Err(io::Error::other("its drafts are cleared away"))
}

/// Takes away drafts of what was killed.
fn clear(folder: &Path, tell: impl Fn(&str)) {
    let is_draft = |name: &OsStr| name.as_bytes().starts_with(EXPORT.as_bytes());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for draft in entries.filter(|entry| is_draft(&entry.file_name())) {
        let (path, kind) = (draft.path(), draft.file_type());
        if kind.is_ok_and(|kind| kind.is_file()) && is_removed(&path) {
            tell(&format!(
                "{} was the draft of an export that did not end, and is removed",
                path.display()
            ));
        }
    }
}

/// Removes a draft that nobody writes; tells whether it did.
fn is_removed(path: &Path) -> bool {
    let Ok(draft) = File::open(path) else { return false };
    // It stays locked until it is gone, so that whoever has just begun it waits, and sees that it is.
    draft.try_lock().is_ok() && fs::remove_file(path).is_ok()
}

/// After that the new name outlives a power failure, where the folder may be read.
fn sync_names(folder: &Path) -> io::Result<()> {
    File::open(folder).map_or(Ok(()), |folder| folder.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_was_cleared_away_before_it_was_locked_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut begun = 0;
        let draft = locked(|| {
            begun += 1;
            let draft = tempfile::Builder::new().prefix(EXPORT).tempfile_in(&folder)?;
            if begun < 3 {
                clear(folder.path(), |_| ());
            }
            Ok(draft)
        });
        assert!(begun == 3 && draft.unwrap().path().exists());
        let never = locked(|| {
            let draft = tempfile::Builder::new().prefix(EXPORT).tempfile_in(&folder)?;
            clear(folder.path(), |_| ());
            Ok(draft)
        });
        assert!(never.is_err());
    }
}
