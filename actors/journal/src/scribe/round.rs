//! Rounds of a scribe, on a thread that may block: all that has gathered goes to disk, and who waits is told.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use triarch_supervision::clock::Moment;

use super::lingering::Lingering;
use super::queue::{Entry, Queue, Then, refuse_all};
use super::writer::Batch;
use crate::error::{CommitError, SnapshotError, WriteError};
use crate::journal::{Journal, Seq};
use crate::metrics::Metrics;
use crate::snapshot::Draft;

/// So many rounds follow one another at most: whoever recovers or stops the scribe is served between them.
const ROUNDS_MAX: usize = 16;

/// After a round of more the next one waits its turn: meanwhile others gather, and share its sync.
const FEW: usize = 64;

/// For so long the next record is waited for, with so many looks at most: three times as long as a thread may take to wake.
const LINGER: Duration = Duration::from_micros(100);
const LOOKS_MAX: usize = 1_000;

/// The journal in the hand of a scribe. Whoever wants it next waits for the seat, wherever the hand is.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) journal: Journal,
    lingering: Lingering,
    _seat: OwnedMutexGuard<()>,
}

impl Hand {
    pub(crate) fn new(journal: Journal, seat: OwnedMutexGuard<()>) -> Self {
        Self {
            journal,
            lingering: Lingering::default(),
            _seat: seat,
        }
    }

    /// Whether there is more to write, now or in a moment.
    fn has_more(&mut self, queue: &Queue) -> bool {
        if !queue.is_empty() {
            return true;
        }
        if !self.lingering.tries() {
            return false;
        }
        let begun = Moment::now();
        let look = |_| {
            // Whoever has it to write may want the very processor that looks.
            thread::yield_now();
            !queue.is_empty() || Moment::now().since(begun) >= LINGER
        };
        let came = (0..LOOKS_MAX).any(look) && !queue.is_empty();
        self.lingering.tried(came);
        came
    }
}

/// A round under way.
struct Round<'a> {
    journal: &'a mut Journal,
    queue: &'a Queue,
    metrics: &'a Metrics,
    /// Who waits for the next commit, with the number of the last record of each.
    gathered: Vec<(Seq, Then)>,
    /// What was in the queue when a commit failed.
    behind: VecDeque<Entry>,
    bytes: usize,
}

/// Writes all that has gathered, and what comes in the moment after that. The hand comes back unless the journal has failed.
pub(crate) fn write_all(mut hand: Hand, queue: &Queue, metrics: &Metrics) -> Option<Hand> {
    if hand.journal.is_closed() {
        // By a snapshot of it, whose folder was not synced.
        metrics.failed(false);
    }
    let mut outcome = Ok(());
    for _ in 0..ROUNDS_MAX {
        let entries = queue.take();
        let are_few = entries.len() <= FEW;
        outcome = write(&mut hand, entries, queue, metrics);
        if outcome.is_err() || hand.journal.is_closed() || !are_few || !hand.has_more(queue) {
            break;
        }
    }
    let rested = outcome.and_then(|()| rest(&mut hand.journal, queue));
    metrics.segments(hand.journal.segments());
    if rested.is_err() || hand.journal.is_closed() {
        metrics.closed();
        refuse_all(queue.shut(), &WriteError::Stale);
        return None;
    }
    Some(hand)
}

fn write(hand: &mut Hand, entries: VecDeque<Entry>, queue: &Queue, metrics: &Metrics) -> Result<(), Closed> {
    let mut round = Round {
        journal: &mut hand.journal,
        queue,
        metrics,
        gathered: Vec::new(),
        behind: VecDeque::new(),
        bytes: 0,
    };
    round.entries(entries)
}

fn rest(journal: &mut Journal, queue: &Queue) -> Result<(), Closed> {
    if !queue.is_empty() {
        return Ok(());
    }
    journal.rest().map_err(|_failed| Closed)
}

/// The journal has failed: nothing more is written.
struct Closed;

