//! Writes that go to disk together: decided, encoded, seen by nobody yet.

use std::collections::HashMap;
use std::sync::Arc;

use triarch_supervision::prelude::*;

use crate::disk::{Image, Images, Place, Record, Seal};
use crate::entry::{Entry, Labels};
use crate::error::Error;
use crate::name::Key;
use crate::op::{Change, Done, Op, Write};
use crate::space::{Space, Staged};
use crate::time::StoreTime;

/// So many writes go to disk together at most.
const WRITES_MAX: usize = 1_024;

/// What the frame of a record takes beside its entries, and an entry beside its texts.
const FRAME: usize = 256;

/// What a whole number takes at most.
const NUMBER: usize = 20;

type Answer = Reply<Result<Vec<Done>, Error>>;

/// Writes that wait for the disk.
#[derive(Debug, Default)]
pub(crate) struct Group {
    staged: Vec<(Arc<Space>, Staged)>,
    pub(crate) records: Vec<Vec<u8>>,
    bytes: usize,
    waiting: Vec<Waiting>,
}

/// Whoever waits for the disk.
#[derive(Debug)]
struct Waiting {
    space: Arc<Space>,
    answer: Answer,
    done: Result<Vec<Done>, Error>,
}

/// What of a group a write is decided by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<'a> {
    pub(crate) now: StoreTime,
    pub(crate) seal: &'a Seal,
    /// So many bytes of records at most go to disk together.
    pub(crate) most: usize,
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
    pub(crate) fn write(&mut self, space: &Arc<Space>, write: &Write, terms: Terms<'_>) -> Result<Vec<Done>, Error> {
        let kept = self.staged(space).len();
        let done = space.stage(&write.by, &write.ops, self.staged(space), terms.now)?;
        self.record(space, kept, terms)?;
        Ok(done)
    }

    pub(crate) fn answer(&mut self, space: Arc<Space>, answer: Answer, done: Result<Vec<Done>, Error>) {
        self.waiting.push(Waiting { space, answer, done });
    }

    /// Whatever else changes a namespace.
    pub(crate) fn stage(
        &mut self,
        space: &Arc<Space>,
        terms: Terms<'_>,
        stage: impl FnOnce(&Space, &mut Staged),
    ) -> Result<(), Error> {
        let kept = self.staged(space).len();
        stage(space, self.staged(space));
        self.record(space, kept, terms)
    }

    /// What will be under a key, once what waits is on disk.
    pub(crate) fn held(&self, space: &Arc<Space>, key: &Key) -> Option<Arc<Entry>> {
        let of_space = self.staged.iter().find(|(other, _)| Arc::ptr_eq(other, space));
        let staged = of_space.and_then(|(_, staged)| staged.get(key));
        staged.map_or_else(|| space.peek(key.as_str()), Option::clone)
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

    /// Encodes what was staged since there were `kept`; where that fails, or is too much, it is taken back.
    fn record(&mut self, space: &Arc<Space>, kept: usize, terms: Terms<'_>) -> Result<(), Error> {
        let changes = self.staged(space).changes().get(kept..).unwrap_or_default();
        if changes.is_empty() {
            return Ok(());
        }
        let encoded = encoded(space, changes, terms).and_then(|record| {
            let bytes = self.bytes + record.len() + FRAME;
            may_go(bytes, terms.most).map(|()| (record, bytes))
        });
        match encoded {
            Ok((record, bytes)) => {
                self.bytes = bytes;
                self.records.push(record);
                Ok(())
            }
            Err(why) => {
                space.take_back(self.staged(space), kept);
                Err(why)
            }
        }
    }

    /// All of it is on disk: it is seen, and those who wait are told.
    pub(crate) fn settle(self) {
        self.staged
            .into_iter()
            .for_each(|(space, staged)| space.publish(staged));
        self.waiting
            .into_iter()
            .for_each(|waiting| waiting.answer.send(waiting.done));
    }

    /// None of it counts; each is told of their own namespace.
    pub(crate) fn give_up(self, why: impl Fn(&Space) -> Error) -> Result<(), Error> {
        let fault = self.staged.first().map(|(space, _)| why(space));
        self.staged
            .into_iter()
            .for_each(|(space, staged)| space.discard(staged));
        for Waiting { space, answer, .. } in self.waiting {
            answer.send(Err(why(&space)));
        }
        fault.map_or(Ok(()), Err)
    }
}

fn may_go(bytes: usize, most: usize) -> Result<(), Error> {
    if bytes <= most {
        return Ok(());
    }
    Err(Error::BatchTooLarge { bytes, most })
}

