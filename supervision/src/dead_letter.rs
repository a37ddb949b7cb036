//! Messages that reached no handler.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;

use crate::clock::Moment;
use crate::mailbox::Refused;
use crate::panics::drop_quietly;
use crate::reason::ExitReason;
use crate::sync::lock;

/// How many dead letters a tree keeps to show and replay.
pub const KEPT_LETTERS: usize = 1024;

/// Why a message reached no handler, or did not survive one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// No letter of that number is kept: there was none, it was sent again, or newer ones have pushed it out.
    #[error("no dead letter {letter} is kept; the list tells which are")]
    NotFound {
        /// Its number.
        letter: u64,
    },
    /// It is kept without its message.
    #[error(
        "dead letter {letter} to {path} is kept without its message: questions are not kept, nor is what crashed its agent, unless its type declares a redelivery"
    )]
    NotKept {
        /// Its number.
        letter: u64,
        /// The path it was sent to.
        path: Arc<str>,
    },
    /// The mailbox has no room now.
    #[error("the mailbox of {path} is full; dead letter {letter} is kept, replay it later")]
    Full {
        /// Its number.
        letter: u64,
        /// The path it was sent to.
        path: Arc<str>,
    },
    /// Nobody at the path takes messages of its type now.
    #[error("nobody at {path} takes dead letter {letter}; it is kept, replay it when its agent is there again")]
    Closed {
        /// Its number.
        letter: u64,
        /// The path it was sent to.
        path: Arc<str>,
    },
}

/// Sends a message again, as often as it takes.
pub(crate) type Replay = Box<dyn FnMut() -> Result<(), Refused> + Send>;

/// A dead letter as it is made, with what sends its message again.
pub(crate) struct Letter {
    pub(crate) to: Arc<str>,
    pub(crate) message_type: &'static str,
    pub(crate) reason: DeadReason,
    pub(crate) cause: Option<ExitReason>,
    pub(crate) at: Moment,
    pub(crate) replay: Option<Replay>,
}

impl Letter {
    fn numbered(self, number: u64) -> KeptLetter {
        let shown = DeadLetter {
            number,
            to: self.to,
            message_type: self.message_type,
            reason: self.reason,
            cause: self.cause,
            at: self.at,
            can_replay: self.replay.is_some(),
        };
        let replay = self.replay;
        KeptLetter { shown, replay }
    }
}

/// A dead letter as it is kept.
struct KeptLetter {
    shown: DeadLetter,
    replay: Option<Replay>,
}

impl fmt::Debug for KeptLetter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown.fmt(f)
    }
}

impl KeptLetter {
    fn send_again(&mut self) -> Result<(), ReplayError> {
        let (letter, path) = (self.shown.number, Arc::clone(&self.shown.to));
        let Some(replay) = &mut self.replay else {
            return Err(ReplayError::NotKept { letter, path });
        };
        replay().map_err(|refused| match refused {
            Refused::Full => ReplayError::Full { letter, path },
            Refused::Closed => ReplayError::Closed { letter, path },
        })
    }
}

/// A message that reached no handler, or did not survive one.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
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
    kept: Mutex<VecDeque<KeptLetter>>,
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
    pub fn list(&self) -> Vec<DeadLetter> {
        lock(&self.kept).iter().map(|letter| letter.shown.clone()).collect()
    }

    /// Sends the kept letter of that number again and forgets it; where that fails, it stays.
    pub fn replay(&self, number: u64) -> Result<(), ReplayError> {
        let mut letter = self.take(number).ok_or(ReplayError::NotFound { letter: number })?;
        // A message is sent, and what is in the way dropped, outside the lock.
        letter.send_again().inspect_err(|_| self.put_back(letter))
    }

    fn take(&self, number: u64) -> Option<KeptLetter> {
        let mut kept = lock(&self.kept);
        let index = kept.iter().position(|letter| letter.shown.number == number)?;
        kept.remove(index)
    }

    /// Keeps a letter in its old place, unless newer ones fill the room by now.
    fn put_back(&self, letter: KeptLetter) {
        let mut kept = lock(&self.kept);
        let index = kept.partition_point(|other| other.shown.number < letter.shown.number);
        kept.insert(index, letter);
        let oldest = if kept.len() > KEPT_LETTERS {
            kept.pop_front()
        } else {
            None
        };
        drop(kept);
        drop_quietly(oldest);
    }

    pub(crate) fn count_many(&self, reason: DeadReason, many: u64) {
        if let Some(count) = self.counts.get(reason as usize) {
            count.fetch_add(many, Ordering::Relaxed);
        }
    }

    /// Counts and keeps a letter, numbering it.
    pub(crate) fn keep(&self, letter: Letter) {
        self.count_many(letter.reason, 1);
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        let mut kept = lock(&self.kept);
        let oldest = if kept.len() == KEPT_LETTERS {
            kept.pop_front()
        } else {
            None
        };
        kept.push_back(letter.numbered(number));
        drop(kept);
        // The message's own drop may be anybody's code: not under the lock.
        drop_quietly(oldest);
    }

    /// Counts as many letters as died for one reason at one time, and keeps the last of them, numbering them all.
    pub(crate) fn keep_last(&self, reason: DeadReason, count: u64, letters: Vec<Letter>) {
        self.count_many(reason, count);
        let last = self.number.fetch_add(count, Ordering::Relaxed) + count;
        let mut number = last - letters.len() as u64;
        let mut kept = lock(&self.kept);
        let surplus = (kept.len() + letters.len()).saturating_sub(KEPT_LETTERS);
        let oldest: Vec<_> = kept.drain(..surplus).collect();
        for letter in letters {
            number += 1;
            kept.push_back(letter.numbered(number));
        }
        drop(kept);
        oldest.into_iter().for_each(drop_quietly);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn letter(reason: DeadReason, replay: Option<Replay>) -> Letter {
        Letter {
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
    fn a_letter_whose_replay_fails_stays_and_one_that_succeeds_goes() {
        let letters = DeadLetters::default();
        let mut refusals = [Refused::Full, Refused::Closed].into_iter();
        letters.keep(letter(
            DeadReason::Poison,
            Some(Box::new(move || refusals.next().map_or(Ok(()), Err))),
        ));
        letters.keep(letter(DeadReason::Crashed, None));
        let (number, path) = (1, Arc::from("team/a"));
        let full = ReplayError::Full {
            letter: number,
            path: Arc::clone(&path),
        };
        assert_eq!(letters.replay(1), Err(full));
        let closed = ReplayError::Closed { letter: number, path };
        assert_eq!(letters.replay(1), Err(closed));
        assert_eq!(letters.replay(1), Ok(()));
        assert_eq!(letters.replay(1), Err(ReplayError::NotFound { letter: 1 }));
        let told = letters.replay(2).unwrap_err().to_string();
        assert!(
            told.starts_with("dead letter 2 to team/a is kept without its message"),
            "{told}"
        );
        assert_eq!(letters.list().len(), 1);
    }

    #[test]
    fn no_more_are_kept_where_others_came_while_one_was_replayed_in_vain() {
        let letters = Arc::new(DeadLetters::default());
        let others = Arc::clone(&letters);
        let refuse = move || {
            others.keep(letter(DeadReason::Full, None));
            Err(Refused::Full)
        };
        letters.keep(letter(DeadReason::Full, Some(Box::new(refuse))));
        (1..KEPT_LETTERS).for_each(|_| letters.keep(letter(DeadReason::Full, None)));
        assert!(letters.replay(1).is_err());
        letters.keep(letter(DeadReason::Full, None));
        assert_eq!(letters.list().len(), KEPT_LETTERS);
    }
}
