//! Messages that reached no handler.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use crate::clock::Moment;
use crate::reason::ExitReason;

/// How many dead letters a tree keeps to show and replay.
pub const KEPT_LETTERS: usize = 1024;

/// Why a message reached no handler, or did not survive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadReason {
    /// The mailbox was full and its policy drops.
    Full,
    /// The mailbox was closed, or the message lay in it when it closed.
    Closed,
    /// Its deadline passed, or nobody waited for its answer any more.
    Expired,
    /// The agent failed while it had the message in hand.
    Crashed,
    /// It crashed the agent as often as its type allows redelivery.
    Poison,
    /// Nobody bears the name it was sent to.
    NoSuchAgent,
}

impl DeadReason {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Full,
        Self::Closed,
        Self::Expired,
        Self::Crashed,
        Self::Poison,
        Self::NoSuchAgent,
    ];

    /// Whether a handler had begun with the message; else it never reached one.
    pub(crate) fn was_begun(self) -> bool {
        matches!(self, Self::Crashed | Self::Poison)
    }

    /// The word used in metrics and screens.
    pub fn label(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Crashed => "crashed",
            Self::Poison => "poison",
            Self::NoSuchAgent => "no_such_agent",
        }
    }
}

/// Why a dead letter could not be sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// The message itself was not kept.
    #[error("the message was consumed by the handler that crashed; give its type `again` to keep it")]
    NotKept,
    /// The mailbox does not take it now.
    #[error("the mailbox is full or closed; the letter is kept, replay it later")]
    Refused,
}

type Replay = Box<dyn FnMut() -> Result<(), ReplayError> + Send>;

/// A message that reached no handler.
pub struct DeadLetter {
    /// Which it is in its tree, from 1.
    pub number: u64,
    /// The path it was sent to.
    pub to: Arc<str>,
    /// The type of the message.
    pub message_type: &'static str,
    /// Why it is dead.
    pub reason: DeadReason,
    /// What ended the incarnation that had it in hand.
    pub cause: Option<ExitReason>,
    /// When.
    pub at: Moment,
    pub(crate) replay: Option<Replay>,
}

impl fmt::Debug for DeadLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeadLetter")
            .field("number", &self.number)
            .field("to", &self.to)
            .field("message_type", &self.message_type)
            .field("reason", &self.reason)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// A dead letter as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DeadLetterView {
    /// Which it is in its tree, from 1.
    pub number: u64,
    /// The path it was sent to.
    pub to: Arc<str>,
    /// The type of the message.
    pub message_type: &'static str,
    /// Why it is dead.
    pub reason: DeadReason,
    /// What ended the incarnation that had it in hand.
    pub cause: Option<ExitReason>,
    /// When.
    pub at: Moment,
    /// Whether the message was kept, so that it can be sent again.
    pub can_replay: bool,
}

/// The dead letters of a tree: all counted, the last [`KEPT_LETTERS`] kept.
///
/// What a mailbox dropped before its agent was part of the tree is counted when it becomes part of it, and not kept.
#[derive(Debug, Default)]
pub struct DeadLetters {
    counts: [AtomicU64; DeadReason::ALL.len()],
    number: AtomicU64,
    kept: Mutex<VecDeque<DeadLetter>>,
}

