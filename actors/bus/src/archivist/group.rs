//! What goes to disk together, in one batch of records.
//!
//! ```text
//!  envelopes │ plans │ ends of plans │ dead letters │ cursors
//!            each after what it must not be there without
//! ```

use std::collections::BTreeMap;

use triarch_supervision::prelude::Failure;
use triarch_supervision::sync::{lock, unpoisoned};

use super::archive::{Bookmark, moved};
use super::cursor::CursorKey;
use super::doubt::Ending;
use super::later;
use super::log::Entry;
use super::message::{Planner, Waiter};
use super::record::Record;
use super::replay::{entry, stored};
use crate::agenda::{Placed, Plan};
use crate::codec::CodecError;
use crate::dead::DeadBox;
use crate::envelope::Envelope;
use crate::hub::Hub;
use crate::ledger::Page;
use crate::topic::{Pattern, Topic};

/// What each record takes beside its own bytes.
const RECORD_WEIGHT: usize = 64;
/// What the numbers in a record take, and the lengths of what is in it.
const NUMBERS_MAX: usize = 48;
/// What is said of letters beside the letters: those that are gone, and how many there were.
const PAGE_WEIGHT: usize = 16 << 10;

/// An envelope that waits for the disk.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) log: Pattern,
    pub(super) envelope: Box<Envelope>,
    pub(super) bytes: Vec<u8>,
    pub(super) waiter: Option<Waiter>,
    /// The number it was planned under.
    pub(super) number: Option<u64>,
}

/// What an envelope of so many bytes takes in a group, at most.
pub(super) fn weight(log: &Pattern, bytes: &[u8]) -> usize {
    RECORD_WEIGHT + NUMBERS_MAX + log.as_str().len() + bytes.len()
}

/// What a record takes in a group.
pub(super) const fn record_weight(record: &[u8]) -> usize {
    RECORD_WEIGHT + record.len()
}

/// A plan that waits for the disk.
#[derive(Debug)]
pub(super) struct PendingPlan {
    pub(super) number: u64,
    pub(super) placed: Placed,
    pub(super) plan: Plan,
    pub(super) record: Vec<u8>,
    pub(super) planner: Planner,
}

/// That something is off the disk waits for the disk.
#[derive(Debug)]
pub(super) struct PendingEnd {
    pub(super) number: u64,
    pub(super) ending: Ending,
    record: Vec<u8>,
}

impl PendingEnd {
    pub(super) fn new(number: u64, ending: Ending) -> Result<Self, postcard::Error> {
        let record = Record::CalledOff { number }.encode()?;
        Ok(Self { number, ending, record })
    }

    /// What it takes in a group: what is held meanwhile counts too.
    pub(super) fn weight(&self) -> usize {
        let held = self.ending.as_ref().map_or(0, |envelope| envelope.payload.len());
        record_weight(&self.record) + held
    }
}

/// Records on their way to disk, and what they are of.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) records: Vec<Vec<u8>>,
    pub(super) stored: Vec<(Pending, u64, Entry)>,
    pub(super) planned: Vec<PendingPlan>,
    pub(super) ended: Vec<PendingEnd>,
    pub(super) page: Page,
    pub(super) cursors: Vec<(CursorKey, Bookmark)>,
}

impl Group {
    /// Puts together what waits, with what has moved as far as `most` bytes have room.
    pub(super) fn of(
        hub: &Hub,
        pending: Vec<Pending>,
        (planned, ended): (Vec<PendingPlan>, Vec<PendingEnd>),
        most: usize,
    ) -> Result<Self, Failure> {
        let mut group = Self::default();
        group.store(hub, pending)?;
        for mut one in planned {
            group.records.push(std::mem::take(&mut one.record));
            group.planned.push(one);
        }
        for mut one in ended {
            group.records.push(std::mem::take(&mut one.record));
            group.ended.push(one);
        }
        let taken: usize = group.records.iter().map(|record| record_weight(record)).sum();
        let mut left = most.saturating_sub(taken);
        // Cursors are looked at before the letters and written behind them: what a cursor has passed is a letter by then.
        let cursors = Self::moved_cursors(hub)?;
        let is_all = group.letters(&mut lock(&hub.dead), &mut left, most)?;
        for (key, bookmark, record) in cursors {
            if !is_all || record_weight(&record) > left {
                // It goes with the next.
                hub.archive.still_moved(key);
                continue;
            }
            left -= record_weight(&record);
            group.records.push(record);
            group.cursors.push((key, bookmark));
        }
        Ok(group)
    }

    fn store(&mut self, hub: &Hub, pending: Vec<Pending>) -> Result<(), Failure> {
        let (archive, now) = (&hub.archive, hub.archive.now());
        let mut offsets = BTreeMap::new();
        for pending in pending {
            let log = archive.log(&pending.log);
            let next = || log.map_or(0, |log| unpoisoned(log.read()).next());
            let offset = offsets.entry(pending.log.clone()).or_insert_with(next);
            let record = stored(pending.log.as_str(), *offset, now.0, &pending.bytes).encode()?;
            let topic = pending.envelope.topic().cloned();
            let topic = topic.map_or_else(|| Topic::new(pending.envelope.to.as_str()), Ok)?;
            let entry = entry(&record, now.0, &pending.bytes, (topic, pending.envelope.time));
            self.records.push(match pending.number {
                // One record, so that it is not there without being done, nor done without being there.
                Some(number) => Record::Came {
                    number,
                    log: pending.log.as_str(),
                    offset: *offset,
                    time: now.0,
                    envelope: &pending.bytes,
                }
                .encode()?,
                None => record,
            });
            self.stored.push((pending, *offset, entry));
            *offset += 1;
        }
        Ok(())
    }

