//! One round of a scribe, on a thread that may block: all that has gathered goes to disk, and who waits is told.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use triarch_supervision::clock::Moment;

use super::queue::{Entry, Queue, Then, refuse_all};
use super::writer::Batch;
use crate::error::{CommitError, WriteError};
use crate::journal::{Journal, Seq};
use crate::metrics::Metrics;
use crate::snapshot::Draft;

/// The journal in the hand of a scribe. Whoever wants it next waits for the seat, wherever the hand is.
#[derive(Debug)]
pub(crate) struct Hand {
    pub(crate) journal: Journal,
    pub(crate) _seat: OwnedMutexGuard<()>,
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

/// Writes all that has gathered. The hand comes back unless the journal has failed.
pub(crate) fn write(mut hand: Hand, queue: &Queue, metrics: &Metrics) -> Option<Hand> {
    if hand.journal.is_closed() {
        // By a snapshot of it, whose folder was not synced.
        metrics.failed(false);
    }
    let mut round = Round {
        journal: &mut hand.journal,
        queue,
        metrics,
        gathered: Vec::new(),
        behind: VecDeque::new(),
        bytes: 0,
    };
    let done = round.entries(queue.take());
    let rested = done.and_then(|()| round.rest());
    metrics.segments(hand.journal.segments());
    if rested.is_err() || hand.journal.is_closed() {
        metrics.closed();
        refuse_all(queue.shut(), &WriteError::Stale);
        return None;
    }
    Some(hand)
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
        self.journal.draft(seq).map_err(|_outdated| WriteError::Stale)
    }

    fn rest(&mut self) -> Result<(), Closed> {
        if !self.queue.is_empty() {
            return Ok(());
        }
        self.journal.rest().map_err(|_failed| Closed)
    }
}
