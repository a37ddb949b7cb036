//! A folder of this machine.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::laying::{Machine, lay};
use super::{Claim, Disk, DiskFile};

/// Only who runs the runtime reads what agents wrote.
const FILE_MODE: u32 = 0o600;
/// Carries the claim; it stays when the claim goes.
const CLAIM: &str = "claim";

/// A folder on the disk of this machine.
#[derive(Clone, Debug)]
pub struct RealDisk {
    folder: PathBuf,
}

impl RealDisk {
    /// The folder at that path, which is made where there is none, and is on disk then with all those above.
    pub fn at(folder: impl Into<PathBuf>) -> io::Result<Self> {
        let folder = folder.into();
        lay(&Machine, &folder)?;
        Ok(Self { folder })
    }

    fn opened(&self, name: &str, options: &mut OpenOptions) -> io::Result<Box<dyn DiskFile>> {
        let file = options.read(true).write(true).mode(FILE_MODE);
        Ok(Box::new(RealFile(file.open(self.folder.join(name))?)))
    }

    fn lock(&self) -> io::Result<Option<Locked>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(FILE_MODE);
        let file = options.open(self.folder.join(CLAIM))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Locked(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl Disk for RealDisk {
    fn place(&self) -> &Path {
        &self.folder
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?;
        let names = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        names.collect()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.opened(name, &mut OpenOptions::new())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.opened(name, OpenOptions::new().create(true).truncate(true))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.folder.join(name))
    }

    fn sync_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }

    fn claim(&self) -> io::Result<Option<Box<dyn Claim>>> {
        let locked = self.lock()?;
        Ok(locked.map(|locked| Box::new(locked) as Box<dyn Claim>))
    }

    fn draw(&self) -> u64 {
        RandomState::new().hash_one(&self.folder)
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < into.len() {
            match self.0.read_at(&mut into[done..], offset + done as u64) {
                Ok(0) => break,
                Ok(more) => done += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.set_len(size)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// The lock goes with the last copy of the descriptor, and so with the process, however that ends.
#[derive(Debug)]
struct Locked(File);

impl Claim for Locked {}

impl Drop for Locked {
    fn drop(&mut self) {
        // A process that is just being started has a copy of each descriptor, until it runs its program.
        let _unlocked = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_that_is_dropped_is_free_though_a_process_that_is_being_started_has_a_copy_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let disk = RealDisk::at(folder.path()).unwrap();
        let locked = disk.lock().unwrap().unwrap();
        let copy = locked.0.try_clone().unwrap();
        assert!(disk.lock().unwrap().is_none());
        drop(locked);
        assert!(disk.lock().unwrap().is_some());
        drop(copy);
    }
}
