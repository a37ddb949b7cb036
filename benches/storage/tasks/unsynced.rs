//! A disk that writes, and calls synced what is not: with it a claim is measured without the commit that it waits for.

use std::io;
use std::path::Path;

use triarch_journal::{Claim, Disk, DiskFile, RealDisk};

#[derive(Debug)]
pub(super) struct Unsynced(pub(super) RealDisk);

#[derive(Debug)]
struct UnsyncedFile(Box<dyn DiskFile>);

impl Unsynced {
    fn without_sync(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        Box::new(UnsyncedFile(file))
    }
}

impl Disk for Unsynced {
    fn place(&self) -> &Path {
        self.0.place()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.0.list()
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.0.open(name).map(Self::without_sync)
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        self.0.create(name).map(Self::without_sync)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.0.rename(from, to)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.remove(name)
    }

    fn sync_folder(&self) -> io::Result<()> {
        Ok(())
    }

    fn claim(&self) -> io::Result<Option<Box<dyn Claim>>> {
        self.0.claim()
    }

    fn draw(&self) -> u64 {
        self.0.draw()
    }
}

impl DiskFile for UnsyncedFile {
    fn size(&self) -> io::Result<u64> {
        self.0.size()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, into)
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        self.0.truncate(size)
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
