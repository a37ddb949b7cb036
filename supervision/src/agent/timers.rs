//! An agent's timers: messages it sends itself later. A machine that is told what time it is.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use crate::clock::Moment;

/// Names one timer of one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(u64);

/// Makes the message of a repeated timer.
pub(super) type Maker<M> = Box<dyn FnMut() -> M + Send>;

enum Content<M> {
    Once(M),
    Every(Duration, Maker<M>),
}

struct Timer<M> {
    at: Moment,
    id: u64,
    content: Content<M>,
}

impl<M> PartialEq for Timer<M> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<M> Eq for Timer<M> {}

impl<M> PartialOrd for Timer<M> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<M> Ord for Timer<M> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.id).cmp(&(other.at, other.id))
    }
}

/// The timers of one incarnation; they end with it.
pub(super) struct Timers<M> {
    next: u64,
    waiting: BinaryHeap<Reverse<Timer<M>>>,
}

impl<M> Default for Timers<M> {
    fn default() -> Self {
        Self {
            next: 0,
            waiting: BinaryHeap::new(),
        }
    }
}

impl<M> fmt::Debug for Timers<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timers")
            .field("waiting", &self.waiting.len())
            .finish_non_exhaustive()
    }
}

impl<M> Timers<M> {
    /// Numbered so that the timers of another life are none of this one's.
    pub(super) fn of_life(incarnation: u64) -> Self {
        Self {
            next: incarnation << 32,
            ..Self::default()
        }
    }

    pub(super) fn once(&mut self, at: Moment, message: M) -> TimerId {
        self.insert(at, Content::Once(message))
    }

    pub(super) fn every(&mut self, first: Moment, period: Duration, make: Maker<M>) -> TimerId {
        self.insert(first, Content::Every(period, make))
    }

    fn insert(&mut self, at: Moment, content: Content<M>) -> TimerId {
        let id = self.next;
        self.next += 1;
        self.waiting.push(Reverse(Timer { at, id, content }));
        TimerId(id)
    }

    /// Returns whether the timer was still to fire.
    pub(super) fn cancel(&mut self, id: TimerId) -> bool {
        let before = self.waiting.len();
        // At once: one that is set and called off for each message must not lie there until its time.
        self.waiting.retain(|Reverse(timer)| timer.id != id.0);
        self.waiting.len() < before
    }

    /// When the next one fires.
    pub(super) fn next(&self) -> Option<Moment> {
        self.waiting.peek().map(|Reverse(timer)| timer.at)
    }

    /// The message of one timer that is due. A repeated one is set again from its own time, and skips the
    /// times that have passed meanwhile.
    pub(super) fn due(&mut self, now: Moment) -> Option<M> {
        if self.next()? > now {
            return None;
        }
        let Reverse(timer) = self.waiting.pop()?;
        let message = match timer.content {
            Content::Once(message) => message,
            Content::Every(period, mut make) => {
                let message = make();
                let at = following(timer.at, period, now);
                self.waiting.push(Reverse(Timer {
                    at,
                    id: timer.id,
                    content: Content::Every(period, make),
                }));
                message
            }
        };
        Some(message)
    }
}

fn following(fired: Moment, period: Duration, now: Moment) -> Moment {
    let next = fired + period;
    if next > now {
        return next;
    }
    let period_nanos = period.as_nanos().max(1);
    let missed = now.since(fired).as_nanos() / period_nanos;
    let skipped = u64::try_from(missed * period_nanos).unwrap_or(u64::MAX);
    fired + Duration::from_nanos(skipped) + period
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn timers_fire_in_the_order_of_their_times_and_then_of_their_setting() {
        let mut timers = Timers::default();
        for (seconds, message) in [(2, 'b'), (1, 'a'), (2, 'c')] {
            timers.once(at(seconds), message);
        }
        assert_eq!(timers.due(at(0)), None);
        let fired: String = std::iter::from_fn(|| timers.due(at(2))).collect();
        assert_eq!(fired, "abc");
    }

    #[test]
    fn a_cancelled_timer_never_fires() {
        let mut timers = Timers::default();
        let [first, second] = [1, 2].map(|seconds| timers.once(at(seconds), seconds));
        assert!(timers.cancel(second));
        assert!(!timers.cancel(second));
        assert_eq!(timers.due(at(9)), Some(1));
        assert_eq!(timers.due(at(9)), None);
        assert!(!timers.cancel(first), "it has fired");
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn a_cancelled_timer_is_gone_long_before_its_time() {
        let mut timers = Timers::default();
        timers.once(at(1), Arc::new(()));
        let message = Arc::new(());
        for _ in 0..100_000 {
            let late = timers.once(at(1_000_000), Arc::clone(&message));
            assert!(timers.cancel(late));
        }
        assert_eq!(Arc::strong_count(&message), 1);
    }

    #[test]
    fn a_repeated_timer_keeps_its_beat_and_skips_what_it_missed() {
        let mut timers = Timers::default();
        let mut count = 0;
        timers.every(
            at(1),
            Duration::from_secs(1),
            Box::new(move || {
                count += 1;
                count
            }),
        );
        assert_eq!(timers.due(at(1)), Some(1));
        assert_eq!(timers.next(), Some(at(2)));
        assert_eq!(timers.due(at(5) + Duration::from_millis(1)), Some(2));
        assert_eq!(timers.next(), Some(at(6)));
    }
}
