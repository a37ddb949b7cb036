//! The claim of a runtime on its state folder: one at a time.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const LOCK: &str = "triarch.lock";

/// Why the state folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    #[error("a runtime, pid {pid}, has the state folder {}; stop it with `triarch down`, or set another runtime.state_dir", folder.display())]
    Taken { folder: PathBuf, pid: String },
    #[error("the state folder {} cannot be used: {cause}; make it writable, or set another runtime.state_dir", folder.display())]
    Unusable { folder: PathBuf, cause: io::Error },
}

/// The state folder, for as long as it is held.
#[derive(Debug)]
pub(crate) struct Claim {
    _lock: File,
}

impl Claim {
    /// Makes the folder where there is none, readable for its owner alone, and locks it. The kernel lets go of the lock
    /// however the process ends.
    pub(crate) fn on(folder: &Path) -> Result<Self, ClaimError> {
        let unusable = |cause| ClaimError::Unusable {
            folder: folder.to_owned(),
            cause,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(unusable)?;
        let path = folder.join(LOCK);
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(ClaimError::Taken {
                    folder: folder.to_owned(),
                    pid: holder(&path),
                });
            }
            Err(TryLockError::Error(cause)) => return Err(unusable(cause)),
        }
        write_pid(&mut lock).map_err(unusable)?;
        Ok(Self { _lock: lock })
    }
}

fn write_pid(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

/// Who holds the lock, as it wrote itself down.
fn holder(path: &Path) -> String {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(32).read_to_string(&mut text));
    let pid = text.trim();
    if read.is_err() || pid.is_empty() {
        "unknown".to_owned()
    } else {
        pid.to_owned()
    }
}

/// Whether a runtime holds the folder.
pub(crate) fn is_claimed(folder: &Path) -> bool {
    let lock = OpenOptions::new().read(true).open(folder.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_folder_is_held_by_one_at_a_time_and_free_afterwards() {
        let scratch = Scratch::new("claim");
        let folder = scratch.path().join("deep/state");
        assert!(!is_claimed(&folder));
        let first = Claim::on(&folder).unwrap();
        assert!(is_claimed(&folder));
        let refused = Claim::on(&folder).unwrap_err().to_string();
        assert!(refused.contains(&format!("pid {}", std::process::id())), "{refused}");
        drop(first);
        assert!(!is_claimed(&folder));
        Claim::on(&folder).unwrap();
    }

    #[test]
    fn it_is_made_for_its_owner_alone() {
        let scratch = Scratch::new("claim-mode");
        let folder = scratch.path().join("state");
        let _claim = Claim::on(&folder).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_told_with_the_remedy() {
        let scratch = Scratch::new("claim-file");
        let folder = scratch.path().join("state");
        fs::write(&folder, "").unwrap();
        let refused = Claim::on(&folder).unwrap_err().to_string();
        assert!(
            refused.ends_with("make it writable, or set another runtime.state_dir"),
            "{refused}"
        );
    }
}