impl DeadLetters {
    /// How many there have been for `reason`.
    pub fn count(&self, reason: DeadReason) -> u64 {
        self.counts
            .get(reason as usize)
            .map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// How many there have been.
    pub fn total(&self) -> u64 {
        DeadReason::ALL.into_iter().map(|reason| self.count(reason)).sum()
    }

    /// Those kept, oldest first.
    pub fn list(&self) -> Vec<DeadLetterView> {
        self.lock().iter().map(view).collect()
    }

    /// Sends a kept letter again and forgets it; where that fails, it stays.
    ///
    /// `None` where no letter of that number is kept.
    pub fn replay(&self, number: u64) -> Option<Result<(), ReplayError>> {
        let mut kept = self.lock();
        let index = kept.iter().position(|letter| letter.number == number)?;
        let mut letter = kept.remove(index)?;
        drop(kept);
        let replayed = letter
            .replay
            .as_mut()
            .map_or(Err(ReplayError::NotKept), |replay| replay());
        if replayed.is_err() {
            self.keep_again(letter);
        }
        Some(replayed)
    }

    /// Puts a letter back in its place; others may have come meanwhile, and then there is no room for the oldest.
    fn keep_again(&self, letter: DeadLetter) {
        let mut kept = self.lock();
        let index = kept.partition_point(|other| other.number < letter.number);
        kept.insert(index, letter);
        let oldest = if kept.len() > KEPT_LETTERS {
            kept.pop_front()
        } else {
            None
        };
        drop(kept);
        crate::panics::drop_quietly(oldest);
    }

    pub(crate) fn count_many(&self, reason: DeadReason, many: u64) {
        if let Some(count) = self.counts.get(reason as usize) {
            count.fetch_add(many, Ordering::Relaxed);
        }
    }

    /// Counts and keeps a letter, numbering it.
    pub(crate) fn keep(&self, mut letter: DeadLetter) {
        self.count_many(letter.reason, 1);
        letter.number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let mut kept = self.lock();
        let oldest = if kept.len() == KEPT_LETTERS {
            kept.pop_front()
        } else {
            None
        };
        kept.push_back(letter);
        drop(kept);
        // The message's own drop may be anybody's code: not under the lock.
        crate::panics::drop_quietly(oldest);
    }

    /// Counts as many letters as died for one reason at one time, and keeps the last of them, numbering them all.
    pub(crate) fn keep_last(&self, reason: DeadReason, count: u64, letters: Vec<DeadLetter>) {
        self.count_many(reason, count);
        let last = self.number.fetch_add(count, Ordering::Relaxed) + count;
        let mut number = last - letters.len() as u64;
        let mut kept = self.lock();
        let surplus = (kept.len() + letters.len()).saturating_sub(KEPT_LETTERS);
        let oldest: Vec<_> = kept.drain(..surplus).collect();
        for mut letter in letters {
            number += 1;
            letter.number = number;
            kept.push_back(letter);
        }
        drop(kept);
        oldest.into_iter().for_each(crate::panics::drop_quietly);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<DeadLetter>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn view(letter: &DeadLetter) -> DeadLetterView {
    DeadLetterView {
        number: letter.number,
        to: Arc::clone(&letter.to),
        message_type: letter.message_type,
        reason: letter.reason,
        cause: letter.cause.clone(),
        at: letter.at,
        can_replay: letter.replay.is_some(),
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn letter(reason: DeadReason, replay: Option<Replay>) -> DeadLetter {
        DeadLetter {
            number: 0,
            to: Arc::from("team/a"),
            message_type: "M",
            reason,
            cause: None,
            at: Moment::default(),
            replay,
        }
    }

    #[test]
    fn all_are_counted_and_the_last_are_kept() {
        let letters = DeadLetters::default();
        for _ in 0..=KEPT_LETTERS {
            letters.keep(letter(DeadReason::Full, None));
        }
        assert_eq!(letters.count(DeadReason::Full), KEPT_LETTERS as u64 + 1);
        assert_eq!(letters.total(), KEPT_LETTERS as u64 + 1);
        let list = letters.list();
        assert_eq!((list.len(), list[0].number), (KEPT_LETTERS, 2));
    }

    #[test]
    fn of_many_at_once_all_are_counted_and_numbered_and_the_last_are_kept() {
        let letters = DeadLetters::default();
        letters.keep(letter(DeadReason::Full, None));
        let last = (0..KEPT_LETTERS).map(|_| letter(DeadReason::Closed, None)).collect();
        letters.keep_last(DeadReason::Closed, 1_000_000, last);
        assert_eq!(
            (letters.count(DeadReason::Closed), letters.total()),
            (1_000_000, 1_000_001)
        );
        letters.keep(letter(DeadReason::Full, None));
        let numbers: Vec<_> = letters.list().iter().map(|letter| letter.number).collect();
        let first = 1_000_003 - KEPT_LETTERS as u64;
        assert_eq!(numbers, (first..=1_000_002).collect::<Vec<_>>());
    }

    #[test]
    fn no_more_are_kept_where_others_come_while_one_is_replayed_in_vain() {
        let letters = Arc::new(DeadLetters::default());
        let others = Arc::downgrade(&letters);
        let replay: Replay = Box::new(move || {
            others.upgrade().unwrap().keep(letter(DeadReason::Full, None));
            Err(ReplayError::Refused)
        });
        letters.keep(letter(DeadReason::Full, None));
        letters.keep(letter(DeadReason::Full, Some(replay)));
        for _ in 2..KEPT_LETTERS {
            letters.keep(letter(DeadReason::Full, None));
        }
        assert_eq!(letters.replay(2), Some(Err(ReplayError::Refused)));
        let list = letters.list();
        assert_eq!((list.len(), list[0].number), (KEPT_LETTERS, 2));
        letters.keep(letter(DeadReason::Full, None));
        assert_eq!(letters.list().len(), KEPT_LETTERS);
    }

    #[test]
    fn a_letter_whose_replay_fails_stays_and_one_that_succeeds_goes() {
        let letters = DeadLetters::default();
        let mut refusals = 1;
        letters.keep(letter(
            DeadReason::Poison,
            Some(Box::new(move || {
                refusals -= 1;
                if refusals == 0 {
                    Err(ReplayError::Refused)
                } else {
                    Ok(())
                }
            })),
        ));
        letters.keep(letter(DeadReason::Crashed, None));
        assert_eq!(letters.replay(1), Some(Err(ReplayError::Refused)));
        assert_eq!(letters.replay(1), Some(Ok(())));
        assert_eq!(letters.replay(1), None);
        assert_eq!(letters.replay(2), Some(Err(ReplayError::NotKept)));
        assert_eq!(letters.list().len(), 1);
    }
}
