//! What a journal asks of a disk, and the disk of this machine.

#[cfg(feature = "testing")]
mod chance;
mod folder;
#[cfg(feature = "testing")]
pub(crate) mod holds;
#[cfg(feature = "testing")]
mod inode;
mod laying;
#[cfg(feature = "testing")]
mod naming;
#[cfg(feature = "testing")]
pub(crate) mod simulated;

use std::fmt;
use std::io;
use std::path::Path;

pub use folder::RealDisk;

/// A folder on a disk, as a journal uses it. Every call blocks.
///
/// What is written is there for readers at once, and there after a power cut once it was synced: contents by
/// [`DiskFile::sync`], names by [`Disk::sync_folder`].
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Where it is, for people.
    fn place(&self) -> &Path;

    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;

    /// An existing file, to read and write.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// An empty file, whatever was there.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, whoever had that before.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Returns once all names are on disk.
    fn sync_folder(&self) -> io::Result<()>;

    /// Claims the folder for as long as the claim lives; nothing where somebody else has it.
    fn claim(&self) -> io::Result<Option<Box<dyn Claim>>>;

    /// A number that no other journal has.
    fn draw(&self) -> u64;
}

/// An open file of a [`Disk`].
pub trait DiskFile: fmt::Debug + Send + 'static {
    /// How long it is.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to a buffer's length; less only where the file ends.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Writes all of it; after an error a part of it may be there.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Makes it that long.
    fn truncate(&mut self, size: u64) -> io::Result<()>;

    /// Returns once all that was written is on disk. After an error nobody knows what is.
    fn sync(&mut self) -> io::Result<()>;
}

/// A claimed folder; dropped, it is free.
pub trait Claim: fmt::Debug + Send + 'static {}
