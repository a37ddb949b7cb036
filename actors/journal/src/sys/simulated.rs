//! A disk in memory, as bad as disks are allowed to be. The same seed gives the same damage.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use triarch_supervision::sync::lock;

use super::chance::Chance;
use super::holds::{Gates, Hold};
use super::inode::Inode;
use super::naming::{Change, apply};
use super::{Claim, Disk, DiskFile};

/// What a disk is asked for, and can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`Disk::list`], [`Disk::open`], [`DiskFile::size`] and [`DiskFile::read_at`].
    Read,
    /// [`Disk::create`].
    Create,
    /// [`DiskFile::write_at`].
    Write,
    /// [`DiskFile::truncate`].
    Truncate,
    /// [`DiskFile::sync`].
    Sync,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::remove`].
    Remove,
    /// [`Disk::sync_folder`].
    SyncFolder,
}

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The disk answers EIO. A write may be there in part; what a sync was to put on disk may never get there, though
    /// it can still be read and later syncs succeed: contents as well as names.
    Io,
    /// There is no space, for this call.
    Full,
    /// The power goes out before the call is done.
    PowerCut,
}

/// A disk in memory.
///
/// At a [power cut](SimDisk::cut_power) everything that was not synced is there or not, each sector of 512 bytes and each
/// name for itself; open files are dead, and so are claims.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>, Arc<Gates>);

struct State {
    chance: Chance,
    /// How often the power went out; files that were opened before are dead.
    life: u64,
    is_claimed: bool,
    /// The power went out, and nobody has claimed the disk since: whoever had it before is dead and changes nothing more.
    is_orphaned: bool,
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    names_on_disk: BTreeMap<String, usize>,
    /// Changes of names that were not synced.
    renamed: Vec<Change>,
    space: Option<u64>,
    planned: VecDeque<(Call, u64, Fault)>,
    calls: u64,
    syncs: u64,
    claims: u64,
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let sizes = state
            .names
            .iter()
            .map(|(name, inode)| (name, state.inodes[*inode].size()));
        f.debug_map().entries(sizes).finish()
    }
}

impl SimDisk {
    /// An empty disk whose damage is drawn by `seed`.
    pub fn new(seed: u64) -> Self {
        let state = State {
            chance: Chance::new(seed),
            life: 0,
            is_claimed: false,
            is_orphaned: false,
            inodes: Vec::new(),
            names: BTreeMap::new(),
            names_on_disk: BTreeMap::new(),
            renamed: Vec::new(),
            space: None,
            planned: VecDeque::new(),
            calls: 0,
            syncs: 0,
            claims: 0,
        };
        Self(Arc::new(Mutex::new(state)), Arc::default())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    /// What a call of that kind finds, once nobody holds it.
    fn reached(&self, call: Call) -> MutexGuard<'_, State> {
        self.1.pass(call);
        self.state()
    }

    /// Until this is dropped no call of that kind comes back.
    pub fn hold(&self, call: Call) -> Hold {
        Hold::of(&self.1, call)
    }

    /// The power goes out, and comes back.
    pub fn cut_power(&self) {
        self.state().cut_power();
    }

    /// The call of that kind after `skipped` others of it fails so.
    pub fn fail(&self, call: Call, skipped: u64, fault: Fault) {
        self.state().planned.push_back((call, skipped, fault));
    }

    /// Calls off what was planned.
    pub fn heal(&self) {
        self.state().planned.clear();
    }

    /// Leaves so many bytes of space in all; none for as many as one likes.
    pub fn space(&self, bytes: Option<u64>) {
        self.state().space = bytes;
    }

    /// How many bytes are in files.
    pub fn used(&self) -> u64 {
        self.state().used()
    }

    /// How many calls there have been, reading aside.
    pub fn calls(&self) -> u64 {
        self.state().calls
    }

    /// How many files were synced.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// How often somebody claimed it.
    pub fn claims(&self) -> u64 {
        self.state().claims
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        self.state().names.keys().cloned().collect()
    }

    /// What a file holds.
    pub fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let inode = state.names.get(name)?;
        Some(state.inodes[*inode].content().to_vec())
    }

    /// Puts a file there, synced.
    pub fn put(&self, name: &str, content: &[u8]) {
        let mut state = self.state();
        state.inodes.push(Inode::on_disk(content));
        let inode = state.inodes.len() - 1;
        state.names.insert(name.to_owned(), inode);
        state.names_on_disk.insert(name.to_owned(), inode);
    }

    /// Takes a file away, synced.
    pub fn take_away(&self, name: &str) {
        let mut state = self.state();
        state.names.remove(name);
        state.names_on_disk.remove(name);
    }

    /// Turns one bit of what is on disk over; the file is as synced afterwards.
    pub fn flip_bit(&self, name: &str, bit: u64) {
        if let Some(mut content) = self.content(name) {
            let at = usize::try_from(bit / 8).unwrap_or(usize::MAX);
            if let Some(byte) = content.get_mut(at) {
                *byte ^= 1 << (bit % 8);
            }
            self.put(name, &content);
        }
    }
}

impl State {
    fn cut_power(&mut self) {
        self.life += 1;
        self.is_orphaned |= std::mem::take(&mut self.is_claimed);
        self.planned.clear();
        for inode in &mut self.inodes {
            inode.cut_power(&mut self.chance);
        }
        self.lose_names();
        self.names.clone_from(&self.names_on_disk);
    }

    /// Some changes of names that were not synced get to the disk, and the rest never will.
    fn lose_names(&mut self) {
        // Some file systems keep the order of names and lose the last ones, others lose any.
        let in_order = self.chance.of(2) == 0;
        let mut is_kept = true;
        for change in std::mem::take(&mut self.renamed) {
            let survives = self.chance.of(2) == 0;
            is_kept = if in_order { is_kept && survives } else { survives };
            if is_kept {
                apply(&mut self.names_on_disk, change);
            }
        }
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        if self.is_orphaned {
            return self.check(Call::SyncFolder);
        }
        match self.fault(Call::SyncFolder) {
            None => {
                for change in std::mem::take(&mut self.renamed) {
                    apply(&mut self.names_on_disk, change);
                }
                Ok(())
            }
            Some(Fault::PowerCut) => Err(self.gone()),
            Some(fault) => {
                self.lose_names();
                Err(refusal(fault))
            }
        }
    }

    fn used(&self) -> u64 {
        self.names.values().map(|inode| self.inodes[*inode].size()).sum()
    }

    /// What is planned for this call.
    fn fault(&mut self, call: Call) -> Option<Fault> {
        if call != Call::Read {
            self.calls += 1;
        }
        let mut struck = None;
        self.planned.retain_mut(|(planned, skipped, fault)| {
            if *planned != call || struck.is_some() {
                return true;
            }
            if *skipped == 0 {
                struck = Some(*fault);
                return false;
            }
            *skipped -= 1;
            true
        });
        struck
    }

    fn check(&mut self, call: Call) -> io::Result<()> {
        if self.is_orphaned && call != Call::Read {
            return Err(io::Error::other("the power was out since this disk was claimed"));
        }
        match self.fault(call) {
            None => Ok(()),
            Some(Fault::PowerCut) => Err(self.gone()),
            Some(fault) => Err(refusal(fault)),
        }
    }

    fn gone(&mut self) -> io::Error {
        self.cut_power();
        io::Error::other("the power is out")
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        let inode = self.names.get(name).copied();
        inode.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Change) {
        match &change {
            Change::Named(name, inode) => drop(self.names.insert(name.clone(), *inode)),
            Change::Moved(from, to, inode) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *inode);
            }
            Change::Removed(name) => drop(self.names.remove(name)),
        }
        self.renamed.push(change);
    }

    fn write(&mut self, inode: usize, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let fault = self.fault(Call::Write);
        let end = offset + bytes.len() as u64;
        let growth = end.saturating_sub(self.inodes[inode].size());
        let left = self.space.map_or(u64::MAX, |space| space.saturating_sub(self.used()));
        let error: io::Error = match fault {
            None if growth <= left => {
                self.inodes[inode].write(offset, bytes);
                return Ok(());
            }
            None | Some(Fault::Full) => io::ErrorKind::StorageFull.into(),
            Some(Fault::Io | Fault::PowerCut) => failed(),
        };
        let most = (bytes.len() as u64 - growth)
            .saturating_add(left)
            .min(bytes.len() as u64);
        let part = usize::try_from(self.chance.of(most + 1)).unwrap_or_default();
        self.inodes[inode].write(offset, &bytes[..part]);
        Err(if fault == Some(Fault::PowerCut) {
            self.gone()
        } else {
            error
        })
    }

    fn sync(&mut self, inode: usize) -> io::Result<()> {
        self.syncs += 1;
        match self.fault(Call::Sync) {
            None => self.inodes[inode].sync(),
            Some(Fault::PowerCut) => return Err(self.gone()),
            Some(fault) => {
                self.inodes[inode].fail_sync(&mut self.chance);
                return Err(refusal(fault));
            }
        }
        Ok(())
    }
}

fn refusal(fault: Fault) -> io::Error {
    match fault {
        Fault::Full => io::ErrorKind::StorageFull.into(),
        Fault::Io | Fault::PowerCut => failed(),
    }
}

fn failed() -> io::Error {
    // EIO, which has no kind of its own.
    io::Error::from_raw_os_error(5)
}

impl Disk for SimDisk {
    fn place(&self) -> &Path {
        Path::new("simulated")
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.reached(Call::Read).check(Call::Read)?;
        Ok(self.names())
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.reached(Call::Read);
        state.check(Call::Read)?;
        let inode = state.find(name)?;
        Ok(self.file(&state, inode, name))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.reached(Call::Create);
        state.check(Call::Create)?;
        state.inodes.push(Inode::default());
        let inode = state.inodes.len() - 1;
        state.change(Change::Named(name.to_owned(), inode));
        Ok(self.file(&state, inode, name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.reached(Call::Rename);
        let inode = state.find(from)?;
        state.check(Call::Rename)?;
        state.change(Change::Moved(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.reached(Call::Remove);
        state.find(name)?;
        state.check(Call::Remove)?;
        state.change(Change::Removed(name.to_owned()));
        Ok(())
    }

    fn sync_folder(&self) -> io::Result<()> {
        self.reached(Call::SyncFolder).sync_folder()
    }

    fn claim(&self) -> io::Result<Option<Box<dyn Claim>>> {
        let mut state = self.state();
        state.claims += 1;
        state.is_orphaned = false;
        if std::mem::replace(&mut state.is_claimed, true) {
            return Ok(None);
        }
        let life = state.life;
        let disk = self.clone();
        Ok(Some(Box::new(SimClaim { disk, life })))
    }

    fn draw(&self) -> u64 {
        self.state().chance.any()
    }
}

#[derive(Debug)]
struct SimClaim {
    disk: SimDisk,
    life: u64,
}

impl Claim for SimClaim {}

impl Drop for SimClaim {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.life == self.life {
            state.is_claimed = false;
        }
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
    life: u64,
    /// What it was opened by, for people.
    path: PathBuf,
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl SimDisk {
    fn file(&self, state: &State, inode: usize, name: &str) -> Box<dyn DiskFile> {
        Box::new(SimFile {
            disk: self.clone(),
            inode,
            life: state.life,
            path: self.place().join(name),
        })
    }
}

impl SimFile {
    fn reached(&self, call: Call) -> io::Result<MutexGuard<'_, State>> {
        let state = self.disk.reached(call);
        if state.life != self.life {
            return Err(io::Error::other("the power was out since this file was opened"));
        }
        Ok(state)
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut state = self.reached(Call::Read)?;
        state.check(Call::Read)?;
        Ok(state.inodes[self.inode].size())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.reached(Call::Read)?;
        state.check(Call::Read)?;
        Ok(state.inodes[self.inode].read(offset, into))
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.reached(Call::Write)?.write(self.inode, offset, bytes)
    }

    fn truncate(&mut self, size: u64) -> io::Result<()> {
        let mut state = self.reached(Call::Truncate)?;
        state.check(Call::Truncate)?;
        state.inodes[self.inode].truncate(size);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        self.reached(Call::Sync)?.sync(self.inode)
    }
}
