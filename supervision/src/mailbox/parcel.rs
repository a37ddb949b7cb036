//! What lies in the queue: a message with what was asked for it.

use std::time::Duration;

use crate::ask::Ticket;
use crate::clock::Moment;

/// One entry of the queue. The variants share their tag with the stamp, so that a plain 16-byte message takes
/// 32 bytes whatever else a mailbox can do.
///
/// A tag as wide as the stamp keeps all parts of it in step when it is moved.
#[derive(Debug)]
#[repr(u32)]
pub(crate) enum Parcel<M> {
    /// A message and nothing else.
    Plain { stamp: Stamp, message: M },
    /// A message that is void after a moment.
    Until { stamp: Stamp, until: Moment, message: M },
    /// A message somebody waits for an answer to.
    Ask { stamp: Stamp, ticket: Ticket, message: M },
    /// Many messages at once, in the sender's own buffer.
    Many { stamp: Stamp, batch: Vec<M> },
}

impl<M> Parcel<M> {
    /// How many messages it holds.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Many { batch, .. } => batch.len() as u64,
            _ => 1,
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        let (Self::Plain { stamp, .. }
        | Self::Until { stamp, .. }
        | Self::Ask { stamp, .. }
        | Self::Many { stamp, .. }) = self;
        *stamp
    }

    pub(crate) fn set_stamp(&mut self, now: Stamp) {
        let (Self::Plain { stamp, .. }
        | Self::Until { stamp, .. }
        | Self::Ask { stamp, .. }
        | Self::Many { stamp, .. }) = self;
        *stamp = now;
    }
}

/// When a message was queued, in steps of 65 µs that wrap after 78 hours: 4 bytes, where 8 would cost a fifth
/// of the queue's memory traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp(pub(crate) u32);

const STEP_BITS: u32 = 16;
const MARK: u64 = 1 << 32;

impl Stamp {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "stamps wrap by design; ages are differences"
    )]
    pub(crate) fn at(moment: Moment) -> Self {
        Self((moment.as_nanos() >> STEP_BITS) as u32)
    }

    /// As a number that is never 0, for a place where 0 means none.
    pub(crate) fn as_mark(self) -> u64 {
        u64::from(self.0) | MARK
    }

    pub(crate) fn from_mark(mark: u64) -> Option<Self> {
        #[expect(clippy::cast_possible_truncation, reason = "the mark lies above the stamp's 32 bits")]
        (mark & MARK != 0).then_some(Self(mark as u32))
    }

    /// The time from this stamp to `now`.
    pub(crate) fn age(self, now: Moment) -> Duration {
        Duration::from_nanos(u64::from(Self::at(now).0.wrapping_sub(self.0)) << STEP_BITS)
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_plain_sixteen_byte_message_takes_thirty_two_bytes() {
        assert_eq!(size_of::<Parcel<[u64; 2]>>(), 32);
    }

    #[test]
    fn an_age_survives_the_wrap() {
        let before = Moment::from_nanos((u64::from(u32::MAX) << STEP_BITS) - 1);
        let age = Stamp::at(before).age(before + Duration::from_secs(3));
        assert!(
            (Duration::from_millis(2999)..Duration::from_millis(3001)).contains(&age),
            "{age:?}"
        );
    }
}
