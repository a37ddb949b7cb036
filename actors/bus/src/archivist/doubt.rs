//! What was on its way to disk when the disk failed: whether it came there is known once the journal was read again.
//!
//! Until then it is kept here, through all lives of the archivist, and it is no more than one group: while anything is in doubt
//! nothing else is written.

use std::sync::Arc;

use triarch_journal::WriteError;
use triarch_supervision::sync::{lock, unpoisoned};

use super::group::Group;
use super::log::Entry;
use crate::access::NotAllowed;
use crate::agenda::ScheduleId;
use crate::envelope::Envelope;
use crate::hub::Hub;
use crate::topic::Pattern;

/// What follows for what was due and is for no log, once it is off the disk.
pub(crate) type Ending = Result<Box<Envelope>, Box<NotAllowed>>;

/// Nobody knows whether it is on disk.
#[derive(Debug)]
pub(super) enum Doubt {
    /// An envelope, at this offset of its log.
    Stored {
        log: Pattern,
        offset: u64,
        entry: Entry,
        envelope: Box<Envelope>,
    },
    /// That what was due under this number is off the disk.
    Ended { number: u64, ending: Ending },
}

/// A group on its way to disk. Where its archivist ends amid that, all of it is in doubt.
#[derive(Debug)]
pub(super) struct OnItsWay {
    hub: Arc<Hub>,
    group: Option<Group>,
}

impl OnItsWay {
    pub(super) fn new(hub: &Arc<Hub>, group: Group) -> Self {
        Self {
            hub: Arc::clone(hub),
            group: Some(group),
        }
    }

    /// What became of it is known.
    pub(super) fn arrived(mut self) -> Group {
        self.group.take().unwrap_or_default()
    }
}

impl Drop for OnItsWay {
    fn drop(&mut self) {
        if let Some(group) = self.group.take() {
            self.hub.take_back(group, &WriteError::Crashed);
        }
    }
}

impl Hub {
    /// What is on disk is here by now: what was in doubt and came there is let be seen.
    pub(super) fn settle_doubts(self: &Arc<Self>) {
        for doubt in self.archive.take_doubts() {
            match doubt {
                Doubt::Stored {
                    log,
                    offset,
                    entry,
                    envelope,
                } => {
                    if self.has_stored(&log, offset, &entry) {
                        self.deliver_stored(*envelope);
                    }
                }
                Doubt::Ended { number, ending } => {
                    if !lock(&self.agenda).is_durable(ScheduleId::new(number)) {
                        self.end(ending);
                    }
                }
            }
        }
    }

    /// What has made room since counts as well.
    fn has_stored(&self, log: &Pattern, offset: u64, entry: &Entry) -> bool {
        let Some(log) = self.archive.log(log) else { return false };
        let log = unpoisoned(log.read());
        let there = log.from(offset).next().filter(|(at, _)| *at == offset);
        offset < log.next() && there.is_none_or(|(_, there)| there.record == entry.record)
    }

    /// What was due and is for no log is off the disk, and so comes now; or whose it was may publish it no more, and that is told.
    pub(super) fn end(self: &Arc<Self>, ending: Ending) {
        match ending {
            Ok(envelope) => {
                if let Some(topic) = envelope.topic().cloned() {
                    self.deliver_at_once(&topic, *envelope);
                }
            }
            Err(refused) => {
                self.refuse(*refused);
            }
        }
    }
}
