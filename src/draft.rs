//! A file that is written beside its place, and takes it once all is there.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How often a draft is begun that others take for one that was left.
const TRIES_MAX: usize = 100;

/// What there are drafts of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Export,
    Backup,
}

impl Kind {
    /// How the names of its drafts begin.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Export => ".triarch-export-",
            Self::Backup => ".triarch-backup-",
        }
    }

    const fn shown(self) -> &'static str {
        match self {
            Self::Export => "an export",
            Self::Backup => "a backup",
        }
    }
}

/// What is not there until all of it is.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    place: PathBuf,
}

impl Draft {
    /// Of what is to be in that place, and may be read as `mode` says. Those of its kind beside it that nobody writes
    /// any more are removed, and told.
    pub(crate) fn of(kind: Kind, place: PathBuf, mode: u32, tell: impl Fn(&str)) -> io::Result<Self> {
        let folder = folder_of(&place);
        clear(folder, kind, tell);
        let file = locked(|| {
            let mut draft = tempfile::Builder::new();
            draft.prefix(kind.prefix()).permissions(Permissions::from_mode(mode));
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

    /// The same, unless something is there: that stays.
    pub(crate) fn take_free_place(self) -> io::Result<()> {
        self.file.as_file().sync_all()?;
        match self.file.persist_noclobber(&self.place) {
            Ok(_) => {}
            // Some file systems only ever replace.
            Err(not) if not.error.kind() != ErrorKind::AlreadyExists => {
                free(&self.place)?;
                not.file.persist(&self.place)?;
            }
            Err(not) => return Err(not.error),
        }
        sync_names(folder_of(&self.place))
    }
}

/// That nothing is there, not even a link that leads nowhere.
pub(crate) fn free(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(_) => Err(ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
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
fn clear(folder: &Path, kind: Kind, tell: impl Fn(&str)) {
    let is_draft = |name: &OsStr| name.as_bytes().starts_with(kind.prefix().as_bytes());
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for draft in entries.filter(|entry| is_draft(&entry.file_name())) {
        let path = draft.path();
        if draft.file_type().is_ok_and(|found| found.is_file()) && is_removed(&path) {
            let (path, of) = (path.display(), kind.shown());
            tell(&format!(
                "{path} was the draft of {of} that did not end, and is removed"
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
    fn a_place_that_is_to_be_free_gets_all_or_nothing_and_what_came_there_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("kept");
        let begun = || {
            let mut draft = Draft::of(Kind::Backup, place.clone(), 0o600, |_| ()).unwrap();
            draft.write_all(b"all").unwrap();
            draft
        };
        let draft = begun();
        free(&place).unwrap();
        drop(draft);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        begun().take_free_place().unwrap();
        assert_eq!(fs::read_to_string(&place).unwrap(), "all");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&place, "another").unwrap();
        for refused in [begun().take_free_place(), free(&place)] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
        }
        assert_eq!(fs::read_to_string(&place).unwrap(), "another");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn one_that_was_cleared_away_before_it_was_locked_is_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let mut begun = 0;
        let draft = locked(|| {
            begun += 1;
            let draft = tempfile::Builder::new()
                .prefix(Kind::Export.prefix())
                .tempfile_in(&folder)?;
            if begun < 3 {
                clear(folder.path(), Kind::Export, |_| ());
            }
            Ok(draft)
        });
        assert!(begun == 3 && draft.unwrap().path().exists());
        let never = locked(|| {
            let draft = tempfile::Builder::new()
                .prefix(Kind::Export.prefix())
                .tempfile_in(&folder)?;
            clear(folder.path(), Kind::Export, |_| ());
            Ok(draft)
        });
        assert!(never.is_err());
    }
}
