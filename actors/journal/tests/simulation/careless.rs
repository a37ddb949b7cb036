//! Disks that do not do all that they are asked for, as a careless journal would not ask for it.

use std::io;
use std::path::Path;

use triarch_journal::testing::SimDisk;
use triarch_journal::{Claim, Disk, DiskFile};

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skips {
    Nothing,
    Sync,
    SyncFolder,
    Truncate,
    /// Writing what is read there already.
    WriteAgain,
    /// Telling that a sync failed.
    SyncErrors,
    /// Telling that a sync of the folder failed.
    SyncFolderErrors,
    /// Giving a name to a file that has it already.
    NameAgain,
}

#[derive(Debug)]
pub(crate) struct Careless {
    pub(crate) disk: SimDisk,
    pub(crate) skips: Skips,
}

impl Careless {
    fn file(&self, file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let skips = self.skips;
        Box::new(CarelessFile { file, skips })
    }
}

impl Disk for Careless {
    fn place(&self) -> &Path {
        self.disk.place()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.open(name)?))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(self.file(self.disk.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let again = ".again";
        if self.skips == Skips::NameAgain && (from.ends_with(again) || to.ends_with(again)) {
            return Ok(());
        }
        self.disk.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        match self.skips {
            Skips::SyncFolder => Ok(()),
            Skips::SyncFolderErrors => {
                let _untold = self.disk.sync_folder();
                Ok(())
            }
            _ => self.disk.sync_folder(),
        }
    }

    fn claim(&self) -> io::Result<Option<Box<dyn Claim>>> {
        self.disk.claim()
    }

    fn draw(&self) -> u64 {
        self.disk.draw()
    }
}

#[derive(Debug)]
struct CarelessFile {
    file: Box<dyn DiskFile>,
    skips: Skips,
}

impl DiskFile for CarelessFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(offset, into)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if self.skips == Skips::WriteAgain {
            let mut there = vec![0; bytes.len()];
            if self.file.read_at(offset, &mut there)? == bytes.len() && there == bytes {
                return Ok(());
            }
        }
        self.file.write_at(offset, bytes)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        if self.skips == Skips::Truncate {
            return Ok(());
        }
        self.file.truncate(size)
    }

    fn sync(&mut self) -> io::Result<()> {
        match self.skips {
            Skips::Sync => Ok(()),
            Skips::SyncErrors => {
                let _untold = self.file.sync();
                Ok(())
            }
            _ => self.file.sync(),
        }
    }
}
