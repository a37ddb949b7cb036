//! The circuit breaker of one destination: who fails again and again is left alone for a while.
//!
//! ```text
//!         envelopes fail in a row              rest is over
//!  closed ───────────────────▶ open ─────────────────────▶ half-open
//!    ▲                          ▲                              │
//!    │                          └──────── a trial fails ───────┤
//!    └───────────────────────────── all trials succeed ────────┘
//! ```

use std::time::Duration;

use serde::Serialize;
use triarch_supervision::clock::Moment;

/// When a breaker opens, for how long, and how it finds out whether it may close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerTerms {
    /// So many envelopes that fail one after the other open it; 0 is never. One that fails again and again counts once: it
    /// may be that one's fault.
    pub failures: u32,
    /// For so long nothing is handed out.
    pub rest: Duration,
    /// So many trials must succeed, one after the other or at once, before it closes.
    pub trials: u32,
}

impl Default for BreakerTerms {
    fn default() -> Self {
        Self {
            failures: 5,
            rest: Duration::from_mins(1),
            trials: 3,
        }
    }
}

/// How a breaker stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Everything is handed out.
    #[default]
    Closed,
    /// Nothing is.
    Open,
    /// A few trials are.
    HalfOpen,
}

#[derive(Clone, Debug)]
pub(crate) struct Breaker {
    terms: BreakerTerms,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed { failures: u32 },
    Open { until: Moment },
    HalfOpen { begun: u32, succeeded: u32 },
}

impl Breaker {
    pub(crate) const fn new(terms: BreakerTerms) -> Self {
        Self {
            terms,
            state: State::Closed { failures: 0 },
        }
    }

    /// Whether something would be let through now.
    pub(crate) fn would_let(&self, now: Moment) -> bool {
        match self.state {
            State::Closed { .. } => true,
            State::Open { until } => until <= now,
            State::HalfOpen { begun, .. } => begun < self.terms.trials.max(1),
        }
    }

    /// Lets something through, or not.
    pub(crate) fn lets(&mut self, now: Moment) -> bool {
        if !self.would_let(now) {
            return false;
        }
        match &mut self.state {
            State::Closed { .. } => {}
            State::HalfOpen { begun, .. } => *begun += 1,
            State::Open { .. } => {
                self.state = State::HalfOpen { begun: 1, succeeded: 0 };
            }
        }
        true
    }

    pub(crate) fn succeeded(&mut self) {
        match &mut self.state {
            State::Closed { failures } => *failures = 0,
            // It was let through before the rest began, and says nothing of how things are now.
            State::Open { .. } => {}
            State::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= self.terms.trials {
                    self.state = State::Closed { failures: 0 };
                }
            }
        }
    }

    /// Something failed, at its `tries`-th try.
    pub(crate) fn failed(&mut self, now: Moment, tries: u32) {
        let open = State::Open {
            until: now + self.terms.rest,
        };
        match &mut self.state {
            State::Closed { .. } if tries > 1 => {}
            State::Closed { failures } => {
                *failures += 1;
                if self.terms.failures > 0 && *failures >= self.terms.failures {
                    self.state = open;
                }
            }
            State::Open { .. } => {}
            State::HalfOpen { .. } => self.state = open,
        }
    }

    /// Nothing can be said of one that was let through: another is in its place.
    pub(crate) fn untried(&mut self) {
        if let State::HalfOpen { begun, .. } = &mut self.state {
            *begun = begun.saturating_sub(1);
        }
    }

    /// When its rest is over.
    pub(crate) fn rests_until(&self) -> Option<Moment> {
        match self.state {
            State::Open { until } => Some(until),
            _ => None,
        }
    }

    pub(crate) fn state(&self) -> BreakerState {
        match self.state {
            State::Closed { .. } => BreakerState::Closed,
            State::Open { .. } => BreakerState::Open,
            State::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_mins(1);

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(0) + Duration::from_secs(seconds)
    }

    fn opened() -> Breaker {
        let mut breaker = Breaker::new(BreakerTerms::default());
        (0..5).for_each(|_| breaker.failed(at(0), 1));
        breaker
    }

    #[test]
    fn it_opens_after_five_failures_in_a_row_and_rests_for_a_minute() {
        let mut breaker = Breaker::new(BreakerTerms::default());
        for _ in 0..4 {
            breaker.failed(at(0), 1);
        }
        breaker.succeeded();
        (0..4).for_each(|_| breaker.failed(at(0), 1));
        assert!(breaker.lets(at(0)) && breaker.state() == BreakerState::Closed);
        breaker.failed(at(1), 1);
        assert_eq!((breaker.state(), breaker.lets(at(1))), (BreakerState::Open, false));
        assert_eq!(breaker.rests_until(), Some(at(1) + REST));
        assert!(!breaker.lets(at(60)) && breaker.would_let(at(61)));
    }

    #[test]
    fn half_open_it_lets_three_trials_through_and_closes_when_all_succeed() {
        let mut breaker = opened();
        let let_through = (0..5).filter(|_| breaker.lets(at(60))).count();
        assert_eq!((let_through, breaker.state()), (3, BreakerState::HalfOpen));
        breaker.succeeded();
        breaker.succeeded();
        assert!(!breaker.lets(at(60)));
        breaker.succeeded();
        assert!(breaker.lets(at(60)) && breaker.state() == BreakerState::Closed);
    }

    #[test]
    fn one_failed_trial_opens_it_again() {
        let mut breaker = opened();
        assert!(breaker.lets(at(60)));
        breaker.succeeded();
        breaker.failed(at(61), 1);
        assert_eq!(breaker.rests_until(), Some(at(121)));
        // Of a trial that began earlier.
        breaker.succeeded();
        breaker.failed(at(70), 1);
        assert_eq!(breaker.rests_until(), Some(at(121)));
    }

    #[test]
    fn what_fails_again_counts_once_while_it_is_closed_and_fully_as_a_trial() {
        let mut breaker = Breaker::new(BreakerTerms::default());
        (0..4).for_each(|_| breaker.failed(at(0), 1));
        (2..99).for_each(|tries| breaker.failed(at(0), tries));
        assert_eq!(breaker.state(), BreakerState::Closed);
        breaker.failed(at(0), 1);
        assert!(breaker.lets(at(60)));
        breaker.failed(at(60), 2);
        assert_eq!(breaker.state(), BreakerState::Open);
    }

    #[test]
    fn a_trial_that_tells_nothing_leaves_its_place_to_another() {
        let mut breaker = opened();
        let let_through = (0..5).filter(|_| breaker.lets(at(60))).count();
        assert_eq!((let_through, breaker.would_let(at(60))), (3, false));
        breaker.untried();
        assert!(breaker.lets(at(60)) && !breaker.would_let(at(60)));
        (0..3).for_each(|_| breaker.succeeded());
        assert_eq!(breaker.state(), BreakerState::Closed);
    }

    #[test]
    fn without_a_limit_it_never_opens() {
        let mut breaker = Breaker::new(BreakerTerms {
            failures: 0,
            ..BreakerTerms::default()
        });
        (0..100).for_each(|_| breaker.failed(at(0), 1));
        assert!(breaker.lets(at(0)) && breaker.rests_until().is_none());
    }
}