impl Round<'_> {
    fn entries(&mut self, mut entries: VecDeque<Entry>) -> Result<(), Closed> {
        while let Some(entry) = entries.pop_front() {
            let done = match entry {
                Entry::Write { batch, then, _room } => self.write(&batch, then),
                Entry::Rotate(reply) => {
                    let committed = self.commit();
                    let rotated = committed.clone().and_then(|()| self.rotate());
                    drop(reply.send(rotated));
                    committed
                }
                Entry::Install(written, reply) => {
                    let installed = self.journal.install(&written);
                    drop(reply.send(installed));
                    Ok(())
                }
            };
            let done = if entries.is_empty() {
                done.and_then(|()| self.commit())
            } else {
                done
            };
            if let Err(failed) = done {
                // What comes after it must not be written either, or the journal had a gap.
                refuse_all(entries, &failed);
                refuse_all(std::mem::take(&mut self.behind), &failed);
                return if matches!(failed, WriteError::Full(_)) {
                    Ok(())
                } else {
                    Err(Closed)
                };
            }
        }
        Ok(())
    }

    fn write(&mut self, batch: &Batch, then: Then) -> Result<(), WriteError> {
        if self.journal.is_gathered()
            && let Err(failed) = self.commit()
        {
            then.settle(Err(failed.clone()));
            return Err(failed);
        }
        let mut last = self.journal.last();
        for record in &batch.0 {
            match self.journal.append(record) {
                Ok(seq) => last = seq,
                Err(refused) => {
                    then.settle(Err(refused.into()));
                    return Ok(());
                }
            }
            self.bytes += record.len();
        }
        self.gathered.push((last, then));
        Ok(())
    }

    /// One write and one sync for all that waits; whoever waits is told.
    fn commit(&mut self) -> Result<(), WriteError> {
        let before = self.journal.settled();
        let begun = Moment::now();
        match self.journal.commit() {
            Ok(settled) => {
                let records = settled.number() - before.number();
                if records > 0 {
                    self.metrics
                        .committed(records, std::mem::take(&mut self.bytes), Moment::now().since(begun));
                }
                for (seq, then) in self.gathered.drain(..) {
                    then.settle(Ok(seq));
                }
                Ok(())
            }
            Err(failed) => Err(self.failed(failed)),
        }
    }

    fn failed(&mut self, failed: CommitError) -> WriteError {
        self.bytes = 0;
        let (is_full, is_certain) = (
            matches!(failed, CommitError::Full { .. }),
            matches!(failed, CommitError::Closed { .. }),
        );
        if !is_certain {
            self.metrics.failed(is_full);
        }
        let failed = Arc::new(failed);
        let (in_hand, later) = match (is_full, is_certain) {
            (true, _) => (WriteError::Full(Arc::clone(&failed)), WriteError::Full(failed)),
            (_, true) => (WriteError::Stale, WriteError::Stale),
            _ => (WriteError::Failed(failed), WriteError::Stale),
        };
        // Before anybody is told: whoever hears of it may go on at once.
        self.behind = match &later {
            WriteError::Full(why) => self.queue.end_turn(why),
            _ => self.queue.shut(),
        };
        for (_, then) in self.gathered.drain(..) {
            then.settle(Err(in_hand.clone()));
        }
        later
    }

    /// A new segment that there is no room for costs nobody a record.
    fn rotate(&mut self) -> Result<Draft, WriteError> {
        let rotated = self.journal.rotate().map_err(|failed| match failed {
            CommitError::Full { .. } => WriteError::Full(Arc::new(failed)),
            _ => WriteError::Failed(Arc::new(failed)),
        });
        let seq = rotated?;
        self.journal.draft(seq).map_err(|why| match why {
            SnapshotError::Outdated { .. } => WriteError::Kept,
            _ => WriteError::Stale,
        })
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Mutex;
    use triarch_supervision::metrics::Instruments;

    use super::super::queue::Pass;
    use super::*;
    use crate::config::Config;
    use crate::metrics::JOURNALS;
    use crate::testing::SimDisk;

    fn push(queue: &Queue, pass: Pass, record: &[u8]) {
        let batch = Batch::from(record.to_vec());
        let room = queue.room_now(&batch).unwrap();
        let entry = Entry::Write {
            batch,
            then: Then::new(|outcome| assert!(outcome.is_ok())),
            _room: room,
        };
        assert!(queue.push(pass, entry).is_ok());
    }

    #[test]
    fn after_a_round_the_next_record_is_waited_for_and_more_rarely_the_more_often_none_came() {
        let disk = SimDisk::new(1);
        let seat = Arc::new(Mutex::new(())).try_lock_owned().unwrap();
        let (journal, _) = Journal::open(Arc::new(disk.clone()), Config::default()).unwrap();
        let metrics = Metrics::new(&Instruments::with_tree(&[JOURNALS]).unwrap(), "test").unwrap();
        let (mut hand, queue) = (Hand::new(journal, seat), Queue::new(1 << 20));
        let (pass, mut as_if, mut waits) = (queue.open(), Lingering::default(), 0);
        for round in 1..=64 {
            let syncs = disk.syncs();
            push(&queue, pass, b"x");
            hand = write_all(hand, &queue, &metrics).unwrap();
            assert_eq!((hand.journal.settled().number(), disk.syncs()), (round, syncs + 1));
            if as_if.tries() {
                as_if.tried(false);
                waits += 1;
            }
            assert_eq!(hand.lingering, as_if, "round {round}");
        }
        assert_eq!(waits, 6, "after 1, 3, 7, 15 and 31 rounds more");
    }
}
