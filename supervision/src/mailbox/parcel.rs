//! What lies in the queue: a message with what was asked for it.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::ask::Ticket;
use crate::clock::Moment;

/// One entry of the queue.
///
/// A plain message takes its own size and a stamp, and lies in front of it: each move of it through memory is
/// then one of whole words. A stamp is never 0, so the tag takes no room. Whatever else a mailbox can do has a
/// box of its own.
#[derive(Debug)]
pub(crate) enum Parcel<M> {
    Plain(Plain<M>),
    Special(Box<Special<M>>),
}

/// A message and nothing else.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Plain<M> {
    pub(crate) message: M,
    pub(crate) stamp: Stamp,
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
    /// Many messages at once, in the sender's own buffer.
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
        Self::Plain(Plain { message, stamp })
    }

    /// Something more, not queued yet.
    pub(crate) fn special(content: Content<M>) -> Self {
        let stamp = Stamp::NEVER;
        Self::Special(Box::new(Special { stamp, content }))
    }

    /// How many messages it holds.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Special(special) => match &special.content {
                Content::Many(batch) => batch.len() as u64,
                _ => 1,
            },
            Self::Plain(_) => 1,
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        match self {
            Self::Plain(plain) => plain.stamp,
            Self::Special(special) => special.stamp,
        }
    }

    pub(crate) fn set_stamp(&mut self, now: Stamp) {
        match self {
            Self::Plain(plain) => plain.stamp = now,
            Self::Special(special) => special.stamp = now,
        }
    }

    pub(crate) fn into_special(self) -> Box<Special<M>> {
        match self {
            Self::Plain(Plain { message, stamp }) => {
                let content = Content::One(message);
                Box::new(Special { stamp, content })
            }
            Self::Special(special) => special,
        }
    }

    pub(crate) fn into_content(self) -> Content<M> {
        match self {
            Self::Plain(plain) => Content::One(plain.message),
            Self::Special(special) => special.content,
        }
    }
}

/// When a message was queued, in steps of 65 µs that wrap after 78 hours: 4 bytes, where 8 would cost a fifth
/// of the queue's memory traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(NonZeroU32);

const STEP_BITS: u32 = 16;

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

    /// The time from this stamp to `now`.
    pub(crate) fn age(self, now: Moment) -> Duration {
        Duration::from_nanos(u64::from(Self::at(now).bits().wrapping_sub(self.bits())) << STEP_BITS)
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
    fn an_age_survives_the_wrap() {
        let before = Moment::from_nanos((u64::from(u32::MAX) << STEP_BITS) - 1);
        let age = Stamp::at(before).age(before + Duration::from_secs(3));
        assert!(
            (Duration::from_millis(2999)..Duration::from_millis(3001)).contains(&age),
            "{age:?}"
        );
    }
}
