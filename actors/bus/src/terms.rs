//! What a subscriber asks for beside its pattern.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::breaker::BreakerTerms;

/// What is promised of the delivery to one subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Handed out once, and then nobody's business.
    #[default]
    AtMostOnce,
    /// Handed out until it is acknowledged, or has failed too often.
    AtLeastOnce,
    /// The same, and what one sender publishes twice under one key on one topic within a while is taken in once. That is known
    /// for as long as the subscription is there, and not on disk: whoever subscribes anew, also under the same name after a
    /// restart, may get once more what it had before.
    EffectivelyOnce,
}

/// What becomes of an envelope that finds as many waiting as the subscription bears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhenFull {
    /// The oldest of the least urgent that wait makes room.
    #[default]
    DropOldest,
    /// It is dropped itself.
    DropNewest,
    /// It becomes a dead letter.
    DeadLetter,
}

/// How a delivery that failed is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    /// How often in all, the first try included.
    pub tries: u32,
    /// The wait before the second try; it doubles each time.
    pub first: Duration,
    /// The longest wait.
    pub most: Duration,
    /// By what share of itself a wait may be shorter or longer, 0 to 1.
    pub jitter: f64,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            tries: 5,
            first: Duration::from_millis(100),
            most: Duration::from_secs(30),
            jitter: 0.2,
        }
    }
}

impl Retry {
    /// The wait after so many tries, by `unit` of chance in 0..1.
    pub(crate) fn wait(&self, tries: u32, unit: f64) -> Duration {
        let doubled = 2u32.saturating_pow(tries.saturating_sub(1));
        let plain = self.first.saturating_mul(doubled).min(self.most);
        let jitter = self.jitter.clamp(0.0, 1.0);
        plain.mul_f64(1.0 - jitter + 2.0 * jitter * unit)
    }
}

/// What a subscription is like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// What is promised.
    pub class: Class,
    /// How many may wait, those in hand and those that rest before another try among them.
    pub bound: usize,
    /// How many bytes of payload these may have together; one that is larger may wait by itself.
    pub bound_bytes: usize,
    /// What happens beyond that.
    pub when_full: WhenFull,
    /// How many may be in hand and not acknowledged.
    pub in_hand: usize,
    /// One at a time, and the next only when it is settled for good: the order is kept through failures, and everything
    /// waits behind one that fails.
    pub is_strict: bool,
    /// How long an acknowledgement may take.
    pub ack_within: Duration,
    /// How what failed is tried again.
    pub retry: Retry,
    /// After so many failures in all, those before a replay among them, an envelope is quarantined.
    pub poison_after: u32,
    /// How long a key is remembered by [`Class::EffectivelyOnce`], at most as long as the subscription is there.
    pub remember: Duration,
    /// When the destination is left alone.
    pub breaker: BreakerTerms,
}

/// How many keys one subscription remembers at most.
pub(crate) const REMEMBERED_MAX: usize = 1 << 16;

impl Default for Terms {
    fn default() -> Self {
        Self {
            class: Class::default(),
            bound: 1024,
            bound_bytes: 64 << 20,
            when_full: WhenFull::default(),
            in_hand: 64,
            is_strict: false,
            ack_within: Duration::from_secs(30),
            retry: Retry::default(),
            poison_after: 10,
            remember: Duration::from_mins(10),
            breaker: BreakerTerms::default(),
        }
    }
}

impl Terms {
    /// The defaults with this class.
    pub fn of(class: Class) -> Self {
        Self {
            class,
            ..Self::default()
        }
    }

    /// At most so many wait.
    #[must_use]
    pub fn bound(mut self, bound: usize) -> Self {
        self.bound = bound.max(1);
        self
    }

    /// These have at most so many bytes.
    #[must_use]
    pub fn bound_bytes(mut self, bytes: usize) -> Self {
        self.bound_bytes = bytes.max(1);
        self
    }

    /// What happens beyond that.
    #[must_use]
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = when_full;
        self
    }

    /// The order is kept through failures.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    pub(crate) fn is_acknowledged(&self) -> bool {
        self.class != Class::AtMostOnce
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest_and_vary_by_their_jitter() {
        let retry = Retry::default();
        let waits: Vec<_> = (1..5).map(|tries| retry.wait(tries, 0.5).as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800]);
        assert_eq!(retry.wait(40, 0.5), retry.most);
        assert_eq!(
            (retry.wait(1, 0.0).as_millis(), retry.wait(1, 1.0).as_millis()),
            (80, 120)
        );
    }
}
