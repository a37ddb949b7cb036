//! How long a door waits for whom.
//!
//! ```text
//!            heard                 asked               answered
//!   Waiting ───────▶ Listening ───────────▶ Answering ──────────▶ Waiting
//!   (idle)           (head)                 (as long as it takes)
//!                                               │ stays
//!                                               ▼       answered
//!                                           Staying ────────────▶ Waiting
//!                                           (as long as somebody else does)
//!
//!   Answering, Staying ──unread──▶ Unread   (may go for whoever comes)
//! ```

use std::time::Duration;

use triarch_supervision::clock::Moment;

/// How long each stage may last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the first byte of a request to its last.
    pub(crate) listening: Duration,
    /// Without a request.
    pub(crate) waiting: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Listening,
    Answering,
    Staying,
    Unread,
    Waiting,
}

/// Where one connection stands, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    limits: Limits,
    stage: Stage,
    since: Moment,
}

impl Patience {
    /// Of one that has just come: who comes has something to say.
    pub(crate) const fn new(limits: Limits, now: Moment) -> Self {
        Self {
            limits,
            stage: Stage::Listening,
            since: now,
        }
    }

    /// Part of a request came. More of it buys no more time.
    pub(crate) fn heard(&mut self, now: Moment) {
        if self.stage == Stage::Waiting {
            self.enter(Stage::Listening, now);
        }
    }

    /// The request is complete.
    pub(crate) fn asked(&mut self, now: Moment) {
        self.enter(Stage::Answering, now);
    }

    /// What was asked for takes as long as somebody else does.
    pub(crate) fn stays(&mut self, now: Moment) {
        if self.stage == Stage::Answering {
            self.enter(Stage::Staying, now);
        }
    }

    /// Nobody reads what was answered.
    pub(crate) fn unread(&mut self, now: Moment) {
        self.enter(Stage::Unread, now);
    }

    /// Whether it is served for as long as somebody else takes.
    pub(crate) fn is_staying(&self) -> bool {
        self.stage == Stage::Staying
    }

    /// It is answered.
    pub(crate) fn answered(&mut self, now: Moment) {
        self.enter(Stage::Waiting, now);
    }

    /// When it has lasted long enough; `None` while the other side is waiting for us.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        match self.stage {
            Stage::Listening => Some(self.since + self.limits.listening),
            Stage::Waiting => Some(self.since + self.limits.waiting),
            // Who comes back to an answer it left unread is to find how that ended, however late.
            Stage::Answering | Stage::Staying | Stage::Unread => None,
        }
    }

    /// Since when the other side has kept us waiting.
    pub(crate) fn idle_since(&self) -> Option<Moment> {
        (!matches!(self.stage, Stage::Answering | Stage::Staying)).then_some(self.since)
    }

    fn enter(&mut self, stage: Stage, now: Moment) {
        self.stage = stage;
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        listening: Duration::from_secs(5),
        waiting: Duration::from_mins(1),
    };

    fn at(seconds: u64) -> Moment {
        Moment::from_nanos(seconds * 1_000_000_000)
    }

    #[test]
    fn who_says_nothing_at_all_is_waited_for_as_for_a_head() {
        assert_eq!(Patience::new(LIMITS, at(10)).deadline(), Some(at(15)));
    }

    #[test]
    fn bytes_that_drip_in_buy_no_time() {
        let mut patience = Patience::new(LIMITS, at(10));
        for second in 11..15 {
            patience.heard(at(second));
        }
        assert_eq!(patience.deadline(), Some(at(15)));
    }

    #[test]
    fn while_we_answer_nobody_is_late() {
        let mut patience = Patience::new(LIMITS, at(10));
        patience.asked(at(11));
        patience.heard(at(12));
        assert_eq!((patience.deadline(), patience.idle_since()), (None, None));
    }

    #[test]
    fn who_leaves_its_answer_unread_is_waited_for_until_somebody_wants_its_place() {
        let mut patience = Patience::new(LIMITS, at(10));
        patience.asked(at(11));
        patience.stays(at(11));
        assert_eq!((patience.is_staying(), patience.idle_since()), (true, None));
        patience.unread(at(71));
        assert_eq!((patience.is_staying(), patience.idle_since()), (false, Some(at(71))));
        assert_eq!(patience.deadline(), None);
    }

    #[test]
    fn only_who_is_answered_stays() {
        let mut patience = Patience::new(LIMITS, at(10));
        patience.stays(at(11));
        assert!(!patience.is_staying());
    }

    #[test]
    fn between_requests_there_is_more_time_until_the_next_begins() {
        let mut patience = Patience::new(LIMITS, at(10));
        patience.asked(at(11));
        patience.answered(at(12));
        assert_eq!(patience.deadline(), Some(at(72)));
        patience.heard(at(40));
        assert_eq!(patience.deadline(), Some(at(45)));
    }
}