/// One record of all these changes, which is not made where it would be too large.
fn encoded(space: &Space, changes: &[Change], terms: Terms<'_>) -> Result<Vec<u8>, Error> {
    let entries = changes.iter().filter_map(|change| change.after.as_deref());
    may_go(entries.map(|entry| Size::of(entry).bytes()).sum(), terms.most)?;
    let record = images(space, changes, terms.now).encode(terms.seal, Place::Journal);
    record.map_err(|fault| Error::Disk {
        namespace: space.name().clone(),
        fault: fault.to_string(),
    })
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

/// About how many bytes an entry takes on disk.
#[derive(Clone, Copy, Debug, Default)]
struct Size {
    value: usize,
    labels: usize,
}

impl Size {
    fn of(entry: &Entry) -> Self {
        Self {
            value: entry.value().len(),
            labels: labels(entry.labels()),
        }
    }

    const fn bytes(self) -> usize {
        self.value + self.labels
    }
}

fn labels(labels: &Labels) -> usize {
    let tags: usize = labels.tags.iter().map(|tag| tag.len() + 8).sum();
    let notes: usize = labels
        .metadata
        .iter()
        .map(|(name, note)| name.len() + note.len() + 16)
        .sum();
    tags + notes + labels.kind.as_ref().map_or(0, |kind| kind.len())
}

/// About how many bytes a write takes on disk, and no fewer but for what must make room for it. Each operation takes all
/// that is under its key afterwards.
pub(crate) fn weight(write: &Write, held: impl Fn(&Key) -> Option<Arc<Entry>>) -> usize {
    let mut sizes: HashMap<&Key, Size> = HashMap::new();
    let mut bytes = FRAME;
    for op in &write.ops {
        let key = op.key();
        let before = || {
            let there = sizes.get(key).copied();
            there.unwrap_or_else(|| held(key).map_or_else(Size::default, |entry| Size::of(&entry)))
        };
        let after = match op {
            Op::Put(put) => Size {
                value: put.value.len(),
                labels: labels(&put.labels),
            },
            Op::Keep(..) => before(),
            Op::Increment(..) => Size {
                value: NUMBER,
                ..before()
            },
            Op::Delete(..) => Size::default(),
        };
        bytes += after.bytes() + key.as_str().len() + write.by.who.len() + FRAME;
        sizes.insert(key, after);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Identity;
    use crate::config::Rules;
    use crate::name::Namespace;
    use crate::op::Put;
    use crate::space::Shared;
    use crate::value::Value;

    fn put(key: &str, bytes: usize) -> Write {
        let put = Put::new(Key::new(key).unwrap(), Value::bytes(vec![7; bytes]));
        Write {
            by: Identity::system(),
            ops: vec![Op::Put(put)],
        }
    }

    #[test]
    fn what_is_too_much_beside_what_waits_is_taken_back_alone() {
        let space = Space::new(Namespace::new("n").unwrap(), &Rules::default(), Shared::default());
        let (space, mut group, seal) = (Arc::new(space), Group::default(), Seal::none());
        let terms = Terms {
            now: StoreTime::default(),
            seal: &seal,
            most: 3_000,
        };
        group.write(&space, &put("a", 1_000), terms).unwrap();
        let second = group.write(&space, &put("b", 2_000), terms);
        assert!(matches!(second, Err(Error::BatchTooLarge { bytes, most: 3_000 }) if bytes > 3_000));
        group.write(&space, &put("c", 1_000), terms).unwrap();
        assert_eq!(group.records.len(), 2);
        group.settle();
        let keys = space.keys("", None, 9);
        assert_eq!(keys, ["a", "c"].map(|key| Key::new(key).unwrap()));
    }

    #[test]
    fn an_operation_weighs_what_is_under_its_key_afterwards() {
        let note = "x".repeat(10_000);
        let Op::Put(noted) = put("k", 5_000).ops.remove(0) else {
            panic!("no put")
        };
        let noted = noted.note("why", &note);
        let write = |ops: Vec<Op>| Write {
            by: Identity::system(),
            ops,
        };
        let key = || Key::new("k").unwrap();
        let all = write(vec![
            Op::Put(noted),
            Op::Keep(key(), crate::op::Lifetime::Forever),
            Op::Increment(key(), 1),
            Op::Delete(key(), None),
            Op::Increment(key(), 1),
        ]);
        let bytes = weight(&all, |_| panic!("all of it is in the write"));
        assert!((40_000..42_000).contains(&bytes), "{bytes}");
    }
}
