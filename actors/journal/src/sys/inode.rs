//! The content of a simulated file: as it is read, and as it would be after a power cut.

use super::chance::Chance;

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    /// What is read.
    content: Vec<u8>,
    /// What is on disk for certain.
    on_disk: Vec<u8>,
    /// What was done since the last sync, in its order.
    pending: Vec<Pending>,
}

#[derive(Clone, Debug)]
enum Pending {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Inode {
    pub(super) fn on_disk(content: &[u8]) -> Self {
        Self {
            content: content.to_vec(),
            on_disk: content.to_vec(),
            pending: Vec::new(),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.content.len() as u64
    }

    pub(super) fn content(&self) -> &[u8] {
        &self.content
    }

    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.content.len());
        let there = &self.content[from..];
        let count = there.len().min(into.len());
        into[..count].copy_from_slice(&there[..count]);
        count
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        put(&mut self.content, offset, bytes);
        self.pending.push(Pending::Write(offset, bytes.to_vec()));
    }

    pub(super) fn truncate(&mut self, size: u64) {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        self.content.resize(size, 0);
        self.pending.push(Pending::Truncate(size));
    }

    pub(super) fn sync(&mut self) {
        for pending in std::mem::take(&mut self.pending) {
            pending.apply(&mut self.on_disk);
        }
    }

    /// Some of what was pending gets to the disk, and the rest never will, though it is still read.
    pub(super) fn fail_sync(&mut self, chance: &mut Chance) {
        for pending in std::mem::take(&mut self.pending) {
            pending.survive(&mut self.on_disk, chance);
        }
    }

    pub(super) fn cut_power(&mut self, chance: &mut Chance) {
        let kind = chance.of(8);
        for pending in std::mem::take(&mut self.pending) {
            match kind {
                // All of it got there just in time, or nothing did.
                0 => pending.apply(&mut self.on_disk),
                1 => {}
                _ => pending.survive(&mut self.on_disk, chance),
            }
        }
        self.content.clone_from(&self.on_disk);
    }
}

impl Pending {
    fn apply(self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, bytes) => put(content, offset, &bytes),
            Self::Truncate(size) => content.resize(size, 0),
        }
    }

    /// Each sector of it gets to the disk or not. What lies between those that do is zero, or at times rubbish.
    fn survive(self, content: &mut Vec<u8>, chance: &mut Chance) {
        let (offset, bytes) = match self {
            Self::Truncate(size) => {
                if chance.of(2) == 0 {
                    content.resize(size, 0);
                }
                return;
            }
            Self::Write(offset, bytes) => (offset, bytes),
        };
        let mut from = 0;
        while from < bytes.len() {
            let sector = (SECTOR - (offset + from) % SECTOR).min(bytes.len() - from);
            let piece = &bytes[from..from + sector];
            match chance.of(9) {
                0..4 => put(content, offset + from, piece),
                4 => grow(content, offset + from + sector, || chance.any().to_le_bytes()[0]),
                5 => grow(content, offset + from + sector, || 0),
                _ => {}
            }
            from += sector;
        }
    }
}

/// The file grew, and what lies there is not what was written. What was on disk stays.
fn grow(content: &mut Vec<u8>, end: usize, byte: impl FnMut() -> u8) {
    if content.len() < end {
        content.resize_with(end, byte);
    }
}

fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}