    fn moved_cursors(hub: &Hub) -> Result<Vec<(CursorKey, Bookmark, Vec<u8>)>, Failure> {
        let written = |(key, bookmark): (CursorKey, Bookmark)| {
            let record = moved(&key, &bookmark)?;
            Ok((key, bookmark, record))
        };
        hub.archive.take_moved().into_iter().map(written).collect()
    }

    /// Tells whether there was room for all.
    fn letters(&mut self, dead: &mut DeadBox, left: &mut usize, most: usize) -> Result<bool, CodecError> {
        if !dead.has_news() {
            return Ok(true);
        }
        let (records, mut refused) = (&mut self.records, None);
        *left = left.saturating_sub(PAGE_WEIGHT);
        self.page = dead.page(|letter| match later::dead(letter) {
            Ok(record) if record_weight(&record) <= *left => {
                *left -= record_weight(&record);
                records.push(record);
                true
            }
            // One that no batch has room for, since batches were larger before, is kept in memory alone.
            Ok(record) => record_weight(&record) + PAGE_WEIGHT > most,
            Err(error) => {
                refused = Some(error);
                false
            }
        });
        if let Some(refused) = refused {
            return Err(refused);
        }
        self.records.push(later::counted(dead.count())?);
        let numbers = self.page.gone.clone();
        if !numbers.is_empty() {
            self.records.push(Record::Gone { numbers }.encode()?);
        }
        Ok(!dead.has_news())
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::Instruments;

    use super::*;
    use crate::account::Cause;
    use crate::config::{Config, DurableConfig};
    use crate::dead::{DeadLetter, SubscriptionId};
    use crate::envelope::{Destination, Draft, EnvelopeId, Payload, Timestamp};
    use crate::item::Sent;
    use crate::metrics::BUS;

    fn letter(size: usize) -> DeadLetter {
        let to = Destination::Agent("team/x".into());
        let draft = Draft::new("k", Payload::bytes(vec![7; size]));
        DeadLetter {
            number: 0,
            time: Timestamp(0),
            subscriber: "team/x".into(),
            subscription: SubscriptionId(1),
            name: None,
            cause: Cause::Failed,
            why: None,
            failures: 1,
            envelope: Sent::at_rest(draft.sealed(EnvelopeId::new(1, 1), Timestamp(0), "team/a".into(), to)),
        }
    }

    /// What a batch of so many bytes has of letters: whether that is all of them, the numbers it tells the disk, and the weights of
    /// its records without the last, which counts them.
    fn batch(dead: &mut DeadBox, most: usize) -> (bool, Vec<u64>, Vec<usize>) {
        let (mut group, mut left) = (Group::default(), most);
        let is_all = group.letters(dead, &mut left, most).unwrap();
        let mut weights: Vec<_> = group.records.iter().map(|record| record_weight(record)).collect();
        weights.pop();
        assert_eq!(left, most - PAGE_WEIGHT - weights.iter().sum::<usize>());
        (is_all, group.page.new, weights)
    }

    #[test]
    fn letters_without_room_go_with_the_next_batch_and_those_that_none_has_room_for_with_none() {
        let weight = RECORD_WEIGHT + later::dead(&letter(3_000)).unwrap().len();
        let most = PAGE_WEIGHT + weight;
        let mut dead = DeadBox::new(9, u64::MAX);
        for size in [10, 3_000, 3_001] {
            dead.keep(letter(size), true);
        }
        let (is_all, told, weights) = batch(&mut dead, most);
        assert_eq!((is_all, told, weights.len()), (false, vec![1], 1));
        assert_eq!(batch(&mut dead, most), (true, vec![2, 3], vec![weight]));
    }

    #[test]
    fn a_cursor_goes_to_disk_no_sooner_than_all_letters_that_it_may_have_passed() {
        let durable = DurableConfig {
            topics: "a.**".to_owned(),
            ..DurableConfig::default()
        };
        let config = Config {
            durable: vec![durable],
            ..Config::default()
        };
        let hub = Hub::new(config, 1, &Instruments::with_tree(&[BUS]).unwrap()).unwrap();
        let key: CursorKey = ("team/x".into(), "n".into());
        hub.archive.bookmark(&key, &Pattern::new("a.**").unwrap(), 3);
        for _ in 0..2 {
            lock(&hub.dead).keep(letter(3_000), true);
        }
        let weight = RECORD_WEIGHT + later::dead(&letter(3_000)).unwrap().len();
        let next = || {
            let room_beside_one = PAGE_WEIGHT + weight + 1_000;
            let group = Group::of(&hub, Vec::new(), (Vec::new(), Vec::new()), room_beside_one).unwrap();
            (group.page.new, group.cursors.len())
        };
        assert_eq!((next(), next(), next()), ((vec![1], 0), (vec![2], 1), (vec![], 0)));
    }

    #[test]
    fn an_envelope_weighs_no_less_than_its_record_with_the_name_of_its_log() {
        for (name, size) in [("a", 0), ("a.**", 1 << 20), (&*"x".repeat(255), 200)] {
            let (log, bytes) = (Pattern::new(name).unwrap(), vec![7; size]);
            let came = Record::Came {
                number: u64::MAX,
                log: name,
                offset: u64::MAX,
                time: u64::MAX,
                envelope: &bytes,
            };
            let record = came.encode().unwrap().len() + RECORD_WEIGHT;
            let weight = weight(&log, &bytes);
            assert!(
                (record..record + 64).contains(&weight),
                "{name} {size}: {weight} for {record}"
            );
        }
    }
}
