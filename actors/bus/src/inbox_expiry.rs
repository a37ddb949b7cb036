//! Those that wait and that nobody needs any more.

use std::collections::VecDeque;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use super::Inbox;
use crate::account::{Cause, Dropped};
use crate::item::{Effect, Waiting};

/// They are looked for no more often than so: for it all that wait are looked through.
const EXPIRES_LEAST: Duration = Duration::from_millis(100);
/// For each that waits it is so much longer until whoever comes with little time is looked for.
const EXPIRES_EACH: Duration = Duration::from_micros(1);
/// How soon those are looked for that are over already when they come back.
const EXPIRES_SOON: Duration = Duration::from_millis(1);

impl Inbox {
    /// Takes note of one that is put into a lane.
    pub(super) fn counts_in(&mut self, waiting: &Waiting) {
        self.queued += 1;
        self.queued_bytes += waiting.bytes();
        let until = waiting.item.envelope.until().map(|until| until.max(self.expiry_pause));
        self.expires = self.expires.into_iter().chain(until).min();
    }

    /// Lets go of those in the lanes that nobody needs any more.
    pub(super) fn expire(&mut self, now: Moment, effects: &mut Vec<Effect>) {
        if self.expires.is_none_or(|expires| now < expires) {
            return;
        }
        let mut over = Vec::new();
        for lane in &mut self.lanes {
            let all = std::mem::take(lane).into_iter();
            let (gone, left): (VecDeque<_>, _) = all.partition(|waiting| waiting.is_over(now));
            *lane = left;
            over.extend(gone);
        }
        for waiting in over {
            self.counts_out(&waiting);
            self.let_go(waiting, effects);
        }
        let many = u32::try_from(self.queued).unwrap_or(u32::MAX);
        self.expiry_pause = now + EXPIRES_EACH.saturating_mul(many).min(EXPIRES_LEAST);
        let waiting = self.lanes.iter().flatten();
        let expires = waiting.filter_map(|waiting| waiting.item.envelope.until()).min();
        self.expires = expires.map(|expires| expires.max(now + EXPIRES_LEAST));
    }

    pub(super) fn let_go(&mut self, waiting: Waiting, effects: &mut Vec<Effect>) {
        if self.terms.is_acknowledged() {
            self.bury(waiting, Cause::Expired, None, effects);
        } else {
            self.drop(&waiting.item, Dropped::Expired, effects);
        }
    }

    /// When they are to be looked for, where one of those that wait may be over then.
    pub(super) fn next_expiry(&self, now: Moment) -> Option<Moment> {
        let expires = self.expires.filter(|_| self.queued > 0)?;
        Some(expires.max(now + EXPIRES_SOON))
    }
}
