//! What lies in the queue: a message with what was asked for it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::ask::Ticket;
use crate::clock::Moment;

/// One entry of the queue.
///
/// A plain message takes its own size and one word more, and lies in front of it: each move of it through memory
/// is then one of whole words. Many messages in their sender's buffer fit in the same room; whatever else a
/// mailbox can do has a box of its own.
#[derive(Debug)]
pub(crate) enum Parcel<M> {
    Plain(Plain<M>),
    /// Many messages at once, in their sender's buffer. A mark goes before them.
    Many(Box<[M]>),
    Special(Box<Special<M>>),
    /// When what comes next was queued, where that has no room for it. The queue's own.
    Mark(Stamp),
}

/// A message and nothing else.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Plain<M> {
    pub(crate) message: M,
    pub(crate) stamp: Stamp,
    tag: Tag,
}

/// It has one value of four bytes; all others tell a parcel's other variants.
#[derive(Debug)]
#[repr(u32)]
enum Tag {
    Plain,
}

/// What is more than a plain message.
#[derive(Debug)]
pub(crate) struct Special<M> {
    pub(crate) stamp: Stamp,
    pub(crate) content: Content<M>,
}

#[derive(Debug)]
pub(crate) enum Content<M> {
    /// A message that was looked at ahead of its turn.
    One(M),
    /// A message that is void after a moment.
    Until(Moment, M),
    /// A message somebody waits for an answer to.
    Ask(Ticket, M),
    /// Many messages at once.
    Many(Vec<M>),
}

impl<M> Content<M> {
    /// Its messages, in their order.
    pub(crate) fn into_messages(self) -> Vec<M> {
        match self {
            Self::One(message) | Self::Until(_, message) | Self::Ask(_, message) => vec![message],
            Self::Many(batch) => batch,
        }
    }
}

impl<M> Parcel<M> {
    /// A message not queued yet.
    pub(crate) const fn plain(message: M) -> Self {
        Self::stamped(Stamp::NEVER, message)
    }

    pub(crate) const fn stamped(stamp: Stamp, message: M) -> Self {
        let tag = Tag::Plain;
        Self::Plain(Plain { message, stamp, tag })
    }

    /// Many messages not queued yet.
    pub(crate) fn many(batch: Vec<M>) -> Self {
        Self::Many(batch.into_boxed_slice())
    }

    /// Something more, not queued yet.
    pub(crate) fn special(content: Content<M>) -> Self {
        let stamp = Stamp::NEVER;
        Self::Special(Box::new(Special { stamp, content }))
    }

    /// How many messages it holds.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Plain(_) | Self::Special(_) => 1,
            Self::Many(batch) => batch.len() as u64,
            Self::Mark(_) => 0,
        }
    }

    /// When it was queued, where it has room for that.
    pub(crate) fn own_stamp(&self) -> Option<Stamp> {
        match self {
            Self::Plain(plain) => Some(plain.stamp),
            Self::Special(special) => Some(special.stamp),
            Self::Mark(stamp) => Some(*stamp),
            Self::Many(_) => None,
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.own_stamp().unwrap_or(Stamp::NEVER)
    }

    pub(crate) fn set_stamp(&mut self, now: Stamp) {
        match self {
            Self::Plain(plain) => plain.stamp = now,
            Self::Special(special) => special.stamp = now,
            Self::Many(_) => {}
            Self::Mark(stamp) => *stamp = now,
        }
    }

    pub(crate) fn into_content(self) -> Content<M> {
        match self {
            Self::Plain(plain) => Content::One(plain.message),
            Self::Many(batch) => Content::Many(batch.into_vec()),
            Self::Mark(_) => Content::Many(Vec::new()),
            Self::Special(special) => special.content,
        }
    }
}

/// When a message was queued, in steps of 65 µs that wrap after 78 hours: 4 bytes, where 8 would cost a fifth
/// of the queue's memory traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(NonZeroU32);

const STEP_BITS: u32 = 16;

/// What seems to be almost as old as the wrap is younger than the look at the clock, by a minute at most.
const YOUNGER_MAX: u32 = 1 << 20;

impl Stamp {
    /// Of what was not queued yet.
    pub(crate) const NEVER: Self = Self(NonZeroU32::MIN);

    #[expect(
        clippy::cast_possible_truncation,
        reason = "stamps wrap by design; ages are differences"
    )]
    pub(crate) fn at(moment: Moment) -> Self {
        Self::from_bits((moment.as_nanos() >> STEP_BITS) as u32).unwrap_or(Self::NEVER)
    }

    /// As a number that is never 0, for a place where 0 means none.
    pub(crate) const fn bits(self) -> u32 {
        self.0.get()
    }

    pub(crate) fn from_bits(bits: u32) -> Option<Self> {
        NonZeroU32::new(bits).map(Self)
    }

    /// The time from this stamp to `now`; none where it was queued after that.
    pub(crate) fn age(self, now: Moment) -> Duration {
        let steps = Self::at(now).bits().wrapping_sub(self.bits());
        let is_younger = steps > u32::MAX - YOUNGER_MAX;
        Duration::from_nanos(if is_younger { 0 } else { u64::from(steps) << STEP_BITS })
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_plain_message_takes_one_word_beside_its_own_size() {
        assert_eq!(size_of::<Parcel<[u64; 2]>>(), 24);
        assert_eq!(size_of::<Parcel<[u64; 8]>>(), 72);
    }

    #[test]
    fn what_was_queued_after_the_look_at_the_clock_has_no_age() {
        for now in [
            Moment::from_nanos(1 << 40),
            Moment::from_nanos(u64::from(u32::MAX) << STEP_BITS),
        ] {
            for later in [Duration::from_millis(1), Duration::from_mins(1)] {
                assert_eq!(Stamp::at(now + later).age(now), Duration::ZERO, "{later:?}");
            }
        }
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
