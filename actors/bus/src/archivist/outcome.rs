//! What follows once a group is on disk, or is not.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::WriteError;
use triarch_supervision::prelude::*;
use triarch_supervision::sync::{lock, unpoisoned};

use super::doubt::Doubt;
use super::group::{Group, Pending, PendingPlan};
use super::log::Entry;
use super::message::Waiter;
use super::reading::Stored;
use super::replay::Replay;
use crate::agenda::ScheduleId;
use crate::error::PublishError;
use crate::hub::Hub;
use crate::later::clocks;
use crate::metrics::Refusal;
use crate::topic::Pattern;

/// What was due and could not be written is due again after this.
const DUE_AGAIN_AFTER: Duration = Duration::from_secs(1);

impl Hub {
    /// Takes up what is on disk. Names go on last, when what they may make dead has its number.
    pub(super) fn take_up(self: &Arc<Self>, mut replay: Replay) {
        let (plans, letters) = (std::mem::take(&mut replay.plans), std::mem::take(&mut replay.letters));
        lock(&self.agenda).take_up(plans, replay.last_plan, clocks());
        lock(&self.dead).take_up(letters, replay.count, !self.archive.is_ready());
        self.archive.install(replay);
        self.settle_doubts();
        self.wake.notify_one();
    }

    /// It is on disk: now all of it is seen.
    pub(super) fn show(self: &Arc<Self>, group: Group) {
        self.add_plans(group.planned);
        self.publish_all(group.stored);
        for one in group.ended {
            lock(&self.agenda).came(one.number);
            self.end(one.ending);
        }
    }

    fn add_plans(&self, planned: Vec<PendingPlan>) {
        for one in planned {
            lock(&self.agenda).add_reserved(one.number, one.placed.at, one.plan);
            one.planner.send(Ok(ScheduleId::new(one.number)));
            self.wake.notify_one();
        }
    }

    /// Everybody gets them, in the order of their offsets.
    fn publish_all(self: &Arc<Self>, stored: Vec<(Pending, u64, Entry)>) {
        let mut grown: Vec<Pattern> = Vec::new();
        for (pending, offset, entry) in stored {
            if let Some(log) = self.archive.log(&pending.log) {
                unpoisoned(log.write()).push(offset, entry);
            }
            if !grown.contains(&pending.log) {
                grown.push(pending.log);
            }
            if let Some(number) = pending.number {
                lock(&self.agenda).came(number);
            }
            let id = pending.envelope.id;
            let matched = self.deliver_stored(*pending.envelope);
            answer(pending.waiter, Ok(Stored { id, offset, matched }));
        }
        self.tell_followers(&grown);
    }

    fn tell_followers(self: &Arc<Self>, logs: &[Pattern]) {
        for log in logs {
            for follower in self.archive.followers(log) {
                follower.act(self, Moment::now(), |_, _| ());
            }
        }
    }

    pub(super) fn tell_all_followers(self: &Arc<Self>) {
        let logs = self.archive.logs().into_iter();
        self.tell_followers(&logs.map(|(log, _)| log).collect::<Vec<_>>());
    }

    /// What was due under that number is due again.
    pub(super) fn put_back(&self, number: u64) {
        lock(&self.agenda).put_back(number, Moment::now() + DUE_AGAIN_AFTER);
        self.wake.notify_one();
    }

    /// It is told to whoever waits, or due again; what comes again by itself is left out this time, and counted, as there was no room.
    pub(super) fn was_not_stored(&self, waiter: Option<Waiter>, number: Option<u64>, why: PublishError) {
        match (waiter, number) {
            (None, None) => self.metrics.refused(Refusal::Full),
            (waiter, number) => {
                if let Some(number) = number {
                    self.put_back(number);
                }
                answer(waiter, Err(why));
            }
        }
    }

    /// It is not on disk, or nobody knows: then what is there is found out after this.
    pub(super) fn take_back(&self, group: Group, why: &WriteError) {
        let mut doubts = Vec::new();
        for (pending, offset, entry) in group.stored {
            self.was_not_stored(pending.waiter, pending.number, PublishError::NotStored(why.clone()));
            let (log, envelope) = (pending.log, pending.envelope);
            doubts.push(Doubt::Stored {
                log,
                offset,
                entry,
                envelope,
            });
        }
        for one in group.planned {
            lock(&self.agenda).release(one.number);
            one.planner.send(Err(PublishError::NotStored(why.clone())));
        }
        for one in group.ended {
            self.put_back(one.number);
            let (number, ending) = (one.number, one.ending);
            doubts.push(Doubt::Ended { number, ending });
        }
        if why.is_certain() {
            lock(&self.dead).not_written(&group.page);
        } else {
            self.archive.doubt(doubts);
        }
        for (key, _) in group.cursors {
            self.archive.still_moved(key);
        }
        self.wake.notify_one();
    }
}

/// Tells whoever waits for an envelope to be on disk.
pub(super) fn answer(waiter: Option<Waiter>, outcome: Result<Stored, PublishError>) {
    if let Some(waiter) = waiter {
        waiter.send(outcome);
    }
}
