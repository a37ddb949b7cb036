//! Writes that go to disk together: decided, encoded, seen by nobody yet.

use std::sync::Arc;

use triarch_supervision::prelude::*;

use crate::disk::{Image, Images, Place, Record, Seal};
use crate::error::Error;
use crate::name::Key;
use crate::op::{Change, Done, Op, Write};
use crate::space::{Space, Staged};
use crate::time::StoreTime;

/// So many writes go to disk together at most.
const WRITES_MAX: usize = 1_024;

/// What the frame of a record takes beside its entries, and an entry beside its texts.
const FRAME: usize = 256;

type Answer = Reply<Result<Vec<Done>, Error>>;

/// Writes that wait for the disk.
#[derive(Debug, Default)]
pub(crate) struct Group {
    staged: Vec<(Arc<Space>, Staged)>,
    pub(crate) records: Vec<Vec<u8>>,
    bytes: usize,
    waiting: Vec<(Answer, Result<Vec<Done>, Error>)>,
}

impl Group {
    pub(crate) fn is_empty(&self) -> bool {
        self.records.is_empty() && self.waiting.is_empty()
    }

    /// So many wait for it.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= WRITES_MAX
    }

    pub(crate) fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Whether something of about that size goes to disk with what there is.
    pub(crate) fn has_room(&self, bytes: usize, most: usize) -> bool {
        self.bytes + bytes <= most
    }

    /// Decides a write. What comes of it is told with the group, since it may rest on what the group changes.
    pub(crate) fn write(
        &mut self,
        space: &Arc<Space>,
        write: &Write,
        now: StoreTime,
        seal: &Seal,
    ) -> Result<Vec<Done>, Error> {
        let kept = self.staged(space).len();
        let done = space.stage(&write.by, &write.ops, self.staged(space), now)?;
        self.record(space, kept, now, seal)?;
        Ok(done)
    }

    pub(crate) fn answer(&mut self, reply: Answer, done: Result<Vec<Done>, Error>) {
        self.waiting.push((reply, done));
    }

    /// Whatever else changes a namespace.
    pub(crate) fn stage(
        &mut self,
        space: &Arc<Space>,
        now: StoreTime,
        seal: &Seal,
        stage: impl FnOnce(&Space, &mut Staged),
    ) -> Result<(), Error> {
        let kept = self.staged(space).len();
        stage(space, self.staged(space));
        self.record(space, kept, now, seal)
    }

    /// Whether anything of that namespace waits for the disk.
    pub(crate) fn concerns(&self, space: &Arc<Space>) -> bool {
        self.staged
            .iter()
            .any(|(other, staged)| Arc::ptr_eq(other, space) && staged.len() > 0)
    }

    fn staged(&mut self, space: &Arc<Space>) -> &mut Staged {
        let found = self.staged.iter().position(|(other, _)| Arc::ptr_eq(other, space));
        let number = found.unwrap_or(self.staged.len());
        if found.is_none() {
            self.staged.push((Arc::clone(space), Staged::default()));
        }
        &mut self.staged[number].1
    }

    /// Encodes what was staged since there were `kept`; where that fails it is taken back.
    fn record(&mut self, space: &Arc<Space>, kept: usize, now: StoreTime, seal: &Seal) -> Result<(), Error> {
        let changes = self.staged(space).changes().get(kept..).unwrap_or_default();
        if changes.is_empty() {
            return Ok(());
        }
        match images(space, changes, now).encode(seal, Place::Journal) {
            Ok(record) => {
                self.bytes += record.len() + FRAME;
                self.records.push(record);
                Ok(())
            }
            Err(fault) => {
                space.take_back(self.staged(space), kept);
                Err(Error::Disk {
                    namespace: space.name().clone(),
                    fault: fault.to_string(),
                })
            }
        }
    }

    /// All of it is on disk: it is seen, and those who wait are told.
    pub(crate) fn settle(self) {
        self.staged
            .into_iter()
            .for_each(|(space, staged)| space.publish(staged));
        self.waiting.into_iter().for_each(|(reply, done)| reply.send(done));
    }

    /// None of it counts.
    pub(crate) fn give_up(self, why: impl Fn(&Space) -> Error) -> Result<(), Error> {
        let fault = self.staged.first().map(|(space, _)| why(space));
        self.staged
            .into_iter()
            .for_each(|(space, staged)| space.discard(staged));
        for (reply, done) in self.waiting {
            reply.send(fault.clone().map_or(done, Err));
        }
        fault.map_or(Ok(()), Err)
    }
}

fn images<'c>(space: &Space, changes: &'c [Change], at: StoreTime) -> Record<'c> {
    let image = |change: &'c Change| Image::of(&change.key, change.version, change.after.as_deref());
    Record::Images(Images {
        namespace: space.name().clone(),
        at,
        revision: changes.last().map_or(0, |change| change.version),
        is_last: true,
        is_cut: false,
        all: changes.iter().map(image).collect(),
    })
}

/// About how many bytes a write takes on disk, and no fewer but for what must make room for it.
pub(crate) fn weight(write: &Write, sealed: impl Fn(&Key) -> usize) -> usize {
    let ops = write.ops.iter().map(|op| {
        let entry = match op {
            Op::Put(put) => {
                let labels = &put.labels;
                let tags: usize = labels.tags.iter().map(|tag| tag.len() + 8).sum();
                let notes: usize = labels
                    .metadata
                    .iter()
                    .map(|(name, note)| name.len() + note.len() + 16)
                    .sum();
                put.value.len() + tags + notes + labels.kind.as_ref().map_or(0, |kind| kind.len())
            }
            Op::Keep(key, _) | Op::Increment(key, _) => sealed(key),
            Op::Delete(..) => 0,
        };
        entry + op.key().as_str().len() + write.by.who.len() + FRAME
    });
    ops.sum::<usize>() + FRAME
}
